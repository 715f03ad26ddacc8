"""The estimates of a text's tokens, held against a real tokenizer's count."""

from __future__ import annotations

import base64
import hashlib

import pytest

from nix_trinity.tokens import expected_tokens, most_tokens
from tests.stack.server import OllamaServer

RANDOM = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(2))
# The full stop that is put behind every text may take a blank before it into its own token.
JOINED = 1

TEXTS = {
    "English": "You need to change the configuration of your firewall so that only computers from your own network "
    "can connect to the server; everything else should stay closed, because people could otherwise attack the machine",
    "Nix": "{ config, pkgs, ... }:\n{\n  services.openssh = {\n    enable = true;\n    settings.X11Forwarding = false;\n"
    "  };\n  networking.firewall.allowedTCPPorts = [ 22 80 443 ];\n}",
    "shell": 'for i in $(seq 1 9); do [[ -e /nix/var/$i ]] && rm -rf -- "${HOME:?}/$i" 2>&1 | tee -a ~/log; done',
    "log": "Nov 25 08:45:01 larch systemd[1]: nginx.service: Main process exited, code=exited, status=1/FAILURE",
    "Chinese": "我怎样在这台机器上打开防火墙的端口，并且让其他人不能访问？",
    "Korean": "방화벽 포트를 열려면 어떻게 해야 합니까? 설정 파일은",
    "Russian": "Как открыть порт в брандмауэре, чтобы остальные не имели доступа?",
    "Arabic": "كيف أفتح منفذا في جدار الحماية بحيث لا يصل إليه الآخرون؟",
    "German": "Wie öffne ich einen Port der Firewall, ohne daß Fremde darauf zugreifen können?",
    "emoji": "🚀🔥👩‍💻🏳️‍🌈🧑🏽‍🚀✨💾🔒",
    "base64": base64.b64encode(RANDOM).decode(),
    "a hash": RANDOM.hex()[:64],
    "numbers": " ".join(str(int.from_bytes(RANDOM[start : start + 4], "big")) for start in range(0, 24, 4)),
    "a store path": f"/nix/store/{base64.b32encode(RANDOM[:20]).decode().lower()}-hello-2.12.1",
    "spaces": "a" + " " * 80 + "b",
    "new lines": "a" + "\n" * 80 + "b",
    "tabs and spaces": "\t  \t" * 12 + "x",
    "punctuation": "}{][)(*&^%$#@!~`|\\/?><.,;:'\"+=-_",
    "letters apart": "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    "one letter": "a" * 100,
    "box drawing": "├── │   └── ━━━━ ▓▓▓▓ ░░░░",
    "rare characters": "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ꙮ ⸘ ᚠᛇᚻ 𓀀𓂀",
    "empty": "",
}


@pytest.fixture(scope="module")
def counted(ollama_server: OllamaServer, chat_model: str) -> dict[str, int]:
    """How many tokens the real tokenizer makes of each text."""

    def count(text: str) -> int:
        answer = ollama_server.http.post(
            "/api/generate",
            {
                "model": chat_model,
                "prompt": f"{text} .",
                "raw": True,
                "stream": False,
                "options": {"num_ctx": 4096, "num_predict": 1},
            },
        )
        return int(answer["prompt_eval_count"])

    # A full stop is added, since Ollama does not run a prompt without a token; it is taken off again.
    stop = count("")
    return {name: max(count(text) - stop, 0) for name, text in TEXTS.items()}


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_has_more_tokens_than_are_counted_on(counted: dict[str, int], name: str) -> None:
    """c01: what fits by our count fits by the engine's."""
    assert most_tokens(TEXTS[name]) >= counted[name]


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_has_fewer_tokens_than_are_expected(counted: dict[str, int], name: str) -> None:
    """c01: what the engine has seen whole is not taken to be cut."""
    assert expected_tokens(TEXTS[name]) <= counted[name] + JOINED

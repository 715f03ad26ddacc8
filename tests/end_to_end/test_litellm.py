"""LiteLLM's real proxy in front of two real Ollamas, under load, and one of them is killed in the middle."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.stack import chat_model as model_file
from tests.stack.daemon_process import ActivatedDaemon
from tests.stack.litellm_proxy import KEY, SERVED, LiteLLM, LiteLLMProxy, openai_api
from tests.stack.ollama_binary import OllamaBinary
from tests.stack.server import OllamaServer

QUESTIONS = 24
AT_ONCE = 4
RUNNING = 2
KILLED_AFTER = 6
ROLES = ("expert", "empathy", "coder", "quick")


@pytest.fixture(scope="module")
def engines(ollama: OllamaBinary, chat_gguf: Path) -> Iterator[tuple[OllamaServer, OllamaServer]]:
    with OllamaServer(ollama) as one, OllamaServer(ollama) as other:
        for server in (one, other):
            # A thread each: the two share the machine's cores, and threads that wait for each other by spinning stall both.
            server.create_from_gguf(model_file.NAME, chat_gguf, {"parameters": {"num_thread": 1}})
        yield one, other


def test_answers_go_on_when_one_of_two_is_killed_under_load(
    engines: tuple[OllamaServer, OllamaServer], litellm: LiteLLM, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    behind = [openai_api(f"{one.url}/v1", model_file.NAME) for one in engines]
    roles = dict.fromkeys(ROLES, f'engine = "openai"\nmodel = "{SERVED}"')
    with LiteLLMProxy(litellm, tmp_path / "proxy", behind) as proxy:
        (tmp_path / "d").mkdir()
        with ActivatedDaemon(
            tmp_path / "d",
            ollama_url="http://127.0.0.1:9",
            model=SERVED,
            roles=roles,
            ollama="enabled = false",
            options=None,
            config=f'[openai]\nurl = "{proxy.url}"\napi_key_file = "{key}"\n'
            f"[answering]\nanswer_tokens = 24\nmax_running = {RUNNING}\nmax_waiting = 32",
        ) as daemon:
            answers = loaded(daemon, engines[1])
            failed = [one for one in answers if "error" in one]
            told = json.dumps(failed) + proxy.log.read_text()[-3000:]
            # Those that were in the middle of an answer of the one that died; nothing else.
            assert len(failed) <= RUNNING, told
            assert [one for one in answers[KILLED_AFTER + 2 * AT_ONCE :] if "error" in one] == [], told
            rows = daemon.rows()
            assert len(rows) == QUESTIONS
            for row in rows:
                whole = daemon.json("GET", f"/v1/history/{row['id']}")["exchange"]
                assert whole["total_ms"] > 0
                assert whole["outcome"] in ("answered", "failed")
                if whole["outcome"] == "answered":
                    assert whole["answer"].strip()
                    assert whole["model"] == "nix-quick"
                    assert whole["prompt_tokens"] > 100
                    assert not whole["truncated"]
                else:
                    assert whole["error_code"]
            assert daemon.ask("Who are you?", fresh=True)["model"] == "nix-quick"


def loaded(daemon: ActivatedDaemon, victim: OllamaServer) -> list[dict[str, Any]]:
    """Ask many questions, some at a time; the victim dies when a few have been answered."""
    answered = threading.Semaphore(0)

    def ask(number: int) -> dict[str, Any]:
        answer = daemon.ask(f"What is {number} and {number}?", fresh=True)
        answered.release()
        return answer

    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(ask, number) for number in range(QUESTIONS)]
        for _ in range(KILLED_AFTER):
            answered.acquire()
        victim.kill()
        return [one.result() for one in asked]

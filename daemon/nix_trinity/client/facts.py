"""What the options of this NixOS say, without a model: one option, what changed, whether a text is right."""

from __future__ import annotations

import os
import sys

from nix_trinity.client.arguments import quoted, read_arguments
from nix_trinity.client.report import checked, decoded, harmless, show_reply
from nix_trinity.client.wire import Refusal, request

# More than the daemon takes: what it refuses it says itself.
_MOST_BYTES = 4 << 20


def option(given: list[str]) -> int:
    """``nix-trinity option``."""
    options, words = read_arguments(given, flags=("--json",), most_words=1)
    if not words or not words[0].strip():
        raise Refusal(2, "Say which option.", "For example: nix-trinity option services.openssh.enable")
    show_reply("GET", f"/v1/options/{quoted(words[0].strip())}", as_json="--json" in options)
    return 0


def changes(given: list[str]) -> int:
    """``nix-trinity changes``."""
    options, _ = read_arguments(given, flags=("--json",), values=("--since", "--under"), most_words=0)
    query = [f"{name[2:]}={quoted(options[name])}" for name in ("--since", "--under") if name in options]
    show_reply("GET", "/v1/changes" + (f"?{'&'.join(query)}" if query else ""), as_json="--json" in options)
    return 0


def check(given: list[str]) -> int:
    """``nix-trinity check``: 1 if something is wrong in one of the files."""
    options, files = read_arguments(given, flags=("--json",))
    if not files:
        raise Refusal(
            2, "Say what to check.", "For example: nix-trinity check configuration.nix, or - for what is piped in"
        )
    return max([_check(file, as_json="--json" in options) for file in files])


def _check(file: str, *, as_json: bool) -> int:
    import json

    text = _read(file)
    # A module's descriptions may have code blocks in them: what is named *.nix is Nix all the same.
    is_text = not file.endswith(".nix") and (file != "-" or has_block(text))
    body = json.dumps({"text" if is_text else "code": text}, ensure_ascii=False).encode()
    accept = "application/json" if as_json else "text/plain"
    reply = checked(request("POST", "/v1/check", body=body, accept=accept)).body()
    said = reply.decode("utf-8", "replace").rstrip("\n")
    if as_json:
        sys.stdout.write(f"{said}\n")
        return int(decoded(reply).get("verdict") != "verified")
    place = "" if file == "-" else f"{file}: "
    lines = [f"{place}{line}" for line in said.split("\n")]
    sys.stdout.write("".join(f"{harmless(line) if sys.stdout.isatty() else line}\n" for line in lines))
    # The last line begins with the verdict.
    return int(not lines[-1].startswith(f"{place}verified:"))


def has_block(text: str) -> bool:
    """Whether it is a text with code blocks in it, and not code by itself."""
    return any(line.lstrip(" >").startswith(("```", "~~~")) for line in text.split("\n"))


def _read(file: str) -> str:
    try:
        raw = _from_input() if file == "-" else _from_file(file)
        if len(raw) > _MOST_BYTES:
            raise Refusal(
                2, f"{file} has more than {_MOST_BYTES >> 20} MiB.", "Check the part that matters.", "too_large"
            )
        return raw.decode()
    except OSError as error:
        raise Refusal(
            2, f"{file} cannot be read: {error.strerror}.", "Name a file that is yours to read, or -."
        ) from None
    except UnicodeDecodeError:
        raise Refusal(2, f"{file} is not text in UTF-8.", "Check Nix code, or a text with code blocks.") from None


def _from_file(file: str) -> bytes:
    with open(file, "rb") as opened:  # noqa: PTH123 (pathlib takes 10 ms to import)
        return opened.read(_MOST_BYTES + 1)


def _from_input() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise Refusal(2, "Nothing is piped in.", "For example: wl-paste | nix-trinity check -")
    raw = b""
    while len(raw) <= _MOST_BYTES and (block := os.read(sys.stdin.fileno(), 1 << 20)):
        raw += block
    return raw

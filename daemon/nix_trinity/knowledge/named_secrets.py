"""Secrets that are known by the name of what they are given to: ``password = "…"``, ``--token …``."""

from __future__ import annotations

import re
from typing import Final

from nix_trinity.knowledge.secret_shapes import WORD_START
from nix_trinity.knowledge.secret_values import (
    MARK,
    PASSWORDS,
    PLAIN,
    SHELL_REFERENCE,
    Setting,
    looks_random,
    points_elsewhere,
    reads_as_code_or_prose,
)

_NAME: Final = re.compile(
    r"(?P<name>(?i:passw(?:or)?d|passphrase|passcode|token|secret|psk|pre[ _-]?shared[ _-]?key"
    r"|(?:private|api|auth|access|shared|encryption|master|account|service)[ _-]?key)"
    r"|signing[_-]key|SIGNING_KEY|bindpw|rootpw|requirepass|masterauth|(?:(?<![A-Za-z])[Pp](?:ass|wd|w)|(?<=[a-z_])P(?:ass|wd|w)"
    r"|(?<=_)P(?:ASS|WD|W))(?![A-Za-z])"
    r"|(?:(?<![A-Za-z])(?:[Pp]in|PIN)|(?<=[a-z_])P(?:in|IN))(?![A-Za-z])|(?i:key)(?![A-Za-z]))(?P<suffix>[\w-]{0,40})(?P<closed>\\{0,3}[\"']\]?)?"
    # A value may start on the next line if it is quoted, as nixfmt writes long ones.
    r"(?:(?P<sep>[ \t]{0,40}(?:=>|[:?+]?={1,3}|:(?![:/])|%3D|\\u003[dD])[ \t]{0,40}"
    r"(?:\r?\n[ \t]{0,40}(?=[\"']))?)"
    r"|(?P<verb>[ \t]{1,4}(?:is|was)(?: set to)?:?[ \t]{1,4})|(?P<blank>[ \t]{1,20}))"
)
# Endings of names whose value is only about a secret: passwordFile, token_type, tokenizer, secretName, …
_ABOUT: Final = re.compile(
    r"(?i)^ary|file|path|dir|command|cmd|eval|stdin|prompt|authentication|policy|length|count|type|name|ur[il]|endpoint|iz"
    r"|expir|ttl|lifetime|timeout|manager|store|ref(?!resh)|service|field|label|requir|need|enable|allow|backend"
    r"|provider|algo|scheme|format|rotat|limit|per_|less|source|column|hint|crypt\Z|moddn"
)
_VALUE: Final = re.compile(
    # lib.mkForce "…", lib.mkIf cond "…" and Python's b"…" put something before the quote.
    r"(?:\(?(?:lib\.)?mk[A-Z]\w{1,20}(?:[ \t][\w.()!]{1,60}){0,2}[ \t]{1,4})?[bBrRuUfF]{0,2}"
    # '' opens a Nix string, and is an empty one elsewhere.
    r"(?:(?P<fence>\"{3}|'{3}|'{2}(?![ \t]*+(?:[;,)}\]#&|\r\n]|\Z))|(?<== )'{2}(?=[ \t]*+\r?\n))"
    r"(?P<multi>[\s\S]{1,4096}?)(?P=fence)"
    r"|(?P<quote>\\{0,3}[\"'`])(?P<quoted>(?:(?P=quote){2}(?=\w)|(?!(?P=quote))(?:\\[^\n]|[^\n]))*+))"
    r"|(?P<block>[|>][+-]?\d?[ \t]*+\r?\n)"
    # Bare: a comma and the like belongs to it, unless something new begins behind it.
    rf"|(?P<bare>(?:{MARK}|<[A-Za-z][^<>=\"'\n]{{1,80}}>|«[^«»\n]{{1,80}}»|{SHELL_REFERENCE}|\$\{{[^{{}}\n]{{1,200}}\}}|[^\s\"'`,;&)}}\]]"
    r"|[,;&)}\]](?![\s\"'`,;&)}\]]|\Z|[\w.-]{1,64}[=:]))++)"
)
_IDENTIFIER: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_LOOK_BACK: Final = 160
_LINE_START: Final = re.compile(r"[ \t+>|*\"'-]{0,80}(?:(?:export|set|declare -x|setenv)[ \t]{1,8})?[\"']?")
_COMMENT: Final = re.compile(r"[ \t]#|;(?=\s|\Z)")
_NEXT_SETTING: Final = re.compile(r",[ \t]{0,8}[\w.-]{1,64}[ \t]?[:=]")
_DIRECTIVES: Final = frozenset({"bindpw", "rootpw", "requirepass", "masterauth"})
# nmcli … password X, and netrc.
_BLANK_CONTEXT: Final = re.compile(
    rf"{WORD_START}(?:nmcli\b[^\n]*\Z|machine\s{{1,8}}\S{{1,80}}\.\S{{1,80}}\s{{1,8}}\Z"
    # SQL: CREATE USER … WITH PASSWORD '…'
    r"|(?:WITH|ENCRYPTED|SET)[ ]\Z"
    r"|(?:machine\s{1,8}\S{1,100}|default)\s{1,8}login\s{1,8}\S{1,100}\s{1,8}\Z)"
)
_KEY_MATERIAL: Final = re.compile(
    r"(?:(?=[^\d]*\d)(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])[A-Za-z0-9+/_=-]{20,512}|(?:[0-9a-f]{32}|[0-9a-f]{64}))"
)
_PIN: Final = re.compile(r"\d{4,12}+")
_PUBLIC: Final = re.compile(r"(?i)pub|finger|trust|host|cache")


def redact_named(text: str, found: list[str]) -> str:
    """Replace the values beside such names in ``text``; append what kind each was to ``found``."""
    parts: list[str] = []
    done = at = 0
    while match := _NAME.search(text, at):
        at = match.end()
        if span := _value_span(text, match):
            kind = _kind(match["name"])
            found.append(kind)
            parts += text[done : span[0]], f"[redacted: {kind}]"
            done = at = span[1]
    return "".join((*parts, text[done:]))


def _kind(name: str) -> str:
    folded = re.sub(r"[ _-]", "", name.lower())
    named = {
        "token": "token",
        "secret": "secret",
        "passphrase": "passphrase",
        "privatekey": "private key",
        "pin": "PIN",
    }
    if folded.endswith(("psk", "sharedkey")):
        return "pre-shared key"
    return named.get(folded, "key" if folded.endswith("key") else "password")


def _value_span(text: str, match: re.Match[str]) -> tuple[int, int] | None:
    """Where the secret beside a name stands, or None if this is no assignment or its value is no secret."""
    at, name, sep = match.end(), match["name"].lower(), match["sep"] or ""
    value_match = _VALUE.match(text, at)
    if value_match is None or _ABOUT.search(match["suffix"]):
        return None
    head = text[max(0, match.start() - _LOOK_BACK) : match.start()]
    before = head.rstrip(_IDENTIFIER)
    line = before.rpartition("\n")[2]
    starts_line = bool(_LINE_START.fullmatch(line)) and (len(head) < _LOOK_BACK or "\n" in head)
    quoted = value_match["bare"] is None
    flag = len(before) < len(head) and head[len(before)] == "-" and before[-1:] in ("", *" \t\n\"'`(=")
    opened = before[-1:] in ('"', "'") and not match["closed"]  # "name:value" or "NAME=value" in one string
    if sep == ":" and before.endswith(("//", ":")):  # a URL, did:key:…, a list of ciphers
        return None
    if match["blank"]:
        # "Pass `x` to y" begins a sentence.
        sentence = name == "pass" and value_match["quote"] == "`"
        directive = starts_line and not sentence and (quoted or name in _DIRECTIVES)
        if not (flag or directive or _BLANK_CONTEXT.search(before)):
            return None
    if value_match["block"]:
        start, end = _block_span(text, value_match.end(), len(line) - len(line.lstrip(" ")))
    elif quoted:
        start, end = value_match.span("multi" if value_match["fence"] else "quoted")
    else:
        start, end = value_match.span("bare")
        spaced = ":" in sep or sep != sep.strip() or name in ("psk", "passphrase")
        # YAML and INI values run to the end of their line, unless it holds more settings than one.
        if starts_line and spaced and sep and not opened and not _NEXT_SETTING.match(text, end):
            newline = text.find("\n", at)
            rest = text[at : newline if newline >= 0 else None]
            end = at + len(_COMMENT.split(rest, maxsplit=1)[0].rstrip(" \t\r;,"))
    value = text[start:end]
    keyed = starts_line or flag or before[-1:] in tuple("\"'{[(,;|&?<`") or before.rstrip()[-1:] in tuple("{,")
    if name == "pin":
        return (start, end) if _PIN.fullmatch(value) and keyed else None
    plain = PLAIN.fullmatch(value.rstrip("):")) and not (quoted and value[:1].isdigit())
    if plain and name in PASSWORDS and not match["suffix"] and _PIN.fullmatch(value):
        plain = False  # a password of digits
    if plain or points_elsewhere(value):
        return None
    # A single letter is a password only where nothing else can be meant.
    if not quoted and len(value) < 2 and not (starts_line and ":" in sep and value.isalpha() and name in PASSWORDS):
        return None
    # SECRET=`head -1 file` takes what a program prints.
    if value_match["quote"] == "`" and sep == "=" and " " in value:
        return None
    # input("Password: ") ends a string here; none begins.
    if value_match["quote"] and not match["closed"] and value_match["quote"] in line and value[:1] in tuple("),]"):
        return None
    if name == "key":
        secret = bool(_KEY_MATERIAL.fullmatch(value)) and not _PUBLIC.search(head[-40:])
    elif match["verb"] or (":" in sep and not keyed):
        secret = bool(quoted and match["verb"]) or looks_random(value.rstrip(".,!?"))
    else:
        setting = Setting(
            name=name,
            sep=sep,
            shell=sep == "=" and match["name"].isupper(),
            compound=starts_line and head[-1:] == "_",
            closed=bool(match["closed"]),
            ends_in_semicolon=text[end : end + 1] == ";",
        )
        secret = quoted or not reads_as_code_or_prose(value, setting)
    return (start, end) if secret else None


def _block_span(text: str, at: int, indent: int) -> tuple[int, int]:
    """The lines of a YAML block scalar: those indented deeper than its key."""
    start = end = at
    while end < len(text):
        newline = text.find("\n", end)
        stop = newline + 1 if newline >= 0 else len(text)
        line = text[end:stop]
        if line.strip() and len(line) - len(line.lstrip(" \t")) <= indent:
            break
        end = stop
    body = text[start:end]
    return start + len(body) - len(body.lstrip()), end - (len(body) - len(body.rstrip())) if body.strip() else start

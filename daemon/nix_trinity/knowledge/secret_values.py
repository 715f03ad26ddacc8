"""What a value says by itself: that it only points at a secret, is plain, or reads as code or prose."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

SHELL_REFERENCE: Final = r"\$\{(?:(?!:-[^}])[^{}\n]){1,200}\}|\$\([^()\n]{1,200}\)"
MARK: Final = r"\[redacted: [^\[\]\n]{1,40}\]"
_REFERENCE: Final = re.compile(
    # Grafana's $__file{…}, and a command whose own quotes end the string early: "$(cat "$x")".
    r"\$__\w{1,20}\{(?:\$\{[^{}\n]{1,200}\}|[^{}\n]{1,200})\}|\$\([^()\n]{1,200}\Z|"
    rf"{MARK}|(?:\\|'')?(?:{SHELL_REFERENCE})|[\w./-]{{1,100}}=(?:PAT:|OAuth2:)?(?=\[redacted|[$%])"
    r"|\$(?:[A-Za-z_]\w{0,64}|[\d@*])(?![\w$])|\$?\{\{[^{}\n]{1,200}\}\}|\{[a-z_.]{1,40}\}|<[^<>\n]{1,80}>|@[\w-]{1,60}@"
    r"|%[A-Za-z_]{1,40}%|%[A-Za-z](?!\w)|«[^«»\n]{1,80}»|%env\(\w{1,80}\)%|%(?:\([\w:.-]{0,80}\))?s|\\[nrt]"
    r"|\b(?i:your|example)[-_](?:[A-Za-z]{1,20}[-_])?(?i:passw(?:or)?d|pass|token|secret|key)\b"
)
_ELSEWHERE: Final = re.compile(
    r"(?:file:(?://)?|@)?(?:\.{1,2}/|~/|/?\$\{?[A-Za-z_][\w.]{0,80}\}?/"
    r"|/(?:run|etc|var|home|nix|root|persist|tmp|mnt|srv|boot|dev|usr|opt|data|path)\b)[^\s:]*+"
    r"|\(?(?:config|osConfig|lib|builtins|pkgs|cfg|self|inputs|import|settings|args|os|env|process|var|secrets"
    r"|getpass)[.(].*+|\(?import .*+|(?:lib\.)?mk[A-Z][a-zA-Z]{2,20}[ ({].*+"
    r"|ext:\w{1,64}|(?:pass:|env:|cmd:|op://|https?://|vault:|!secret |!vault|ENC\[|sha(?:1|256|512)[-:]|SHA256:).*+"
    r"|age1[a-z0-9]{30,}+|ssh-\w{1,10} AAAA.*+|::[\da-f:]{1,40}"
    r"|[*!•]*+|\.{3}|…|(?:A[KS]IA)?[xX]{3,}+(?:/[xX]++)?|\([a-z ]{1,20}\)|[\[({](?:[\s\"'{})\]].*+)?"
    # Nix: a set, a function that gives a path, and the name of a file with a key in it.
    r"|\{\w{1,40}[ \t]{0,8}=.*+|[A-Za-z_]\w{0,40}:[ \t]{1,8}[\"(]{0,2}[/$].*+"
    r"|[\w.-]{1,80}\.(?:pem|key|age|crt|cer|asc|gpg|p12|pfx|jks|txt|ya?ml|json|toml|env|nix|conf)",
    re.DOTALL,
)
PLAIN: Final = re.compile(
    r"(?i:true|false|yes|no|on|off|null|none|nil|undefined|str(?:ing)?|int|bool(?:ean)?|bytes|optional|any|auto"
    r"|ask|prompt|stdin|never|always|enabled?|disabled?|inherit|read|write|(?:dict|list|set)(?=\[))\b"
    r"(?:[ \t]*+[=|].*+|\[.*+)?|[\d_.,]{1,5}[kKmM]?|\d{1,3} (?i:char|digit|letter|word|symbol|attempt|time|tr[iy]).*+"
)
# First words of prose; only for values without quotes, where "token: expected ;" looks like an assignment.
_PROSE: Final = re.compile(
    r"and|are|argument|as|at|authentication|be|but|by|cannot|changing|command|compat|could|expected|expecting|failed"
    r"|file|files|flag|for|from|if|in|incorrect|instead|into|invalid|is|maybe|missing|must|need|not|of|option"
    r"|or|parameter|password|permission|range|required|should|sss|string|systemd|to|too|unexpected|unknown"
    r"|unrecognized|user|was|will|with|wrong"
)
# First words of a passphrase as well; they need a mark of punctuation to count as prose.
_SENTENCE: Final = re.compile(
    r"a|an|any|can|did|do|does|had|has|have|how|i|it|its|my|please|that|the|then|there|this|what|when|where"
    r"|which|who|why|would|you|your"
)
_VARIABLE: Final = re.compile(r"(?:await )?[A-Za-z_][A-Za-z_'-]*(?:\.[A-Za-z_'\"-]+)*(?:\(.*)?", re.DOTALL)
_OPENS: Final = re.compile(r"[A-Za-z_][A-Za-z_.]*(?:[ \t].*)?[{(\[]")
_APPLIED: Final = re.compile(r"[A-Za-z_][A-Za-z_.'-]*(?:[ \t].*)?")
_AMOUNT: Final = re.compile(r"[\d_,. ]{1,20}[kKmM]?")
PASSWORDS: Final = frozenset(
    {"password", "passwd", "passphrase", "passcode", "psk", "pass", "pwd", "pw", "bindpw", "rootpw", "requirepass"}
)
# A word that somebody forgot to quote, as in password = swordfish; and what variables are called instead.
_FORGOTTEN_QUOTES: Final = re.compile(r"[a-z]{6,}+")
_VARIABLE_NAMES: Final = frozenset(
    """account admin argument cleartext config content contents credential credentials cryptedpassword default
    encrypted generated hashed hidden input inputs master output placeholder plaintext prefix private random
    result secret secrets string suffix unset value values""".split()  # noqa: SIM905 - a list of words is read better so
)


@dataclass(frozen=True, slots=True)
class Setting:
    """How a bare value is given: the name beside it, the sign between them, and what stands around both.

    ``shell``: the name is in capitals and takes its value without blanks (``TOKEN=…``). ``compound``: the name is
    the last part of a setting's (``wpa_passphrase``). ``closed``: the name is quoted. ``ends_in_semicolon``: so
    does the value.
    """

    name: str
    sep: str
    shell: bool
    compound: bool
    closed: bool
    ends_in_semicolon: bool


def points_elsewhere(value: str) -> bool:
    """Whether ``value`` only says where a secret is: a path, a variable, an expression, a placeholder."""
    value = value.strip()
    return bool(_ELSEWHERE.fullmatch(value)) or not _REFERENCE.sub("", value).strip(" \t\n:/@.,;&_-")


def looks_random(value: str) -> bool:
    """Whether ``value`` mixes letters with digits or signs, as words of prose do not."""
    has_digit, has_letter = any(map(str.isdigit, value)), any(map(str.isalpha, value))
    return has_letter and len(value) >= 6 and (has_digit or any(char in "!@#$%^&*+=" for char in value[:-1]))


def reads_as_code_or_prose(value: str, setting: Setting) -> bool:
    """Whether a bare ``value`` is an expression or the rest of a sentence."""
    name = setting.name
    if value.startswith("-") or (name == "token" and _AMOUNT.fullmatch(value)):
        return True
    variable = bool(_VARIABLE.fullmatch(value))
    # password=db_password; in a shell, only a word in capitals or the name itself stands for something else.
    if variable and name in value.lower() and (not setting.shell or value.isupper() or value.lower() == name):
        return True
    if variable and setting.closed and ":" in setting.sep:
        return True
    if setting.sep == "=":  # a shell's or a unit's: all else is the value itself
        return False
    first = value.split(None, 1)[0].lower().strip(".,:;!?'\"()") if value.strip() else ""
    if _PROSE.fullmatch(first):
        return True
    if _SENTENCE.fullmatch(first) and not (setting.compound and name in PASSWORDS):
        # No token and no key has blanks in it.
        keyless = name not in PASSWORDS and value.count(" ") >= 3
        if " " not in value or keyless or any(mark in value for mark in ".,?!"):
            return True
    if name in PASSWORDS and _FORGOTTEN_QUOTES.fullmatch(value) and value not in _VARIABLE_NAMES:
        return False
    if value.endswith(":") and _VARIABLE.fullmatch(value[:-1]):  # the argument of a function in Nix
        return True
    # password = prompt(x), and in Nix also password = f x y; or password = f x {
    return bool((variable and value.endswith(")")) or _OPENS.fullmatch(value)) or (
        setting.ends_in_semicolon and bool(_APPLIED.fullmatch(value))
    )

"""What a value says by itself: that it only points at a secret, is plain, or reads as code or prose."""

from __future__ import annotations

import re
from typing import Final

SHELL_REFERENCE: Final = r"\$\{(?:(?!:-[^}])[^{}\n]){1,200}\}|\$\([^()\n]{1,200}\)"
MARK: Final = r"\[redacted: [^\[\]\n]{1,40}\]"
_REFERENCE: Final = re.compile(
    # Grafana's $__file{…}, and a command whose own quotes end the string early: "$(cat "$x")".
    r"\$__\w{1,20}\{(?:\$\{[^{}\n]{1,200}\}|[^{}\n]{1,200})\}|\$\([^()\n]{1,200}\Z|"
    rf"{MARK}|(?:\\|'')?(?:{SHELL_REFERENCE})|[\w./-]{{1,100}}=(?:PAT:|OAuth2:)?(?=\[redacted|[$%])"
    r"|\$(?:[A-Za-z_]\w{0,64}|[\d@*])(?![\w$])|\$?\{\{[^{}\n]{1,200}\}\}|\{[a-z_.]{1,40}\}|<[^<>\n]{1,80}>|@[\w-]{1,60}@"
    r"|%[A-Za-z_]{1,40}%|%env\(\w{1,80}\)%|%(?:\([\w:.-]{0,80}\))?s|\\[nrt]"
)
_ELSEWHERE: Final = re.compile(
    r"(?:file:(?://)?|@)?(?:\.{1,2}/|~/|/?\$\{?[A-Za-z_][\w.]{0,80}\}?/"
    r"|/(?:run|etc|var|home|nix|root|persist|tmp|mnt|srv|boot|dev|usr|opt|data|path)\b)[^\s:]*+"
    r"|\(?(?:config|osConfig|lib|builtins|pkgs|cfg|self|inputs|import|settings|args|os|env|process|var|secrets"
    r"|getpass)[.(].*+|\(?import .*+|(?:lib\.)?mk[A-Z][a-zA-Z]{2,20}[ ({].*+"
    r"|ext:\w{1,64}|(?:pass:|env:|cmd:|op://|https?://|vault:|!secret |!vault|ENC\[|sha(?:1|256|512)[-:]|SHA256:).*+"
    r"|age1[a-z0-9]{30,}+|ssh-\w{1,10} AAAA.*+|::[\da-f:]{1,40}"
    r"|[*!•]*+|\.{3}|…|[xX]{3,}+|\([a-z ]{1,20}\)|[\[({](?:[\s\"'{})\]].*+)?",
    re.DOTALL,
)
PLAIN: Final = re.compile(
    r"(?i:true|false|yes|no|on|off|null|none|nil|undefined|str(?:ing)?|int|bool(?:ean)?|bytes|optional|any|auto"
    r"|ask|prompt|never|always|enabled?|disabled?|inherit|read|write|(?:dict|list|set)(?=\[))\b"
    r"(?:[ \t]*+[=|].*+|\[.*+)?|[\d_.,]{1,5}[kKmM]?"
)
# First words of prose; only for values without quotes, where "token: expected ;" looks like an assignment.
_PROSE: Final = re.compile(
    r"and|are|argument|as|at|authentication|be|but|by|cannot|changing|compat|could|expected|expecting|failed"
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


def points_elsewhere(value: str) -> bool:
    """Whether ``value`` only says where a secret is: a path, a variable, an expression, a placeholder."""
    value = value.strip()
    return bool(_ELSEWHERE.fullmatch(value)) or not _REFERENCE.sub("", value).strip(" \t\n:/@.,;&_-")


def looks_random(value: str) -> bool:
    """Whether ``value`` mixes letters with digits or signs, as words of prose do not."""
    has_digit, has_letter = any(map(str.isdigit, value)), any(map(str.isalpha, value))
    return has_letter and len(value) >= 6 and (has_digit or any(char in "!@#$%^&*+=" for char in value[:-1]))


def reads_as_code_or_prose(value: str, name: str, sep: str, *, before_semicolon: bool, key_closed: bool) -> bool:
    """Whether a bare ``value`` beside ``name`` is an expression or the rest of a sentence."""
    if value.startswith("-") or (name == "token" and _AMOUNT.fullmatch(value)):
        return True
    variable = bool(_VARIABLE.fullmatch(value))
    if variable and (name in value.lower() or (key_closed and ":" in sep)):  # password=db_password
        return True
    if sep == "=":  # a shell's or a unit's: all else is the value itself
        return False
    first = value.split(None, 1)[0].lower().strip(".,:;!?'\"()") if value.strip() else ""
    if _PROSE.fullmatch(first):
        return True
    if _SENTENCE.fullmatch(first) and (" " not in value or any(mark in value for mark in ".,?!")):
        return True
    # password = prompt(x), and in Nix also password = f x y; or password = f x {
    return bool((variable and value.endswith(")")) or _OPENS.fullmatch(value)) or (
        before_semicolon and bool(_APPLIED.fullmatch(value))
    )

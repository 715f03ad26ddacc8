"""Takes secrets out of text before it is stored, logged, sent to a model or learned from.

Two kinds of evidence are used: *shapes* that are secret wherever they stand (a private key block, ``ghp_…``,
``$6$…``), and *names* that make the value beside them secret (``password = "…"``, ``--token …``). A name
alone proves little when people talk about NixOS, so a value is kept when it only points at a secret (a path,
``$VAR``, ``config.sops…``), is a plain setting (``false``, a port), or is prose ("token: expected ;").

Text comes from anyone and may be large, so no pattern may backtrack far: each repetition is bounded, is
possessive, or consumes what it has read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# One replacement can uncover another (a URL inside a quoted value), so the rules run until nothing changes.
# Real text settles in two or three passes; what has not settled by then was built to resist, and goes whole.
_MAX_PASSES: Final = 8
_UNSETTLED: Final = "text that would not settle"
_SHELL_REFERENCE: Final = r"\$\{(?:(?!:-[^}])[^{}\n]){1,200}\}|\$\([^()\n]{1,200}\)"
_MARK: Final = r"\[redacted: [^\[\]\n]{1,40}\]"


@dataclass(frozen=True, slots=True)
class Redacted:
    """Text without its secrets, how many values were replaced, and of which kinds, in order of appearance."""

    text: str
    count: int
    kinds: tuple[str, ...]


def redact(text: str) -> Redacted:
    """Replace every secret in ``text`` by a placeholder such as ``[redacted: private key]``.

    Pure, linear in the length of the text, idempotent, and without errors on any string.
    """
    found: list[str] = []
    for _ in range(_MAX_PASSES):
        before = text
        for kind, pattern in _SHAPES:
            text = pattern.sub(_replacer(kind, found), text)
        text = _redact_named(text, found)
        if text == before:
            break
    else:
        return Redacted(f"[redacted: {_UNSETTLED}]", len(found), (_UNSETTLED,))
    new = set(found)
    kinds = dict.fromkeys(mark[11:-1] for mark in re.findall(_MARK, text) if mark[11:-1] in new)
    return Redacted(text, len(found), tuple(kinds))


def _replacer(kind: str, found: list[str]) -> Callable[[re.Match[str]], str]:
    """Replace only group ``s`` of a match, so that what makes a line readable stays."""

    def replace(match: re.Match[str]) -> str:
        start, end = match.span("s")
        if start < 0:
            return match[0]
        if start == end:  # an empty group marks the whole match
            start, end = match.span()
        elif _points_elsewhere(match["s"].strip("\"'")):
            return match[0]
        found.append(kind)
        base, whole = match.start(), match[0]
        return f"{whole[: start - base]}[redacted: {kind}]{whole[end - base :]}"

    return replace


def _redact_named(text: str, found: list[str]) -> str:
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
    named = {"token": "token", "secret": "secret", "passphrase": "passphrase", "privatekey": "private key"}
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
        directive = starts_line and (quoted or name in _DIRECTIVES)
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
    if _points_elsewhere(value) or (_PLAIN.fullmatch(value.rstrip("):")) and not (quoted and value[:1].isdigit())):
        return None
    if not quoted and len(value) < 2:
        return None
    # input("Password: ") ends a string here; none begins.
    if value_match["quote"] and not match["closed"] and value_match["quote"] in line and value[:1] in tuple("),]"):
        return None
    if name == "key":
        secret = bool(_KEY_MATERIAL.fullmatch(value)) and not _PUBLIC.search(head[-40:])
    elif match["verb"] or (":" in sep and not keyed):
        secret = bool(quoted and match["verb"]) or _looks_random(value.rstrip(".,!?"))
    else:
        secret = quoted or not _reads_as_code_or_prose(
            value, name, sep, before_semicolon=text[end : end + 1] == ";", key_closed=bool(match["closed"])
        )
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


def _points_elsewhere(value: str) -> bool:
    value = value.strip()
    return bool(_ELSEWHERE.fullmatch(value)) or not _REFERENCE.sub("", value).strip(" \t\n:/@.,;&_-")


def _looks_random(value: str) -> bool:
    has_digit, has_letter = any(map(str.isdigit, value)), any(map(str.isalpha, value))
    return has_letter and len(value) >= 6 and (has_digit or any(char in "!@#$%^&*+=" for char in value[:-1]))


def _reads_as_code_or_prose(value: str, name: str, sep: str, *, before_semicolon: bool, key_closed: bool) -> bool:
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


# --- Shapes that are secret wherever they stand -------------------------------------------------------------

_B64 = r"[A-Za-z0-9+/=]"
_KEY_TITLE = r"(?:[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?|OpenVPN Static key V1)-----"
# A word on a command line, quoted or not; never a placeholder of ours.
_WORD = r"""(?P<s>(?!["']?\[redacted)(?:"(?:[^"\\\n]|\\.){1,512}+"|'[^'\n]{1,512}+'|[^\s"'|;&<>]{1,512}+))"""
# Prefixes that issuers print so that leaks can be found. First those too long to appear by chance, wherever
# they stand (a token often follows a literal \n or a colour code), then short ones, which need an edge.
_LONG_PREFIX = (
    r"gh[opsur]_|github_pat_|gl(?:pat|rt|dt|cbt|ptt|ft|soat|agent|oas|imt|ffct)-|xox[a-z]-|xapp-|sk-ant-|sk-proj-"
    r"|pypi-|do[opr]_v1_|tskey-|tvly-|GOCSPX-|ya29\.|dckr_pat_|glsa_|shp(?:at|ss|ca|pa)_|[srp]k_(?:live|test)_|AIza"
    r"|whsec_|ATATT3|lin_api_|hv[sbr]\.|sntry[su]_|nvapi-|pplx-|NRAK-|sgp_|figd_|rubygems_|syt_|ops_eyJ|PMAK-"
)
_SHORT_PREFIX = r"sk-|hf_|npm_|SG\.|gsk_|r8_|key-|pul-|xai-|fm[12]_"
# Where a word begins, also behind an escaped newline or a colour code.
_EDGE = r"(?:(?<![A-Za-z0-9_./-])|(?<=\\[nrt])|(?<=\dm))"
_WORD_START = r"(?:\b|(?<=\dm))"
_LOGIN = r"(?:docker|podman|skopeo|buildah|helm|gh)[ \t]{1,8}(?:[a-z]{1,12}[ \t]{1,8}){0,2}login"
_READS_STDIN = (
    r"(?:sudo[ \t]{1,8}-S|(?:sudo[ \t]{1,8})?(?:cryptsetup|systemd-(?:crypt\w{1,12}|creds)|zfs|zpool|bcachefs"
    rf"|passwd|chpasswd|mkpasswd|smbpasswd|htpasswd|openssl|gpg2?|wg|age|restic|borg|su|kinit|ssh-add|clevis|pass|{_LOGIN}))\b"
)
_TELLING = r"(?:passw(?:or)?d|passphrase|token|secret|api_?key|psk)"


def _option(programs: str, before: str) -> str:
    """A pattern for programs whose option says nothing by its name (``-p``, ``-u``)."""
    return rf"{_WORD_START}(?:{programs})\b[^\n|;]{{0,200}}?[ \t]{before}{_WORD}"


_SHAPES: Final = tuple(
    (kind, re.compile(pattern, re.MULTILINE))
    for kind, pattern in (
        # Whole blocks. A body ends at the next dashes, so that a thousand openings still cost one reading.
        (
            "private key",
            rf"(?P<s>-----BEGIN {_KEY_TITLE}(?:[^-]|-(?!----))*+-----END [A-Za-z0-9 ]{{1,60}}-----)",
        ),
        # Cut off before its end: the header, then whatever still looks like a body.
        (
            "private key",
            rf"(?P<s>-----BEGIN {_KEY_TITLE}(?:(?:[\s\"'>|+]|\\[nr])*+(?:[A-Z][A-Za-z-]{{2,20}}: [^\n]*+"
            rf"|{_B64}{{24,}}+|{_B64}{{1,76}}+(?=[ \t\r\"';]*+$)))*+)",
        ),
        # Cut off before its beginning. Each run of such lines is read once; only an END makes it a key.
        (
            "private key",
            rf"^(?:[ \t]*+{_B64}{{1,100}}+[ \t\r]*+\n)++(?:[ \t]*+(?P<s>)-----END {_KEY_TITLE})?",
        ),
        ("private key", rf"^Private-Lines: \d{{1,4}}\r?\n(?P<s>(?:{_B64}++(?:\r?\n|\Z))++)"),
        ("age key", r"(?P<s>(?i:AGE-SECRET-KEY-(?:PQ-)?1|AGE-PLUGIN-[A-Z0-9]{1,40}-1)[A-Za-z0-9]{6,}+)"),
        ("binary cache secret key", r"(?<=\d:)(?<!sha512:)(?P<s>[A-Za-z0-9+/]{86}==)"),
        (
            "password hash",
            r"(?P<s>\\?\${1,2}(?:1|2[abxy]?|5|6|7|g?y|sha1|md5|apr1|scrypt|argon2i?d?|pbkdf2[\w-]{0,20})\\?\${1,2}"
            r"(?=[^\s$\\]{1,200}\\?\$)(?:[./A-Za-z0-9=,+_-]|\\?\$){15,}+)",
        ),
        ("password hash", r"(?P<s>(?:\{S?SHA\d{0,3}\}|SCRAM-SHA-\d{1,3}\$)[A-Za-z0-9+/=:$]{20,}+)"),
        ("token", rf"(?P<s>(?:{_LONG_PREFIX})[\w.=+/-]{{12,}}+)"),
        ("token", rf"{_EDGE}(?P<s>(?:{_SHORT_PREFIX})(?!ssh-)(?=[\w.-]{{0,60}}\d)[\w.-]{{20,}}+)"),
        ("token", r"(?P<s>eyJ[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]*+){0,3})"),
        ("token", r"(?<!\d)(?P<s>\d{8,10}:AA[\w-]{30,}+)"),
        ("AWS key", r"(?P<s>A[KS]IA[A-Z0-9]{16,}+(?:[\s,:;|\"']{1,8}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=]))?)"),
        ("webhook", r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<s>[\w/-]{8,}+)"),
        ("webhook", r"discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/(?P<s>\d{1,24}/[\w-]{8,}+)"),
        # The digest of an image (docker://nginx:1.25@sha256:…) has the form of credentials and is none.
        ("URL credentials", r"//[^\s/@:\"'<>]{0,128}+:(?P<s>[^\s/\"'<>]{1,512})@(?!sha256:)"),
        ("URL credentials", r"//(?P<s>(?=[A-Za-z_-]{0,40}\d)[\w.~-]{20,256}+)(?::x-oauth-basic)?@"),
        (
            "token",
            rf"[?&](?i:[\w-]{{0,40}}?(?:{_TELLING}|sig|signature|credential))=(?P<s>(?!\[redacted)[^\s&#\"'<>]{{1,4096}}+)",
        ),
        ("token", r"[?&](?:key|code|auth)=(?P<s>[\w%./+~-]{16,}+)"),
        # nix.conf: access-tokens = github.com=…
        (
            "token",
            r"(?<![\w.-])(?:[\w-]{1,63}\.){1,6}[a-z]{2,24}(?:/[\w./-]{0,80})?=(?:PAT:|OAuth2:)?(?P<s>[\w-]{16,}+)",
        ),
        (
            "authorization",
            r"(?i:authorization\\{0,3}[\"']?[ \t]{0,8}[:=,][ \t]{0,8}b?\\{0,3}[\"']?"
            r"(?:(?:bearer|basic|token|digest|apikey|bot|negotiate|AWS4-HMAC-SHA256)[ \t]{1,8}"
            r"|(?=[^\s\d]{0,64}\d)))"
            r"(?P<s>(?!\[redacted)[^\s\"'\\,;)][^\"'\n\\]{0,4096}+)",
        ),
        ("authorization", r"(?i:\bbearer)[ \t]{1,8}(?P<s>(?=[^\s\d]{0,64}\d)[\w.~+/=-]{12,}+)"),
        (
            "cookie",
            r"(?i:\b(?:set-)?cookie\\{0,3}[\"']?[ \t]{0,8}[:,][ \t]{0,8}b?\\{0,3}[\"']?|--cookie[ =][\"']?)"
            r"(?P<s>[\w.!#$%&*+^`|~-]{1,128}=[^\"'\n\\]{1,8192}+)",
        ),
        # ~/.pgpass; an IPv6 address has the same colons.
        (
            "password",
            r"^(?![\da-fA-F:.]++$)[\w.*-]{1,255}+:(?:\d{3,5}|\*):[^\s:/]{1,64}+:[A-Za-z_*][^\s:/]{0,64}+:(?P<s>[^\s:]++)$",
        ),
        ("password", rf"(?i:<[\w:.-]{{0,40}}?{_TELLING}[\w.-]{{0,20}}>)(?P<s>[^<>\n]{{1,512}}+)</"),
        ("authorization", r"[\"']Basic (?P<s>[A-Za-z0-9+/]{8,}+=*+)[\"']"),
        ("password", r"(?i:\bIDENTIFIED (?:WITH \w{1,40} )?BY )(?P<s>'[^'\n]{1,512}+'|\"[^\"\n]{1,512}+\")"),
        # The module system prints the value it refuses.
        (
            "password",
            rf"(?i:{_TELLING})(?!\w{{0,20}}(?:File|Path))[\w-]{{0,20}}['’\"][^\n]{{0,200}}"
            r"Definition values:\n(?:[ \t]{1,8}- In [^\n]{1,200}\[redacted[^\n]{0,60}\n){0,4}"
            r"[ \t]{1,8}- In [^\n:]{1,200}: (?P<s>[^\n\[{][^\n]*+)",
        ),
        ("secret", r"\"auth\"[ \t]{0,8}:[ \t]{0,8}\"(?P<s>[A-Za-z0-9+/]{12,}+=*+)\""),
        (
            "passphrase",
            rf"{_WORD_START}(?:echo|printf)(?:[ \t]{{1,8}}+-\w{{1,4}}+){{0,3}}+[ \t]{{1,8}}+"
            rf"(?P<s>(?![\"']?\[redacted)[^\n|]{{1,256}}?)[ \t]{{0,8}}\|[ \t]{{0,8}}{_READS_STDIN}",
        ),
        ("passphrase", rf"{_WORD_START}{_READS_STDIN}[^\n<]{{0,256}}<<<[ \t]{{0,8}}{_WORD}"),
        ("password", _option(rf"sshpass|{_LOGIN}", r"-p[ \t]{0,8}")),
        ("password", _option(r"ipmitool|mosquitto_\w{2,4}|zip|unzip", r"-P[ \t]{0,8}")),
        ("password", _option(r"mysql\w{0,8}|mariadb(?:-\w{2,8})?|7za?|7zz|unrar|rar", r"-p(?=[^\s-])")),
        ("passphrase", _option(r"ssh-keygen", r"-[NP][ \t]{1,8}")),
        ("password", _option(r"redis-cli|ldap\w{3,8}", r"-[aw][ \t]{1,8}")),
        (
            "password",
            _option(
                r"curl|wget|https?|xh",
                r"(?:-u|-a|-U|--user|--proxy-user|--auth)[ =]{0,8}[\"']?[^\s:\"'/]{1,128}+:",
            ),
        ),
        ("password", _option(r"smbclient|rpcclient|net|smbget", r"-U[ \t]{0,8}[\"']?[^\s%\"']{1,128}+%")),
        (
            "passphrase",
            rf"{_WORD_START}wpa_passphrase[ \t]{{1,8}}(?:\"[^\"\n]{{1,64}}\"|[^\s\"=]{{1,64}})"
            rf"[ \t]{{1,8}}{_WORD}",
        ),
        (
            "password",
            rf"{_WORD_START}htpasswd[ \t]{{1,8}}-\w{{0,8}}b\w{{0,8}}"
            rf"(?:[ \t]{{1,8}}[^\s-]\S{{0,128}}){{2}}[ \t]{{1,8}}{_WORD}",
        ),
        (
            "password",
            rf"{_WORD_START}mkpasswd[ \t]{{1,8}}(?:-m|--method)[ =]{{1,4}}[\w-]{{1,20}}[ \t]{{1,8}}"
            rf"(?=[\"']|[^\s\d]{{0,64}}\d|[^\s-]\S{{0,64}}[ \t]{{0,8}}$){_WORD}",
        ),
        ("password", rf"-pass(?:in|out)?[ \t]{{1,8}}pass:{_WORD}"),
    )
)

# --- Names that make the value beside them secret -----------------------------------------------------------

_NAME: Final = re.compile(
    r"(?P<name>(?i:passw(?:or)?d|passphrase|passcode|token|secret|psk|pre[ _-]?shared[ _-]?key"
    r"|(?:private|api|auth|access|shared|encryption|master|account|service)[ _-]?key)"
    r"|signing[_-]key|SIGNING_KEY|bindpw|rootpw|requirepass|masterauth|(?:(?<![A-Za-z])[Pp](?:ass|wd|w)|(?<=[a-z_])P(?:ass|wd|w)"
    r"|(?<=_)P(?:ASS|WD|W))(?![A-Za-z])|(?i:key)(?![A-Za-z]))(?P<suffix>[\w-]{0,40})(?P<closed>\\{0,3}[\"']\]?)?"
    # A value may start on the next line if it is quoted, as nixfmt writes long ones.
    r"(?:(?P<sep>[ \t]{0,40}(?:=>|[:?+]?={1,3}|:(?![:/])|%3D|\\u003[dD])[ \t]{0,40}"
    r"(?:\r?\n[ \t]{0,40}(?=[\"']))?)"
    r"|(?P<verb>[ \t]{1,4}(?:is|was)(?: set to)?:?[ \t]{1,4})|(?P<blank>[ \t]{1,20}))"
)
# Endings of names whose value is only about a secret: passwordFile, token_type, tokenizer, secretName, …
_ABOUT: Final = re.compile(
    r"(?i)^ary|file|path|dir|command|cmd|eval|stdin|prompt|authentication|policy|length|count|type|name|ur[il]|endpoint|iz"
    r"|expir|ttl|lifetime|timeout|manager|store|ref(?!resh)|service|field|label|requir|need|enable|allow|backend"
    r"|provider|algo|scheme|format|rotat|limit|per_|less"
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
    rf"|(?P<bare>(?:{_MARK}|{_SHELL_REFERENCE}|\$\{{[^{{}}\n]{{1,200}}\}}|[^\s\"'`,;&)}}\]]"
    r"|[,;&)}\]](?![\s\"'`,;&)}\]]|\Z|[\w.-]{1,64}[=:]))++)"
)
_REFERENCE: Final = re.compile(
    # Grafana's $__file{…}, and a command whose own quotes end the string early: "$(cat "$x")".
    r"\$__\w{1,20}\{(?:\$\{[^{}\n]{1,200}\}|[^{}\n]{1,200})\}|\$\([^()\n]{1,200}\Z|"
    rf"{_MARK}|(?:\\|'')?(?:{_SHELL_REFERENCE})|[\w./-]{{1,100}}=(?:PAT:|OAuth2:)?(?=\[redacted|[$%])"
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
_PLAIN: Final = re.compile(
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
_IDENTIFIER: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_LOOK_BACK: Final = 160
_LINE_START: Final = re.compile(r"[ \t+>|*\"'-]{0,80}(?:(?:export|set|declare -x|setenv)[ \t]{1,8})?[\"']?")
_COMMENT: Final = re.compile(r"[ \t]#|;(?=\s|\Z)")
_NEXT_SETTING: Final = re.compile(r",[ \t]{0,8}[\w.-]{1,64}[ \t]?[:=]")
_DIRECTIVES: Final = frozenset({"bindpw", "rootpw", "requirepass", "masterauth"})
# nmcli … password X, and netrc.
_BLANK_CONTEXT: Final = re.compile(
    rf"{_WORD_START}(?:nmcli\b[^\n]*\Z|machine\s{{1,8}}\S{{1,80}}\.\S{{1,80}}\s{{1,8}}\Z"
    # SQL: CREATE USER … WITH PASSWORD '…'
    r"|(?:WITH|ENCRYPTED|SET)[ ]\Z"
    r"|(?:machine\s{1,8}\S{1,100}|default)\s{1,8}login\s{1,8}\S{1,100}\s{1,8}\Z)"
)
_KEY_MATERIAL: Final = re.compile(
    r"(?:(?=[^\d]*\d)(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])[A-Za-z0-9+/_=-]{20,512}|(?:[0-9a-f]{32}|[0-9a-f]{64}))"
)
_PUBLIC: Final = re.compile(r"(?i)pub|finger|trust|host|cache")
_VARIABLE: Final = re.compile(r"(?:await )?[A-Za-z_][A-Za-z_'-]*(?:\.[A-Za-z_'\"-]+)*(?:\(.*)?", re.DOTALL)
_OPENS: Final = re.compile(r"[A-Za-z_][A-Za-z_.]*(?:[ \t].*)?[{(\[]")
_APPLIED: Final = re.compile(r"[A-Za-z_][A-Za-z_.'-]*(?:[ \t].*)?")
_AMOUNT: Final = re.compile(r"[\d_,. ]{1,20}[kKmM]?")

"""Shapes that are secret wherever they stand: the group ``s`` of each pattern is what has to go."""

from __future__ import annotations

import re
from typing import Final

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
WORD_START = r"(?:\b|(?<=\dm))"
_LOGIN = r"(?:docker|podman|skopeo|buildah|helm|gh)[ \t]{1,8}(?:[a-z]{1,12}[ \t]{1,8}){0,2}login"
_READS_STDIN = (
    r"(?:sudo[ \t]{1,8}-S|(?:sudo[ \t]{1,8})?(?:cryptsetup|systemd-(?:crypt\w{1,12}|creds)|zfs|zpool|bcachefs"
    rf"|passwd|chpasswd|mkpasswd|smbpasswd|htpasswd|openssl(?![ \t]{{1,8}}(?:dgst|base64|x509|rand|s_client|sha\d))"
    rf"|gpg2?(?=[^\n|;]{{0,200}}--passphrase-fd)|wg|age|restic|borg|su|kinit|ssh-add|clevis|pass|{_LOGIN}))\b"
)
_TELLING = r"(?:passw(?:or)?d|passphrase|token|secret|api_?key|psk)"


def _option(programs: str, before: str) -> str:
    """A pattern for programs whose option says nothing by its name (``-p``, ``-u``)."""
    return rf"{WORD_START}(?:{programs})\b[^\n|;]{{0,200}}?[ \t]{before}{_WORD}"


SHAPES: Final = tuple(
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
        ("URL credentials", r"//[^\s/@:\"'<>\[\]]{0,128}+:(?P<s>[^\s/\"'<>]{1,512})@(?!sha256:)"),
        ("URL credentials", r"//(?P<s>(?=[A-Za-z_-]{0,40}\d)[\w.~-]{20,256}+)(?::x-oauth-basic)?@"),
        # Shorter ones look like the name of an account, unless they are hexadecimal or mix both cases with digits.
        (
            "URL credentials",
            r"//(?P<s>(?=[a-f]{0,19}\d)[0-9a-f]{16,19}"
            r"|(?=[A-Za-z_-]{0,19}\d)(?=[a-z\d_-]{0,19}[A-Z])(?=[A-Z\d_-]{0,19}[a-z])[\w-]{16,19})(?::x-oauth-basic)?@",
        ),
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
            rf"{WORD_START}(?:echo|printf)(?:[ \t]{{1,8}}+-\w{{1,4}}+){{0,3}}+[ \t]{{1,8}}+"
            rf"(?P<s>(?![\"']?\[redacted)[^\n|]{{1,256}}?)[ \t]{{0,8}}\|[ \t]{{0,8}}{_READS_STDIN}",
        ),
        ("passphrase", rf"{WORD_START}{_READS_STDIN}[^\n<]{{0,256}}<<<[ \t]{{0,8}}{_WORD}"),
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
            rf"{WORD_START}wpa_passphrase[ \t]{{1,8}}(?:\"[^\"\n]{{1,64}}\"|[^\s\"=]{{1,64}})"
            rf"[ \t]{{1,8}}{_WORD}",
        ),
        (
            "password",
            rf"{WORD_START}htpasswd[ \t]{{1,8}}-\w{{0,8}}b\w{{0,8}}"
            rf"(?:[ \t]{{1,8}}[^\s-]\S{{0,128}}){{2}}[ \t]{{1,8}}{_WORD}",
        ),
        (
            "password",
            rf"{WORD_START}mkpasswd[ \t]{{1,8}}(?:-m|--method)[ =]{{1,4}}[\w-]{{1,20}}[ \t]{{1,8}}"
            rf"(?=[\"']|[^\s\d]{{0,64}}\d|[^\s-]\S{{0,64}}[ \t]{{0,8}}$){_WORD}",
        ),
        ("password", rf"-pass(?:in|out)?[ \t]{{1,8}}pass:{_WORD}"),
    )
)

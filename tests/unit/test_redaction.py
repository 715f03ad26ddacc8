from __future__ import annotations

import json
import lzma
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nix_trinity.catalogue import modelfiles_dir
from nix_trinity.knowledge.redaction import redact
from tests.secret_shapes import INNOCENT, SHAPES, Shape

_MEGABYTE = 1_000_000
_IDS = [shape.name for shape in SHAPES]


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(SHAPES) >= 40
    assert len(INNOCENT) >= 30
    assert len(set(_IDS)) == len(_IDS)
    for shape in SHAPES:
        assert shape.secrets
        assert all(secret in shape.text for secret in shape.secrets)


@pytest.mark.parametrize("shape", SHAPES, ids=_IDS)
def test_no_secret_survives_and_the_rest_stays_readable(shape: Shape) -> None:
    result = redact(shape.text)
    for secret in shape.secrets:
        assert secret not in result.text
        # Half a secret is a leak too.
        for start in range(0, len(secret) - 7):
            assert secret[start : start + 8] not in result.text
    assert result.count >= 1
    assert result.kinds
    assert all(f"[redacted: {kind}]" in result.text for kind in result.kinds)
    around = shape.text
    for secret in shape.secrets:
        around = around.replace(secret, " ")
    assert [word for word in re.findall(r"\w+", around) if word in result.text]


@pytest.mark.parametrize("shape", SHAPES, ids=_IDS)
@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        "Question:\r\n{}\r\nThanks!",
        "Nov 25 05:12:01 host app[12]: \x1b[32m{}\x1b[0m",
        "> {}\n> ok",
        "```\n{}\n```",
    ],
    ids=["alone", "crlf", "journal", "quoted", "fenced"],
)
def test_surroundings_do_not_hide_a_secret(shape: Shape, frame: str) -> None:
    result = redact(frame.format(shape.text))
    assert not [secret for secret in shape.secrets if secret in result.text]


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text).text == text
    assert redact(text).count == 0
    assert redact(text).kinds == ()


def test_a_placeholder_names_the_kind_in_order_of_appearance() -> None:
    result = redact('token = "abc123def456";\npassword = "hunter2x";\napi_key: zzzz1111\npassword: hunter3x')
    assert result.text == (
        'token = "[redacted: token]";\npassword = "[redacted: password]";\n'
        "api_key: [redacted: key]\npassword: [redacted: password]"
    )
    assert result.count == 4
    assert result.kinds == ("token", "password", "key")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mqtt:\n  password: a b c # mine\n  port: 1", "mqtt:\n  password: [redacted: password] # mine\n  port: 1"),
        ("export A_TOKEN=abc1 && make", "export A_TOKEN=[redacted: token] && make"),
        ("x://u:p4ss@h/p?token=abc&n=1", "x://u:[redacted: URL credentials]@h/p?token=[redacted: token]&n=1"),
        ("access-tokens = a.org=" + "b1" * 10, "access-tokens = a.org=[redacted: token]"),
        ("curl -u ann:p4ss https://h", "curl -u ann:[redacted: password] https://h"),
        ("echo -n abc | sudo cryptsetup open x", "echo -n [redacted: passphrase] | sudo cryptsetup open x"),
        ("f(user='a', password='b', n=3)", "f(user='a', password='[redacted: password]', n=3)"),
        ("DB_PASSWORD=${DB_PASSWORD:-hunter} x", "DB_PASSWORD=[redacted: password] x"),
        ("passphrase: |\n  a\n  b\nnext: 1", "passphrase: |\n  [redacted: passphrase]\nnext: 1"),
    ],
)
def test_only_the_value_goes(text: str, expected: str) -> None:
    assert redact(text).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("services.x.password = swordfish;", "services.x.password = [redacted: password];"),
        ("networks.home.psk = sunflower;", "networks.home.psk = [redacted: pre-shared key];"),
        ("TOKEN=tokenabc", "TOKEN=[redacted: token]"),
        ("export DB_PASSWORD=mypassword", "export DB_PASSWORD=[redacted: password]"),
        ("password = 12345;", "password = [redacted: password];"),
        ("psk=12345", "psk=[redacted: pre-shared key]"),
        ("sim:\n  pin: 4711", "sim:\n  pin: [redacted: PIN]"),
        ("unlock --pin 47110815", "unlock --pin [redacted: PIN]"),
        ("wpa_passphrase: the cat.", "wpa_passphrase: [redacted: passphrase]"),
        ("mqtt:\n  password: x\n  port: 1", "mqtt:\n  password: [redacted: password]\n  port: 1"),
        ("https://k7Qabcdefghijk12@github.com/a/b", "https://[redacted: URL credentials]@github.com/a/b"),
        ("https://0123456789abcdef@host/", "https://[redacted: URL credentials]@host/"),
        (
            "echo abc123 | gpg --batch --passphrase-fd 0 -d x",
            "echo [redacted: passphrase] | gpg --batch --passphrase-fd 0 -d x",
        ),
        ("echo abc123 | openssl enc -pass stdin", "echo [redacted: passphrase] | openssl enc -pass stdin"),
    ],
)
def test_short_and_careless_secrets_go_too(text: str, expected: str) -> None:
    assert redact(text).text == expected


def test_texts_of_real_options_stay_but_for_sample_secrets(data_dir: Path) -> None:
    with lzma.open(data_dir / "nixos-options.json.xz") as file:
        described = [str(option.get("description", "")) for option in json.load(file).values()]
    changed = [text for text in described if redact(text).count]
    # Each of them shows a setting with a password in it, such as DB_PASSWORD=verysecret.
    assert len(changed) <= 25


def test_our_own_notes_stay() -> None:
    for path in sorted((modelfiles_dir() / "notes").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        lines = zip(text.splitlines(), redact(text).text.splitlines(), strict=True)
        assert [before for before, after in lines if before != after and "initialPassword = " not in before] == []


def test_all_shapes_in_one_paste() -> None:
    result = redact("\n\n".join(shape.text for shape in SHAPES))
    assert not [shape.name for shape in SHAPES for secret in shape.secrets if secret in result.text]


def test_all_innocents_in_one_paste() -> None:
    text = "\n\n".join(INNOCENT)
    assert redact(text).text == text


_FRAGMENTS = st.sampled_from(
    [shape.text for shape in SHAPES]
    + [secret for shape in SHAPES for secret in shape.secrets]
    + list(INNOCENT)
    + [
        "password",
        "token",
        "secret",
        "psk",
        "key",
        "--token",
        "-p",
        ":",
        "=",
        '"',
        "'",
        "''",
        '\\"',
        ";",
        ",",
        "&",
    ]
    + ["[", "]", "{", "(", ")", "$", "${", "|", "<<<", "//", "@", "\n", "\\n", "\\", " is "]
    + [
        " ",
        "\t",
        "\r\n",
        "[redacted: token]",
        "[redacted: ",
        "echo ",
        "| passwd",
        "Bearer ",
        "-----BEGIN PRIVATE KEY-----",
    ]
)


@given(st.lists(_FRAGMENTS, max_size=12).map("".join))
@settings(max_examples=600, deadline=None)
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = redact(text)
    again = redact(once.text)
    assert again.text == once.text
    assert again.count == 0


@given(st.text(alphabet=st.characters(exclude_categories=())))
@settings(max_examples=400, deadline=None)
def test_any_unicode_is_accepted(text: str) -> None:
    once = redact(text).text
    assert redact(once).text == once


@given(st.sampled_from(SHAPES), st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=400, deadline=None)
def test_lines_around_a_secret_do_not_hide_it(shape: Shape, above: str, below: str) -> None:
    # A fence of ours between them: whether foreign text itself opens a quote is its own question.
    result = redact(f"{above}\n\n{shape.text}\n\n{below}")
    assert not [secret for secret in shape.secrets if secret in result.text]


# Each invites a pattern to read the same text again from every start. A quadratic pattern would need hours for
# any of them, so finishing at all is the proof.
HOSTILE = {
    "letters": "a",
    "blanks": " ",
    "newlines": "\n",
    "names": "password",
    "names and signs": "password=",
    "names and blanks": "password ",
    "names and colons": "token: ",
    "open quotes": 'password="',
    "open quotes of three kinds": "password=\"secret='token=`",
    "escaped quotes": 'password=\\"',
    "open nix strings": "password = ''x",
    "fences": "password='''",
    "backslashes": "password=\\",
    "block scalars": "password: |\n  x\n",
    "nested block scalars": "password: |\n",
    "key openings": "-----BEGIN PRIVATE KEY-----\n",
    "key openings on one line": "-----BEGIN PRIVATE KEY-----AAAA",
    "key endings": "-----END PRIVATE KEY-----\n",
    "base64 lines": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=\n",
    "base64": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo",
    "dashes": "-",
    "slashes": "/",
    "urls": "https://a:",
    "url tails": "//a:b",
    "ats": "//a:@@",
    "hosts": "a.",
    "colons": "a:5432:",
    "flags": "--token ",
    "echo": "echo a ",
    "pipes": "echo a | ",
    "programs": "curl -u a ",
    "here strings": "zfs <<<",
    "hashes": "$6$",
    "dollars": "$",
    "braces": "${",
    "jwt": "eyJaaaaaaaaa.",
    "aws": "AKIAAAAAAAAAAAAAAAAA",
    "cookies": "cookie: a=b",
    "authorization": "authorization: bearer ",
    "queries": "?token=",
    "tags": "<password>",
    "placeholders": "[redacted: token]",
    "half placeholders": "[redacted: ",
    "nix functions": "password = lib.mkIf a ",
    "machines": "machine a login b password ",
    "nmcli": "nmcli password ",
    "commas": "password=a,",
    "passwd fields": "a:",
    "one long value": "password=" + "a" * _MEGABYTE,
    "one long quoted value": 'password="' + "$a" * (_MEGABYTE // 2),
    "one long line": "password: " + "a " * (_MEGABYTE // 2),
    "references": "password=${a",
    "substitutions": "password=$(a",
    "unicode": "\u0130\udc80\U0001f511=",
}


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_read_in_linear_work(unit: str) -> None:
    text = unit * max(1, _MEGABYTE // 4 // len(unit))
    result = redact(text)
    assert isinstance(result.text, str)


@pytest.mark.parametrize("name", ["here strings", "open quotes", "base64 lines", "urls", "key openings", "hosts"])
def test_a_hostile_megabyte_is_read_too(name: str) -> None:
    text = HOSTILE[name] * (_MEGABYTE // len(HOSTILE[name]))
    assert redact(text + '\n\npassword = "hunter2x"').text.find("hunter2x") == -1


def test_a_megabyte_of_everything() -> None:
    paste = "\n\n".join((*(shape.text for shape in SHAPES), *INNOCENT)) + "\n\n"
    text = redact(paste * (_MEGABYTE // len(paste))).text
    assert not [shape.name for shape in SHAPES for secret in shape.secrets if secret in text]


def test_text_that_never_settles_is_dropped_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nix_trinity.knowledge.redaction._MAX_PASSES", 1)
    result = redact('password = "hunter2x"')
    assert "hunter2x" not in result.text
    assert redact(result.text).text == result.text

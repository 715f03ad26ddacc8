"""What goes into a pack: what was accepted, with consent, without secrets and without a trace of who asked."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import apsw
import httpx
import pytest
from starlette.applications import Starlette

from nix_trinity.api.http import on_trinity_error
from nix_trinity.api.pack_routes import PackApi
from nix_trinity.errors import TrinityError
from nix_trinity.knowledge import exchanges as rows
from nix_trinity.knowledge import reviews
from nix_trinity.knowledge.database import migrate
from nix_trinity.knowledge.exchanges import Exchange, Feedback, Reader
from nix_trinity.knowledge.packs import Manifest, parse_manifest
from nix_trinity.knowledge.packs_writing import Gathered, WrittenPack, accepted_page
from tests.stack.daemon_process import ActivatedDaemon
from tests.stack.fake_ollama import BASE, FakeOllama, answers
from tests.unit.test_client import FakeDaemon, fixed, run

ALICE, BOB, OPERATOR = 1000, 1001, 7
MAY_2026 = 1_778_000_000_000
ANSWER = "Set `services.openssh.enable` to true."


@pytest.fixture
def connection() -> Iterator[apsw.Connection]:
    connection = apsw.Connection(":memory:")
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection)
    yield connection
    connection.close()


def keep(connection: apsw.Connection, identifier: str, *words: Feedback, **fields: Any) -> None:
    known: dict[str, Any] = {
        "asked_at_ms": MAY_2026 - 1,
        "uid": ALICE,
        "session": f"session-{identifier}",
        "interface": "cli",
        "question": f"How do I enable {identifier}?",
        "answer": ANSWER,
        "outcome": "answered",
        "verdict": "verified",
        "options_release": "25.05",
        "option_types": '{"services.openssh.enable": "boolean"}',
    }
    rows.put_exchange(connection, Exchange(id=identifier, **{**known, **fields}))
    for word in words or (said("good"),):
        rows.put_feedback(connection, identifier, word)


def said(verdict: str, *, by: int = ALICE, correction: str | None = None, at: int = MAY_2026) -> Feedback:
    return Feedback(given_at_ms=at, uid=by, verdict=verdict, correction=correction, by_operator=by == OPERATOR)


def written(
    connection: apsw.Connection, uid: int | None = ALICE, *, by_default: bool = False, without: tuple[str, ...] = ()
) -> WrittenPack:
    gathered = Gathered(lambda _, answer: "it is wrong" if "wrong" in answer else "", frozenset(without))
    after = ""
    while page := accepted_page(connection, after, uid=uid, consent_by_default=by_default):
        gathered.take(page)
        after = page[-1].id
    return gathered.written("")


def questions(pack: WrittenPack) -> list[str]:
    return [json.loads(line)["question"] for line in pack.lines]


def left_out(pack: WrittenPack) -> dict[str, int]:
    return {one.reason: one.count for one in pack.left_out}


def test_a_line_tells_nothing_of_who_asked_and_when(connection: apsw.Connection) -> None:
    keep(connection, "ssh2345678", session="private-session", model="nix-expert", role="expert", level="beginner")
    [line] = written(connection).lines
    assert json.loads(line) == {
        "question": "How do I enable ssh2345678?",
        "answer": ANSWER,
        "options": {"services.openssh.enable": "boolean"},
        "release": "25.05",
        "reviewed": "2026-05",
    }
    for trace in ("1000", "private-session", str(MAY_2026), "expert", "cli"):
        assert trace not in line


def test_only_what_was_accepted_stands_for_itself_and_has_no_secret(connection: apsw.Connection) -> None:
    keep(connection, "good")
    keep(connection, "corrected", said("corrected", correction="Better."))
    keep(connection, "bad", said("bad"))
    keep(connection, "flagged", verdict="flagged")
    keep(connection, "orders", learnable=False)
    keep(connection, "attached", attachment="a log")
    keep(connection, "first", session="s")
    keep(connection, "second", session="s", asked_at_ms=MAY_2026)
    keep(connection, "placeholder", answer="Use [redacted: token].")
    keep(connection, "secret", answer="Use ghp_" + "a1B2c3D4e5F6" * 3)
    keep(connection, "wrong", answer="This is wrong.")
    keep(connection, "long", answer="long " * 2_000)
    keep(connection, "others", uid=BOB)
    pack = written(connection, without=("how do i enable first?",))
    assert questions(pack) == ["How do I enable corrected?", "How do I enable good?"]
    assert json.loads(pack.lines[0])["answer"] == "Better."
    assert left_out(pack) == {
        "something was attached to the question": 1,
        "it goes on from an earlier question": 1,
        "a secret was taken out of it": 2,
        "it is wrong": 1,
        "it is too long for a pack": 1,
        "pack.toml says so (without)": 1,
    }


def test_other_peoples_only_with_their_consent(connection: apsw.Connection) -> None:
    for name, uid in (("alice", ALICE), ("bob", BOB), ("carol", 1002)):
        keep(connection, name, said("good", by=OPERATOR), uid=uid)
    reviews.put_consent(connection, ALICE, True, 1)
    reviews.put_consent(connection, BOB, False, 1)
    assert questions(written(connection, None)) == ["How do I enable alice?"]
    assert left_out(written(connection, None)) == {"the asker has not allowed it (nix-trinity consent yes)": 2}
    assert questions(written(connection, None, by_default=True)) == ["How do I enable alice?", "How do I enable carol?"]
    # Who wrote a pack of their own said yes by it; a no stays one.
    assert questions(written(connection, 1002)) == ["How do I enable carol?"]
    assert questions(written(connection, BOB)) == []


def test_of_several_answers_to_a_question_the_one_that_counts_most(connection: apsw.Connection) -> None:
    same = {"question": "How do I print?"}
    keep(connection, "a", said("corrected", correction="Newest.", at=MAY_2026 + 5), **same)
    keep(connection, "b", said("corrected", correction="An operator's.", by=OPERATOR), **same)
    keep(connection, "c", said("corrected", correction="Old."), question=" how do I  PRINT?")
    pack = written(connection)
    assert [json.loads(line)["answer"] for line in pack.lines] == ["An operator's."]
    assert left_out(pack) == {"another answer to the same question counts more": 2}


def test_the_order_depends_on_the_texts_alone(connection: apsw.Connection) -> None:
    names = ["zsh", "Apache", "ssh", "über", "bluetooth"]
    for number, name in enumerate(names):
        keep(connection, f"{9 - number}", question=name)
    once = written(connection).lines
    assert [json.loads(line)["question"] for line in once] == ["Apache", "bluetooth", "ssh", "zsh", "über"]
    connection.execute("UPDATE exchanges SET asked_at_ms = asked_at_ms + random() % 1000")
    assert written(connection).lines == once


def test_more_than_a_page(connection: apsw.Connection) -> None:
    for number in range(450):
        keep(connection, f"n{number:04}")
    assert len(written(connection).lines) == 450


# The whole way, through the daemon and the client.


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ActivatedDaemon]:
    with FakeOllama() as engine:
        engine.chat = answers("Set `services.openssh.enable` ", "to true.")
        running = ActivatedDaemon(tmp_path_factory.mktemp("d"), ollama_url=engine.url, model=BASE)
        with running:
            for question, answer in (
                ("How do I enable SSH?", "Set `services.openssh.enable` to true."),
                ("How do I print?", "Set `services.printing.enable` to true."),
                ("What is wrong?", "Set `services.openssh.enabled` to true."),
            ):
                asked = running.ask(question)
                body = {"id": asked["id"], "verdict": "corrected", "correction": answer}
                running.json("POST", "/v1/feedback", body)
            yield running


def packed(daemon: ActivatedDaemon, *words: str) -> tuple[int, str, str]:
    done = daemon.client("nix-trinity", "pack", *words)
    return done.returncode, done.stdout, done.stderr


def test_a_pack_is_written_checked_and_written_again(daemon: ActivatedDaemon, tmp_path: Path) -> None:
    pack = tmp_path / "our-pack"
    code, out, err = packed(daemon, str(pack), "--licence", "CC-BY-4.0", "--description", 'Said "so"', "--all")
    # Nobody said yes, and the exchanges of others go by consent alone.
    assert (code, "There is nothing to write" in err, pack.exists()) == (1, True, False)
    code, out, err = packed(daemon, str(pack), "--licence", "CC-BY-4.0", "--description", 'Said "so"')
    assert (code, out.startswith(f"{pack}: 2 exchanges added, 0 kept.")) == (0, True), err
    assert "note: 1 left out: it is wrong by the options of this NixOS" in err
    manifest = parse_manifest((pack / "pack.toml").read_bytes(), file="x")
    assert (manifest.name, manifest.licence, manifest.description) == ("our-pack", "CC-BY-4.0", 'Said "so"')
    assert {path.name for path in pack.iterdir()} == {"pack.toml", "exchanges.jsonl"}
    before = (pack / "exchanges.jsonl").read_bytes()
    assert not re.search(rb'"(uid|id|session|asked_at_ms)"', before)
    assert packed(daemon, "check", str(pack))[0] == 0
    # Again: nothing new, and not a byte is different.
    assert packed(daemon, str(pack))[1].startswith(f"{pack}: 0 exchanges added, 2 kept.")
    assert (pack / "exchanges.jsonl").read_bytes() == before
    # What a person edited stays; what they deleted comes again, unless pack.toml says that it is not to.
    first, second = before.decode().splitlines()
    edited = first.replace("to true.", "to true, and tell us.")
    (pack / "exchanges.jsonl").write_text(edited + "\n")
    code, out, err = packed(daemon, str(pack))
    assert out.startswith(f"{pack}: 1 exchanges added, 1 kept.")
    assert "1 questions are there with another answer" in err
    assert (pack / "exchanges.jsonl").read_text() == f"{edited}\n{second}\n"
    (pack / "exchanges.jsonl").write_text(edited + "\n")
    with (pack / "pack.toml").open("a") as file:
        file.write('without = ["How do I print?"]\n')
    assert packed(daemon, str(pack))[1].startswith(f"{pack}: 0 exchanges added, 1 kept.")


def test_what_a_person_wrote_is_never_written_over(daemon: ActivatedDaemon, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    assert packed(daemon, str(pack), "--licence", "MIT")[0] == 0
    code, _, err = packed(daemon, str(pack), "--licence", "GPL-3.0-only")
    assert (code, "pack.toml says licence = 'MIT'." in err) == (2, True)
    for broken in ('{"question": "half', "[]", '"text"', '{"answer": "a"}'):
        (pack / "exchanges.jsonl").write_text(broken)
        code, _, err = packed(daemon, str(pack))
        assert (code, f"{pack}/exchanges.jsonl:1: it is no exchange, so nothing was written." in err) == (2, True)
        assert (pack / "exchanges.jsonl").read_text() == broken
    (pack / "pack.toml").write_text("name = ")
    code, _, err = packed(daemon, str(pack))
    assert (code, "it is not TOML" in err) == (2, True)
    (pack / "pack.toml").unlink()
    (pack / "exchanges.jsonl").write_text('{"question": "q", "answer": "a"}')
    assert "has exchanges.jsonl and no pack.toml" in packed(daemon, str(pack), "--licence", "MIT")[2]


def test_a_link_in_the_place_of_the_file_is_replaced_and_not_followed(daemon: ActivatedDaemon, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("")
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "pack.toml").write_text('name = "pack"\nlicence = "MIT"\ndescription = "x"\n')
    (pack / "exchanges.jsonl").symlink_to(victim)
    assert packed(daemon, str(pack))[0] == 0
    assert victim.read_text() == ""
    assert not (pack / "exchanges.jsonl").is_symlink()


def test_as_json(daemon: ActivatedDaemon, tmp_path: Path) -> None:
    code, out, err = packed(daemon, str(tmp_path / "pack"), "--licence", "MIT", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "added": 2,
        "kept": 0,
        "differing": 0,
        "left_out": [{"reason": "it is wrong by the options of this NixOS", "count": 1}],
    }


@pytest.mark.parametrize(
    ("sees_all", "everybody", "status"), [(False, True, 403), (False, False, 200), (True, True, 200)]
)
def test_only_operators_have_everybodys(sees_all: bool, everybody: bool, status: int) -> None:
    asked: list[tuple[Reader, bool]] = []

    async def write(reader: Reader, all_of_them: bool, manifest: Manifest) -> WrittenPack:
        asked.append((reader, all_of_them))
        return WrittenPack(manifest.name, (), ())

    async def go() -> httpx.Response:
        reader = Reader(ALICE, sees_all=sees_all)
        routes = PackApi(write=write, check=cast(Any, None)).routes(lambda _: reader)
        app = Starlette(routes=routes, exception_handlers={TrinityError: on_trinity_error})
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://d") as client:
            return await client.post("/v1/packs", json={"name": "x", "licence": "MIT", "everybody": everybody})

    reply = asyncio.run(go())
    assert reply.status_code == status
    if status == 403:
        assert (reply.json()["error"]["code"], asked) == ("forbidden", [])
    else:
        assert asked == [(Reader(ALICE, sees_all=sees_all), everybody)]


def test_something_else_that_answers_is_named_so(tmp_path: Path) -> None:
    fake = FakeDaemon(tmp_path / "socket")
    try:
        for reply in (b'{"lines": 7}', b'{"lines": [], "left_out": [], "manifest": ""}', b"<html>"):
            fake.replies = [fixed(reply)]
            done = run(fake.path, "pack", str(tmp_path / "pack"), "--licence", "MIT")
            assert done.returncode == 1
        assert not (tmp_path / "pack").exists()
    finally:
        fake.close()

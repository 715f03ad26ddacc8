"""The folder of versions: what is written is read again, whole or not at all, and nothing of others is touched."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nix_trinity.errors import InternalError, NotFoundError, RequestError, StorageError
from nix_trinity.modelfile.grammar import Message, Modelfile
from nix_trinity.modelfile.parse import parse_modelfile
from nix_trinity.training.difference import difference
from nix_trinity.training.version import Learned, Manifest, Scores
from nix_trinity.training.version_text import version_text
from nix_trinity.training.versions import Versions
from tests.unit.fake_engine import DiedError, FakeDisk, Machine

NAME = "nix-expert-20260105"
OWN = Modelfile(
    base="base:1b",
    parameters=(("temperature", "0.2"),),
    system='You are "NixTrinity".\nAdvise.',
    messages=(Message("user", "What is a flake?"), Message("assistant", "A folder with a lock file.")),
)
# NUL-free text of any kind: control characters, quotes, emoji, line ends of all systems.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.sampled_from(
    [
        '"""',
        "'''",
        'a """\nb',
        "\\",
        "\r\n",
        "\x1b[31m\x7f",
        "👩‍👩‍👧 é\u00a0\ufeff",
        'ends in """',
        " \u2028 ",
        '"\n',
        "# x\nFROM y",
    ]
)


def learned(
    exchange: str = "x1", question: str = "How do I enable SSH?", answer: str = "services.openssh.enable"
) -> Learned:
    return Learned(
        id=exchange,
        question=question,
        answer=answer,
        kind="corrected",
        topic="ssh",
        judged_by=None,
        by_operator=True,
        judged_at_ms=5,
        options_release=None,
    )


def manifest(name: str = NAME, *examples: Learned, role: str = "expert", **fields: object) -> Manifest:
    given = {
        "kind": "weekly",
        "state": "candidate",
        "built_at_ms": 1_000,
        "base": "base:1b",
        "num_ctx": 4096,
        "content": "c0ffee",
        "token_budget": 1000,
        "tokens": 10,
        **fields,
    }
    return Manifest(name=name, role=role, learned=examples, **given)  # type: ignore[arg-type]


@settings(max_examples=150)
@given(question=TEXT, answer=TEXT, why=TEXT)
def test_any_text_comes_back_from_manifest_modelfile_and_evaluation(question: str, answer: str, why: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        versions = Versions(Path(folder))
        one = manifest(NAME, learned(), learned("x2", question, answer), learned("x3"), why=why)
        versions.put(one, version_text(one, OWN))
        versions.put_evaluation(NAME, {"answer": answer, "missing": None, "rows": [{"text": question, "score": 0.5}]})

        fresh = Versions(Path(folder))
        assert fresh.get(NAME) == one
        assert fresh.modelfile(NAME).messages == (
            *OWN.messages,
            *(Message(r, t) for e in one.learned for r, t in (("user", e.question), ("assistant", e.answer))),  # type: ignore[arg-type]
        )
        assert fresh.modelfile(NAME).system == OWN.system
        assert fresh.read_evaluation(NAME) == {"answer": answer, "rows": [{"text": question, "score": 0.5}]}


def test_what_a_modelfile_cannot_say_stands_in_its_comments_and_the_rest_still_builds(tmp_path: Path) -> None:
    odd = learned("odd", "Why?", 'x = """\ny')
    one = manifest(NAME, odd, learned("fine"))
    text = version_text(one, OWN)

    parsed = parse_modelfile(text, origin="f", require_from=True)
    assert parsed.base == "base:1b"
    assert [message.content for message in parsed.messages][2:] == ["How do I enable SSH?", "services.openssh.enable"]
    assert '# MESSAGE assistant "x = \\"\\"\\"\\ny"' in text


def test_scores_survive_and_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    scores = Scores(questions=3, right_option=None, valid=1.0, facts=0.5, corrections=None)
    versions = Versions(tmp_path)
    versions.put(manifest(scores=scores))

    assert Versions(tmp_path).get(NAME).scores == scores
    text = (tmp_path / f"{NAME}.toml").read_text()
    assert "right_option" not in text
    assert "parent" not in text


def test_only_the_daemons_user_may_read_what_people_asked(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "versions"
    versions = Versions(folder)
    (tmp_path / "state").mkdir()
    folder.mkdir(mode=0o700)
    (folder / f".{NAME}.toml.tmp").write_text("left by a crash, for all to read")
    before = os.umask(0)
    try:
        versions.put(manifest(), "FROM x\n")
        versions.put_evaluation(NAME, {"a": 1})
    finally:
        os.umask(before)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == 3, "no temporary file is left"


def test_a_broken_manifest_is_named_and_the_others_still_count(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    versions.put(manifest())
    versions.put(manifest("nix-coder-20260105", role="coder"))
    (tmp_path / "nix-expert-20260106.toml").write_text('name = "nix-exp')
    (tmp_path / "nix-expert-20260107.toml").write_text('name = "nix-expert-20260107"\nrole = "expert"\n')
    (tmp_path / "nix-expert-20260108.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "nix-expert-20260109.toml").write_bytes((tmp_path / f"{NAME}.toml").read_bytes())

    assert {one.name for one in versions.load_all()} == {NAME, "nix-coder-20260105"}
    broken = versions.broken()
    assert sorted(broken) == [f"nix-expert-2026010{day}" for day in (6, 7, 8, 9)]
    assert "missing required field `kind`" in broken["nix-expert-20260107"]
    with pytest.raises(StorageError, match="nix-expert-20260106 cannot be used"):
        versions.get("nix-expert-20260106")


def test_files_that_are_not_ours_are_neither_read_nor_removed(tmp_path: Path) -> None:
    foreign = ["nix-expert-extra.toml", "nix-expert.toml", "notes.toml", "nix-expert-20260105.toml.bak", "README"]
    for name in foreign:
        (tmp_path / name).write_text("mine")
    versions = Versions(tmp_path)
    versions.put(manifest(), "FROM x\n")
    versions.put_evaluation(NAME, {})

    assert [one.name for one in versions.load_all()] == [NAME]
    assert versions.broken() == {}
    versions.remove_files(NAME)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(foreign)
    for bad in ("nix-expert-extra", "../x", "nix-expert"):
        with pytest.raises(InternalError):
            versions.remove_files(bad)
        with pytest.raises(InternalError):
            versions.put_evaluation(bad, {})


def test_a_change_by_hand_is_seen(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    versions.put(manifest(why="one"))
    assert versions.get(NAME).why == "one"
    path = tmp_path / f"{NAME}.toml"
    path.write_text(path.read_text().replace('"one"', '"other"'))
    assert versions.get(NAME).why == "other"
    assert versions.replace(NAME, state="retired").why == "other"
    assert Versions(tmp_path).get(NAME).state == "retired"


def test_the_newest_comes_first_and_the_deployed_one_is_found(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    versions.put(manifest("nix-expert-20260101", built_at_ms=1, state="retired"))
    versions.put(manifest("nix-expert-20260102", learned(), built_at_ms=2, state="deployed", deployed_at_ms=9))
    versions.put(manifest("nix-expert-20260103", built_at_ms=3))
    versions.put(manifest("nix-quick-20260109", role="quick", built_at_ms=9))

    assert [one.name[-1] for one in versions.load_all()] == ["9", "3", "2", "1"]
    deployed = versions.deployed("expert")
    assert deployed is not None
    assert deployed.name == "nix-expert-20260102"
    assert versions.deployed("quick") is None
    assert [one.content for one in versions.learned_messages("expert")] == [learned().question, learned().answer]
    assert versions.learned_messages("quick") == ()


def test_an_unknown_name_is_answered_with_those_that_are_alike(tmp_path: Path) -> None:
    versions = Versions(tmp_path / "not-there-yet")
    with pytest.raises(NotFoundError, match="nix-trinity versions"):
        versions.get("nix-expert-20260105")
    versions = Versions(tmp_path)
    versions.put(manifest())
    with pytest.raises(NotFoundError, match=f"Did you mean {NAME}"):
        versions.get("nix-exprt-20260105")
    assert versions.get(f"{NAME.upper()}:latest").name == NAME
    with pytest.raises(NotFoundError, match="Modelfile"):
        versions.modelfile(NAME)


@pytest.mark.parametrize("when", ["before", "half", "after"])
def test_a_crash_while_writing_leaves_the_old_manifest_or_the_new_one(tmp_path: Path, when: str) -> None:
    machine = Machine()
    Versions(tmp_path).put(manifest(why="old"))
    machine.die_at, machine.die_when = 0, when
    with pytest.raises(DiedError):
        Versions(tmp_path, files=FakeDisk(machine)).replace(NAME, why="new")

    fresh = Versions(tmp_path)
    assert fresh.get(NAME).why == ("new" if when == "after" else "old")
    assert fresh.replace(NAME, why="newest") == Versions(tmp_path).get(NAME)


def test_what_cannot_be_written_is_said_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=f"{NAME}.toml cannot be written"):
        Versions(tmp_path / "file").put(manifest())


def test_the_difference_names_what_was_learned_dropped_and_corrected(tmp_path: Path) -> None:
    older = manifest("nix-expert-20260101", learned("a"), learned("b"), learned("c"))
    newer = manifest("nix-expert-20260102", learned("b"), learned("c", answer="better"), learned("d"))
    found = difference(older, newer)

    assert [(one.id, one.answer) for one in found.learned] == [("c", "better"), ("d", learned().answer)]
    assert [one.id for one in found.dropped] == ["a", "c"]
    assert found.kept == 1
    with pytest.raises(RequestError, match="different roles"):
        difference(older, manifest("nix-quick-20260101", role="quick"))

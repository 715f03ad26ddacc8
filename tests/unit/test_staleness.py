"""After a change of the options accepted answers are mended where the rename is known, else set aside, never both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.exchanges import Exchange, Feedback, Reader
from nix_trinity.knowledge.inspection import Inspection
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.knowledge.reviews import Accepted
from nix_trinity.knowledge.store import KnowledgeStore
from nix_trinity.training.staleness import StalenessReport, refresh, renamed_in

OLD, NEW, OTHER = "hardware.opengl.enable", "hardware.graphics.enable", "services.openssh.enable"
ANSWER = f"Set `{OLD}` to true:\n\n```nix\n{OLD} = true;\n```\n"
MENDED = ANSWER.replace(OLD, NEW)


class Options:
    """A list of options as an inspector sees it: a name is in a text when the text holds it as a whole word."""

    def __init__(self, types: Mapping[str, str], renamed: Mapping[str, str] | None = None) -> None:
        self.types = dict(types)
        self.renamed = dict(renamed or {})
        self.unknown: set[str] = set()
        self.meanwhile: Callable[[], Any] | None = None

    async def inspect(self, question: str, answer: str) -> Inspection:  # noqa: ARG002 (the port's)
        if self.meanwhile is not None:
            await self.meanwhile()
        words = {word.strip("`;:,").rstrip(".") for word in answer.split()}
        types = {name: text for name, text in self.types.items() if name in words}
        renamed = {old: new for old, new in self.renamed.items() if old in words and old not in self.types}
        gone = [name for name in self.unknown if name in words and name not in self.types]
        problems = (
            *(f"{old}: is called {new} now" for old, new in renamed.items()),
            *(f"{one}: no such option" for one in gone),
        )
        check = "flagged" if problems else "verified"
        return Inspection("25.05", check, types=types, problems=problems, renamed=renamed)


class Pages:
    """The accepted exchanges, as LearningStore hands them out."""

    def __init__(self, *all_of_them: Accepted) -> None:
        self.all = {one.id: one for one in all_of_them}
        self.writes = 0

    async def accepted_page(self, after_id: str, limit: int) -> Sequence[Accepted]:
        return [self.all[one] for one in sorted(self.all) if one > after_id][:limit]

    async def renew(
        self,
        exchange_id: str,
        answer: str | None,
        option_types: Mapping[str, str],
        reason: str,
        release: str | None,
        now_ms: int,  # noqa: ARG002 (the port's)
    ) -> bool:
        self.writes += 1
        one = self.all[exchange_id]
        self.all[exchange_id] = msgspec.structs.replace(
            one,
            answer=one.said_answer if answer is None else answer,
            option_types=one.said_option_types if answer is None else option_types,
            options_release=release,
            renewed=True,
            set_aside=reason if answer is None else None,
        )
        return True

    async def clear_renewal(self, exchange_id: str) -> bool:
        self.writes += 1
        one = self.all[exchange_id]
        self.all[exchange_id] = msgspec.structs.replace(
            one, answer=one.said_answer, option_types=one.said_option_types, renewed=False, set_aside=None
        )
        return True


def accepted(identifier: str = "a", text: str = ANSWER, **types: str) -> Accepted:
    had = types or {OLD: "boolean"}
    return Accepted(
        id=identifier,
        question="How do I enable OpenGL?",
        answer=text,
        option_types=had,
        options_release="24.05",
        said_answer=text,
        said_option_types=had,
        renewed=False,
        set_aside=None,
    )


def check(pages: Pages, options: Options) -> StalenessReport:
    return asyncio.run(refresh(pages, options, now_ms=5, release="25.05"))


def test_what_still_holds_is_left_alone() -> None:
    pages = Pages(accepted(), accepted("b"))
    assert check(pages, Options({OLD: "boolean", NEW: "boolean"})) == StalenessReport(2, 0, 0)
    assert pages.writes == 0


def test_a_text_that_names_no_option_holds() -> None:
    pages = Pages(msgspec.structs.replace(accepted(text="Reboot."), option_types={}, said_option_types={}))
    assert check(pages, Options({})) == StalenessReport(1, 0, 0)
    assert pages.writes == 0


def test_a_renamed_option_gets_its_new_name_in_prose_and_code() -> None:
    pages = Pages(accepted())
    options = Options({NEW: "boolean"}, {OLD: NEW})
    assert check(pages, options) == StalenessReport(1, 1, 0)
    one = pages.all["a"]
    assert (one.answer, one.option_types, one.set_aside) == (MENDED, {NEW: "boolean"}, None)
    assert check(pages, options) == StalenessReport(1, 0, 0), "nothing is renewed twice"
    assert pages.writes == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(Options({}), f"{OLD} does not exist in NixOS 25.05", id="gone"),
        pytest.param(Options({OLD: "string"}), f"{OLD} is of another type in NixOS 25.05: string", id="another type"),
        pytest.param(Options({}, {OLD: NEW}), f"{OLD}: is called {NEW}", id="the new one is not there either"),
        pytest.param(
            Options({NEW: "string"}, {OLD: NEW}), f"{OLD}: is called {NEW}", id="the new one is of another type"
        ),
    ],
)
def test_what_cannot_be_mended_is_set_aside_and_says_why(options: Options, said: str) -> None:
    pages = Pages(accepted())
    assert check(pages, options) == StalenessReport(1, 0, 1)
    assert said in (pages.all["a"].set_aside or "")
    assert check(pages, options) == StalenessReport(1, 0, 0), "what is set aside is not set aside again"
    assert check(pages, Options({OLD: "boolean"})) == StalenessReport(1, 0, 0)
    assert pages.all["a"] == msgspec.structs.replace(accepted(), options_release="25.05"), "it is back"


def test_a_type_that_is_only_worded_otherwise_is_the_same() -> None:
    same = Pages(accepted(**{OLD: "list of string"}))
    assert check(same, Options({OLD: "list of (string)"})) == StalenessReport(1, 0, 0)
    unread = Pages(accepted(**{OLD: "some frobnicator"}))
    assert check(unread, Options({OLD: "other frobnicator"})) == StalenessReport(1, 0, 1), "both say nothing"


def test_a_name_that_is_written_nested_is_set_aside_rather_than_half_mended() -> None:
    nested = "```nix\nhardware.opengl = { enable = true; };\n```"

    class Nested(Options):
        async def inspect(self, question: str, answer: str) -> Inspection:
            wrong = "hardware.opengl = {" in answer
            found = await super().inspect(question, answer)
            return replace(found, renamed={OLD: NEW}, problems=(f"{OLD}: is called {NEW}",)) if wrong else found

    pages = Pages(accepted(text=nested))
    assert check(pages, Nested({NEW: "boolean"})) == StalenessReport(1, 0, 1)
    assert pages.all["a"].answer == nested


def test_after_two_renames_the_mended_text_is_mended_again() -> None:
    newest = "hardware.display.enable"
    pages = Pages(accepted())
    check(pages, Options({NEW: "boolean"}, {OLD: NEW}))
    later = Options({newest: "boolean"}, {NEW: newest})
    later.unknown = {OLD}
    assert check(pages, later) == StalenessReport(1, 1, 0)
    assert pages.all["a"].answer == ANSWER.replace(OLD, newest)


def test_every_page_is_read_and_one_bad_answer_does_not_touch_the_others() -> None:
    many = [accepted(f"e{number:04}", OTHER, **{OTHER: "boolean"}) for number in range(173)]
    pages = Pages(*many, accepted("e0100x"))
    assert check(pages, Options({OTHER: "boolean"})) == StalenessReport(174, 0, 1)
    assert [one.id for one in pages.all.values() if one.renewed] == ["e0100x"]


def test_without_options_nothing_is_set_aside() -> None:
    class Missing(Options):
        async def inspect(self, question: str, answer: str) -> Inspection:  # noqa: ARG002 (the port's)
            raise CorpusError("There are no options.", "Set corpus.options.")

    pages = Pages(accepted())
    with pytest.raises(CorpusError):
        check(pages, Missing({}))
    assert pages.writes == 0


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("`a.b.c`", "`x.y`"),
        ("a.b.c = 1;", "x.y = 1;"),
        ("Set a.b.c.", "Set x.y."),
        ("config.a.b.c", "config.x.y"),
        ("**a.b.c**, 'a.b.c' (a.b.c)", "**x.y**, 'x.y' (x.y)"),
        ("a.b.cd a.b.c-d a.b.c_d za.b.c my.a.b.c", "a.b.cd a.b.c-d a.b.c_d za.b.c my.a.b.c"),
        ('a.b.c.d a.b.c."d" /a.b.c', 'a.b.c.d a.b.c."d" /a.b.c'),
        ("aXbXc", "aXbXc"),
        ("x.y", "w"),
        ("a.b.c x.y", "x.y w"),
    ],
)
def test_only_whole_names_are_replaced_and_each_once(text: str, mended: str) -> None:
    assert renamed_in(text, {"a.b.c": "x.y", "x.y": "w"}) == mended


@given(st.text(alphabet="ab.c `=;\n-_x'", max_size=60))
def test_a_text_without_the_name_is_left_as_it_is(text: str) -> None:
    assert renamed_in(text, {}) == text
    assert text.count("a.b.c") or renamed_in(text, {"a.b.c": "z"}) == text


# With the real store.


def test_a_correction_that_comes_meanwhile_is_not_covered_by_the_old_text(tmp_path: Path) -> None:
    async def scenario() -> None:
        database = Database(tmp_path)
        store, learning = KnowledgeStore(database, keeps_exchanges=True), LearningStore(database)
        exchange = Exchange(
            id="a",
            asked_at_ms=1,
            uid=1,
            session="s",
            interface="cli",
            question="How do I enable OpenGL?",
            answer=ANSWER,
            outcome="answered",
            verdict="verified",
            option_types=f'{{"{OLD}": "boolean"}}',
        )
        await store.keep(exchange)
        await store.judge(Reader(1), "a", Feedback(given_at_ms=1, uid=1, verdict="good"))
        options = Options({NEW: "boolean"}, {OLD: NEW})

        async def correct() -> None:
            options.meanwhile = None
            said = Feedback(given_at_ms=2, uid=1, verdict="corrected", correction=f"Set `{NEW}`, and reboot.")
            await store.judge(Reader(1), "a", said)

        options.meanwhile = correct
        await refresh(learning, options, now_ms=5, release="25.05")
        [one] = await learning.accepted_page("", 10)
        assert one.answer == f"Set `{NEW}`, and reboot."
        # And on its own, the old answer would have been mended and found under its new text.
        await store.keep(msgspec.structs.replace(exchange, id="b", session="t"))
        await store.judge(Reader(1), "b", Feedback(given_at_ms=1, uid=1, verdict="good"))
        assert (await refresh(learning, options, now_ms=5, release="25.05")).renewed == 1
        [_, other] = await learning.accepted_page("", 10)
        assert (other.answer, other.options_release) == (MENDED, "25.05")
        found = await store.accepted_like(1, ["opengl"], 8)
        assert {past.answer for past in found} == {MENDED, f"Set `{NEW}`, and reboot."}
        await store.close()

    asyncio.run(scenario())

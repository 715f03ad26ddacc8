"""The monthly report from what is kept: the month's own numbers, the same each time, nobody's words without consent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nix_trinity.errors import RequestError, StorageError
from nix_trinity.knowledge.learning import Build
from nix_trinity.training.report import month_range
from nix_trinity.training.reports import Reports
from nix_trinity.training.version import Scores
from nix_trinity.training.versions import Versions
from tests.unit.test_learning_store import ALICE, BOB, Stores, exchange, word
from tests.unit.test_versions import learned, manifest

MONTH = "2026-11"
SINCE, UNTIL = month_range(MONTH)
DAY = 86_400_000
SECRET = "zebrafinch"


class Scene:
    """Reports on a real knowledge.db and a folder of versions."""

    def __init__(self, folder: Path, *, consent_by_default: bool = False) -> None:
        self.folder = folder / "reports"
        self.stores = Stores(folder)
        self.versions = Versions(folder / "versions")
        self.reports = Reports(
            *(self.folder, self.stores.database, self.stores.learning, self.versions),
            consent_by_default=consent_by_default,
        )

    async def text(self, month: str = MONTH) -> str:
        return (await self.reports.write(month)).text

    def files(self) -> dict[str, bytes]:
        found = [file for file in self.folder.rglob("*") if file.is_file()]
        return {str(file.relative_to(self.folder)): file.read_bytes() for file in found}

    async def build(self, identifier: str, at: int, reason: str) -> None:
        await self.stores.learning.end_build(
            Build(
                id=identifier,
                kind="weekly",
                state="done",
                roles=("expert", "quick"),
                reason=reason,
                started_at_ms=at,
                ended_at_ms=at + 90_000,
            )
        )


def scenario(folder: Path, act: Callable[[Scene], Awaitable[None]], *, consent_by_default: bool = False) -> None:
    async def run() -> None:
        scene = Scene(folder, consent_by_default=consent_by_default)
        try:
            await act(scene)
        finally:
            await scene.stores.kept.close()

    asyncio.run(run())


async def a_month(s: Scene) -> None:
    """Five questions of two people: two good answers, a bad, a corrected one and a failure; and other months' ones."""
    times = {"first_token_ms": 500.0, "total_ms": 4000.0, "model": "nix-quick", "model_version": "sha256:abcdef"}
    for n, said in enumerate(("good", "good", "bad", "corrected")):
        correction = f"No: the {SECRET} correction." if said == "corrected" else None
        await s.stores.keep(
            exchange(
                f"asked{n}",
                asked_at_ms=SINCE + n * DAY,
                question=f"What is {SECRET} number {n}?",
                attachment=f"The {SECRET} file",
                answer=f"The {SECRET} answer",
                **times,
            ),
            word(said, at=SINCE + n * DAY + 1, correction=correction),
        )
    await s.stores.keep(
        exchange("failed", asked_at_ms=SINCE + 5 * DAY, uid=BOB, role="expert", outcome="failed", answer="")
    )
    for identifier, at in (("before", SINCE - 1), ("after", UNTIL)):
        await s.stores.keep(exchange(identifier, asked_at_ms=at), word("bad", at=at))
    await s.stores.analyse(topic="services.birds", cluster="birds", question=f"What is {SECRET}?")


def test_the_report_has_the_numbers_of_its_month(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await a_month(s)
        written = await s.reports.write(MONTH)
        path = tmp_path / "reports" / "2026-11.md"
        assert written.path == str(path)
        assert path.read_text(encoding="utf-8") == written.text
        assert written.text.startswith("# NixTrinity, 2026-11\n")
        lines = written.text.splitlines()
        # Asked, answered; 2 of 4 judged are good; 2 good to 1 bad; 1 of 4 answers corrected.
        assert "| all | 5 | 4 | 50% | 67% | 25% | 0.50 s (0.50 s) | 4.00 s (4.00 s) |" in lines
        assert "| expert | 1 | 0 | - | - | - | - | - |" in lines
        assert any(line.startswith("| quick | 4 | 4 | 50% |") for line in lines)
        assert "1 failed and 0 were broken off." in written.text
        assert any(line.startswith("| quick | `nix-quick` | `abcdef` | 4 |") for line in lines)
        assert "| services.birds | 4 | 2 | 1 | 1 | 0 |" in lines

    scenario(tmp_path, act)


def test_builds_and_versions_of_the_month_are_told_and_no_others(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        for identifier, at in (("b0", SINCE - 1), ("b1", SINCE), ("b2", UNTIL - 1), ("b3", UNTIL)):
            await s.build(identifier, at, f"reason of {identifier}")
        s.versions.put(
            manifest(
                *("nix-expert-20261102", learned("a"), learned("b")),
                built_at_ms=SINCE + DAY,
                state="deployed",
                why="better: 0.05",
                scores=Scores(questions=90, right_option=0.8, valid=0.99),
            )
        )
        s.versions.put(manifest("nix-expert-20261001", built_at_ms=SINCE - 30 * DAY, state="previous"))
        text = await s.text()
        assert [name for name in ("b0", "b1", "b2", "b3") if f"reason of {name}" in text] == ["b1", "b2"]
        assert "| 2026-11-01 00:00 | weekly | done | expert, quick | 1.5 | reason of b1 |" in text
        assert "| `nix-expert-20261102` | weekly | deployed | 2 | 90 | 80% | 99% |" in text
        assert "nix-expert-20261001" not in text
        assert "reason of b0" in await s.text("2026-10")
        assert "reason of b3" in await s.text("2026-12")

    scenario(tmp_path, act)


@pytest.mark.parametrize("month", ["", "2026", "2026-13", "2026-00", "2026-1", "11-2026", "2026-11-01", "../2026-11"])
def test_what_is_no_month_is_refused_and_nothing_is_written(tmp_path: Path, month: str) -> None:
    async def act(s: Scene) -> None:
        with pytest.raises(RequestError) as refused:
            await s.reports.write(month)
        assert "nix-trinity report 2026-11" in refused.value.hint
        assert s.files() == {}

    scenario(tmp_path, act)


def test_written_twice_it_is_the_same_to_the_byte(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await a_month(s)
        await s.build("b", SINCE + DAY, "reason")
        s.versions.put(manifest("nix-expert-20261102", built_at_ms=SINCE + DAY, state="deployed"))
        await s.reports.write(MONTH)
        first = s.files()
        assert "2026-11.md" in first
        await s.reports.write(MONTH)
        assert s.files() == first

    scenario(tmp_path, act)


def test_it_is_written_anew_with_what_came_since(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await a_month(s)
        await s.reports.write(MONTH)
        await s.stores.keep(exchange("late", asked_at_ms=UNTIL - 1))
        assert "| all | 6 | 5 |" in await s.text()
        assert (tmp_path / "reports" / "2026-11.md").read_text().count("| all |") == 1

    scenario(tmp_path, act)


def test_the_plots_show_the_half_year_that_ends_with_the_month(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        for identifier, at in (("then", SINCE - 100 * DAY), ("long ago", SINCE - 200 * DAY), ("now", SINCE + DAY)):
            await s.stores.keep(exchange(identifier, asked_at_ms=at), word("good", at=at))
        text = await s.text()
        assert "(2026-11/accuracy.svg)" in text
        plot = s.files()["2026-11/accuracy.svg"].decode()
        assert "2026-W30" in plot, "a hundred days before"
        assert "2026-W16" not in plot, "two hundred days before"
        assert "2026-W30" not in text, "the tables are of the month"

    scenario(tmp_path, act)


def test_an_empty_database_makes_a_whole_report(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        text = await s.text()
        assert "## Measures\n\nNothing was asked.\n" in text
        assert "## Versions\n\nNone was built.\n" in text
        assert text.endswith("\n")
        assert list(s.files()) == ["2026-11.md"], "and nothing is plotted"

    scenario(tmp_path, act)


def test_without_consent_nobodys_words_are_in_it(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await a_month(s)
        await s.reports.write(MONTH)
        for name, content in s.files().items():
            assert SECRET.encode() not in content, name
        text = await s.text()
        assert "2 more are not shown" in text
        assert "- services.birds: asked 4 times, went wrong 2 times\n" in text

    scenario(tmp_path, act)


def test_with_consent_the_badly_answered_questions_are_shown_and_nothing_else_of_them(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await a_month(s)
        await s.stores.learning.say_consent(ALICE, True, SINCE)
        text = await s.text()
        assert f"- `asked2` (quick, bad): What is {SECRET} number 2?" in text
        assert f"- `asked3` (quick, corrected): What is {SECRET} number 3?" in text
        assert f"What is {SECRET} number 1?" not in text, "a good answer to it"
        for private in ("correction.", f"{SECRET} file", f"{SECRET} answer"):
            assert private not in text

    scenario(tmp_path, act)


def test_a_persons_no_goes_before_what_holds_for_those_who_said_nothing(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await a_month(s)
        assert SECRET in await s.text()
        await s.stores.learning.say_consent(ALICE, False, SINCE)
        assert SECRET not in await s.text()

    scenario(tmp_path, act, consent_by_default=True)


def test_a_manifest_that_is_broken_does_not_stop_the_report(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        s.versions.put(manifest("nix-expert-20261102", built_at_ms=SINCE + DAY))
        (s.versions.folder / "nix-expert-20261103.toml").write_text("broken")
        assert "nix-expert-20261102" in await s.text()

    scenario(tmp_path, act)


def test_a_folder_that_cannot_be_written_is_an_error_of_storage(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        s.folder.write_text("a file in its place")
        with pytest.raises(StorageError):
            await s.reports.write(MONTH)

    scenario(tmp_path, act)

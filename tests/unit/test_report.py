"""The monthly report is whole, says what was measured, and lets nobody's words be more than words."""

from __future__ import annotations

import datetime
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.errors import RequestError, StorageError
from nix_trinity.knowledge.learning import Build
from nix_trinity.knowledge.statistics import (
    BadAnswer,
    LessonCounts,
    Measures,
    NoteToWrite,
    Row,
    Spread,
    Statistics,
    Topic,
)
from nix_trinity.training.plots import draw_plots
from nix_trinity.training.report import month_range, write_report
from nix_trinity.training.report_text import report_text
from nix_trinity.training.version import Manifest, Scores

MONTH = "2026-11"
SINCE, UNTIL = month_range(MONTH)
DAY = 86_400_000


def measures(asked: int = 10, accuracy: float | None = 0.6, first: float | None = 500.0) -> Measures:
    return Measures(
        exchanges=asked,
        answered=asked,
        known=2,
        verified=asked,
        accuracy=accuracy,
        helpfulness=0.75,
        corrections=0.1,
        first_token_ms=Spread(first, 900.0, 9) if first is not None else None,
        total_ms=Spread(4000.0, 12_500.0, 9),
    )


def statistics(**fields: object) -> Statistics:
    known: dict[str, object] = {
        "since_ms": SINCE,
        "until_ms": UNTIL,
        "whole": Measures(),
        **dict.fromkeys(("roles", "versions", "weeks", "topics", "bad_answers", "notes"), ()),
        "bad_answers_withheld": 0,
        "lessons": LessonCounts(),
    }
    return Statistics(**{**known, **fields})  # type: ignore[arg-type]


WEEKS = (
    Row(role="expert", week="2026-W45", measures=measures()),
    Row(role="quick", week="2026-W45", measures=measures(accuracy=None, first=None)),
    Row(role="", week="2026-W46", measures=measures(accuracy=None, first=None)),
    Row(role="expert", week="2026-W48", measures=measures(accuracy=0.9)),
)
FULL = statistics(
    whole=measures(40),
    roles=(Row(role="expert", measures=measures(30)), Row(role="quick", measures=measures(10, None, None))),
    versions=(Row(role="expert", model="nix-expert", model_version="sha256:" + "ab" * 32, measures=measures(30)),),
    weeks=WEEKS,
    topics=(Topic(topic="services.openssh", asked=12, good=3, bad=1, corrected=2, ungrounded=4),),
    bad_answers=(BadAnswer(id="k3f9", asked_at_ms=SINCE, role="expert", word="bad", question="How do I print?"),),
    bad_answers_withheld=3,
    notes=(
        NoteToWrite(topic="printing", asked=5, troubled=4, question="which driver"),
        NoteToWrite(topic="private matter", asked=2, troubled=2, question=None),
    ),
)


def manifest(name: str, *, built: int = SINCE + DAY, **fields: object) -> Manifest:
    known: dict[str, object] = {
        "role": "expert",
        "kind": "weekly",
        "state": "deployed",
        "base": "mistral:7b",
        "num_ctx": 4096,
        "content": "c",
        "token_budget": 1000,
        "tokens": 500,
    }
    return Manifest(name=name, built_at_ms=built, **{**known, **fields})  # type: ignore[arg-type]


MANIFESTS = (
    manifest(
        "nix-expert-20261108",
        scores=Scores(questions=90, right_option=0.8, valid=0.99, corrections=1.0, tokens_per_second=12.34),
        why="better: +0.05",
    ),
    manifest("nix-expert-20261101-2", built=SINCE, state="rejected", why="no | better"),
    manifest("nix-expert-20261001", built=SINCE - 1, state="retired"),
    manifest("nix-quick-20261030", built=SINCE - 2, role="quick", deployed_at_ms=SINCE + 5),
    manifest("nix-quick-20261201", built=UNTIL, role="quick"),
)
BUILDS = (
    Build(
        id="b2",
        kind="monthly",
        state="failed",
        roles=("quick",),
        reason="timer",
        started_at_ms=SINCE + DAY,
        error="the engine went away",
    ),
    Build(
        id="b1",
        kind="weekly",
        state="nothing_new",
        roles=("expert", "quick"),
        reason="timer",
        started_at_ms=SINCE,
        ended_at_ms=SINCE + 90_000,
    ),
    Build(id="b0", kind="weekly", state="done", roles=("expert",), reason="before", started_at_ms=SINCE - 1),
)


def written(folder: Path, found: Statistics = FULL, **more: object) -> str:
    fields = {"statistics": found, "builds": BUILDS, "manifests": MANIFESTS, **more}
    path = write_report(folder, MONTH, **fields)  # type: ignore[arg-type]
    assert path == folder / "2026-11.md"
    return path.read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def cells(text: str) -> list[list[str]]:
    """The rows of the tables in ``text``, without heads."""
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in row] for row in rows]
    rules = [at for at, row in enumerate(rows) if set(row) == {"---"}]
    assert all(len(rows[at - 1]) == len(rows[at]) for at in rules)
    return [row for at, row in enumerate(rows) if at not in rules and at + 1 not in rules]


def test_the_measures_stand_in_it_by_role_week_and_version(tmp_path: Path) -> None:
    found = cells(section(written(tmp_path), "Measures"))
    times = ["0.50 s (0.90 s)", "4.00 s (12.50 s)"]
    assert ["all", "40", "40", "60%", "75%", "10%", *times] in found
    assert ["quick", "10", "10", "-", "75%", "10%", "-", times[1]] in found
    assert ["2026-W48", "expert", "10", "10", "90%", "75%", "10%", *times] in found
    assert ["2026-W46", "no role", "10", "10", "-", "75%", "10%", "-", times[1]] in found
    assert ["expert", "`nix-expert`", "`abababababab`", "30", "30", "60%", "75%", "10%", *times] in found


def test_topics_bad_answers_and_notes(tmp_path: Path) -> None:
    text = written(tmp_path)
    assert cells(section(text, "Topics asked")) == [["services.openssh", "12", "3", "1", "2", "4"]]
    bad = section(text, "Questions answered badly")
    assert "- `k3f9` (expert, bad): How do I print?" in bad
    assert "3 more are not shown" in bad
    notes = section(text, "Notes worth writing")
    assert "- printing: asked 5 times, went wrong 4 times, such as: which driver\n" in notes
    assert "- private matter: asked 2 times, went wrong 2 times\n" in notes


def test_versions_and_builds_of_the_month_and_no_others(tmp_path: Path) -> None:
    text = written(tmp_path)
    versions = cells(section(text, "Versions"))
    assert [row[0] for row in versions] == ["`nix-quick-20261030`", "`nix-expert-20261101-2`", "`nix-expert-20261108`"]
    assert versions[1] == ["`nix-expert-20261101-2`", "weekly", "rejected", "0", *"-------", r"no \| better"]
    assert versions[2][1:11] == ["weekly", "deployed", "0", "90", "80%", "99%", "-", "100%", "-", "12.3"]
    assert cells(section(text, "Builds")) == [
        ["2026-11-01 00:00", "weekly", "nothing new", "expert, quick", "1.5", "timer"],
        ["2026-11-02 00:00", "monthly", "failed", "quick", "-", "the engine went away"],
    ]


def test_an_empty_month_is_a_report_too(tmp_path: Path) -> None:
    text = written(tmp_path, statistics(), builds=(), manifests=())
    assert "Nothing was asked." in text
    assert "None was built." in text
    assert "](" not in text
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["2026-11.md"]


def test_each_plot_that_is_pointed_at_is_there_and_can_be_read(tmp_path: Path) -> None:
    text = written(tmp_path)
    pointed_at = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    assert pointed_at == [f"2026-11/{name}.svg" for name in ("accuracy", "speed", "helpfulness", "corrections")]
    for name in pointed_at:
        drawing = (tmp_path / name).read_text(encoding="utf-8")
        assert ET.fromstring(drawing).tag.endswith("svg")
        texts = [element.text for element in ET.fromstring(drawing).iter() if element.tag.endswith("}text")]
        assert {"2026-W45", "2026-W46", "2026-W48", "expert"} <= set(texts)
    in_accuracy = (tmp_path / "2026-11/accuracy.svg").read_text(encoding="utf-8")
    assert ">quick<" not in in_accuracy, "nobody judged its answers"


def test_a_trend_reaches_further_back_than_the_month(tmp_path: Path) -> None:
    trend = (Row(role="coder", week="2026-W30", measures=measures()), *WEEKS)
    text = written(tmp_path, trend=trend)
    assert ">2026-W30<" in (tmp_path / "2026-11/speed.svg").read_text(encoding="utf-8")
    assert "2026-W30" not in text


def test_the_same_figures_make_the_same_files(tmp_path: Path) -> None:
    def files(folder: Path, builds: Sequence[Build], manifests: Sequence[Manifest]) -> dict[str, bytes]:
        written(folder, builds=builds, manifests=manifests)
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first = files(tmp_path / "one", BUILDS, MANIFESTS)
    assert len(first) == 5
    assert files(tmp_path / "two", BUILDS[::-1], MANIFESTS[::-1]) == first
    assert files(tmp_path / "two", BUILDS, MANIFESTS) == first, "written over itself"


def test_without_matplotlib_it_says_how_to_get_plots(tmp_path: Path) -> None:
    text = written(tmp_path, draw=lambda _: None)
    assert "the optional extra `report`" in text
    assert "](" not in text
    assert cells(section(text, "Measures"))
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from nix_trinity.training.plots import draw_plots\n"
        "sys.exit(draw_plots([]) is not None)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_matplotlib_is_loaded_when_a_report_is_written_and_its_settings_stay_as_they_are() -> None:
    code = (
        "import sys, nix_trinity.training.report\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib\n"
        "changed = ['svg.hashsalt', 'svg.fonttype']\n"
        "before = [matplotlib.rcParams[name] for name in changed]\n"
        "nix_trinity.training.plots.draw_plots([])\n"
        "assert [matplotlib.rcParams[name] for name in changed] == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


EVIL = (
    "x\n# Head\n| a | <script>alert(1)</script> ![i](http://x/y) [l](javascript:1) `c` **b** \u202e\x1b[31m" + "y" * 999
)


def test_what_people_wrote_is_text_and_nothing_else(tmp_path: Path) -> None:
    found = msgspec.structs.replace(
        FULL,
        topics=(Topic(topic=EVIL, asked=1, good=0, bad=1, corrected=0, ungrounded=0),),
        bad_answers=(BadAnswer(id="k3", asked_at_ms=1, role="expert", word="bad", question=EVIL),),
        notes=(NoteToWrite(topic="t", asked=2, troubled=2, question=EVIL),),
        versions=(Row(role="expert", model="a|b`c", model_version="", measures=measures()),),
    )
    text = written(tmp_path, found, manifests=(manifest("nix-expert-20261108", why=EVIL),), draw=lambda _: {})
    assert "\n# Head" not in text
    assert not re.search(r"(?<!\\)<", text)
    assert not re.search(r"(?<!\\)\]\(", text)
    assert not re.search("[\x1b\u202e]", text)
    assert max(len(line) for line in text.splitlines()) < 800
    assert len(cells(section(text, "Topics asked"))[0]) == 6
    assert len(cells(section(text, "Versions"))[0]) == 12


@given(st.text(max_size=60))
def test_no_text_breaks_a_table(text: str) -> None:
    found = statistics(whole=measures(), topics=(Topic(topic=text, asked=1, good=0, bad=1, corrected=0, ungrounded=0),))
    topics = section(report_text(MONTH, found, (), (), ()), "Topics asked")
    assert [len(row) for row in cells(topics)] == [6]


@pytest.mark.parametrize(
    "month", ["", "2026-13", "2026-00", "2026-1", "26-11", "2026-11-01", " 2026-11", "../x", "2026-11\n", "２０２６-11"]
)
def test_what_is_no_month_is_refused_and_writes_nothing(tmp_path: Path, month: str) -> None:
    with pytest.raises(RequestError) as caught:
        write_report(tmp_path, month, statistics=FULL, builds=(), manifests=())
    assert "2026-11" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_months() -> None:
    def day(at_ms: int) -> str:
        return datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC).isoformat()

    assert tuple(map(day, month_range("2026-12"))) == ("2026-12-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00")
    assert tuple(map(day, month_range("2028-02", months=6))) == (
        "2027-09-01T00:00:00+00:00",
        "2028-03-01T00:00:00+00:00",
    )


def test_a_report_that_cannot_be_written_leaves_the_last_one_whole(tmp_path: Path) -> None:
    before = written(tmp_path, draw=lambda _: {})
    (tmp_path / MONTH).write_text("in the way")
    with pytest.raises(StorageError):
        written(tmp_path, statistics(whole=measures(3), weeks=WEEKS))
    assert (tmp_path / "2026-11.md").read_text(encoding="utf-8") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026-11", "2026-11.md"]


def test_many_weeks_can_be_drawn() -> None:
    weeks = [Row(role="expert", week=f"2026-W{n:02}", measures=measures()) for n in range(1, 53)]
    drawn = draw_plots(weeks)
    assert drawn is not None
    assert set(drawn) == {"accuracy", "speed", "helpfulness", "corrections"}

"""The metrics are what Prometheus can read, named as it wants, and say nothing of people."""

from __future__ import annotations

import re
import subprocess
import sys

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from nix_trinity.api.prometheus import MetricFacts, metrics_text
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

MEASURES = Measures(
    exchanges=12,
    answered=10,
    failed=2,
    known=1,
    verified=8,
    flagged=2,
    good=3,
    bad=1,
    corrected=1,
    said_good=3,
    said_bad=1,
    accuracy=0.6,
    helpfulness=0.75,
    corrections=0.1,
    first_token_ms=Spread(250.0, 900.0, 9),
    total_ms=Spread(4000.0, 12_500.0, 9),
)
EMPTY = Statistics(
    since_ms=0,
    until_ms=604_800_000,
    whole=Measures(),
    roles=(),
    versions=(),
    weeks=(),
    topics=(),
    bad_answers=(),
    bad_answers_withheld=0,
    notes=(),
    lessons=LessonCounts(),
)
FULL = Statistics(
    since_ms=0,
    until_ms=604_800_000,
    whole=MEASURES,
    roles=(Row(role="expert", measures=MEASURES), Row(role="quick", measures=Measures(exchanges=1, cancelled=1))),
    versions=(
        Row(role="expert", model="nix-expert", model_version="sha256:" + "ab" * 32, measures=MEASURES),
        Row(role="quick", model='odd "name"\n\\', model_version="", measures=Measures(good=1)),
    ),
    weeks=(),
    topics=(Topic(topic="secret topic", asked=1, good=0, bad=1, corrected=0, ungrounded=0),),
    bad_answers=(BadAnswer(id="k3", asked_at_ms=1, role="expert", word="bad", question="secret question"),),
    bad_answers_withheld=3,
    notes=(NoteToWrite(topic="secret topic", asked=2, troubled=2, question="secret question"),),
    lessons=LessonCounts(eligible=1),
)
FACTS = MetricFacts(
    version="0.1.0",
    queue_running=2,
    queue_waiting=5,
    engine_reachable=True,
    reloads=7,
    vectors_done=90,
    vectors_all=100,
    exchanges_kept=1234,
    database_bytes=5_000_000,
    build_running=False,
    last_success_seconds={"weekly": 1_760_000_000.0, "monthly": 1_759_000_000.0},
)
NOT_YET = MetricFacts(
    version="0.1.0",
    queue_running=0,
    queue_waiting=0,
    engine_reachable=None,
    reloads=0,
    vectors_done=0,
    vectors_all=0,
    exchanges_kept=None,
    database_bytes=0,
    build_running=True,
)


def families(statistics: Statistics, facts: MetricFacts) -> dict[str, Metric]:
    text = metrics_text(statistics, facts).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(statistics: Statistics, facts: MetricFacts) -> dict[tuple[str, ...], float]:
    """Values by name and labels, these in the order of their names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families(statistics, facts).values()
        for sample in family.samples
    }


def test_the_figures_can_be_read_back() -> None:
    found = samples(FULL, FACTS)
    expected = {
        ("nix_trinity_info", "0.1.0"): 1,
        ("nix_trinity_queue_running",): 2,
        ("nix_trinity_queue_waiting",): 5,
        ("nix_trinity_engine_up",): 1,
        ("nix_trinity_model_reloads_total",): 7,
        ("nix_trinity_vectors",): 90,
        ("nix_trinity_vectors_wanted",): 100,
        ("nix_trinity_kept_exchanges",): 1234,
        ("nix_trinity_database_bytes",): 5_000_000,
        ("nix_trinity_build_running",): 0,
        ("nix_trinity_build_last_success_timestamp_seconds", "weekly"): 1_760_000_000,
        ("nix_trinity_build_last_success_timestamp_seconds", "monthly"): 1_759_000_000,
        ("nix_trinity_period_seconds",): 604_800,
        ("nix_trinity_exchanges", "answered", "expert"): 10,
        ("nix_trinity_exchanges", "failed", "expert"): 2,
        ("nix_trinity_exchanges", "cancelled", "quick"): 1,
        ("nix_trinity_known_answers", "expert"): 1,
        ("nix_trinity_checked_answers", "expert", "flagged"): 2,
        ("nix_trinity_judged_answers", "nix-expert", "expert", "abababababab", "good"): 3,
        ("nix_trinity_judged_answers", 'odd "name"\n\\', "quick", "", "good"): 1,
        ("nix_trinity_accuracy_ratio", "expert"): 0.6,
        ("nix_trinity_helpfulness_ratio", "expert"): 0.75,
        ("nix_trinity_corrections_ratio", "expert"): 0.1,
        ("nix_trinity_first_token_median_seconds", "expert"): 0.25,
        ("nix_trinity_first_token_p95_seconds", "expert"): 0.9,
        ("nix_trinity_answer_median_seconds", "expert"): 4,
        ("nix_trinity_answer_p95_seconds", "expert"): 12.5,
    }
    assert {name: found[name] for name in expected} == expected


def test_what_is_not_known_is_left_out_and_not_said_to_be_zero() -> None:
    found = samples(FULL, NOT_YET)
    assert ("nix_trinity_engine_up",) not in found
    assert ("nix_trinity_kept_exchanges",) not in found
    assert ("nix_trinity_accuracy_ratio", "quick") not in found
    assert ("nix_trinity_first_token_median_seconds", "quick") not in found
    assert found[("nix_trinity_build_running",)] == 1


def test_a_daemon_that_was_asked_nothing_has_metrics_too() -> None:
    found = families(EMPTY, NOT_YET)
    assert found["nix_trinity_queue_running"].samples[0].value == 0
    assert not found["nix_trinity_exchanges"].samples


def test_names_follow_the_conventions_and_each_says_what_it_is() -> None:
    for name, family in families(FULL, FACTS).items():
        assert re.fullmatch(r"nix_trinity(_[a-z0-9]+)*", name)
        assert family.documentation.endswith(".")
        assert family.type in ("gauge", "counter")
        assert not re.search(r"_(ms|milliseconds|percent|kb|mb)(_|$)", name), "base units only"
        names = {sample.name for sample in family.samples}
        assert all(one.endswith("_total") == (family.type == "counter") for one in names)
    text = metrics_text(FULL, FACTS).decode()
    assert text.count("# TYPE") == len(set(re.findall(r"# TYPE (\S+)", text))) == text.count("# HELP")


def test_nothing_says_who_asked_or_what() -> None:
    labels = {
        label for family in families(FULL, FACTS).values() for sample in family.samples for label in sample.labels
    }
    assert labels == {"version", "role", "outcome", "verdict", "model", "word", "kind"}
    text = metrics_text(FULL, FACTS)
    assert b"secret" not in text
    assert b"k3" not in text


def test_the_library_is_loaded_when_it_is_needed() -> None:
    code = "import sys, nix_trinity.api.prometheus; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""The figures for Prometheus, in its text format.

Names follow https://prometheus.io/docs/practices/naming/. What is counted from the kept exchanges can also fall, when
old ones are removed, so it is a gauge; only what counts up since the daemon began is a counter. No label says who asked
or what: roles, models and kinds only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from nix_trinity.knowledge.statistics import Measures, Spread, Statistics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of what :func:`metrics_text` returns."""

_VERSION_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class MetricFacts:
    """How the daemon is at this moment. None: not known."""

    version: str
    queue_running: int
    queue_waiting: int
    engine_reachable: bool | None
    reloads: int
    """How often a model had to be loaded again since the daemon began."""
    vectors_done: int
    vectors_all: int
    exchanges_kept: int | None
    database_bytes: int
    build_running: bool
    last_success_seconds: Mapping[str, float] = field(default_factory=dict)
    """When a build of each kind last succeeded, in Unix seconds."""


def metrics_text(statistics: Statistics, facts: MetricFacts) -> bytes:
    """All metrics; the shares and times are of the period that ``statistics`` covers."""
    # It takes long to load, and hardly anybody asks.
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class Now(Collector):
        def collect(self) -> Iterator[Metric]:
            yield from _of_the_daemon(facts)
            yield from _of_the_answers(statistics)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Now())
    return generate_latest(registry)


def _of_the_daemon(facts: MetricFacts) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

    def gauge(name: str, help_text: str, value: float | None) -> Metric:
        return GaugeMetricFamily(f"nix_trinity_{name}", help_text, value=value)  # None: without a sample

    yield InfoMetricFamily("nix_trinity", "The version of NixTrinity.", value={"version": facts.version})
    yield gauge("queue_running", "Questions that are being answered.", facts.queue_running)
    yield gauge("queue_waiting", "Questions that wait for a place.", facts.queue_waiting)
    yield gauge(
        "engine_up", "Whether the engine answered when it was last asked (1) or not (0).", facts.engine_reachable
    )
    yield CounterMetricFamily(
        "nix_trinity_model_reloads",
        "Models that had to be loaded again for a role that had answered before, since the daemon began.",
        value=facts.reloads,
    )
    yield gauge("vectors", "Texts that have their vector.", facts.vectors_done)
    yield gauge("vectors_wanted", "Texts that are to have a vector.", facts.vectors_all)
    yield gauge("kept_exchanges", "Exchanges in the database.", facts.exchanges_kept)
    yield gauge("database_bytes", "Size of the database with its write-ahead log.", facts.database_bytes)
    yield gauge("build_running", "Whether a build is running (1) or not (0).", facts.build_running)
    succeeded = GaugeMetricFamily(
        "nix_trinity_build_last_success_timestamp_seconds",
        "When a build of this kind last succeeded, in Unix time.",
        labels=["kind"],
    )
    for kind, seconds in sorted(facts.last_success_seconds.items()):
        succeeded.add_metric([kind], seconds)
    yield succeeded


def _of_the_answers(statistics: Statistics) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    span = (statistics.until_ms - statistics.since_ms) / 1000
    yield GaugeMetricFamily(
        "nix_trinity_period_seconds", "How long the period is that the figures of the answers are of.", value=span
    )
    exchanges = GaugeMetricFamily(
        "nix_trinity_exchanges", "Questions of the period that came to an end.", labels=["role", "outcome"]
    )
    known = GaugeMetricFamily(
        "nix_trinity_known_answers", "Answers of the period that were known and needed no model.", labels=["role"]
    )
    checked = GaugeMetricFamily(
        "nix_trinity_checked_answers", "Answers of the period by what their check came to.", labels=["role", "verdict"]
    )
    for row in statistics.roles:
        role, one = row.role or "", row.measures
        for outcome in ("answered", "failed", "cancelled"):
            exchanges.add_metric([role, outcome], getattr(one, outcome))
        known.add_metric([role], one.known)
        for verdict in ("verified", "repaired", "flagged", "ungrounded"):
            checked.add_metric([role, verdict], getattr(one, verdict))
    judged = GaugeMetricFamily(
        "nix_trinity_judged_answers",
        "Answers of the period by the newest word on them.",
        labels=["role", "model", "version", "word"],
    )
    for row in statistics.versions:
        version = (row.model_version or "").removeprefix("sha256:")[:_VERSION_CHARACTERS]
        for word in ("good", "bad", "corrected"):
            judged.add_metric([row.role or "", row.model or "", version, word], getattr(row.measures, word))
    yield from (exchanges, known, checked, judged)
    yield from _shares(statistics)
    yield from _times(statistics)


def _shares(statistics: Statistics) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    for name, help_text in (
        ("accuracy", "Of the judged answers of the period, the share whose newest word is good."),
        ("helpfulness", "Of all good and bad words on answers of the period, the share of good ones."),
        ("corrections", "Of all answers of the period, the share whose newest word is a correction."),
    ):
        metric = GaugeMetricFamily(f"nix_trinity_{name}_ratio", help_text, labels=["role"])
        for row in statistics.roles:
            if (share := getattr(row.measures, name)) is not None:
                metric.add_metric([row.role or ""], share)
        yield metric


def _times(statistics: Statistics) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    def first_token(measures: Measures) -> Spread | None:
        return measures.first_token_ms

    def whole(measures: Measures) -> Spread | None:
        return measures.total_ms

    for name, what, spread_of in (
        ("first_token", "until the first token", first_token),
        ("answer", "until the end of the answer", whole),
    ):
        median = GaugeMetricFamily(f"nix_trinity_{name}_median_seconds", f"Median time {what}.", labels=["role"])
        p95 = GaugeMetricFamily(
            f"nix_trinity_{name}_p95_seconds", f"95th percentile of the time {what}.", labels=["role"]
        )
        for row in statistics.roles:
            spread = spread_of(row.measures)
            if spread is not None:
                median.add_metric([row.role or ""], spread.median / 1000)
                p95.add_metric([row.role or ""], spread.p95 / 1000)
        yield from (median, p95)

"""What is kept of versions, over a year and over any history; and that pruning touches nothing else."""

from __future__ import annotations

import asyncio
import datetime
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nix_trinity.catalogue import ROLES
from nix_trinity.config_sections import RetentionSection
from nix_trinity.engines.protocol import ChatMessage, EngineLock
from nix_trinity.errors import EngineError
from nix_trinity.modelfile.grammar import Message
from nix_trinity.training.learning import Pruned
from nix_trinity.training.pruning import prune, purge, still_holding
from nix_trinity.training.retention import keep
from nix_trinity.training.version import Manifest, version_name
from nix_trinity.training.version_text import version_text
from nix_trinity.training.versions import Versions
from tests.unit.fake_engine import BASE, DiedError, FakeEngine, FakeModel
from tests.unit.test_versions import OWN, learned, manifest

DAY_MS = 24 * 3600 * 1000
START = datetime.date(2026, 1, 1)
DEFAULT = RetentionSection()


def at(day: float) -> int:
    """So many days after the start of 2026, in Unix milliseconds."""
    return int(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).timestamp() * 1000 + day * DAY_MS)


class History:
    """A role's builds as they happen; ``models`` are the names that the engine still has."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.manifests: dict[str, Manifest] = {}
        self.day, self.hours = -1, 0

    def build(self, day: int, kind: str, *, deploy: bool) -> None:
        # Builds of a day follow each other by an hour.
        self.hours = self.hours + 1 if day == self.day else 0
        self.day = day
        now = at(day + self.hours / 24)
        name = version_name(self.role, START + datetime.timedelta(day), set(self.manifests))
        self.manifests[name] = manifest(
            *(name,),
            role=self.role,
            kind=kind,
            built_at_ms=now,
            checkpoint=kind == "monthly" and deploy,
            state="candidate" if deploy else "rejected",
        )
        if deploy:
            self.deploy(name, now)

    def deploy(self, name: str, now: int) -> None:
        for other in list(self.manifests.values()):
            if other.state == "previous":
                self._set(other, state="retired")
            if other.state == "deployed":
                self._set(other, state="previous", replaced_at_ms=now)
        self._set(self.manifests[name], state="deployed", deployed_at_ms=now, replaced_at_ms=None)

    def prune(self, kept: set[str]) -> None:
        for one in list(self.manifests.values()):
            if one.name not in kept:
                self._set(one, removed=True)

    @property
    def present(self) -> set[str]:
        return {one.name for one in self.manifests.values() if not one.removed}

    def _set(self, one: Manifest, **fields: object) -> None:
        self.manifests[one.name] = msgspec.structs.replace(one, **fields)


def oracle(history: History, now: int) -> set[str]:
    """The default rule, told backwards in time from each moment of interest."""
    there = [m for m in history.manifests.values() if not m.removed and m.deployed_at_ms is not None]
    kept = {m.name for m in there if m.state in ("deployed", "previous")}
    if not any(m.state == "previous" for m in there):
        others = [m for m in there if m.state != "deployed"]
        kept |= {max(others, key=lambda m: m.replaced_at_ms or 0).name} if others else set()
    by_age = {now - (m.deployed_at_ms or 0): m.name for m in there}
    week = 7 * DAY_MS
    kept |= {by_age[age] for age in [min((a for a in by_age if a >= week), default=None)] if age is not None}
    kept |= {by_age[age] for age in [max((a for a in by_age if a < week), default=None)] if age is not None}

    def month(ms: int) -> str:
        return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).strftime("%Y-%m")

    months = sorted({month(m.built_at_ms) for m in there if m.checkpoint})
    wanted = [m for m in months if m == month(now)] + [m for m in months if m < month(now)][-1:]
    for one in wanted:
        kept.add(max(m.name for m in there if m.checkpoint and month(m.built_at_ms) == one))
    return kept


def test_a_year_of_builds_in_four_roles_keeps_exactly_what_the_rule_says() -> None:
    chance = random.Random(5)
    histories = {role: History(role) for role in ROLES}
    most = 0
    for day in range(400):
        date = START + datetime.timedelta(day)
        for role, history in histories.items():
            if date.day == 1:
                history.build(day, "monthly", deploy=chance.random() < 0.9)
            if date.weekday() == 0:
                history.build(day, "weekly", deploy=chance.random() < 0.7)
            if chance.random() < {"expert": 0.5, "empathy": 0.05, "coder": 0.0, "quick": 0.1}[role]:
                history.build(day, "immediate", deploy=chance.random() < 0.8)
        everything = [m for history in histories.values() for m in history.manifests.values()]
        chance.shuffle(everything)
        kept = set(keep(everything, DEFAULT, at(day + 0.5)))
        for history in histories.values():
            ours = {name for name in kept if name in history.manifests}
            assert ours == oracle(history, at(day + 0.5)), day
            history.prune(ours)
            most = max(most, len(history.present))
    assert most <= 6, "the deployed, the previous, two for the week, two for the month"
    assert all(len(history.manifests) >= 60 for history in histories.values())


@pytest.mark.parametrize("every", [1, 2, 3, 7, 10])
def test_there_always_is_a_version_from_last_week_and_one_from_last_month(every: int) -> None:
    history = History("expert")
    for day in range(120):
        if (START + datetime.timedelta(day)).day == 1:
            history.build(day, "monthly", deploy=True)
        elif day % every == 0:
            history.build(day, "weekly", deploy=True)
        now = at(day + 0.5)
        history.prune(set(keep(list(history.manifests.values()), DEFAULT, now)))
        ages = [(now - (history.manifests[name].deployed_at_ms or 0)) / DAY_MS for name in history.present]
        if day >= 7:
            assert any(7 <= age < 7 + max(7, every) + 1 for age in ages), (day, ages)
        if day >= 31:
            first = (START + datetime.timedelta(day)).replace(day=1)
            before = (first - datetime.timedelta(1)).replace(day=1)
            assert f"nix-expert-{before:%Y%m%d}" in history.present


def history_of(moves: list[tuple[int, str, bool, bool]], role: str = "expert") -> tuple[History, int]:
    history, day = History(role), 0
    for pause, kind, deploy, back in moves:
        day += pause
        earlier = [m.name for m in history.manifests.values() if m.state in ("previous", "retired")]
        if back and earlier:
            history.deploy(earlier[-1], at(day))
        else:
            history.build(day, kind, deploy=deploy)
    return history, at(day + 0.5)


MOVES = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(["weekly", "monthly", "immediate"]), st.booleans(), st.booleans()),
    max_size=25,
)
POLICY = st.builds(RetentionSection, previous=st.integers(1, 3), weekly=st.integers(0, 3), monthly=st.integers(0, 3))


@settings(max_examples=200)
@given(moves=MOVES, policy=POLICY)
def test_the_deployed_version_and_the_one_before_it_are_never_removed(
    moves: list[tuple[int, str, bool, bool]], policy: RetentionSection
) -> None:
    history, now = history_of(moves)
    kept = keep(list(history.manifests.values()), policy, now)
    for one in history.manifests.values():
        if one.state in ("deployed", "previous"):
            assert one.name in kept
        if one.state in ("rejected", "candidate"):
            assert one.name not in kept
    assert len(kept) <= 1 + policy.previous + policy.weekly + 1 + policy.monthly + 1


@settings(max_examples=200)
@given(moves=MOVES, policy=POLICY, more=POLICY)
def test_a_larger_number_never_keeps_less(
    moves: list[tuple[int, str, bool, bool]], policy: RetentionSection, more: RetentionSection
) -> None:
    history, now = history_of(moves)
    larger = RetentionSection(
        previous=policy.previous + more.previous,
        weekly=policy.weekly + more.weekly,
        monthly=policy.monthly + more.monthly,
    )
    manifests = list(history.manifests.values())
    assert set(keep(manifests, policy, now)) <= set(keep(manifests, larger, now))


@settings(max_examples=100)
@given(moves=MOVES, others=MOVES, seed=st.integers())
def test_a_role_keeps_the_same_whatever_another_one_has_and_in_any_order(
    moves: list[tuple[int, str, bool, bool]], others: list[tuple[int, str, bool, bool]], seed: int
) -> None:
    history, now = history_of(moves)
    other, _ = history_of(others, "quick")
    alone = keep(list(history.manifests.values()), DEFAULT, now)
    both = [*history.manifests.values(), *other.manifests.values()]
    random.Random(seed).shuffle(both)
    assert {name: why for name, why in keep(both, DEFAULT, now).items() if name in history.manifests} == alone


def test_nothing_but_the_deployed_version_is_kept_when_the_numbers_are_zero() -> None:
    history, now = history_of([(1, "monthly", True, False)] * 4)
    none = RetentionSection(previous=0, weekly=0, monthly=0)
    assert list(keep(list(history.manifests.values()), none, now).values()) == ["deployed"]


def test_a_candidate_is_kept_only_while_its_build_runs() -> None:
    one = manifest()
    assert keep([one], DEFAULT, at(1)) == {}
    assert keep([one], DEFAULT, at(1), {one.name}) == {one.name: "being built"}


class Store:
    """Versions on a fake engine, in states that pruning has to tell apart."""

    def __init__(self, folder: Path) -> None:
        self.engine = FakeEngine()
        self.versions = Versions(folder)
        self.free = 1_000_000
        self.add("nix-expert-20260101", "a", state="retired", deployed_at_ms=at(0), replaced_at_ms=at(1))
        self.add("nix-expert-20260102", "a", state="retired", deployed_at_ms=at(1), replaced_at_ms=at(2))
        self.add("nix-expert-20260103", "a", "b", state="previous", deployed_at_ms=at(2), replaced_at_ms=at(30))
        self.add("nix-expert-20260131", "b", state="deployed", deployed_at_ms=at(30))
        self.add("nix-expert-20260131-2", "c", state="rejected")
        self.add("nix-expert-20260131-3", "c", state="candidate")
        self.theirs = {
            *(BASE, "nix-expert", "nix-expert-extra", "nix-expert-20260101-mine", "nix-expert-20251224"),
            *("nix-expert-20260101:q4", "somebody/nix-expert-20260101", "nix-experts-20260101"),
        }
        self.engine.models |= {name: FakeModel(system=name) for name in self.theirs}

    def add(self, name: str, *examples: str, **fields: Any) -> None:
        made = manifest(name, *(learned(one, f"How is {one}?", f"secret of {one}") for one in examples), **fields)
        self.versions.put(made, version_text(made, OWN))
        self.engine.models[name] = FakeModel(messages=tuple(ChatMessage("user", one) for one in examples))

    def prune(self, *, dry_run: bool = False, running: tuple[str, ...] = ()) -> Pruned:
        def free() -> int:
            return self.free - 1000 * len(self.engine.models)

        work = prune(
            *(self.engine, self.versions, DEFAULT),
            lock=EngineLock(),
            now_ms=at(30.5),
            dry_run=dry_run,
            free_bytes=free,
            running=running,
        )
        return asyncio.run(work)

    def purge(self, *ids: str) -> tuple[str, ...]:
        return asyncio.run(purge(self.engine, self.versions, ids, lock=EngineLock()))


GONE = {"nix-expert-20260101", "nix-expert-20260102", "nix-expert-20260131-2", "nix-expert-20260131-3"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_pruning_deletes_what_is_not_kept_and_nothing_of_others(store: Store) -> None:
    pruned = store.prune()
    assert {name for name, _ in pruned.versions} == GONE
    assert dict(pruned.versions)["nix-expert-20260131-2"] == "rejected"
    assert dict(pruned.kept)["nix-expert-20260131"] == "deployed"
    assert pruned.freed_bytes == 4000, "by the disk, not by the sizes that the engine lists"
    assert set(store.engine.models) == {*store.theirs, "nix-expert-20260103", "nix-expert-20260131"}
    for name in GONE:
        assert store.versions.get(name).removed
        assert store.versions.modelfile(name).base == BASE, "it can be built again"
    assert store.versions.get("nix-expert-20260131-3").state == "rejected"
    assert store.prune().versions == ()


def test_a_dry_run_tells_the_same_and_does_nothing(store: Store) -> None:
    before = set(store.engine.models)
    told = store.prune(dry_run=True)
    assert set(store.engine.models) == before
    assert not any(one.removed for one in store.versions.load_all())
    assert (told.dry_run, told.freed_bytes) == (True, 0)
    assert told.versions == store.prune().versions


def test_a_candidate_at_work_is_left(store: Store) -> None:
    store.prune(running=("nix-expert-20260131-3",))
    assert "nix-expert-20260131-3" in store.engine.models
    assert store.versions.get("nix-expert-20260131-3").state == "candidate"


def test_a_version_whose_manifest_is_broken_keeps_its_model(store: Store) -> None:
    (store.versions.folder / "nix-expert-20260101.toml").write_text("broken")
    store.prune()
    assert "nix-expert-20260101" in store.engine.models


def test_a_model_that_somebody_deleted_already_is_marked(store: Store) -> None:
    del store.engine.models["nix-expert-20260101"]
    assert "nix-expert-20260101" not in dict(store.prune().versions)
    assert store.versions.get("nix-expert-20260101").removed


def test_pruning_goes_on_after_a_fault_or_a_crash(store: Store) -> None:
    store.engine.machine.fail["delete nix-expert-20260101"] = EngineError("no", "")
    with pytest.raises(EngineError):
        store.prune()
    store.engine.machine.fail.clear()
    machine = store.engine.machine
    for when in ("before", "after"):
        machine.die_at, machine.die_when = len(machine.steps) + 1, when
        with pytest.raises(DiedError):
            store.prune()
    machine.die_at = None
    store.prune()
    assert set(store.engine.models) == {*store.theirs, "nix-expert-20260103", "nix-expert-20260131"}
    assert {one.name for one in store.versions.load_all() if one.removed} == GONE


def test_a_forgotten_exchange_is_gone_from_all_texts_but_the_deployed_version(store: Store) -> None:
    store.versions.put_evaluation(
        "nix-expert-20260131", {"mean": 0.5, "held_out": [{"id": "a", "text": "secret of a"}, {"id": "z"}]}
    )
    assert set(store.purge("a")) == {"nix-expert-20260101", "nix-expert-20260102", "nix-expert-20260103"}

    texts = "".join(file.read_text() for file in store.versions.folder.iterdir())
    assert "secret of a" not in texts
    assert "secret of b" in texts
    assert store.versions.read_evaluation("nix-expert-20260131") == {"mean": 0.5, "held_out": [{"id": "z"}]}
    previous = store.versions.get("nix-expert-20260103")
    assert (previous.example_ids, previous.removed) == (("b",), True)
    assert store.versions.modelfile(previous.name).messages == (
        *OWN.messages,
        *(Message("user", "How is b?"), Message("assistant", "secret of b")),
    )
    assert previous.name not in store.engine.models, "the model holds the text too"
    assert "nix-expert-20260131" in store.engine.models
    assert store.purge("a") == ()


def test_files_that_were_changed_by_hand_hold_nothing_of_it_either(store: Store) -> None:
    folder = store.versions.folder
    added = folder / "nix-expert-20260101.Modelfile"
    added.write_text(added.read_text() + "MESSAGE user secret of a\nMESSAGE assistant Yes.\n")
    (folder / "nix-expert-20260102.Modelfile").write_text("nonsense: secret of a")
    (folder / "nix-expert-20260103.evaluation.toml").write_text("nonsense: secret of a")
    store.purge("a")
    assert "secret of a" not in "".join(file.read_text() for file in folder.iterdir())
    assert store.versions.modelfile("nix-expert-20260102").base == BASE


def test_what_the_deployed_version_holds_stays_until_it_is_replaced(store: Store) -> None:
    assert still_holding(store.versions.load_all(), ["b"]) == ("nix-expert-20260131",)
    assert "nix-expert-20260131" not in store.purge("b")
    assert store.versions.get("nix-expert-20260131").example_ids == ("b",)
    store.versions.replace("nix-expert-20260131", state="previous")
    assert store.purge("b") == ("nix-expert-20260131",)
    assert "secret of b" not in "".join(file.read_text() for file in store.versions.folder.iterdir())


def test_a_purge_that_was_interrupted_is_done_by_the_next_one(store: Store) -> None:
    store.engine.machine.fail["delete nix-expert-20260102"] = EngineError("away", "")
    with pytest.raises(EngineError):
        store.purge("a")
    store.engine.machine.fail.clear()
    (store.versions.folder / "nix-expert-20260102.Modelfile").unlink()
    assert "nix-expert-20260102" in store.purge("a")
    assert "secret of a" not in "".join(file.read_text() for file in store.versions.folder.iterdir())

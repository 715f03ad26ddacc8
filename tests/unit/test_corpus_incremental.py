"""What changed is indexed anew, what did not costs nothing, and what a new release did to the names is told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.corpus.index_file import FILE_NAME
from nix_trinity.knowledge.corpus.places import CorpusPlaces
from tests.data.corpus.support import NOTES, SAMPLES, entry, found, indexed, run, searched, unpacked, write_options

OPTIONS = {
    "services.openssh.enable": "Whether to run the secure shell daemon.",
    "services.openssh.ports": "Ports that the secure shell daemon listens on.",
    "services.printing.enable": "Whether to print documents.",
    "time.timeZone": "The clock's zone.",
}
NOTE = '+++\ntitle = "{title}"\n+++\n{text}\n'


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(folder / FILE_NAME), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def ids(folder: Path) -> dict[str, int]:
    """The row of each option: one that is indexed anew has another."""
    return {str(name): int(number) for name, number in rows(folder, "SELECT name, id FROM options")}


def written(folder: Path) -> list[tuple[int, int]]:
    """Size and time of the index and its log: a write changes one of them."""
    return [(path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.glob(f"{FILE_NAME}*"))]


@pytest.fixture
def options(tmp_path: Path) -> Path:
    return write_options(tmp_path / "options.json", OPTIONS)


def test_an_unchanged_file_writes_nothing(tmp_path: Path, options: Path) -> None:
    async def work() -> None:
        async with indexed(tmp_path, CorpusPlaces(options=str(options), notes=(str(SAMPLES / "notes"),))) as corpus:
            before, generation = written(tmp_path), corpus.generation
            # Another time with the same content, as after a rebuild that changed nothing.
            await asyncio.to_thread(options.touch)
            assert await found(corpus, "print documents")
            await corpus.refresh()
            assert written(tmp_path) == before
            assert corpus.generation == generation

    run(work())


def test_of_a_changed_list_only_what_differs_is_indexed_anew(tmp_path: Path, options: Path) -> None:
    async def work() -> None:
        async with indexed(tmp_path, CorpusPlaces(options=str(options))) as corpus:
            before = ids(tmp_path)
            write_options(options, {**OPTIONS, "services.printing.enable": "Whether to feed the plotter."})
            await corpus.refresh()
            after = ids(tmp_path)
            changed = {name for name in before if before[name] != after[name]}
            assert changed == {"services.printing.enable"}
            assert await found(corpus, "plotter") == ["services.printing.enable"]
            # The old words lead nowhere any more.
            assert "services.printing.enable" not in await found(corpus, "documents")

    run(work())


def test_a_list_that_changes_while_the_daemon_runs_is_seen_by_the_next_question(tmp_path: Path, options: Path) -> None:
    async def work() -> None:
        async with indexed(tmp_path, CorpusPlaces(options=str(options))) as corpus:
            assert "services.kanidm.enable" not in await found(corpus, "kanidm")
            write_options(options, {**OPTIONS, "services.kanidm.enable": "Whether to run Kanidm."}, release="25.11")
            assert (await found(corpus, "kanidm"))[0] == "services.kanidm.enable"
            assert await corpus.read(lambda index: index.release()) == "25.11"

    run(work())


def test_a_new_store_path_behind_a_link_is_the_same_list_in_a_new_state(tmp_path: Path) -> None:
    async def work() -> None:
        first = write_options(tmp_path / "1.json", OPTIONS)
        second = write_options(tmp_path / "2.json", {**OPTIONS, "services.kanidm.enable": "Whether to run Kanidm."})
        link = tmp_path / "current.json"
        link.symlink_to(first)
        async with indexed(tmp_path, CorpusPlaces(options=str(link))) as corpus:
            link.unlink()
            link.symlink_to(second)
            assert (await found(corpus, "kanidm"))[0] == "services.kanidm.enable"
            assert corpus.problems == ()

    run(work())


def test_a_list_at_another_path_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    old = write_options(tmp_path / "old.json", {**OPTIONS, "services.gone.enable": "Whether to leave."}, "24.11")
    new = write_options(tmp_path / "new.json", {**OPTIONS, "services.here.enable": "Whether to arrive."}, "25.05")

    async def work() -> None:
        async with indexed(tmp_path, CorpusPlaces(options=str(old))):
            pass
        before = ids(tmp_path)
        async with indexed(tmp_path, CorpusPlaces(options=str(new))) as corpus:
            assert corpus.problems == ()
            assert (await found(corpus, "arrive"))[0] == "services.here.enable"
            assert "services.gone.enable" not in await found(corpus, "leave services.gone.enable")
        after = ids(tmp_path)
        assert all(after[name] == before[name] for name in OPTIONS), "what is equal is not indexed again"
        assert set(rows(tmp_path, "SELECT change, name, from_release, to_release FROM changes")) == {
            ("went", "services.gone.enable", "24.11", "25.05"),
            ("came", "services.here.enable", "24.11", "25.05"),
        }

    run(work())


def test_the_same_name_in_both_lists_is_two_options(tmp_path: Path) -> None:
    async def work() -> None:
        places = CorpusPlaces(
            options=str(SAMPLES / "nixos-options.json"),
            home_manager_options=str(SAMPLES / "home-manager-options.json"),
        )
        async with indexed(tmp_path, places) as corpus:
            best = (await searched(corpus, "programs.zsh.enable")).options[:2]
            assert {(one.option.name, one.option.origin) for one in best} == {
                ("programs.zsh.enable", "nixos"),
                ("programs.zsh.enable", "home-manager"),
            }
            status = await corpus.status()
            assert status is not None
            assert (status.options, status.release) == (10, "25.05")

    run(work())


def test_one_file_may_be_both_lists(tmp_path: Path, options: Path) -> None:
    async def work() -> None:
        places = CorpusPlaces(options=str(options), home_manager_options=str(options))
        async with indexed(tmp_path, places) as corpus:
            assert corpus.problems == ()
            origins = {one.option.origin for one in (await searched(corpus, "time.timeZone")).options[:2]}
            assert origins == {"nixos", "home-manager"}

    run(work())


def test_a_list_that_the_configuration_no_longer_names_is_gone_from_the_search(tmp_path: Path) -> None:
    async def work() -> None:
        nixos = str(SAMPLES / "nixos-options.json")
        both = CorpusPlaces(options=nixos, home_manager_options=str(SAMPLES / "home-manager-options.json"))
        async with indexed(tmp_path, both) as corpus:
            assert "programs.git.enable" in await found(corpus, "set Git up")
        async with indexed(tmp_path, CorpusPlaces(options=nixos)) as corpus:
            assert "programs.git.enable" not in await found(corpus, "set Git up programs.git.enable")
            assert await corpus.read(lambda index: index.groups_by_text(["git"], limit=5)) == []
        async with indexed(tmp_path, CorpusPlaces()) as corpus:
            assert await found(corpus, "zsh") == []
            assert await corpus.read(lambda index: index.count()) == 0

    run(work())


def test_notes_that_are_added_edited_and_removed(tmp_path: Path) -> None:
    async def titles(corpus: Corpus, question: str) -> list[str]:
        return [note.title for note in (await searched(corpus, question)).notes]

    async def work() -> None:
        folder = tmp_path / "notes"
        (folder / "deeper").mkdir(parents=True)
        first, second = folder / "first.md", folder / "deeper" / "second.md"
        first.write_text(NOTE.format(title="Ventilator", text="It turns."))
        async with indexed(tmp_path, CorpusPlaces(notes=(NOTES, str(folder)))) as corpus:
            assert (await titles(corpus, "ventilator"))[:1] == ["Ventilator"]
            # The next question sees each change, without a restart.
            second.write_text(NOTE.format(title="Humidifier", text="It steams."))
            first.write_text(NOTE.format(title="Radiator", text="It warms."))
            assert await titles(corpus, "humidifier") == ["Humidifier"]
            assert await titles(corpus, "radiator") == ["Radiator"]
            assert await titles(corpus, "ventilator") == []
            first.unlink()
            assert await titles(corpus, "radiator") == []
            assert await titles(corpus, "humidifier") == ["Humidifier"]

    run(work())


def test_a_persons_own_note_is_found_by_its_words_and_by_its_error(tmp_path: Path) -> None:
    async def work() -> None:
        async with indexed(tmp_path, CorpusPlaces(notes=(NOTES, str(SAMPLES / "notes")))) as corpus:
            asked = await searched(corpus, "how do I print on the second floor?")
            assert (asked.notes[0].title, asked.notes[0].kind) == ("The printer on the second floor", "note")
            assert "lpadmin -p second" in asked.notes[0].body
            assert asked.notes[0].file == str(SAMPLES / "notes" / "printer.md")
            pasted = await searched(corpus, "what now", "lp: Error - The printer or class does not exist.\n")
            assert pasted.notes[0].title == "The printer on the second floor"

    run(work())


def test_the_manual_is_found_by_its_sections(tmp_path: Path) -> None:
    async def work() -> None:
        async with indexed(tmp_path, CorpusPlaces(manual=str(SAMPLES / "manual.md"))) as corpus:
            passage = (await searched(corpus, "where does the host name in the prompt come from")).manual[0]
            assert (passage.kind, passage.title, passage.anchor) == ("manual", "Network › Host name", "sec-host-name")
            assert "networking.hostName" in passage.options

    run(work())


def test_two_months_of_nixos_are_told_as_they_are(tmp_path: Path, data_dir: Path) -> None:
    """138 names went, 695 came; PulseAudio's moved from hardware to services."""

    async def work() -> None:
        path = unpacked(data_dir / "nixos-options-2024-12.json.xz", tmp_path / "options.json")
        old = set(json.loads(path.read_text()))
        async with indexed(tmp_path, CorpusPlaces(options=str(path))) as corpus:
            unpacked(data_dir / "nixos-options.json.xz", path)
            new = set(json.loads(path.read_text()))
            assert (await found(corpus, "hardware.pulseaudio.enable"))[0] == "services.pulseaudio.enable"
            assert (
                "services.pulseaudio.support32Bit"
                in (await found(corpus, "is hardware.pulseaudio.support32Bit ok?"))[:3]
            )
            assert corpus.problems == ()
        changes = rows(tmp_path, "SELECT change, name, successor FROM changes")
        renamed = {str(name): str(successor) for change, name, successor in changes if change == "renamed"}
        went = {name for change, name, _ in changes if change == "went"}
        came = {name for change, name, _ in changes if change == "came"}
        assert went | set(renamed) == old - new
        assert came | set(renamed.values()) == new - old
        assert (len(old - new), len(new - old)) == (138, 695)
        sound = {name for name in old - new if name.startswith("hardware.pulseaudio.")}
        assert len(sound) > 10
        assert {name: renamed.get(name) for name in sound} == {
            name: name.replace("hardware.", "services.", 1) for name in sound
        }
        assert renamed["services.bird2.autoReload"] == "services.bird.autoReload", "its set took it along"
        assert renamed["networking.networkmanager.fccUnlockScripts"] == "networking.modemmanager.fccUnlockScripts"
        assert not any(name.startswith(("services.rippled.", "virtualisation.anbox.")) for name in renamed)

    run(work())


def test_a_successor_is_nobodys_when_two_are_as_likely(tmp_path: Path) -> None:
    async def work() -> None:
        path = tmp_path / "options.json"
        path.write_text(json.dumps({"services.a.port": entry("services.a.port", "The port.")}))
        async with indexed(tmp_path, CorpusPlaces(options=str(path))) as corpus:
            twins = ("services.b.port", "services.c.port")
            path.write_text(json.dumps({name: entry(name, "The port.") for name in twins}))
            await corpus.refresh()
        assert set(rows(tmp_path, "SELECT change, name FROM changes")) == {
            ("went", "services.a.port"),
            ("came", "services.b.port"),
            ("came", "services.c.port"),
        }

    run(work())

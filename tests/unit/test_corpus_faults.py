"""Broken files, damaged indexes, disks that take nothing: a clear word, and the last good index still answers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.corpus import ingest
from nix_trinity.knowledge.corpus.index_file import FILE_NAME
from nix_trinity.knowledge.corpus.ingest import Outcome, Source, SourceFile, ingest_file
from nix_trinity.knowledge.corpus.places import CorpusPlaces
from tests.data.corpus.support import SAMPLES, found, indexed, run, searched, write_options

OPTIONS = {
    "services.openssh.enable": "Whether to run the secure shell daemon.",
    "services.printing.enable": "Whether to print documents.",
}
ROOT = os.geteuid() == 0


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    path.unlink()
    os.mknod(path, 0o600 | 0o140000)


def a_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def a_link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def another_shape(path: Path) -> None:
    path.write_text('{"version": 4, "options": []}')


def empty(path: Path) -> None:
    path.write_bytes(b"")


def binary(path: Path) -> None:
    path.write_bytes(os.urandom(5_000))


def nested(path: Path) -> None:
    path.write_text('{"a.b": {"loc": ["a", "b"], "default": ' + "[" * 100_000 + "]" * 100_000 + "}}")


FAULTS: list[tuple[Callable[[Path], None], str]] = [
    (truncated, "not a list of options as options.json has them: Input data was truncated"),
    (another_shape, "not a list of options as options.json has them: "),
    (empty, "not a list of options as options.json has them: "),
    (binary, "not a list of options as options.json has them: "),
    (nested, "not a list of options as options.json has them: "),
    (a_directory, "cannot be read: "),
    (a_pipe, "cannot be read: it is not a file"),
    (a_socket, "cannot be read: "),
    (a_device, "cannot be read: it is not a file"),
    (a_link_to_itself, "cannot be read: "),
    (Path.unlink, "cannot be read: No such file or directory"),
]


@pytest.mark.parametrize(
    ("fault", "said"),
    FAULTS,
    ids=["truncated", "shape", "empty", "binary", "nested", "directory", "pipe", "socket", "device", "link", "absent"],
)
def test_a_list_that_went_bad_leaves_the_last_good_one(
    tmp_path: Path, fault: Callable[[Path], None], said: str
) -> None:
    async def work() -> None:
        options = write_options(tmp_path / "options.json", OPTIONS)
        async with indexed(tmp_path, CorpusPlaces(options=str(options))) as corpus:
            await asyncio.to_thread(fault, options)
            # The question notices it, says nothing of it, and is answered.
            assert (await found(corpus, "print documents"))[0] == "services.printing.enable"
            [problem] = corpus.problems
            assert problem.startswith(f"{options}: {said}")
            status = await corpus.status()
            assert status is not None
            assert status.problems == (problem,)
            assert (status.options, status.release) == (3, "25.05")

    run(work())


@pytest.mark.parametrize(
    ("fault", "said"),
    FAULTS,
    ids=["truncated", "shape", "empty", "binary", "nested", "directory", "pipe", "socket", "device", "link", "absent"],
)
def test_a_list_that_was_never_good_is_told_and_the_rest_is_there(
    tmp_path: Path, fault: Callable[[Path], None], said: str
) -> None:
    async def work() -> None:
        options = write_options(tmp_path / "options.json", OPTIONS)
        await asyncio.to_thread(fault, options)
        places = CorpusPlaces(options=str(options), home_manager_options=str(SAMPLES / "home-manager-options.json"))
        async with indexed(tmp_path, places) as corpus:
            assert (await found(corpus, "programs.git.enable"))[0] == "programs.git.enable"
            assert [problem.startswith(f"{options}: {said}") for problem in corpus.problems] == [True]

    run(work())


def test_a_list_that_is_good_again_needs_no_restart(tmp_path: Path) -> None:
    async def work() -> None:
        options = write_options(tmp_path / "options.json", OPTIONS)
        async with indexed(tmp_path, CorpusPlaces(options=str(options))) as corpus:
            truncated(options)
            await found(corpus, "print")
            assert corpus.problems
            write_options(options, {**OPTIONS, "services.kanidm.enable": "Whether to run Kanidm."})
            assert (await found(corpus, "kanidm"))[0] == "services.kanidm.enable"
            assert corpus.problems == ()

    run(work())


def test_a_file_that_is_too_big_is_not_read_whole(tmp_path: Path) -> None:
    def fill(connection: apsw.Connection, source: Source, data: bytes) -> Outcome:
        raise AssertionError

    path = tmp_path / "options.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(CorpusError) as caught:
        ingest_file(
            apsw.Connection(":memory:"), SourceFile(path, "options", "nixos"), now_ms=0, most_bytes=64 << 10, fill=fill
        )
    assert caught.value.message == f"{path}: it has more than the 64 KiB that such a file may have."
    assert "right file" in caught.value.hint


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, most_bytes: int) -> bytes:
        raise PermissionError(13, "Permission denied")

    async def work() -> None:
        options = write_options(tmp_path / "options.json", OPTIONS)
        async with indexed(tmp_path, CorpusPlaces(options=str(options))) as corpus:
            # Root reads everything, so that the refusal is made here.
            monkeypatch.setattr(ingest, "read_file", refuse)
            await corpus.refresh()
            assert corpus.problems == (f"{options}: cannot be read: Permission denied.",)
            assert (await found(corpus, "print documents"))[0] == "services.printing.enable"

    run(work())


def test_bad_notes_and_manuals_are_told_one_by_one(tmp_path: Path) -> None:
    async def work() -> None:
        notes, manual = tmp_path / "notes", tmp_path / "manual"
        for folder in (notes, manual):
            folder.mkdir()
        (notes / "good.md").write_text('+++\ntitle = "Humidifier"\n+++\nIt steams.\n')
        (notes / "headless.md").write_text("# Only text\n")
        (notes / "key.md").write_text('+++\ntitle = "A"\ntag = 1\n+++\nText.\n')
        (notes / "long.md").write_bytes(b"x" * (300 << 10))
        (manual / "latin.md").write_bytes(b"# Caf\xe9\n")
        (manual / "good.md").write_text("# Ventilator\n\nIt turns.\n")
        os.mkfifo(notes / "pipe.md")
        (notes / os.fsdecode(b"caf\xe9.md")).write_text("its name cannot be written down")
        places = CorpusPlaces(manual=str(manual), notes=(str(notes), str(tmp_path / "absent")))
        async with indexed(tmp_path, places) as corpus:
            assert sorted(corpus.problems) == sorted(
                [
                    f"{manual}/latin.md: byte 5 is not UTF-8.",
                    f"{notes}: 'caf\\udce9.md' is no UTF-8, so it is left out. Give it another name.",
                    f"{notes}/headless.md: there is no head between two lines +++.",
                    f"{notes}/key.md: the note's head cannot be used: Object contains unknown field `tag`.",
                    f"{notes}/long.md: it has more than the 256 KiB that such a file may have.",
                    f"{tmp_path}/absent: cannot be read: there is no such folder.",
                ]
            )
            status = await corpus.status()
            assert status is not None
            assert (status.notes, status.manual_passages) == (1, 1)

    run(work())


def test_a_folder_that_is_away_for_a_moment_loses_no_note(tmp_path: Path) -> None:
    async def work() -> None:
        folder = tmp_path / "notes"
        folder.mkdir()
        (folder / "one.md").write_text('+++\ntitle = "Humidifier"\nasked = ["steam the room"]\n+++\nIt steams.\n')
        async with indexed(tmp_path, CorpusPlaces(notes=(str(folder),))) as corpus:
            folder.rename(tmp_path / "elsewhere")
            await corpus.refresh()
            assert corpus.problems == (f"{folder}: cannot be read: there is no such folder.",)
            assert [note.title for note in (await searched(corpus, "steam the room")).notes] == ["Humidifier"]

    run(work())


def zeroed(path: Path) -> None:
    path.write_bytes(b"\0" * 8192)


def of_something_else(path: Path) -> None:
    path.write_text("This is no database. " * 500)


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:6000])


def scribbled(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)


def of_the_next_version(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 4711)
    connection.close()


def of_another_program(path: Path) -> None:
    path.unlink()
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE sources (id INTEGER PRIMARY KEY, colour TEXT)")
    connection.close()


@pytest.mark.parametrize(
    "damage", [zeroed, of_something_else, torn, scribbled, of_the_next_version, of_another_program]
)
def test_a_damaged_index_is_made_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    async def work() -> None:
        options = write_options(tmp_path / "options.json", OPTIONS)
        async with indexed(tmp_path, CorpusPlaces(options=str(options))):
            pass
        await asyncio.to_thread(damage, tmp_path / FILE_NAME)
        async with indexed(tmp_path, CorpusPlaces(options=str(options))) as corpus:
            assert (await found(corpus, "print documents"))[0] == "services.printing.enable"
            assert corpus.problems == ()

    run(work())


def test_a_search_that_fails_is_not_taken_for_nothing_found(tmp_path: Path) -> None:
    async def work() -> None:
        options = write_options(tmp_path / "options.json", OPTIONS)
        async with indexed(tmp_path, CorpusPlaces(options=str(options))) as corpus:

            def broken(index: Any) -> None:
                raise apsw.IOError("disk I/O error")

            with pytest.raises(CorpusError) as caught:
                await corpus.read(broken)
            assert caught.value.stable_code == "search_failed"
            assert "Nothing was searched" in caught.value.message
            assert f"rm {tmp_path / FILE_NAME}" in caught.value.hint
            assert (await found(corpus, "print documents"))[0] == "services.printing.enable", "it heals by itself"

    run(work())


def test_damage_that_a_search_meets_is_mended_by_the_next_one(tmp_path: Path) -> None:
    async def work() -> None:
        options = write_options(tmp_path / "options.json", OPTIONS)
        async with indexed(tmp_path, CorpusPlaces(options=str(options))) as corpus:
            other = apsw.Connection(str(tmp_path / FILE_NAME))
            other.execute("CREATE TABLE of_the_damaged_one (x)")
            other.close()

            def damaged(index: Any) -> None:
                raise apsw.CorruptError("database disk image is malformed")

            with pytest.raises(CorpusError, match="Nothing was searched") as caught:
                await corpus.read(damaged)
            assert "ask again" in caught.value.hint
            assert (await found(corpus, "print documents"))[0] == "services.printing.enable"
            tables = await corpus.read(
                lambda index: index._connection.execute("SELECT name FROM sqlite_schema").fetchall()
            )
            assert ("of_the_damaged_one",) not in tables
            assert corpus.problems == ()

    run(work())


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    if not ROOT:
        pytest.skip("mounting a file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("before", ["nothing", "an index", "a damaged index"])
def test_in_a_folder_that_takes_nothing_the_index_is_kept_in_memory(mounted: Path, tmp_path: Path, before: str) -> None:
    async def work() -> None:
        options = write_options(tmp_path / "options.json", OPTIONS)
        places = CorpusPlaces(options=str(options))
        if before != "nothing":
            async with indexed(mounted, places):
                pass
        if before == "a damaged index":
            zeroed(mounted / FILE_NAME)
        await asyncio.to_thread(subprocess.run, ["mount", "-o", "remount,ro", str(mounted)], check=True)
        async with indexed(mounted, places) as corpus:
            assert (await found(corpus, "print documents"))[0] == "services.printing.enable"
            assert corpus.problems == ()

    run(work())


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_full_disk_keeps_nobody_from_an_answer(mounted: Path, tmp_path: Path, when: str) -> None:
    def filled() -> None:
        free = os.statvfs(mounted)
        (mounted / "filler").write_bytes(b"x" * (free.f_bavail * free.f_frsize))

    async def work() -> None:
        options = write_options(tmp_path / "options.json", OPTIONS)
        if when == "before":
            filled()
        async with indexed(mounted, CorpusPlaces(options=str(options))) as corpus:
            if when == "after":
                filled()
                more = {f"services.s{number}.enable": f"Service {number} of many." for number in range(300)}
                write_options(options, {**OPTIONS, **more})
            assert (await found(corpus, "print documents"))[0] == "services.printing.enable"
            told = [problem for problem in corpus.problems if "full" in problem]
            assert len(told) == (1 if when == "after" else 0), corpus.problems
            assert all(str(options) in problem for problem in told)

    run(work())


ANOTHER = """
import asyncio, sys
from pathlib import Path
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.corpus.places import CorpusPlaces
async def main():
    for _ in range(int(sys.argv[3])):
        corpus = Corpus(Path(sys.argv[1]), CorpusPlaces(options=sys.argv[2]))
        await corpus.refresh()
        status = await corpus.status()
        assert status.options == 401, status
        await corpus.close()
asyncio.run(main())
"""


def test_two_processes_on_one_index_do_each_other_no_harm(tmp_path: Path) -> None:
    many = {f"services.s{number}.enable": f"Service {number} of many." for number in range(400)}
    options = write_options(tmp_path / "options.json", many)
    command = [sys.executable, "-c", ANOTHER, str(tmp_path), str(options), "5"]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
    connection = apsw.Connection(str(tmp_path / FILE_NAME))
    assert connection.pragma("integrity_check") == "ok"
    assert connection.execute("SELECT count(*), count(DISTINCT name) FROM options").fetchone() == (401, 401)
    connection.close()


def test_a_killed_process_leaves_an_index_that_can_be_used(tmp_path: Path) -> None:
    many = {f"services.s{number}.enable": f"Service {number} of many." for number in range(4_000)}
    options = write_options(tmp_path / "options.json", many)
    for pause in (0.2, 0.4, 0.6):
        process = subprocess.Popen(
            [sys.executable, "-c", ANOTHER, str(tmp_path), str(options), "1"], stderr=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=pause)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    async def work() -> None:
        async with indexed(tmp_path, CorpusPlaces(options=str(options))) as corpus:
            assert corpus.problems == ()
            assert (await found(corpus, "services.s3999.enable"))[0] == "services.s3999.enable"
            status = await corpus.status()
            assert status is not None
            assert status.options == 4_001

    run(work())


def test_without_any_place_there_is_nothing_and_no_error(tmp_path: Path) -> None:
    async def work() -> None:
        async with indexed(tmp_path, CorpusPlaces()) as corpus:
            retrieved = await searched(corpus, "how do I print?")
            assert (retrieved.options, retrieved.notes, retrieved.confident) == ((), (), False)
            assert corpus.problems == ()

    run(work())


def test_hostile_names_and_texts_are_only_texts(tmp_path: Path) -> None:
    names = ['a".b', "a'b; DROP TABLE options; --.x", "ü.ö", "a\u0000b.c", "NEAR(a b)", "*", "…", "a" * 5_000]

    async def work() -> None:
        path = tmp_path / "options.json"
        path.write_text(
            json.dumps({name: {"loc": [name], "description": f'"{name}" OR name:*'} for name in names}), "utf-8"
        )
        async with indexed(tmp_path, CorpusPlaces(options=str(path))) as corpus:
            assert corpus.problems == ()
            for name in names:
                if len(name) < 300:
                    assert (await found(corpus, name))[0] == name
            assert await corpus.read(lambda index: index.count()) == len(names)

    run(work())

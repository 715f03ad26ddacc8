"""The goldens and the page of options are what the sources of today give."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.nix import options_page, sources
from tests.nix.evaluation import CHECKOUT

CONFIGURATIONS = CHECKOUT / "tests" / "nix" / "configurations"


def recorded(name: str) -> str:
    return (sources.GOLDEN / name).read_text(encoding="utf-8")


def test_nothing_that_they_were_made_from_has_changed() -> None:
    changed = sources.changed(recorded("SOURCES.sha256"), sources.sums(sources.sources()))
    assert not changed, (
        f"changed since the goldens were made: {', '.join(changed)}\nRender them anew: {sources.COMMAND}"
    )


def test_nobody_edited_what_was_made() -> None:
    changed = sources.changed(recorded("RESULTS.sha256"), sources.sums(sources.results()))
    assert not changed, f"edited by hand, or not committed: {', '.join(changed)}\nRender them anew: {sources.COMMAND}"


def test_the_lists_are_in_the_form_of_sha256sum() -> None:
    for line in recorded("SOURCES.sha256").splitlines():
        checksum, _, path = line.partition("  ")
        assert hashlib.sha256((CHECKOUT / path).read_bytes()).hexdigest() == checksum


def test_each_configuration_has_its_folder_and_no_other() -> None:
    made = {folder.name for folder in sources.GOLDEN.iterdir() if folder.is_dir()} - {"failures", "home"}
    assert made == {file.stem for file in CONFIGURATIONS.glob("*.nix")}
    refused = {folder.name for folder in (sources.GOLDEN / "failures").iterdir()}
    assert refused == {file.stem for file in (CONFIGURATIONS / "failures").glob("*.nix")}


def test_the_page_is_made_of_the_recorded_options() -> None:
    options = json.loads(recorded("options.json"))
    assert sources.PAGE.read_text(encoding="utf-8") == options_page.page(options)


def test_no_path_of_a_machine_got_into_them() -> None:
    for path in sources.results():
        text = path.read_text(encoding="utf-8")
        assert str(CHECKOUT) not in text, path
        assert "<nixpkgs/lib>" not in text, path


@pytest.mark.parametrize("change", ["other", "new", "gone"])
def test_a_change_of_a_source_is_seen(change: str, tmp_path: Path) -> None:
    module = tmp_path / "nix" / "module"
    module.mkdir(parents=True)
    for file in (
        "nix/package.nix",
        "modelfiles/catalogue.toml",
        "pyproject.toml",
        "nix/module/a.nix",
        "nix/module/b.nix",
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("1\n")
    before = sources.sums(sources.sources(tmp_path), tmp_path)
    assert not sources.changed(before, before)
    match change:
        case "other":
            (module / "a.nix").write_text("2\n")
        case "new":
            (module / "c.nix").write_text("1\n")
        case "gone":
            (module / "b.nix").unlink()
    names = {"other": "a", "new": "c", "gone": "b"}
    assert sources.changed(before, sources.sums(sources.sources(tmp_path), tmp_path)) == [
        f"nix/module/{names[change]}.nix"
    ]

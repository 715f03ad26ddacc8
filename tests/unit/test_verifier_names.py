from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.answering.verifier.names import find_names, near_root
from nix_trinity.knowledge.option_tree import OptionTree
from tests.data.verifier.support import HERE, checked, findings, kinds, options_of, shown, small_tree, verifier


@pytest.mark.parametrize("line", (HERE / "not_options.md").read_text(encoding="utf-8").splitlines())
def test_what_is_no_option_is_left_alone(line: str) -> None:
    assert shown(line) == line
    assert [name for each in checked(line) for name in each.names_ok] == []


def test_real_names_are_left_alone_and_recognised() -> None:
    text = (HERE / "real_names.md").read_text(encoding="utf-8")
    assert shown(text) == text
    known = {name for each in checked(text) for name in each.names_ok}
    assert {"services.openssh.enable", "nix.settings.experimental-features", 'fileSystems."/".device'} <= known


@pytest.mark.parametrize(
    ("text", "name"),
    {
        "Set services.foo.bar.": "services.foo.bar",
        "Set **services.foo.bar**": "services.foo.bar",
        "(`services.foo.bar`)": "services.foo.bar",
        "services.openssh.enable.foo": "services.openssh.enable.foo",
        "`config.services.foo.bar`": "services.foo.bar",
        'Use `services.nginx.virtualHosts."a.b".foo`': 'services.nginx.virtualHosts."a.b".foo',
        "`service.openssh.enable`": "service.openssh.enable",
        "`virtualization.docker.enable`": "virtualization.docker.enable",
        "使用services.foo.bar来": "services.foo.bar",
        "services.foo.bar's value": "services.foo.bar",
        "See services.foo.bar, networking.hostName": "services.foo.bar",
        "`nixos-option services.foo.bar`": "services.foo.bar",
        "`users.users.{name}.foo`": "users.users.<name>.foo",
    }.items(),
)
def test_an_invented_name_is_found_in_any_dress(text: str, name: str) -> None:
    assert kinds(text) == [("unknown_option", name)]


def test_the_case_of_two_invented_names_and_a_freeform_one() -> None:
    text = "Set `hardware.opengl.enable` and services.foo.bar, then nix.settings.experimental-features."
    assert shown(text) == (
        "Set `hardware.opengl.enable` (⚠ renamed in 24.11 to `hardware.graphics.enable`) and services.foo.bar "
        "(⚠ not an option of this NixOS (25.05)), then nix.settings.experimental-features."
    )


def test_near_names_are_offered_beside_a_misspelt_one() -> None:
    [finding] = findings("Set `services.opensh.enable` now.")
    assert finding.suggestions[0] == "services.openssh.enable"
    assert "(⚠ not an option of this NixOS (25.05); perhaps `services.openssh.enable`" in shown(
        "Set `services.opensh.enable` now."
    )


@pytest.mark.parametrize(
    "text",
    [
        "There is no option `services.foo.bar` in NixOS.",
        "`services.foo.bar` does not exist.",
        "`hardware.opengl.enable` was renamed to `hardware.graphics.enable`.",
        "The old `fonts.fonts` is now called `fonts.packages`.",
        "`sound.enable` has been removed.",
    ],
)
def test_an_answer_that_says_itself_that_a_name_is_gone_is_not_marked(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "If the file does not exist, set `services.foo.bar`.",
        "Use `hardware.opengl.enable`, not `hardware.graphics.enable`.",
        "There is no problem: set services.foo.bar.",
    ],
)
def test_other_denials_hide_nothing(text: str) -> None:
    assert len(findings(text)) == 1


def test_home_managers_names_are_not_said_to_be_missing() -> None:
    assert findings("With Home Manager, set `programs.git.userName` and `services.dunst.enable`.") == []
    assert findings("In home.nix: `xdg.configFile.foo`, `home.packages`.") == []
    assert len(findings("Set `services.dunst.enable`.")) == 1
    assert kinds("Set `xdg.portal.enabel`.") == [("unknown_option", "xdg.portal.enabel")]


def test_with_home_managers_own_list_its_names_are_checked() -> None:
    from nix_trinity.answering.verifier.check import Verifier
    from nix_trinity.answering.verifier.renamed import Renames

    home = options_of({"home.packages": "list of package", "programs.git.userName": "string"}, "home-manager")
    both = Verifier(OptionTree([*options_of({"services.openssh.enable": "boolean"}), *home]), Renames())
    assert findings("With Home Manager: `home.packages`, `programs.git.userName`.", both) == []
    assert kinds("With Home Manager: `home.packges`.", both) == [("unknown_option", "home.packges")]


def test_modules_of_other_projects_are_not_said_to_be_missing() -> None:
    text = "Use `environment.persistence`, `sops.secrets.x.path`, `age.secrets.y.file`, `boot.lanzaboote.enable`."
    assert findings(text) == []


def test_an_option_that_the_answer_declares_is_its_own() -> None:
    assert findings("Declare `options.services.mine.enable`. Then set `services.mine.enable`.") == []


def test_words_that_stand_for_a_name_of_ones_own_are_no_inventions() -> None:
    assert (
        findings("Set `services.YOURSERVICE.enable`, `services.your-service.enable` or `programs.myProgram.enable`.")
        == []
    )
    assert len(findings("Set `services.mysq.enable`, `services.Foo.enable`.")) == 2


def test_misspelt_roots_are_near_the_real_one() -> None:
    roots = small_tree().roots
    assert near_root("service", roots) == "services"
    assert near_root("network", roots) == "networking"
    assert near_root("services", roots) is None
    assert near_root("user", roots) is None


@given(st.text(alphabet='services.openssh<>"*`{}$ \n:/@(', max_size=200) | st.text(max_size=200))
def test_any_text_is_searched_and_places_are_right(text: str) -> None:
    for found in find_names(text, small_tree()):
        assert 0 <= found.start < found.end <= len(text)
        assert text[found.start : found.end].startswith(found.path[0]) or "." in text[found.start : found.end]
    verifier()
    assert shown(text).replace("\n", "").startswith(text[:1].replace("\n", "")) or "⚠" in shown(text)


@pytest.mark.parametrize(
    "piece", ["services.", "services.a", 'services."', "services.a.b ", "a@", "http://", "`=`", "<", "${"]
)
def test_hostile_repetition_is_read_in_time(piece: str) -> None:
    started = time.perf_counter()
    checked(piece * (8_000 // len(piece)))
    assert time.perf_counter() - started < 5

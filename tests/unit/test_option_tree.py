from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.knowledge.option_tree import OptionTree, join_name, split_name
from tests.data.verifier.support import options_of, real_options, small_tree

STATUS = {
    "services.openssh.enable": "option",
    "services.openssh": "group",
    "users.users.alice": "group",
    "users.users.alice.home": "option",
    "users.users.<name>.home": "option",
    "users.users.*.home": "option",
    'services.nginx.virtualHosts."a.b".locations."/".proxyPass': "option",
    "services.<name>.enable": "option",
    "services.openssh.*": "option",
    "nix.settings.experimental-features": "freeform",
    "nixpkgs.config.allowUnfree": "freeform",
    "services.openssh.settings.Foo": "freeform",
    "services.grafana.settings.server.foo": "freeform",
    "systemd.services.x.serviceConfig.ExecStart": "freeform",
    "services.openssh.enable.foo": "below_leaf",
    "services.<name>.openFirewall.foo": "unknown",
    "services.openssh.foo": "unknown",
    'services.nginx.virtualHosts."a.b".foo': "unknown",
    "users.users.alice.hme": "unknown",
    "services.foo.bar": "unknown",
    "nonsense": "unknown",
}


@pytest.mark.parametrize(("name", "status"), STATUS.items())
def test_a_name_is_what_it_is(name: str, status: str) -> None:
    path = split_name(name)
    assert path is not None
    assert small_tree().look_up(path).status == status


def test_a_real_attribute_wins_over_a_placeholder_and_neither_hides_the_other() -> None:
    tree = OptionTree(options_of({"a.<name>.b": "string", "a.real.b": "boolean", "a.<name>.only": "path"}))

    def option(path: tuple[str, ...]) -> str:
        found = tree.look_up(path).option
        return found.type if found else ""

    assert option(("a", "real", "b")) == "boolean"
    assert option(("a", "other", "b")) == "string"
    assert option(("a", "real", "only")) == "path"


def test_an_element_of_a_set_of_freeform_sets_takes_any_name_and_one_of_submodules_does_not() -> None:
    tree = OptionTree(
        options_of(
            {
                "a.free": "attribute set of (attribute set of anything)",
                "a.free.<name>.known": "string",
                "a.strict": "attribute set of (submodule)",
                "a.strict.<name>.known": "string",
                "a.hidden": "attribute set of (submodule)",
            }
        )
    )
    assert tree.look_up(("a", "free", "x", "y")).status == "freeform"
    assert tree.look_up(("a", "strict", "x", "y")).status == "unknown"
    assert tree.look_up(("a", "hidden", "x", "y")).status == "freeform"


@pytest.mark.parametrize(
    ("wrong", "right"),
    {
        "services.ssh.enable": "services.openssh.enable",
        "programs.firefox.enabled": "programs.firefox.enable",
        "service.opensh.enabled": "services.openssh.enable",
        "services.openssh.permitRootLogin": "services.openssh.settings.PermitRootLogin",
        "networking.firewall.allowedTcpPorts": "networking.firewall.allowedTCPPorts",
        "hardware.opengl.extraPackages": "hardware.graphics.extraPackages",
        "services.docker.enable": "virtualisation.docker.enable",
        'services.nginx.virtualHosts."a.b".forceSsl': "services.nginx.virtualHosts.<name>.forceSSL",
        "environment.packages": "environment.systemPackages",
        "services.openssh.enable.foo": "services.openssh.enable",
    }.items(),
)
def test_near_names_hold_the_meant_one(wrong: str, right: str) -> None:
    near = small_tree().nearest(split_name(wrong) or ())
    assert right in near
    assert len(near) <= 3


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    assert small_tree().nearest(("services", "zzqqy", "wvx")) == []


def test_written_names_are_split_at_dots_outside_quotes() -> None:
    assert split_name('a."b.c".<name>.*') == ("a", "b.c", "<name>", "*")
    assert split_name("a.${b.c}.d") == ("a", "${b.c}", "d")
    for bad in ("", ".", "a.", ".a", "a..b", 'a."b', 'a."b"c', "a b", "1.2"):
        assert split_name(bad) is None, bad


@given(st.text(max_size=60))
def test_any_text_is_split_or_refused(text: str) -> None:
    path = split_name(text)
    assert path is None or (len(path) >= 1 and small_tree().look_up(path).status in set(STATUS.values()))


@given(st.lists(st.text(alphabet='ab.*<>"${} -', max_size=8), max_size=80))
def test_any_path_is_looked_up_and_neighboured(path: list[str]) -> None:
    small_tree().look_up(path)
    assert len(small_tree().nearest(path)) <= 3


def test_the_real_list(data_dir: Path) -> None:
    options = real_options(data_dir)
    started = time.perf_counter()
    tree = OptionTree(options)
    assert time.perf_counter() - started < 10
    assert [option.name for option in options if tree.look_up(option.path).option is not option] == []
    assert [option.name for option in options if split_name(option.name) != option.path] == []
    assert [option.name for option in options if join_name(option.path) != option.name] == []
    started = time.perf_counter()
    for stars in range(2, 12):
        tree.look_up(("*",) * stars)
        tree.nearest(("services", *("*",) * stars, "zz"))
    assert time.perf_counter() - started < 20

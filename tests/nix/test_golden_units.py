"""What the rendered units promise: when they run, as whom, and what they are denied."""

from __future__ import annotations

import json
import re

import pytest

from tests.nix.evaluation import CHECKOUT
from tests.nix.rendered import PACKAGE, Golden, Unit, golden, good

ON = [configuration for configuration in good() if (configuration.folder / "config.toml").is_file()]
SERVICES = [
    pytest.param(configuration, name, unit, id=f"{configuration.name}-{name}")
    for configuration in ON
    for name, unit in configuration.units(".service").items()
]
JOBS = [case for case in SERVICES if case.values[1] != "nix-trinity.service"]
TIMERS = [
    pytest.param(configuration, name, unit, id=f"{configuration.name}-{name}")
    for configuration in ON
    for name, unit in configuration.units(".timer").items()
]
# What every service is denied, however much a single one of them needs.
DENIED = {
    "CapabilityBoundingSet": "",
    "IPAddressDeny": "any",
    "LockPersonality": "true",
    "NoNewPrivileges": "true",
    "PrivateDevices": "true",
    "PrivateTmp": "disconnected",
    "ProtectHome": "true",
    "ProtectSystem": "strict",
    "RestrictNamespaces": "true",
    "SystemCallArchitectures": "native",
}
TARGETS = {"multi-user.target", "sockets.target", "timers.target", "paths.target"}


@pytest.mark.parametrize(("configuration", "name", "unit"), TIMERS)
def test_a_timer_is_made_up_for_and_delayed_by_an_hour_at_most(configuration: Golden, name: str, unit: Unit) -> None:
    timer = unit["Timer"]
    # With a longer one, a machine that is booted daily would hardly ever get there: the delay begins anew at each boot.
    assert int(timer["RandomizedDelaySec"][0]) <= 3600
    assert timer["FixedRandomDelay"] == ["true"]
    assert timer["Persistent"] == ["true"]
    assert name.replace(".timer", ".service") in configuration.units(".service")


def test_the_weekly_build_is_on_friday() -> None:
    assert golden("default").units()["nix-trinity-weekly.timer"]["Timer"]["OnCalendar"][0].startswith("Fri")


@pytest.mark.parametrize(("configuration", "name", "unit"), SERVICES)
def test_a_service_runs_our_programs_as_our_user_and_is_denied_the_rest(
    configuration: Golden, name: str, unit: Unit
) -> None:
    service = unit["Service"]
    assert (service["User"], service["Group"]) == (["nix-trinity"], ["nix-trinity"])
    assert "DynamicUser" not in service
    programs = [value for key, values in service.items() if key.startswith("Exec") for value in values]
    assert programs
    for program in programs:
        assert re.match(rf"{re.escape(PACKAGE)}/bin/nix-trinityd? ", program), program
    for key, value in DENIED.items():
        assert value in service[key], key
    assert "AF_PACKET" not in service["RestrictAddressFamilies"]


@pytest.mark.parametrize(("configuration", "name", "unit"), JOBS)
def test_a_job_gives_way_asks_over_the_socket_and_has_no_network(configuration: Golden, name: str, unit: Unit) -> None:
    service = unit["Service"]
    assert service["Type"] == ["oneshot"]
    assert service["IOSchedulingClass"] == ["idle"]
    assert service["CPUSchedulingPolicy"] == ["idle"]
    assert service["PrivateNetwork"] == ["true"]
    assert service["RestrictAddressFamilies"] == ["AF_UNIX"]
    assert unit["Unit"]["Requires"] == ["nix-trinity.socket"]
    # The one that looks at new options has to run when they have changed.
    assert name == "nix-trinity-options.service" or service["X-RestartIfChanged"] == ["false"]


@pytest.mark.parametrize("configuration", ON, ids=lambda configuration: configuration.name)
def test_the_daemon_is_started_by_its_socket_and_a_switch_leaves_that_alone(configuration: Golden) -> None:
    units = configuration.units()
    service = units["nix-trinity.service"]["Service"]
    assert service["Type"] == ["notify"]
    assert int(service["WatchdogSec"][0]) > 0
    assert service["X-StopIfChanged"] == ["false"]
    # Started by whoever asks first, and not at boot.
    assert "Install" not in units["nix-trinity.service"]
    environment = dict(value.strip('"').split("=", 1) for value in service["Environment"])
    for variable in ("HOME", "XDG_CACHE_HOME", "TMPDIR"):
        assert environment[variable].startswith("/var/lib/nix-trinity"), variable
    assert service["StateDirectory"] == ["nix-trinity", "nix-trinity/cache", "nix-trinity/tmp"]
    assert service["StateDirectoryMode"] == ["0700"]
    socket = units["nix-trinity.socket"]["Socket"]
    assert socket["ListenStream"] == ["/run/nix-trinity/socket"]
    assert (socket["SocketMode"], socket["SocketUser"]) == (["0660"], ["nix-trinity"])
    assert socket["SocketGroup"] == [configuration.config()["access"]["users_group"]]


@pytest.mark.parametrize("configuration", ON, ids=lambda configuration: configuration.name)
def test_what_units_name_exists(configuration: Golden) -> None:
    units = configuration.units()
    for directory, names in configuration.json("links.json").items():
        assert directory.removesuffix(".wants") in TARGETS
        assert set(names) <= set(units)
    for name, unit in units.items():
        for key in ("Requires", "Wants", "BindsTo", "PartOf"):
            for other in " ".join(unit["Unit"].get(key, [])).split():
                assert other in units, f"{name}: {key}={other}"
    immediate = configuration.config()["learning"]["immediate_unit"]
    assert not immediate or immediate in units


def test_the_port_is_on_loopback_and_only_where_wanted() -> None:
    for configuration in ON:
        sockets = configuration.units("-http.socket")
        assert bool(sockets) == (configuration.config().get("http", {}).get("port") is not None), configuration.name
    socket = golden("everything-on").units()["nix-trinity-http.socket"]["Socket"]
    assert socket["ListenStream"] == ["127.0.0.1:11480"]
    assert socket["FileDescriptorName"] == ["http"]
    assert socket["Service"] == ["nix-trinity.service"]


def test_polkit_lets_our_user_start_one_unit() -> None:
    rules = golden("everything-on").text("polkit.rules")
    unit = golden("everything-on").config()["learning"]["immediate_unit"]
    assert rules.count("addRule") == rules.count("Result.YES") == 1
    for condition in (
        'action.id == "org.freedesktop.systemd1.manage-units"',
        'subject.user == "nix-trinity"',
        f'action.lookup("unit") == "{unit}"',
        'action.lookup("verb") == "start"',
    ):
        assert condition in rules


SECRET_IN_STORE = re.compile(r"(?i)(secret|token|password|passphrase|credential|api.?key)[^\n]*/nix/store/")


def test_no_secret_is_in_the_store_or_in_a_unit() -> None:
    for configuration in good():
        for path in configuration.folder.rglob("*"):
            if path.is_file():
                assert not SECRET_IN_STORE.search(path.read_text(encoding="utf-8")), path
    on = golden("everything-on")
    service = on.units()["nix-trinity.service"]["Service"]
    assert service["LoadCredential"] == ["http-token:/run/secrets/nix-trinity-token"]
    # The daemon is told the name of the credential alone.
    assert on.config()["http"]["token_file"] == "http-token"


@pytest.mark.parametrize("configuration", ON, ids=lambda configuration: configuration.name)
def test_polkits_rule_stands_only_beside_the_unit_that_it_is_about(configuration: Golden) -> None:
    # Without the unit's file, the rule would let the daemon's user start a transient unit of that name: as root.
    rules = (configuration.folder / "polkit.rules").read_text(encoding="utf-8").strip()
    assert bool(rules) == ("nix-trinity-immediate.service" in configuration.units(".service"))


def test_shells_explain_a_failed_rebuild_where_that_is_wanted() -> None:
    def shells(name: str) -> dict[str, str]:
        texts: dict[str, str] = json.loads((golden(name).folder / "shells.json").read_text(encoding="utf-8"))
        return texts

    assert set(shells("default").values()) == {""}
    for shell, text in shells("everything-on").items():
        file = "explain-error.fish" if shell == "fish" else "explain-error.sh"
        assert text == f"source {PACKAGE}/share/nix-trinity/{file}"
        assert (CHECKOUT / "share" / file).is_file()

"""What an answer is worth: advice and warnings told apart, corrections honoured, one number for all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nix_trinity.knowledge.inspection import Trial
from nix_trinity.training.advice import advised
from nix_trinity.training.scoring import Item, honours, score
from nix_trinity.training.settings_text import settings_in

NIX_ENV, APT = r"\bnix-env\s+-i\w*", r"\bapt\s+install\b"
ITEM = Item("q", "question", "How?", ("services.openssh.enable",), (NIX_ENV, APT), facts=("rebuild", "switch"))
GOOD = Trial(
    text="Set it and run nixos-rebuild switch.",
    verdict="verified",
    names=("services.openssh.enable",),
    wrong=(),
    parses=True,
    first_token_ms=120.0,
    tokens_per_second=30.0,
)


def trial(text: str, *names: str) -> Trial:
    return replace(GOOD, text=text, names=names)


@pytest.mark.parametrize(
    "text",
    [
        "Run `nix-env -iA nixos.git`.",
        "If you do not want to rebuild, run nix-env -iA nixos.git.",
        "Do not use apt; run nix-env -iA nixos.git instead.",
        "Don't edit the file, just run nix-env -iA nixos.git.",
        "Run nix-env -iA nixos.git if it is not installed.",
        "When it is not there yet, nix-env -iA nixos.git brings it.",
        "Run nix-env -iA nixos.git so that you do not need root.",
        "Avoid apt.\n\nRun this:\n\n```sh\nnix-env -iA nixos.git\n```",
        "```sh\n# do not forget this\n\nnix-env -iA nixos.git\n```",
        "Wenn du nicht neu bauen willst, nutze nix-env -iA nixos.git.",
        "Installe-le avec nix-env -iA nixos.git.",
        "Ejecuta nix-env -iA nixos.git.",
        "Esegui nix-env -iA nixos.git.",
        "Rode nix-env -iA nixos.git.",
        "Gebruik nix-env -iA nixos.git.",
        "Uruchom nix-env -iA nixos.git.",
        "Выполните nix-env -iA nixos.git.",
        "运行 nix-env -iA nixos.git。",
        "nix-env -iA nixos.git を実行します。",
    ],
)
def test_advice_is_seen(text: str) -> None:
    assert advised(text, [NIX_ENV, APT]) == [NIX_ENV]


@pytest.mark.parametrize(
    "text",
    [
        "Do not use `nix-env -iA nixos.git`.",
        "Never run nix-env -i.",
        "There is no need for nix-env -i here.",
        "Use environment.systemPackages instead of nix-env -i.",
        "`nix-env -iA git` is not recommended.",
        "`nix-env -i` should be avoided.",
        "Avoid `nix-env -i`, since it is not declarative.",
        "This never does what you want:\n\n```sh\nnix-env -iA nixos.git\n```",
        "```sh\n# wrong:\nnix-env -iA nixos.git\n```",
        "On Debian you would type `apt install vlc`.",
        "Don't use apt install, snap or nix-env -i.",
        "Nutze nicht nix-env -i.",
        "Statt nix-env -i trägst du es ein.",
        "N'utilisez pas nix-env -i.",
        "Ajoutez-le à la configuration au lieu de nix-env -i.",
        "No uses nix-env -i.",
        "Non usare nix-env -i.",
        "Não use nix-env -i.",
        "Gebruik geen nix-env -i.",
        "Nie używaj nix-env -i.",
        "Не используйте nix-env -i.",
        "不要使用 nix-env -i。",
        "nix-env -i は使わないでください。",
    ],
)
def test_a_warning_is_no_advice(text: str) -> None:
    assert advised(text, [NIX_ENV, APT]) == []


def test_a_perfect_answer_has_the_full_score() -> None:
    scored = score(ITEM, GOOD)
    assert scored.total == 1.0
    assert (scored.right_option, scored.valid, scored.facts, scored.correction) == (True, True, 1.0, None)
    assert (scored.first_token_ms, scored.tokens_per_second) == (120.0, 30.0)


@pytest.mark.parametrize(
    ("worse", "part", "value"),
    [
        (replace(GOOD, wrong=("services.x: not an option",)), "no_invented", False),
        (replace(GOOD, parses=False), "parses", False),
        (replace(GOOD, text=f"{GOOD.text} Or apt install ssh."), "no_forbidden", False),
        (replace(GOOD, names=()), "right_option", False),
        (replace(GOOD, text="Set it and rebuild."), "facts", 0.5),
    ],
)
def test_each_fault_costs_something(worse: Trial, part: str, value: object) -> None:
    scored = score(ITEM, worse)
    assert getattr(scored, part) == value
    assert 0 < scored.total < 1
    assert scored.valid is (part in {"right_option", "facts"})


def test_an_invalid_answer_costs_more_than_one_that_misses_the_point() -> None:
    assert score(ITEM, replace(GOOD, parses=False)).total < score(ITEM, replace(GOOD, names=())).total


def test_no_answer_is_worth_nothing() -> None:
    scored = score(ITEM, replace(GOOD, error="The model ended without a word."))
    assert (scored.total, scored.valid, scored.answered) == (0.0, False, False)
    correction = Item("c", "correction", "How?", ("a.b",), (), correction="Set `a.b`.")
    assert score(correction, replace(GOOD, error="x")).total == 0.0


def test_what_does_not_apply_costs_nothing() -> None:
    scored = score(Item("q", "held_out", "What?", (), ()), trial("A folder."))
    assert (scored.right_option, scored.facts, scored.total) == (None, None, 1.0)


PORTS = "networking.firewall.allowedTCPPorts"
CORRECTION = f"Open it:\n\n```nix\n{PORTS} = [ 80 443 ];\n```"
SHELL = "users.users.<name>.shell"


@pytest.mark.parametrize(
    ("correction", "options", "answer", "names", "honoured"),
    [
        pytest.param(CORRECTION, [PORTS], CORRECTION, [PORTS], True, id="the same"),
        pytest.param(
            CORRECTION,
            [PORTS],
            "```nix\nnetworking = {\n  firewall.allowedTCPPorts = [ 443 80 ]; # both\n};\n```",
            [PORTS],
            True,
            id="written otherwise",
        ),
        pytest.param(CORRECTION, [PORTS], f"```nix\n{PORTS} = [ 80 ];\n```", [PORTS], False, id="another value"),
        pytest.param(CORRECTION, [PORTS], "Open 80 and 443.", [], False, id="the option is not named"),
        pytest.param(CORRECTION, [PORTS], f"Look at `{PORTS}`.", [PORTS], False, id="named, but no value"),
        pytest.param(
            "```nix\na.b.enable = true;\n```",
            ["a.b.enable"],
            "Set `a.b.enable` to `true`.",
            ["a.b.enable"],
            True,
            id="the value in words",
        ),
        pytest.param(
            "Write `a.b.enable = true;`.",
            ["a.b.enable"],
            "Write `a.b.enable = false;`.",
            ["a.b.enable"],
            False,
            id="the opposite",
        ),
        pytest.param("Set `a.b` and `a.c`.", ["a.b", "a.c"], "Set `a.b`.", ["a.b"], False, id="one of two"),
        pytest.param(
            "```nix\nusers.users.alice.shell = pkgs.zsh;\n```",
            [SHELL],
            "```nix\nusers.users.bob = { shell = pkgs.zsh; };\n```",
            ["users.users.bob.shell"],
            True,
            id="for another person",
        ),
        pytest.param(
            "```nix\nenvironment.systemPackages = with pkgs; [ git vim ];\n```",
            ["environment.systemPackages"],
            "```nix\n{ pkgs, ... }:\n{\n  environment.systemPackages = [ pkgs.vim pkgs.git ];\n}\n```",
            ["environment.systemPackages"],
            True,
            id="a list with and without with",
        ),
        pytest.param("Run `nixos-rebuild boot`.", [], "Use nixos-rebuild  boot and restart.", [], True, id="command"),
        pytest.param("Run `nixos-rebuild boot`.", [], "Run nixos-rebuild switch.", [], False, id="other command"),
        pytest.param("Restart the machine first.", [], "First restart your machine.", [], True, id="words"),
        pytest.param("Restart the machine first.", [], "Install another package.", [], False, id="other words"),
        pytest.param("No.", [], "Yes.", [], None, id="nothing to look for"),
    ],
)
def test_a_correction_is_honoured_by_its_options_and_values(
    correction: str, options: list[str], answer: str, names: list[str], honoured: bool | None
) -> None:
    assert honours(correction, options, trial(answer, *names)) is honoured


def test_settings_are_read_from_sets_lists_and_strings() -> None:
    text = """
```nix
{ config, pkgs, ... }:
let port = 80; in
{
  services.nginx = {
    enable = true;
    virtualHosts."a.org" = { root = "/srv; {"; locations."/".proxyPass = "http://localhost:3000"; };
  };
  boot.kernelPackages = lib.mkForce pkgs.linuxPackages_latest;
  systemd.services.x.script = ''
    if true; then echo "}"; fi
  '';
}
```
"""
    assert dict(settings_in(text)) == {
        ("services", "nginx", "enable"): "true",
        ("services", "nginx", "virtualHosts", "a.org", "root"): '"/srv; {"',
        ("services", "nginx", "virtualHosts", "a.org", "locations", "/", "proxyPass"): '"http://localhost:3000"',
        ("boot", "kernelPackages"): "linuxPackages_latest",
        ("systemd", "services", "x", "script"): "'' if true; then echo \"}\"; fi ''",
    }


@pytest.mark.parametrize("hostile", ["{" * 5000, "a.b = " + "{ x = " * 5000, "a.b = [" * 3000, "a.b = ''" * 999, "```"])
def test_hostile_code_does_no_harm(hostile: str) -> None:
    assert len(settings_in(f"```nix\n{hostile}\n```")) < 10

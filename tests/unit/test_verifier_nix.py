from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.answering.verifier.nix_code import read_nix
from tests.data.verifier.support import checked, findings, kinds, nix, shown

CLEAN = {
    "a module": "{ config, pkgs, lib, ... }:\n{\n  services.openssh.enable = true;\n  system.stateVersion = \"25.05\";\n}",
    "a fragment": "services.openssh = {\n  enable = true;\n  settings.PermitRootLogin = \"no\";\n};\nnetworking.hostName = \"x\";",
    "what is left out": "{\n  services.openssh = { ... };\n  networking.firewall.allowedTCPPorts = [ ... ];\n  ...\n}",
    "what is left out, in one line": "services.openssh = { enable = true; ... };\nnetworking.hostName = ...;",
    "wrappers": "{ lib, config, ... }: {\n  config = lib.mkIf config.services.openssh.enable (lib.mkMerge [\n"
    "    { networking.hostName = lib.mkDefault \"x\"; }\n    (lib.mkIf true { services.openssh.enable = lib.mkForce false; })\n"
    "  ]);\n}",
    "let, with, if, //": "{ pkgs, ... }:\nlet a = { services.nothing = 1; }; in with pkgs; {\n"
    "  environment.systemPackages = if true then [ git ] else [ ];\n"
    "  services.openssh = { enable = true; } // { settings.Foo = 1; };\n}",
    "own options": "{ lib, config, ... }: {\n  options.services.mine.enable = lib.mkEnableOption \"x\";\n"
    "  config = lib.mkIf config.services.mine.enable { services.mine.enable = true; systemd.services.mine.script = \"x\"; };\n}",
    "freeform": "nix.settings = { experimental-features = [ \"nix-command\" \"flakes\" ]; };\n"
    "nixpkgs.config.allowUnfreePredicate = pkg: true;\nboot.kernel.sysctl.\"vm.swappiness\" = 10;",
    "names of one's own": "users.users.${name} = { isNormalUser = true; extraGroups = [ \"wheel\" ]; };\n"
    "fileSystems.\"/\".device = \"/dev/sda1\";\nservices.nginx.virtualHosts.\"a.b\".locations.\"/\".proxyPass = \"http://x\";",
    "a list of submodules": "services.openssh.listenAddresses = [ { addr = \"::\"; port = 22; } ];",
    "a flake": "{\n  inputs.nixpkgs.url = \"github:NixOS/nixpkgs\";\n  inputs.services.foo.url = \"x\";\n"
    "  outputs = { self, nixpkgs }: {\n    nixosConfigurations.x = nixpkgs.lib.nixosSystem {\n"
    "      system = \"x86_64-linux\"; modules = [ ./a.nix { services.openssh.enable = true; } ];\n    };\n  };\n}",
    "a shell": "{ pkgs ? import <nixpkgs> {} }:\npkgs.mkShell {\n  packages = [ pkgs.git ]; services = { x = 1; };\n}",
    "a package": "{ stdenv, fetchurl }:\nstdenv.mkDerivation {\n  pname = \"x\"; boot = { foo.bar = 1; };\n}",
    "an overlay": "final: prev: {\n  services = { foo.bar = prev.x; };\n}",
    "an overlay in a module": "nixpkgs.overlays = [ (final: prev: { services.foo.bar = 1; }) ];",
    "plain data": "{ name = \"Alice\"; age = 30; nested.attribute = true; system = \"x86_64-linux\"; }",
    "a function of the language": "let double = x: x * 2; in double 4",
    "Home Manager inside": "home-manager.users.alice = { pkgs, ... }: {\n  programs.git.userName = \"x\"; home.stateVersion = \"25.05\";\n};",
    "Home Manager alone": "{ pkgs, ... }: {\n  home.username = \"x\"; programs.git.userName = \"y\"; services.dunst.enable = true;\n}",
    "internal options": "{ assertions = [ { assertion = true; message = \"x\"; } ]; warnings = [ ]; networking.hostName = \"x\"; }",
    "other projects": "{ sops.secrets.x = { }; environment.persistence.\"/p\".directories = [ ]; networking.hostName = \"x\"; }",
    "two files": "{ networking.hostName = \"x\"; }\n# b.nix\n{ time.timeZone = \"Europe/Berlin\"; }",
    "a prompt": "nix-repl> services.foo.bar = 1",
    "only a comment": "# services.foo.bar = 1;",
    "text in a string": "systemd.services.x.script = ''\n  services.foo.bar = 1\n'';",
    "unknown values": "services.openssh.enable = config.networking.hostName == 1;\nnetworking.hostName = \"a\" + b;\n"
    "networking.firewall.allowedTCPPorts = map f xs ++ [ 80 ];\nboot.kernelPackages = pkgs.linuxPackages_latest;",
    "the beginning of a file": "{ pkgs ? import <nixpkgs> { } }:\n\n...",
    "the beginning of a let": "# shell.nix\nlet\n  pkgs = import <nixpkgs> { };\nin",
    "a comma after the last argument": "{\n  config,\n  pkgs, # there\n}:\n{ networking.hostName = \"x\"; }",
    "stand-ins": "nixosConfigurations.<your-hostname> = x;\nusers.users.<name>.home = \"/x\";\nnetworking.hostName = <your-name>;",
    "nix-darwin": "{ system.defaults.dock.autohide = true; programs.bash.enable = true; networking.x = 1; }",
    "treefmt": "{ projectRootFile = \"flake.nix\"; programs.shfmt.enable = true; }",
    "a command": "nix run .#interactive-vm",
    "a secret in a file": "services.grafana.settings.server.http_port = { _secret = \"/run/x\"; };",
}  # fmt: skip


@pytest.mark.parametrize("code", CLEAN.values(), ids=CLEAN.keys())
def test_what_is_right_is_shown_as_it_is(code: str) -> None:
    assert shown(nix(code)) == nix(code)


WRONG_NAMES = {
    "{ config, ... }: { services.opnssh.enable = true; }": "services.opnssh.enable",
    "services.openssh = { enabled = true; };": "services.openssh.enabled",
    "services = { openssh = { enable = true; foo = 1; }; };": "services.openssh.foo",
    "{ lib, ... }: { config = lib.mkIf true { services.foo.bar = 1; }; }": "services.foo.bar",
    "{ imports = [ { services.foo.bar = 1; } ]; }": "services.foo.bar",
    "{ services.openssh = lib.mkMerge [ { foo = 1; } ]; }": "services.openssh.foo",
    "users.users.alice = { isNormalUsr = true; };": "users.users.alice.isNormalUsr",
    "services.openssh.listenAddresses = [ { prt = 1; } ];": "services.openssh.listenAddresses.*.prt",
    "containers.x.config = { services.foo.bar = 1; };": "services.foo.bar",
    "virtualisation.vmVariant = { config, ... }: { services.foo.bar = 1; };": "services.foo.bar",
    "{ networking.hostName = config.services.foo.bar; }": "services.foo.bar",
    '{ networking.hostName = "${config.services.foo.bar}"; }': "services.foo.bar",
    "service.openssh.enable = true;": "service.openssh.enable",
    "{ networking.hostName = \"x\"; mything.foo = 1; }": "mything.foo",
    "{ outputs = { nixpkgs, ... }: { nixosConfigurations.x = nixpkgs.lib.nixosSystem "
    "{ modules = [ ({ ... }: { services.foo.bar = 1; }) ]; }; }; }": "services.foo.bar",
    "services.openssh.enable.foo = 1;": "services.openssh.enable.foo",
    "services.openssh = { ${x}.foo = 1; enab = true; };": "services.openssh.enab",
    "if x then { services.foo.bar = 1; } else { networking.hostName = \"x\"; }": "services.foo.bar",
}  # fmt: skip


@pytest.mark.parametrize(("code", "name"), WRONG_NAMES.items())
def test_an_invented_name_is_found_however_it_is_written(code: str, name: str) -> None:
    assert ("unknown_option", name) in kinds(nix(code))
    assert f"# ⚠ {name}: not an option of this NixOS (25.05)" in shown(nix(code))


def test_a_gone_name_is_shown_with_its_successor() -> None:
    assert shown(nix("hardware.opengl.enable = true;")) == nix(
        "hardware.opengl.enable = true; # ⚠ hardware.opengl.enable: renamed in 24.11 to hardware.graphics.enable"
    )
    assert kinds(nix("sound.enable = true;")) == [("removed_option", "sound.enable")]


WRONG_VALUES = {
    'services.openssh.enable = "true";': 'takes `true` or `false`, without quotes, not `"true"`',
    "services.openssh.enable = lib.mkForce 1;": "takes `true` or `false`, without quotes, not `1`",
    'services.openssh = { enable = if x then "yes" else false; };': 'not `"yes"`',
    "networking.firewall.allowedTCPPorts = [ 80 70000 ];": "a whole number between 0 and 65535, not `70000`",
    'networking.firewall.allowedTCPPorts = [ "80" ];': 'not `"80"`',
    "networking.firewall.allowedTCPPorts = 80;": "takes a list",
    'environment.systemPackages = with pkgs; [ "git" ];': 'a package, as in `pkgs.hello`, not `"git"`',
    "networking.hostName = true;": "not `true`",
    "networking.hostName = [ ];": "not a list",
    "users.users.alice.extraGroups = \"wheel\";": "takes a list",
    "users.users.alice.home = \"home/alice\";": "an absolute path",
    "services.openssh = true;": "a set of options, which cannot be `true`",
    "services.openssh.enable = { };": "not a set",
    "xdg.portal.enable = null;": "not `null`",
    "services.nginx.virtualHosts = [ ];": "takes a set",
    'powerManagement.cpuFreqGovernor = 5;': "takes `null` or a string",
    "documentation.enable = -1;": "not `-1`",
    "boot.tmp.cleanOnBoot = 1.5;": "not `1.5`",
}  # fmt: skip


@pytest.mark.parametrize(("code", "message"), WRONG_VALUES.items())
def test_a_value_that_the_option_refuses_is_found(code: str, message: str) -> None:
    [finding] = findings(nix(code))
    assert finding.kind == "wrong_value"
    assert message in finding.message


def test_below_a_value_that_is_wrong_nothing_more_is_said() -> None:
    assert kinds(nix("networking.hostName = { a.b = 1; c = 2; };")) == [("wrong_value", "networking.hostName")]


def test_an_unmarked_block_that_is_not_all_nix_is_searched_for_names_alone() -> None:
    text = "```\npsk_home=secret\n\nservices.foo.bar = 1;\n```\n"
    assert kinds(text) == [("unknown_option", "services.foo.bar")]


def test_a_value_in_a_sentence_is_checked_too() -> None:
    assert shown('Set `services.openssh.enable = "yes";` there.') == (
        'Set `services.openssh.enable = "yes";` (⚠ takes `true` or `false`, without quotes, not `"yes"`) there.'
    )


SYNTAX = {
    "{\n  networking.hostName = \"x\"\n  time.timeZone = \"y\";\n}": "line 3: a `;` is missing at the end of the assignment before",
    "{ networking.hostName = \"x\" }": "line 1: a `;` is missing",
    "{ services.openssh = {\n  enable = true;\n": "line 1: this `{` is never closed",
    "{ networking.hostName = \"x\"; } }": "line 1: this `}` closes nothing",
    "networking.firewall.allowedTCPPorts = [ 80, 443 ];": "line 1: there are no commas",
    "{ networking.hostName: \"x\"; }": "line 1: ",
    "{\n  networking.hostName = \"x\";\n  networking.hostName = \"y\";\n}": "line 3: `networking.hostName` is already set",
}  # fmt: skip


@pytest.mark.parametrize(("code", "message"), SYNTAX.items())
def test_a_syntax_error_is_told_with_its_line(code: str, message: str) -> None:
    found = [finding for finding in findings(nix(code)) if finding.kind == "syntax_error"]
    assert found
    assert message in found[0].message


def test_names_are_checked_even_where_the_code_does_not_parse() -> None:
    assert ("unknown_option", "services.foo.bar") in kinds(nix("services.foo.bar = true\nnetworking.hostName = 1"))


def test_two_ways_to_set_an_option_may_stand_in_one_fragment() -> None:
    code = nix("# either\nnetworking.hostName = \"a\";\n# or\nnetworking.hostName = \"b\";")  # fmt: skip
    assert shown(code) == code


@pytest.mark.parametrize("language", ["", "text", "conf"])
def test_an_unmarked_block_is_checked_when_it_is_nix(language: str) -> None:
    assert kinds(f"```{language}\nservices.foo.bar = true;\n```\n") == [("unknown_option", "services.foo.bar")]
    for other in ("[section]\nservices.foo = 1", '{"services": {"foo": 1}}', "x = 5;", "echo services.foo.bar"):
        text = f"```{language}\n{other}\n```\n"
        assert shown(text) == text


@pytest.mark.parametrize("language", ["bash", "json", "python", "toml"])
def test_other_languages_are_not_read_as_nix(language: str) -> None:
    text = f"```{language}\nservices.foo.bar = true;\n```\n"
    assert shown(text) == text


def test_a_marked_block_still_parses_and_means_the_same() -> None:
    code = (
        "{ pkgs, ... }: {\n  systemd.services.x = {\n    script = ''\n      a\n    ''; foo = 1;\n    bar = ''\n      b\n    '';\n"
        '    baz = "two\n  lines";\n    /* a\n  comment */ qux = 1; # there\n  };\n}'
    )
    text = shown(nix(code))
    assert text.count("⚠") == 4
    body = text.removeprefix("```nix\n").split("\n```\n")[0]
    assert not read_nix(body).problems
    assert read_nix(body).expression == read_nix(code).expression


def test_what_has_no_place_in_the_code_is_said_below_it() -> None:
    text = shown(nix("{ services.foo.bar = ''\n  never closed"))
    assert text.startswith(nix("{ services.foo.bar = ''\n  never closed"))
    assert "> ⚠ `services.foo.bar`: not an option" in text


def test_a_mark_that_would_change_how_broken_code_is_read_goes_below_it() -> None:
    code = nix("inherit\n# x let]\n=\n\n")
    assert shown(code).startswith(code + "\n> ⚠ line 1: ")


def test_a_block_that_the_answer_left_open_is_closed_and_checked() -> None:
    text = shown("```nix\nservices.foo.bar = true;")
    assert text.startswith("```nix\nservices.foo.bar = true; # ⚠ services.foo.bar: not an option")
    assert text.endswith("\n```\n")


def test_a_quoted_block_is_read_without_the_signs_of_the_quotation() -> None:
    text = "> ```nix\n> services.openssh.enable = true;\n> services.foo.bar = 1;\n> ```\n"
    assert [finding.name for finding in findings(text)] == ["services.foo.bar"]
    assert "> services.foo.bar = 1; # ⚠" in shown(text)


def test_the_mark_of_a_value_of_several_lines_stands_at_its_end() -> None:
    text = shown(nix("services.foo.bar = ''\n  a\n'';\nnetworking.hostName = \"x\";"))
    assert "\n''; # ⚠ services.foo.bar: not an option" in text


def test_a_comment_before_the_code_hides_nothing() -> None:
    assert kinds(nix("# configuration.nix\n{ services.foo.bar = 1; }")) == [("unknown_option", "services.foo.bar")]


def test_an_indented_block_keeps_its_indentation() -> None:
    text = shown("1. Do\n   ```nix\n   services.foo.bar = 1;\n   ```\n")
    assert "   services.foo.bar = 1; # ⚠" in text


@given(st.text(alphabet="{}[]();=.\"'$#\n ab/*services.openssh enable true", max_size=200) | st.text(max_size=100))
def test_any_text_in_a_block_is_read_and_the_code_is_kept(code: str) -> None:
    read_nix(code)
    text = nix(code.replace("`", ""))
    [*_] = checked(text)
    for line in code.replace("`", "").split("\n"):
        assert line in shown(text)


@pytest.mark.parametrize(
    "piece", ["[", "{a=", "(", "()", "a ", "a//", '"${', "/*", "''", "services.a={", "# x\n", "\n", "..."]
)
def test_hostile_code_is_read_in_time(piece: str) -> None:
    started = time.perf_counter()
    checked(nix(piece * (19_000 // len(piece))))
    assert time.perf_counter() - started < 5

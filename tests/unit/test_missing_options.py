"""A rebuild that failed since an option does not exist: the one that was meant is named, whatever the model says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nix_trinity.answering.missing_options import missing_options
from nix_trinity.knowledge.option_tree import OptionTree
from nix_trinity.knowledge.options import Option
from tests.stack.daemon_process import ActivatedDaemon
from tests.stack.fake_ollama import BASE, FakeOllama

ERROR = """\
error:
       … while evaluating the attribute 'config.system.build.toplevel'
       error: The option `{}' does not exist. Definition values:
       - In `/etc/nixos/configuration.nix': {{ enable = true; }}
"""
NAMES = ("services.openssh.enable", "networking.firewall.enable")
TREE = OptionTree([Option(name=name, path=tuple(name.split(".")), type="boolean") for name in NAMES])


@pytest.mark.parametrize("quotes", ["`'", "''", '""', "‘’", "“”"])
@pytest.mark.parametrize(
    ("written", "meant"),
    [("services.opensssh", "services.openssh"), ("networking.firewal.enable", "networking.firewall.enable")],
)
def test_the_name_that_was_meant_is_told(quotes: str, written: str, meant: str) -> None:
    (line,) = missing_options(ERROR.replace("`{}'", f"{quotes[0]}{written}{quotes[1]}"), TREE)
    assert line == f"{written} is not an option of this system; perhaps {meant}."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The option `services.openssh.enable' does not exist",  # it does, here
        "The option `services.openssh' does not exist",
        "The option `zzzzzzz.qqqqqqq' does not exist",  # nothing is near
        "The option `a b' does not exist",
        'The option `services."opensssh' + " does not exist",
        "The option `" + "a" * 300 + "' does not exist",
        "The option `...' does not exist",
    ],
)
def test_nothing_is_told_where_there_is_nothing_to_tell(text: str) -> None:
    assert missing_options(text, TREE) == ()
    assert missing_options(text, None) == ()


def test_each_name_once_and_not_without_end() -> None:
    assert len(missing_options(ERROR.format("services.opensssh") * 3, TREE)) == 1
    many = "".join(ERROR.format(f"services.openssh{chr(letter)}") for letter in range(ord("a"), ord("z")))
    assert len(missing_options(many, TREE)) == 5


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ActivatedDaemon]:
    with (
        FakeOllama() as engine,
        ActivatedDaemon(tmp_path_factory.mktemp("d"), ollama_url=engine.url, model=BASE) as running,
    ):
        yield running


def test_a_failed_rebuild_is_explained_with_it(daemon: ActivatedDaemon) -> None:
    answer = daemon.ask("why does this fail", attachment=ERROR.format("services.opensssh"))
    told = [notice for notice in answer["notices"] if "services.opensssh" in notice]
    assert told == ["services.opensssh is not an option of this system; perhaps services.openssh."]
    said = daemon.client("ask-nix-guru", "--explain-error", stdin=ERROR.format("services.opensssh").encode())
    assert "note: services.opensssh is not an option of this system; perhaps services.openssh." in said.stderr

"""Settings below freeform options are found by their own names, though no list of options has them."""

from __future__ import annotations

import pytest

from nix_trinity.answering.retriever.children import with_children
from nix_trinity.answering.retriever.features import Ranked
from nix_trinity.knowledge.options import Option


def ranked(name: str, type_text: str) -> Ranked:
    return Ranked(Option(name=name, path=tuple(name.split(".")), type=type_text), 1.0, {"name": 1.0})


FREEFORM = ranked("boot.kernel.sysctl", "attribute set of (null or string)")
PLAIN = ranked("services.openssh.enable", "boolean")


def names(found: list[Ranked]) -> list[str]:
    return [one.option.name for one in found]


def test_a_named_setting_stands_beside_its_freeform_option() -> None:
    swappiness = 'boot.kernel.sysctl."vm.swappiness"'
    by_name = {"boot.kernel.sysctl": swappiness}
    asked = with_children([PLAIN, FREEFORM], by_name, {swappiness})
    assert names(asked) == ["services.openssh.enable", swappiness, "boot.kernel.sysctl"]
    noted = with_children([PLAIN, FREEFORM], by_name, ())
    assert names(noted) == ["services.openssh.enable", "boot.kernel.sysctl", swappiness]
    child = asked[1].option
    assert child.path == ("boot", "kernel", "sysctl", "vm.swappiness")
    assert child.type == "(null or string)"


@pytest.mark.parametrize(
    "name",
    ["services.openssh.enable", "services.openssh.enable.foo", "services.openssh", "not..a.name", ""],
)
def test_nothing_is_made_up_below_an_option_that_takes_no_names(name: str) -> None:
    assert names(with_children([PLAIN], {PLAIN.option.name: name}, {name})) == [PLAIN.option.name]

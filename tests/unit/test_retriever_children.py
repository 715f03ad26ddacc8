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


def test_a_named_setting_stands_before_its_freeform_option() -> None:
    found = with_children([PLAIN, FREEFORM], {"boot.kernel.sysctl": 'boot.kernel.sysctl."vm.swappiness"'})
    assert names(found) == [
        "services.openssh.enable",
        'boot.kernel.sysctl."vm.swappiness"',
        "boot.kernel.sysctl",
    ]
    child = found[1].option
    assert child.path == ("boot", "kernel", "sysctl", "vm.swappiness")
    assert child.type == "(null or string)"


@pytest.mark.parametrize(
    "name",
    ["services.openssh.enable", "services.openssh.enable.foo", "services.openssh", "not..a.name", ""],
)
def test_nothing_is_made_up_below_an_option_that_takes_no_names(name: str) -> None:
    assert names(with_children([PLAIN], {PLAIN.option.name: name})) == [PLAIN.option.name]

"""Ollama at an address that is not loopback's: the golden with systemd's limit on addresses, as it is."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest

from tests.container import ollama_service
from tests.container.golden import CONFIG, GOLDEN, Golden
from tests.container.machine import Machine
from tests.container.scenarios import installed, scenario

DROPIN = "/run/systemd/system/ollama.service.d/elsewhere.conf"


@pytest.fixture
def elsewhere(ollama_inside: Machine) -> Iterator[Machine]:
    """The machine with the address of the golden remote-ollama, on which its Ollama listens besides loopback."""
    golden, container = (
        tomllib.loads(Golden(GOLDEN / name).etc()[CONFIG].text) for name in ("remote-ollama", "container")
    )
    address = golden["ollama"]["url"].removeprefix("http://").partition(":")[0]
    small = {"models": container["models"], "corpus": {"embedding_model": ""}}
    ollama_inside.succeed(f"ip address add {address}/32 dev lo")
    ollama_inside.write(DROPIN, "[Service]\nEnvironment=OLLAMA_HOST=0.0.0.0:11434\n")
    try:
        ollama_inside.succeed("systemctl daemon-reload && systemctl restart ollama.service")
        ollama_service.wait_for(ollama_inside)
        with installed(ollama_inside, "remote-ollama", small) as machine:
            yield machine
    finally:
        ollama_inside.succeed(f"ip address delete {address}/32 dev lo && rm -r $(dirname {DROPIN})")
        ollama_inside.succeed("systemctl daemon-reload && systemctl restart ollama.service")
        ollama_service.wait_for(ollama_inside)


def test_ollama_elsewhere_is_reached_and_nothing_else(elsewhere: Machine) -> None:
    config = tomllib.loads(elsewhere.read(CONFIG))
    scenario(elsewhere, "remote-ollama", OLLAMA_URL=config["ollama"]["url"])

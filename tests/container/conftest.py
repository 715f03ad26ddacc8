"""The booted machine that all tests in this folder share, and the line about it in the closing table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import shown
from tests.container import ollama_service
from tests.container.machine import Machine
from tests.stack import container as parts_of_container
from tests.stack.container import WITHOUT_CONTAINER, Container, without_container
from tests.stack.errors import StackError
from tests.stack.parts import Part, State, without_ollama


@pytest.fixture(scope="session")
def container(pytestconfig: pytest.Config, parts: list[Part]) -> Container:
    """What a machine is made of; without it a test fails, unless the person asked to go without."""
    if without_container():
        reason = f"{WITHOUT_CONTAINER}=1"
        parts.append(Part("container", State.SKIPPED, reason))
        pytest.skip(reason)
    try:
        with shown(pytestconfig):
            return parts_of_container.obtain()
    except StackError as error:
        reason = str(error)
    parts.append(Part("container", State.MISSING, reason))
    pytest.fail(f"no container: {reason}", pytrace=False)


@pytest.fixture(scope="session")
def machine(container: Container, parts: list[Part], request: pytest.FixtureRequest) -> Iterator[Machine]:
    """One machine, booted for the whole session; leave it as you found it."""
    read_only = {}
    if not without_ollama():
        read_only = ollama_service.read_only(request.getfixturevalue("ollama"), request.getfixturevalue("chat_gguf"))
    booted = Machine(container, read_only)
    reason = ""
    try:
        booted.start()
        systemd = booted.succeed("systemctl --version").split()[1]
    except StackError as error:
        reason = str(error)
    if reason:
        booted.kill()
        lines = [line.strip() for line in reason.splitlines()]
        parts.append(Part("container", State.MISSING, f"{lines[0]}: {lines[-1]}"))
        pytest.fail(reason, pytrace=False)
    detail = f"systemd {systemd} as PID 1, {container.origin}, up in {booted.boot_seconds:.1f} s"
    parts.append(Part("container", State.RAN, detail))
    try:
        yield booted
    finally:
        booted.stop()


@pytest.fixture(scope="session")
def ollama_inside(machine: Machine, ollama: object, chat_gguf: object) -> Machine:
    """The machine with a real Ollama in it, which has the chat model."""
    ollama_service.install(machine)
    return machine

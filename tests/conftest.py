"""What all tests share: the real parts, the guard against outside connections, the closing table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TypeVar

import pytest

from tests.stack import chat_model as model_file
from tests.stack import data, litellm_proxy, ollama_binary
from tests.stack import embedding_model as embedding_files
from tests.stack.errors import StackError
from tests.stack.loopback import LoopbackOnly
from tests.stack.parts import WITHOUT_OLLAMA, Part, State, table, without_ollama
from tests.stack.server import OllamaServer

T = TypeVar("T")

PARTS = pytest.StashKey[list[Part]]()
LOG_TAIL = pytest.StashKey[str]()
LOOPBACK = LoopbackOnly()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[PARTS] = []
    LOOPBACK.install()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which real parts this run had, just above pytest's own closing line."""
    if terminalreporter.stats.get("failed") and (tail := config.stash.get(LOG_TAIL, "")):
        terminalreporter.section("the end of Ollama's log")
        terminalreporter.write_line(tail)
    terminalreporter.section("real parts")
    found = config.stash[PARTS]
    terminalreporter.write_line(table(found) if found else "none was asked for by these tests")
    for part in found:
        if part.state in {State.SKIPPED, State.MISSING}:
            terminalreporter.write_line(f"NOT TESTED with {part.name}: {part.detail}", red=True, bold=True)


@pytest.fixture(autouse=True)
def loopback_only() -> Iterator[LoopbackOnly]:
    """Fail a test that tried to connect to anything but loopback, even if it swallowed the refusal."""
    LOOPBACK.taken_attempts()
    yield LOOPBACK
    attempts = LOOPBACK.taken_attempts()
    if attempts:
        pytest.fail(f"this test tried to leave the machine: {', '.join(attempts)}")


@pytest.fixture(scope="session")
def parts(pytestconfig: pytest.Config) -> list[Part]:
    """The closing table: a fixture that brings up another real part adds its line here."""
    return pytestconfig.stash[PARTS]


@pytest.fixture(scope="session")
def ollama(pytestconfig: pytest.Config, parts: list[Part]) -> ollama_binary.OllamaBinary:
    """A real Ollama to run; without one a test fails, unless the person asked to go without."""
    binary = _obtained("ollama", ollama_binary.obtain, pytestconfig)
    parts.append(Part("ollama", State.RAN, f"{binary.version}, {binary.origin}"))
    return binary


@pytest.fixture(scope="session")
def chat_gguf(pytestconfig: pytest.Config, parts: list[Part]) -> Path:
    """The file of a real, small chat model, under the same rule as Ollama."""
    model = _obtained("chat model", model_file.obtain, pytestconfig)
    parts.append(Part("chat model", State.RAN, f"{model_file.NAME}, {model.origin}"))
    return model.gguf


@pytest.fixture(scope="session")
def ollama_server(
    pytestconfig: pytest.Config, ollama: ollama_binary.OllamaBinary, chat_gguf: Path
) -> Iterator[OllamaServer]:
    """One running Ollama for the whole session, with the chat model; leave it as you found it."""
    with OllamaServer(ollama) as server:
        server.create_from_gguf(model_file.NAME, chat_gguf)
        yield server
        pytestconfig.stash[LOG_TAIL] = server.log_tail()


@pytest.fixture(scope="session")
def chat_model(ollama_server: OllamaServer) -> str:
    """The chat model's name in ``ollama_server``."""
    return model_file.NAME


@pytest.fixture(scope="session")
def embedding_model(pytestconfig: pytest.Config, parts: list[Part], ollama_server: OllamaServer) -> str:
    """The name of a real, small embedding model in ``ollama_server``, under the same rule as Ollama."""
    model = _obtained("embedding model", embedding_files.obtain, pytestconfig)
    model.create_in(ollama_server)
    parts.append(Part("embedding model", State.RAN, f"{embedding_files.NAME}, {model.origin}"))
    return embedding_files.NAME


@pytest.fixture(scope="session")
def litellm(pytestconfig: pytest.Config, parts: list[Part]) -> litellm_proxy.LiteLLM:
    """LiteLLM's real proxy, under the same rule as Ollama, which it is put in front of."""
    package = _obtained("litellm", litellm_proxy.obtain, pytestconfig)
    parts.append(Part("litellm", State.RAN, f"{litellm_proxy.VERSION}, {package.origin}"))
    return package


@pytest.fixture(scope="session")
def data_dir(parts: list[Part]) -> Path:
    """The folder of real NixOS option lists; a test that needs it is skipped where it is absent."""
    folder = data.data_dir()
    if folder is None:
        reason = f"no shared/data beside the checkout and no {data.VARIABLE}"
        parts.append(Part("option data", State.SKIPPED, reason))
        pytest.skip(reason)
    parts.append(Part("option data", State.RAN, str(folder)))
    return folder


def _obtained(name: str, obtain: Callable[[], T], config: pytest.Config) -> T:
    """Get a real part, or fail with the reason; skip only when the person asked to go without Ollama."""
    if without_ollama():
        reason = f"{WITHOUT_OLLAMA}=1"
        config.stash[PARTS].append(Part(name, State.SKIPPED, reason))
        pytest.skip(reason)
    try:
        with shown(config):
            return obtain()
    except StackError as error:
        reason = str(error)
    config.stash[PARTS].append(Part(name, State.MISSING, reason))
    pytest.fail(f"no real {name}: {reason}", pytrace=False)


def shown(config: pytest.Config) -> AbstractContextManager[None]:
    """Let a step that may take minutes show its progress through pytest's capture."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        return nullcontext()
    shown: AbstractContextManager[None] = capture.global_and_fixture_disabled()
    return shown

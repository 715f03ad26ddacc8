"""Gets every real part and says for each what was found, built, installed or is missing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.stack import (
    cache,
    chat_model,
    container,
    data,
    embedding_model,
    litellm_proxy,
    node_client,
    ollama_binary,
    system_packages,
)
from tests.stack.container import WITHOUT_CONTAINER, without_container
from tests.stack.errors import StackError
from tests.stack.parts import WITHOUT_OLLAMA, Part, State, without_ollama


def prepare() -> list[Part]:
    """Get all parts; one that cannot be had is reported and does not keep the others from being got."""
    steps: dict[str, Callable[[], tuple[State, str]]] = {
        package.name: partial(_package, package) for package in system_packages.TEST_PACKAGES
    }
    steps |= {"ollama": _ollama, "chat model": _chat_model, "embedding model": _embedding_model}
    steps |= {"litellm": _litellm, "npm's openai": _node_client, "container": _container, "option data": _data}
    return [_attempt(name, step) for name, step in steps.items()]


def _attempt(name: str, step: Callable[[], tuple[State, str]]) -> Part:
    try:
        return Part(name, *step())
    except StackError as error:
        return Part(name, State.MISSING, str(error))


def _package(package: system_packages.Package) -> tuple[State, str]:
    installed = system_packages.ensure([package])
    return State.READY, "installed now" if installed else "already there"


def _ollama() -> tuple[State, str]:
    if without_ollama():
        return State.SKIPPED, f"{WITHOUT_OLLAMA}=1"
    binary = ollama_binary.obtain()
    size = cache.megabytes(binary.path)
    return State.READY, f"{binary.version}, {binary.origin}, {size:.0f} MB: {binary.path}"


def _chat_model() -> tuple[State, str]:
    if without_ollama():
        return State.SKIPPED, f"{WITHOUT_OLLAMA}=1"
    model = chat_model.obtain()
    return State.READY, f"{model.origin}, {cache.megabytes(model.gguf):.0f} MB: {model.gguf}"


def _embedding_model() -> tuple[State, str]:
    if without_ollama():
        return State.SKIPPED, f"{WITHOUT_OLLAMA}=1"
    model = embedding_model.obtain()
    size = sum(cache.megabytes(model.folder / file) for file in embedding_model.FILES)
    return State.READY, f"{model.origin}, {size:.0f} MB: {model.folder}"


def _litellm() -> tuple[State, str]:
    if without_ollama():
        return State.SKIPPED, f"{WITHOUT_OLLAMA}=1"
    package = litellm_proxy.obtain()
    return State.READY, f"{litellm_proxy.VERSION}, {package.origin}: {package.program}"


def _node_client() -> tuple[State, str]:
    return State.READY, f"{node_client.VERSION}: {node_client.obtain().folder}"


def _container() -> tuple[State, str]:
    if without_container():
        return State.SKIPPED, f"{WITHOUT_CONTAINER}=1"
    made_of = container.obtain()
    return State.READY, f"{made_of.origin}, {made_of.megabytes:.0f} MB: {made_of.system.tar.parent}"


def _data() -> tuple[State, str]:
    folder = data.data_dir()
    if folder is None:
        return State.SKIPPED, f"no shared/data beside the checkout and no {data.VARIABLE}"
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    return State.READY, f"found, {size:.1f} MB: {folder}"

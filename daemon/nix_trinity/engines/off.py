"""The engine of a machine that is to have none: whatever is asked of it says so, and how to have one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from nix_trinity.engines.protocol import ChatChunk, ChatRequest, CreateRequest, InstalledModel, ModelDetails
from nix_trinity.errors import EngineOffError


def engine_off(consequence: str = "") -> EngineOffError:
    """The error; ``consequence`` goes on with its sentence."""
    return EngineOffError(
        f"No model is configured (ollama.enabled is false){consequence}.",
        "To have models: services.nixTrinity.ollama.enable = true; on NixOS, else ollama.enabled = true.",
        keys=("ollama.enabled",),
    )


class OffEngine:
    """See :class:`~nix_trinity.engines.protocol.Engine`. Every request raises EngineOffError."""

    kind = "off"
    url = ""
    label = "no engine"

    def of(self, model: str) -> OffEngine:  # noqa: ARG002 (the protocol's)
        """See Engine."""
        return self

    def remedy(self, model: str) -> str:  # noqa: ARG002 (the protocol's)
        """See Engine."""
        return engine_off().hint

    async def version(self) -> str:
        """See Engine."""
        raise engine_off()

    async def list_models(self) -> Sequence[InstalledModel]:
        """See Engine."""
        raise engine_off()

    async def show(self, model: str) -> ModelDetails:  # noqa: ARG002 (the protocol's)
        """See Engine."""
        raise engine_off()

    def chat(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:  # noqa: ARG002 (the protocol's)
        """See Engine."""
        raise engine_off()

    async def embed(self, model: str, texts: Sequence[str]) -> Sequence[Sequence[float]]:  # noqa: ARG002
        """See Engine."""
        raise engine_off()

    def create(self, request: CreateRequest) -> AsyncGenerator[str, None]:  # noqa: ARG002 (the protocol's)
        """See Engine."""
        raise engine_off()

    async def preload(self, model: str, num_ctx: int) -> None:  # noqa: ARG002 (the protocol's)
        """See Engine."""
        raise engine_off()

    async def copy(self, source: str, destination: str) -> None:  # noqa: ARG002 (the protocol's)
        """See Engine."""
        raise engine_off()

    async def delete(self, model: str) -> None:  # noqa: ARG002 (the protocol's)
        """See Engine."""
        raise engine_off()

    async def close(self) -> None:
        """See Engine: nothing is open."""

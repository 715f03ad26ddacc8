"""What the learn line asks of the rooms that it may not import: the check, the whole pipeline, the corpus.

The composition root hands in what fulfils these.
"""

from __future__ import annotations

from typing import Protocol

from nix_trinity.knowledge.inspection import Inspection, Trial

__all__ = ["Inspection", "Inspector", "Pipeline", "Trial"]


class Inspector(Protocol):
    """Checks a text that nobody is waiting for."""

    async def inspect(self, question: str, answer: str) -> Inspection:
        """Check an answer against the options of this NixOS.

        :raises TrinityError: there are no options to check it against.
        """
        ...


class Pipeline(Protocol):
    """The ask line, for a version that is not deployed: without known answers, past answers and rows."""

    async def try_out(self, role: str, model: str, question: str) -> Trial:
        """Let ``model`` answer as the role, at temperature 0. Waits while people ask.

        :raises EngineError: the engine cannot be asked.
        """
        ...

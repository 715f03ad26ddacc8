"""One answer out of the engine, with the retries that are worth it and no others.

Nothing is tried again once the first word is out. Before that: a busy engine twice, with growing and random
pauses; a prompt that the engine finds too long once, with half of it; a model that has vanished once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Protocol

from nix_trinity.answering.prompt import Prompt, was_truncated
from nix_trinity.answering.role_models import ReadyModel
from nix_trinity.engines.protocol import ChatRequest, Engine, Usage
from nix_trinity.errors import ContextTooLongError, EngineBusyError, ModelMissingError

_BUSY_RETRIES = 2
_BUSY_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0


class Models(Protocol):
    """Where the model of a role comes from: role_models.RoleModels, or what stands in for it."""

    async def ready(self, role: str) -> ReadyModel:
        """The role's model; made first if it has to be."""
        ...

    def loaded(self, role: str, milliseconds: float) -> None:
        """Take down how long the engine was loading it for an answer."""
        ...

    def doubt(self, role: str) -> None:
        """Look again the next time."""
        ...


class Generation:
    """What is asked of the engine for one question, and what is known of it so far."""

    def __init__(
        self,
        engine: Engine,
        models: Models,
        role: str,
        prompt_for: Callable[[ReadyModel, bool], Prompt],
        answer_tokens: Callable[[ReadyModel], int],
        *,
        schema: Mapping[str, Any] | None = None,
        temperature: float | None = None,
    ) -> None:
        """``temperature``: of what fills in no form; None: as the model's own parameters say."""
        self.engine = engine
        self.models = models
        self.role = role
        self.model: ReadyModel | None = None
        self.prompt: Prompt | None = None
        self.usage: Usage | None = None
        self._prompt_for = prompt_for
        self._answer_tokens = answer_tokens
        self._schema = schema
        self._temperature = temperature
        self._halved = False
        self._looked_again = False
        self._busy = 0

    @property
    def notices(self) -> tuple[str, ...]:
        """What the person should know of the prompt."""
        return self.prompt.notices if self.prompt is not None else ()

    @property
    def truncated(self) -> bool:
        """Whether the engine cannot have seen the whole prompt."""
        if self.usage is None or self.prompt is None or self.model is None:
            return False
        expected = self.prompt.expected + self.model.prefix_expected
        return was_truncated(self.usage.prompt_tokens, expected=expected)

    async def request(self) -> ChatRequest:
        """The request for the present try; makes the role's model if it has to."""
        self.model = await self.models.ready(self.role)
        self.prompt = self._prompt_for(self.model, self._halved)
        return ChatRequest(
            model=self.model.name,
            messages=self.prompt.messages,
            num_ctx=self.model.num_ctx,
            max_tokens=self._answer_tokens(self.model),
            schema=self._schema,
            # What fills in a form is to be the likeliest, and the same each time.
            temperature=0.0 if self._schema is not None else self._temperature,
        )

    async def recover(self, error: Exception) -> bool:
        """Prepare another try after ``error``; False when there is none."""
        if isinstance(error, EngineBusyError) and self._busy < _BUSY_RETRIES:
            told = error.retry_after_seconds or 0.0
            if told > _LONGEST_PAUSE_SECONDS:
                # Nobody sits before a prompt for so long; the error says when to ask again.
                return False
            pause = _BUSY_PAUSE_SECONDS * 2**self._busy * random.uniform(0.5, 1.5)  # noqa: S311 (no secret)
            self._busy += 1
            # Not before the engine wants it, and not all of those that wait at the same moment.
            pause = max(pause, told * random.uniform(1.0, 1.2))  # noqa: S311 (no secret)
            await asyncio.sleep(pause)
            return True
        if isinstance(error, ContextTooLongError) and not self._halved:
            self._halved = True
            return True
        if isinstance(error, ModelMissingError) and not self._looked_again and self.model is not None:
            self._looked_again = True
            self.models.doubt(self.role)
            return True
        return False


async def generate(generation: Generation) -> AsyncGenerator[str, None]:
    """The pieces of the answer; ``generation.usage`` is known when they end.

    :raises EngineError: what went wrong, after the retries that make sense.
    """
    began = False
    while True:
        request = await generation.request()
        try:
            async with aclosing(generation.engine.chat(request)) as chunks:
                async for chunk in chunks:
                    if chunk.usage is not None:
                        generation.usage = chunk.usage
                        generation.models.loaded(generation.role, chunk.usage.load_milliseconds)
                    if chunk.text:
                        began = True
                        yield chunk.text
        except (EngineBusyError, ContextTooLongError, ModelMissingError) as error:
            if began or not await generation.recover(error):
                raise
        else:
            return

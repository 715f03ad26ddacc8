"""The event that says which model answers, and why that role."""

from __future__ import annotations

from nix_trinity.answering.answer_line import AnswerLine
from nix_trinity.answering.question import Started
from nix_trinity.answering.record import Record
from nix_trinity.answering.router import Route
from nix_trinity.answering.running import RunningQuestion
from nix_trinity.errors import EngineError, EngineOffError


class Start:
    """Tells the reader once which model answers and why; notices come with it."""

    def __init__(
        self, running: RunningQuestion, record: Record, session: str, chosen: Route, notices: tuple[str, ...]
    ) -> None:
        self._running = running
        self._record = record
        self._session = session
        self._chosen = chosen
        self._notices = notices
        self._said = False
        self._stands_in: str | None = None

    def instead(self, notice: str) -> None:
        """From now on another model answers than the role's own; ``notice`` says why."""
        self._stands_in = notice

    async def say(self, line: AnswerLine) -> None:
        """Say it when the model is known; the first time only, and again when another model stands in."""
        model = line.main.model if line.main is not None else None
        if model is None or line.main is None or (self._said and self._stands_in is None):
            return
        why = (self._stands_in,) if self._stands_in is not None else ()
        self._stands_in = None
        await self._say(model.name, model.version, (*why, *line.main.notices))

    async def say_without_model(self, error: EngineError) -> None:
        """Say that the search alone answers."""
        why = "" if isinstance(error, EngineOffError) else "No model answers: "
        await self._say("", "", (f"{why}{error.message} {error.hint}",))

    async def _say(self, model: str, version: str, notices: tuple[str, ...]) -> None:
        self._record.started(model or None, version or None)
        if self._said:
            for notice in notices:
                self._record.note(notice)
            return
        self._said = True
        chosen = self._chosen
        await self._running.put(
            Started(
                self._running.id,
                self._session,
                chosen.role,
                chosen.reason,
                model,
                version,
                (*self._notices, *notices),
            )
        )

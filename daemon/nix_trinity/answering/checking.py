"""Check an answer while it streams: each sentence or code block is released once it was looked at."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from nix_trinity.answering.verifier.check import Verifier
from nix_trinity.answering.verifier.findings import Checked
from nix_trinity.answering.verifier.marking import marked
from nix_trinity.answering.verifier.nix_code import SyntaxProblem
from nix_trinity.answering.verifier.release import Segment, Segmenter

SyntaxCheck = Callable[[str], Awaitable[Iterable[SyntaxProblem] | None]]
"""Asks a real Nix whether code parses; None when it could not be asked."""


@dataclass(frozen=True, slots=True)
class Release:
    """What may be shown now; ``wrong`` is a segment that a repair may still mend, and is not shown."""

    texts: tuple[str, ...]
    wrong: Checked | None = None
    stuck: bool = False
    """The model says the same sentence again and again; what follows is not worth waiting for."""


# A small model can fall into a loop that lasts until its token limit. What is shorter may well stand three times.
_LEAST_REPEATED = 20
_MOST_REPEATED = 2
# The same few words eight times on end, within one sentence or block of code.
_CIRCLE = re.compile(r"(.{4,60}?)\1{7,}", re.DOTALL)
# No words, and so no circle: a rule, a table's head, a hash that stands for the one that Nix will print (AAAA…).
_NO_WORDS = re.compile(r"\S*|[\s=_.*#|:+-]+")


class AnswerCheck:
    """Follows one answer. Without a verifier there is nothing to wait for: everything passes as it comes."""

    def __init__(self, verifier: Verifier | None, syntax: SyntaxCheck | None) -> None:
        self.checked: list[Checked] = []
        self.said = ""
        """What was released so far, without marks."""
        self._verifier = verifier
        self._syntax = syntax
        self._segmenter = Segmenter()
        self._times: Counter[str] = Counter()

    async def feed(self, piece: str, *, may_repair: bool) -> Release:
        """Take the next piece of the model's answer."""
        if self._verifier is None:
            self.said += piece
            return Release((piece,))
        return await self._look_at(self._segmenter.feed(piece), may_repair=may_repair)

    async def finish(self, *, may_repair: bool, cut: bool = False) -> Release:
        """Look at what is left when the model has ended.

        ``cut``: it ran into its token limit, so that the last sentence or block is half of one. When that does not
        check out it is left out: half a name is no name that somebody invented.
        """
        release = await self._look_at(self._segmenter.flush(), may_repair=may_repair or cut)
        return Release(release.texts, stuck=release.stuck) if cut else release

    def told(self, task: str) -> None:
        """Take down what the model is told to do: a small one says it back, which is an answer to nobody."""
        segmenter = Segmenter()
        for segment in (*segmenter.feed(task), *segmenter.flush()):
            if segment.kind == "prose":
                self._times[_words(segment)] = _MOST_REPEATED

    def start_again(self) -> None:
        """Drop what was not released: the model goes on in another answer."""
        self._segmenter = Segmenter()

    def released_anyway(self, wrong: Checked) -> str:
        """The text of a segment that could not be mended, with its marks."""
        self.checked.append(wrong)
        self.said += wrong.text
        return marked(wrong)

    async def add(self, text: str) -> str:
        """Check a text of the daemon's own, whole, and return it with any marks."""
        segmenter = Segmenter()
        release = await self._look_at([*segmenter.feed(text), *segmenter.flush()], may_repair=False)
        return "".join(release.texts)

    @property
    def names(self) -> tuple[str, ...]:
        """The option names in the answer that this NixOS has, in order."""
        return tuple(dict.fromkeys(name for each in self.checked for name in each.names_ok))

    async def _look_at(self, segments: Sequence[Segment], *, may_repair: bool) -> Release:
        texts: list[str] = []
        for segment in segments:
            if self._repeats(segment):
                return Release(tuple(texts), stuck=True)
            checked = await self._check(segment)
            if may_repair and any(finding.is_error for finding in checked.findings):
                return Release(tuple(texts), checked)
            self.checked.append(checked)
            self.said += segment.text
            texts.append(marked(checked))
        return Release(tuple(texts))

    def _repeats(self, segment: Segment) -> bool:
        text = _words(segment)
        self._times[text] += 1
        if len(text) >= _LEAST_REPEATED and self._times[text] > _MOST_REPEATED:
            return True
        circle = _CIRCLE.search(segment.text)
        return circle is not None and not _NO_WORDS.fullmatch(circle[1])

    async def _check(self, segment: Segment) -> Checked:
        if self._verifier is None:
            return Checked(segment)
        checked = self._verifier.check(segment, self.said)
        if self._syntax is not None and checked.nix_source is not None:
            return self._verifier.with_problems(checked, await self._syntax(checked.nix_source))
        return checked


def _words(segment: Segment) -> str:
    return " ".join(segment.text.split())

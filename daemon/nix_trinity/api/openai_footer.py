"""The last lines of an answer for programs that show a person its text and nothing else.

They say what the check came to, what the answer rests on and by which id to judge it. No text of a model can pass for
them; and in the conversation that the program sends with its next question, the id leads back to our own row.
"""

from __future__ import annotations

import re

from nix_trinity.answering.question import Source
from nix_trinity.api.openai_messages import Facts
from nix_trinity.knowledge.exchanges import ID_LENGTH

_OPENING = "[NixTrinity: "
_RULE = "\n---\n"
_LAST_LINE = re.compile(rf"\[NixTrinity: [^\n]*?(?:; id ([a-z0-9]{{{ID_LENGTH}}}))?\]\s*\Z")
_MOST_CHARACTERS = 8_000
_SOURCES_SHOWN = 4
_VERDICTS = {
    "verified": "verified",
    "corrected": "verified after a correction",
    "flagged": "what is marked ⚠ is wrong",
    "ungrounded": "ungrounded: take it with care",
}


def footer(answer: str, facts: Facts) -> str:
    """What to add to ``answer``."""
    checked = facts.options_release and facts.verdict != "ungrounded"
    by = f" by the options of NixOS {facts.options_release}" if checked else ""
    named = ", ".join(_source(source) for source in facts.sources[:_SOURCES_SHOWN])
    parts = [f"{_VERDICTS.get(facts.verdict, facts.verdict)}{by}"]
    parts += [f"sources: {named}"] if named else []
    parts += [f"id {facts.id}"] if facts.kept else []
    notes = "".join(f"Note: {_line(notice)}\n\n" for notice in facts.notices)
    # A block of code that was cut off would take the lines into it.
    fence = "\n```" if answer.count("```") % 2 else ""
    return f"{fence}\n\n{_RULE.lstrip()}{notes}{_OPENING}{'; '.join(parts)}]"


def without_footer(text: str) -> tuple[str, str]:
    """An answer as it was before its footer, and the id in that; '' where there is none."""
    at = text.rfind(_OPENING)
    found = _LAST_LINE.match(text, at) if at >= 0 else None
    if found is None:
        return text, ""
    rule = text.rfind(_RULE, max(0, at - _MOST_CHARACTERS), at + 1)
    return text[: rule if rule >= 0 else at].rstrip("\n"), found[1] or ""


class Mask:
    """Keeps a model from writing what opens the footer's last line, also where it comes in pieces."""

    def __init__(self) -> None:
        self._held = ""

    def add(self, piece: str) -> str:
        """What can be shown of the text so far."""
        text = (self._held + piece).replace(_OPENING.rstrip(), "(NixTrinity:")
        most = len(_OPENING.rstrip()) - 1
        beginnings = (length for length in range(min(most, len(text)), 0, -1) if _OPENING.startswith(text[-length:]))
        length = next(beginnings, 0)
        self._held = text[len(text) - length :]
        return text[: len(text) - length]

    def rest(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return held


def masked(text: str) -> str:
    """The same for a whole text."""
    mask = Mask()
    return mask.add(text) + mask.rest()


def _source(source: Source) -> str:
    name = f"`{_line(source.name)}`" if source.kind == "option" else _line(source.name)
    return f"{name} ({_line(source.where)})" if source.where else name


def _line(text: str) -> str:
    return masked(" ".join(text.split())).replace("]", ")").replace("[", "(")

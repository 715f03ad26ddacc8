"""A conversation as other programs send it, taken apart: the question, what it is about, what went before, wishes.

Nothing in it becomes the model's own words or rules. The system message is a wish about the answer's form; an
earlier answer counts as ours only by its id (openai_footer.py), which leads to our row and not to the text that came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nix_trinity.api.decoding import check_text
from nix_trinity.api.messages import MOST_ATTACHMENT_CHARACTERS
from nix_trinity.api.openai_errors import FieldError
from nix_trinity.api.openai_footer import without_footer
from nix_trinity.api.openai_messages import ChatMessage
from nix_trinity.api.pasted import split_pasted

MOST_WISHES_CHARACTERS = 600
"""What is longer is a program's manual, with tools that are not here, and no person's wish."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What was said before: a person's words, the answer, and the id of our exchange that it claims to be, or ''."""

    asked: str
    answered: str
    claimed_id: str = ""

    def text(self) -> str:
        """The turn as data."""
        lines = [f"The person: {self.asked}"] if self.asked else []
        return "\n".join([*lines, f"The answer: {self.answered}"] if self.answered else lines)


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a program wants to be answered."""

    question: str
    attachment: str
    wishes: str
    turns: tuple[Turn, ...]
    unused_wishes: int
    """How many characters of system messages are too many to be used; 0: they are used."""


def read_conversation(messages: Sequence[ChatMessage]) -> Conversation:
    """Take a conversation apart.

    :raises RequestError: there is no question in it, or something that is no text.
    """
    last = max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)
    if last < 0:
        raise FieldError(
            "messages",
            "There is no message of a user among the messages.",
            'The last one is the question: {"role": "user", "content": "How do I enable SSH?"}',
            code="question_empty",
        )
    texts = [_text(message, f"messages[{at}]", at >= last) for at, message in enumerate(messages)]
    question, pasted = split_pasted(texts[last].strip())
    if not question:
        raise FieldError(f"messages[{last}].content", "The question is empty.", "Ask in words.", code="question_empty")
    wishes = "\n".join(
        text.strip() for message, text in zip(messages, texts, strict=True) if message.role in ("system", "developer")
    ).strip()
    fits = len(wishes) <= MOST_WISHES_CHARACTERS
    return Conversation(
        question,
        "\n\n".join(part for part in (pasted, *_results(messages, texts, last)) if part),
        wishes if fits else "",
        _turns(messages[:last], texts[:last]),
        0 if fits else len(wishes),
    )


def _results(messages: Sequence[ChatMessage], texts: Sequence[str], last: int) -> list[str]:
    """What other programs' tools found for the question."""
    results = []
    for at in range(last + 1, len(messages)):
        if messages[at].role in ("tool", "function"):
            results.append(texts[at])
        elif messages[at].role == "assistant" and texts[at].strip():
            raise FieldError(
                f"messages[{at}]",
                "The last message is an answer's beginning, and an answer cannot be gone on with from there.",
                'Send a user\'s message last, such as "go on".',
            )
    return results


def _turns(messages: Sequence[ChatMessage], texts: Sequence[str]) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    asked: list[str] = []
    for message, text in zip(messages, texts, strict=True):
        if message.role == "assistant":
            answered, claimed_id = without_footer(text)
            if answered.strip():
                turns.append(Turn("\n".join(asked).strip(), answered, claimed_id))
                asked = []
        elif message.role not in ("system", "developer"):
            asked.append(text)
    rest = "\n".join(asked).strip()
    return (*turns, Turn(rest, "")) if rest else tuple(turns)


def _text(message: ChatMessage, at: str, counts: bool) -> str:
    """A message's text. ``counts``: it is the question, or comes after it, so that all of it has to be understood."""
    content = message.content
    if content is None and message.role == "user":
        raise FieldError(f"{at}.content", f"{at}.content is missing.", 'It is a text: "content": "…".')
    texts: list[str] = []
    for index, part in enumerate(content if isinstance(content, list) else ()):
        text = part.text if part.type == "text" else part.refusal if part.type == "refusal" else None
        if text is None and counts:
            raise FieldError(
                f"{at}.content[{index}]",
                f"A part of the question is of the type {part.type[:40]!r}, and NixTrinity reads text alone.",
                "Paste what can be read in it, such as the words of the error, as text.",
                code="content_unsupported",
            )
        texts.append(f"[{part.type[:40]} left out]" if text is None else text)
    whole = "\n".join(texts) if isinstance(content, list) else content or ""
    check_text(whole, field=f"{at}.content", most=MOST_ATTACHMENT_CHARACTERS)
    return whole

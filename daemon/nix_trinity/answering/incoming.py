"""A question's texts as they may be seen and kept: without secrets, and apart by what they are."""

from __future__ import annotations

from dataclasses import dataclass

from nix_trinity.answering.fencing import looks_like_injection
from nix_trinity.answering.question import Question
from nix_trinity.knowledge.redaction import redact

MOST_BEFORE_CHARACTERS = 65_536
"""Of what was said before, so much of its end is kept."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """What came with a question."""

    text: str
    attachment: str
    before: str
    wishes: str
    secrets: int
    """How many were taken out."""

    @property
    def alone(self) -> bool:
        """Whether the question is all there is: nothing came with it that an answer may depend on."""
        return not (self.attachment.strip() or self.before.strip() or self.wishes.strip())

    @property
    def kept(self) -> str:
        """All that came with the question, for its row: whoever judges the answer has to see what it was made from."""
        parts = [self.attachment] if self.attachment else []
        if self.before.strip():
            parts.append(f"[Said before, as another program has it]\n{self.before}")
        if self.wishes.strip():
            parts.append(f"[How the program wanted to be answered]\n{self.wishes}")
        return "\n\n".join(parts)

    @property
    def learnable(self) -> bool:
        """Whether none of it reads like orders to the model."""
        return not looks_like_injection(f"{self.text}\n{self.kept}")


def without_secrets(question: Question) -> Incoming:
    """The question's texts, redacted. It may take a noticeable part of a second for a megabyte."""
    texts = [redact(text) for text in (question.text, question.attachment, question.before, question.wishes)]
    text, attachment, before, wishes = (one.text for one in texts)
    # Shortened here, since the redactor does not know half a secret.
    return Incoming(text, attachment, before[-MOST_BEFORE_CHARACTERS:], wishes, sum(one.count for one in texts))

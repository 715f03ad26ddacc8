"""A long message, parted into what is asked and what was pasted with it: programs have one field for both."""

from __future__ import annotations

LONGEST_QUESTION_CHARACTERS = 2_000
"""Up to here a message is a question, whatever stands in it."""
_LONGEST_WORDS = 600
_LEAST_WORDS = 2
# Of what a person writes, nearly all is letters; of logs and code it is not.
_LETTERS_SHARE = 0.9
_FENCES = ("```", "~~~")
QUESTION_ABOUT_TEXT = "What does this say, and what should I do?"


def split_pasted(message: str) -> tuple[str, str]:
    """The question, and the text that it is about; '' where all of it is the question.

    The words around blocks of code are the question, else the first paragraph and the last one, where they are words:
    people write before or below what they paste. Where no words can be told from the rest, all of it is the text.
    """
    if len(message) <= LONGEST_QUESTION_CHARACTERS:
        return message, ""
    words, code = _without_blocks(message)
    if code and words and len(words) <= LONGEST_QUESTION_CHARACTERS:
        return words, code
    for gap in ("\n\n", "\n"):
        parts = message.split(gap)
        first, last = len(parts) > 1 and _asks(parts[0]), len(parts) > 1 and _asks(parts[-1])
        if first or last:
            question = "\n\n".join(parts[:1] * first + parts[-1:] * last).strip()
            return question, gap.join(parts[int(first) : len(parts) - int(last)]).strip("\n")
    return QUESTION_ABOUT_TEXT, message


def _without_blocks(message: str) -> tuple[str, str]:
    """The words, and the blocks of code between fences; the last block may lack its end."""
    words: list[str] = []
    code: list[str] = []
    fence = ""
    for line in message.split("\n"):
        if fence:
            code.append(line)
            fence = "" if line.rstrip() == fence else fence
        elif line.startswith(_FENCES):
            fence = line[:3]
            code.append(line)
        else:
            words.append(line)
    return "\n".join(words).strip(), "\n".join(code)


def _asks(part: str) -> bool:
    """Whether a paragraph or line reads like a person's words."""
    words = part.strip()
    if not words or len(words) > _LONGEST_WORDS:
        return False
    if words.endswith(("?", "？", "؟")):
        return True
    letters = sum(character.isalpha() or character.isspace() for character in words)
    return len(words.split()) >= _LEAST_WORDS and letters >= _LETTERS_SHARE * len(words)

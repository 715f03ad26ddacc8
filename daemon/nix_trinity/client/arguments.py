"""Options, read by hand: argparse takes longer to import than a whole `status` may last."""

from __future__ import annotations

from nix_trinity.client.wire import Refusal


def read_arguments(
    given: list[str], *, flags: tuple[str, ...] = (), values: tuple[str, ...] = (), most_words: int | None = None
) -> tuple[dict[str, str], list[str]]:
    """Split ``given`` into options and words; after ``--`` all are words. A flag that is set has the value "1".

    :raises Refusal: an option that does not exist or lacks its value, too many words, or bytes that are not UTF-8.
    """
    options: dict[str, str] = {}
    words: list[str] = []
    rest = list(given)
    _check_text(rest)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words += rest
            break
        name, equals, value = word.partition("=")
        if name in flags and not equals:
            options[name] = "1"
        elif name in values:
            if not equals:
                if not rest:
                    raise Refusal(2, f"{name} needs a value.", f"For example: {name} VALUE")
                value = rest.pop(0)
            options[name] = value
        elif word.startswith("-") and len(word) > 1:
            known = ", ".join((*flags, *values)) or "none"
            raise Refusal(
                2, f"There is no option {word!r}.", f"Options: {known}. Words that begin with -: put -- first."
            )
        else:
            words.append(word)
    if most_words is not None and len(words) > most_words:
        raise Refusal(2, f"{words[most_words]!r} is one word too many here.", "See: nix-trinity --help")
    return options, words


def quoted(text: str) -> str:
    """Percent-encode for a path or a query."""
    safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
    return "".join(chr(b) if chr(b) in safe else f"%{b:02X}" for b in text.encode("utf-8", "surrogateescape"))


def _check_text(words: list[str]) -> None:
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise Refusal(2, "An argument is not valid UTF-8.", "Pipe such text in instead of naming it.") from None

"""What the check of a whole answer came to, what it rests on, and what the person should be told of it."""

from __future__ import annotations

from collections.abc import Sequence

from nix_trinity.answering.checking import AnswerCheck
from nix_trinity.answering.grounding import Grounds
from nix_trinity.answering.question import Outcome, Source
from nix_trinity.answering.verifier.findings import verdict as verdict_of
from nix_trinity.knowledge.corpus.finds import Found
from nix_trinity.knowledge.corpus.words import stem, stems, words
from nix_trinity.knowledge.option_tree import OptionTree, split_name
from nix_trinity.knowledge.options import Option

_MOST_SOURCES = 12
_LEAST_WORD = 5
# Of a note of ours, less than this stands in another one, for 99 of 100 pairs of them.
_SAME_SHARE = 0.4


def outcome_of(grounds: Grounds, check: AnswerCheck, *, repaired: bool, notes: Sequence[Found]) -> Outcome:
    """Judge an answer. ``notes`` are the passages that the model was given.

    ``ungrounded``: it was not checked, rests on nothing that was found, or no name in it exists. ``flagged``:
    something in it is wrong and marked. ``corrected``: a repair mended what was wrong. ``verified``: the rest.
    """
    sources = _sources(grounds, check, notes)
    types = types_of(check.names, grounds.tree)
    if grounds.verifier is None:
        return Outcome("ungrounded", sources, (f"This answer was not checked. {grounds.problem}",))
    judged = verdict_of(check.checked)
    if judged == "ungrounded":
        return Outcome(judged, sources, all_names_wrong=True)
    if judged == "verified" and not sources:
        nothing = "Nothing was found that this answer rests on: take it with care."
        return Outcome("ungrounded", (), (nothing,), option_types=types)
    if judged == "verified" and repaired:
        judged = "corrected"  # type: ignore[assignment]
    return Outcome(judged, sources, option_types=types)


def types_of(names: Sequence[str], tree: OptionTree | None) -> dict[str, str]:
    """The options among some names with the texts of their types, by the names that the list of options has.

    ``users.users.<name>.shell`` stands for anybody's shell, and a freeform option for all that is below it.
    """
    types: dict[str, str] = {}
    for name in names:
        path = split_name(name)
        option = tree.look_up(path).option if tree is not None and path is not None else None
        if option is not None:
            types.setdefault(option.name, option.type)
    return types


def _sources(grounds: Grounds, check: AnswerCheck, notes: Sequence[Found]) -> tuple[Source, ...]:
    found, names = grounds.retrieved, check.names
    options = {one.option.name: one.option for one in found.options} if found is not None else {}
    sources = []
    for name in names:
        option = options.get(name) or _looked_up(grounds, name)
        if option is not None:
            sources.append(Source("option", option.name, ", ".join(option.declarations)))
    sources += [source_of(note) for note in notes if set(note.options) & set(names) or _says_the_same(check.said, note)]
    return tuple({(source.kind, source.name): source for source in sources}.values())[:_MOST_SOURCES]


def source_of(note: Found) -> Source:
    """A note, a passage of the manual or a past answer as an answer names it; a pack's with revision and licence."""
    if note.pack is not None:
        return Source("pack", note.title, note.pack.label)
    return Source(note.kind, note.title, f"{note.file}#{note.anchor}" if note.anchor else note.file)


def packs_among(grounds: Grounds, notes: Sequence[Found]) -> list[Source]:
    """The texts of packs that an answer may hold: those among ``notes``, and the one that the search would show."""
    shown = grounds.retrieved.notes[:1] if grounds.retrieved is not None else ()
    return [source_of(note) for note in (*notes, *shown) if note.pack is not None]


def _says_the_same(answer: str, note: Found) -> bool:
    """Whether most of what an answer says stands in a note: the share of its longer words' stems that do."""
    said = {stem(word) for word in words(answer) if len(word) >= _LEAST_WORD}
    there = set(stems(f"{note.title} {note.body}"))
    return bool(said) and len(said & there) / len(said) >= _SAME_SHARE


def _looked_up(grounds: Grounds, name: str) -> Option | None:
    path = split_name(name)
    return grounds.tree.look_up(path).option if grounds.tree is not None and path is not None else None

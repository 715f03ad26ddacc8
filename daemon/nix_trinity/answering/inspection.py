"""Check a text that nobody is waiting for: what the learn line asks of the options (training.ports.Inspector)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nix_trinity.answering.checking import SyntaxCheck
from nix_trinity.answering.fencing import looks_like_injection
from nix_trinity.answering.grounding import Grounding
from nix_trinity.answering.verifier.check import Verifier
from nix_trinity.answering.verifier.findings import Checked, Finding
from nix_trinity.answering.verifier.findings import verdict as verdict_of
from nix_trinity.answering.verifier.release import Segmenter
from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.inspection import Inspection
from nix_trinity.knowledge.option_tree import OptionTree, is_placeholder, split_name
from nix_trinity.knowledge.options import Path

_LEAST_PARENT = 2
"""``services.openssh`` says what it is about; ``services`` says nothing."""


class TextInspector:
    """Checks against the index as it is at the time."""

    def __init__(self, grounding: Grounding, syntax: SyntaxCheck | None) -> None:
        self._grounding = grounding
        self._syntax = syntax

    async def inspect(self, question: str, answer: str) -> Inspection:
        """Check an answer against the options of this NixOS.

        :raises CorpusError: there are no options to check it against.
        """
        grounds = await self._grounding.grounds(question, "")
        if grounds.verifier is None or grounds.tree is None:
            raise CorpusError(grounds.problem, "See what is the matter with: nix-trinity status")
        checked = await check_text(grounds.verifier, self._syntax, answer)
        findings = errors_in(checked)
        names = names_in(checked)
        found = [one.option.path for one in grounds.retrieved.options] if grounds.retrieved is not None else []
        return Inspection(
            release=grounds.release,
            check=verdict_of(checked),
            types=_types(names, grounds.tree),
            problems=tuple(dict.fromkeys(in_words(finding) for finding in findings)),
            renamed={
                finding.name: finding.suggestions[0]
                for finding in findings
                if finding.kind == "renamed_option" and finding.suggestions
            },
            orders=looks_like_injection(f"{question}\n{answer}"),
            relevant=_is_relevant(names, found),
        )


async def check_text(verifier: Verifier, syntax: SyntaxCheck | None, text: str) -> list[Checked]:
    """Check all of a text, also what a model would have been stopped at for repeating itself."""
    segmenter = Segmenter()
    checked: list[Checked] = []
    before = ""
    for segment in (*segmenter.feed(text), *segmenter.flush()):
        one = verifier.check(segment, before)
        if syntax is not None and one.nix_source is not None:
            one = verifier.with_problems(one, await syntax(one.nix_source))
        checked.append(one)
        before += segment.text
    return checked


def errors_in(checked: Iterable[Checked]) -> list[Finding]:
    """All that is wrong, in order; dangers are none of it."""
    return [finding for each in checked for finding in each.findings if finding.is_error]


def names_in(checked: Iterable[Checked]) -> tuple[str, ...]:
    """The option names that this NixOS has, in order."""
    return tuple(dict.fromkeys(name for each in checked for name in each.names_ok))


def in_words(finding: Finding) -> str:
    """A finding for a person to read."""
    return f"{finding.name}: {finding.message}" if finding.name else finding.message


def _types(names: Sequence[str], tree: OptionTree) -> dict[str, str]:
    """By the names that the list of options has: ``users.users.<name>.shell`` for any person's."""
    types: dict[str, str] = {}
    for name in names:
        path = split_name(name)
        option = tree.look_up(path).option if path is not None else None
        if option is not None:
            types.setdefault(option.name, option.type)
    return types


def _is_relevant(names: Sequence[str], found: Sequence[Path]) -> bool | None:
    named = [path for name in names if (path := split_name(name)) is not None and len(path) >= _LEAST_PARENT]
    if not named:
        return None
    return any(_are_related(path, other) for path in named for other in found if len(other) >= _LEAST_PARENT)


def _are_related(left: Path, right: Path) -> bool:
    """Whether they are one option, or one is below the other."""
    return all(
        one == other or is_placeholder(one) or is_placeholder(other) for one, other in zip(left, right, strict=False)
    )

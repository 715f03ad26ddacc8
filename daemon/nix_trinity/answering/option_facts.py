"""What other programs ask of the options of this NixOS: is a text right, what is one option, what changed.

The values are also the protocol's messages (docs/reference/protocol.md): a renamed field breaks clients.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence

import msgspec

from nix_trinity.answering.checking import SyntaxCheck
from nix_trinity.answering.grounding import Grounding
from nix_trinity.answering.option_changes import Changes, changes_of
from nix_trinity.answering.settings_render import render_option
from nix_trinity.answering.verifier.check import Verifier
from nix_trinity.answering.verifier.findings import Checked, Finding
from nix_trinity.answering.verifier.findings import verdict as verdict_of
from nix_trinity.answering.verifier.release import Segment, Segmenter
from nix_trinity.answering.verifier.renamed import Renames, load_renamed
from nix_trinity.errors import NotFoundError
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.option_tree import OptionTree, join_name, split_name

_LINE = re.compile(r"line \d+: ")
_MOST_CHILDREN = 12
# What the verifier takes into account of what stands before a segment.
_LOOKED_BACK_AT = 20_000


class Problem(msgspec.Struct, frozen=True):
    """What is wrong or dangerous in a text, and where."""

    kind: str
    """unknown_option, renamed_option, removed_option, wrong_value, syntax_error or dangerous_command."""
    line: int
    """From 1."""
    name: str
    """The option, or the command; '' for a syntax error."""
    message: str
    suggestions: tuple[str, ...]
    """Real names to use instead, the best first."""
    is_error: bool
    """False: a warning about what may well be meant, such as a command that destroys data."""


class Check(msgspec.Struct, frozen=True):
    """What the options of this NixOS say of a text. ``verdict``: verified, flagged or ungrounded."""

    verdict: str
    release: str | None
    problems: tuple[Problem, ...]
    options: tuple[str, ...]
    """The options that it names and that there are."""


class ExplainedOption(msgspec.Struct, frozen=True):
    """One option whole, as the list of options has it."""

    asked: str
    """The name that was asked for: of one's own where the list has a placeholder, or below a free-form option."""
    name: str
    type: str
    default: str
    example: str
    description: str
    declarations: tuple[str, ...]
    read_only: bool
    origin: str
    """nixos or home-manager."""
    snippet: str
    release: str | None


class Names(msgspec.Struct, frozen=True):
    """Names of options that begin as was asked, in their order."""

    names: tuple[str, ...]
    has_more: bool


class OptionFacts:
    """Answers from the index as it is at the time."""

    def __init__(self, corpus: Corpus, grounding: Grounding, syntax: SyntaxCheck | None) -> None:
        self._corpus = corpus
        self._grounding = grounding
        self._syntax = syntax
        # One check at a time takes one processor at most, whatever is sent.
        self._checking = asyncio.Lock()

    async def check_text(self, text: str) -> Check:
        """Check an answer or a document: its prose, and the code blocks in it.

        :raises CorpusError: there are no options to check it against.
        """
        segmenter = Segmenter()
        return await self._checked([*segmenter.feed(text), *segmenter.flush()])

    async def check_code(self, code: str) -> Check:
        """Check Nix code: a whole module, or settings out of one.

        :raises CorpusError: there are no options to check it against.
        """
        # As a block of its own, and never in pieces: its lines are the block's, after that of the fence.
        fence = "`" * (max((len(run) for run in re.findall(r"`{3,}", code)), default=2) + 1)
        body = code if code.endswith("\n") else f"{code}\n"
        return await self._checked([Segment(f"{fence}nix\n{body}{fence}\n", "code", "nix")], first_line=0)

    async def explain(self, asked: str) -> ExplainedOption:
        """The option of a name, which may hold names of one's own: ``users.users.alice.shell``.

        :raises NotFoundError: there is none; says which names are near, or what became of it.
        :raises CorpusError: there are no options here.
        """
        _, tree, release = await self._grounding.checker()
        path = split_name(asked)
        match = tree.look_up(path) if path is not None else None
        if match is None or match.option is None or match.status not in ("option", "freeform"):
            raise await self._unknown(asked, tree, release, is_set=match is not None and match.status == "group")
        option = match.option
        return ExplainedOption(
            asked=asked,
            name=option.name,
            type=option.type,
            default=option.default,
            example=option.example,
            description=option.description,
            declarations=option.declarations,
            read_only=option.read_only,
            origin=option.origin,
            snippet=render_option(option),
            release=release,
        )

    async def names(self, beginning: str, *, limit: int) -> Names:
        """The options whose names begin so.

        :raises CorpusError: there are no options here, or the index cannot be read.
        """
        await self._grounding.checker()
        found = await self._corpus.read(lambda index: index.names_from(beginning, limit=limit + 1))
        return Names(tuple(found[:limit]), len(found) > limit)

    async def changes(self, *, since: str | None, under: str) -> Changes:
        """What came, went and was renamed: with the newest list of options, or since a release.

        ``under`` narrows it to an option and what is below it.

        :raises CorpusError: there are no options here.
        """
        _, tree, release = await self._grounding.checker()
        seen = await self._corpus.read(lambda index: index.changes())
        return changes_of(seen, load_renamed(), tree, release, since=since, under=under)

    async def _checked(self, segments: Sequence[Segment], *, first_line: int = 1) -> Check:
        verifier, _, release = await self._grounding.checker()
        checked: list[Checked] = []
        problems: list[Problem] = []
        before, line = "", first_line
        async with self._checking:
            for segment in segments:
                one = await self._check(verifier, segment, before)
                checked.append(one)
                problems += _problems(one, line)
                before = (before + segment.text)[-_LOOKED_BACK_AT:]
                line += segment.text.count("\n")
        names = dict.fromkeys(name for one in checked for name in one.names_ok)
        return Check(verdict_of(checked), release, tuple(problems), tuple(names))

    async def _check(self, verifier: Verifier, segment: Segment, before: str) -> Checked:
        # In a thread: a long file with many wrong names takes seconds, in which others are to be served.
        one = await asyncio.to_thread(verifier.check, segment, before)
        if self._syntax is not None and one.nix_source is not None:
            return verifier.with_problems(one, await self._syntax(one.nix_source))
        return one

    async def _unknown(self, asked: str, tree: OptionTree, release: str | None, *, is_set: bool) -> NotFoundError:
        here = f"NixOS {release}" if release else "this NixOS"
        path = split_name(asked)
        if is_set:
            return NotFoundError(
                f"{asked[:200]} is a set of options of {here}, not one option.",
                f"Ask for one of these: {', '.join(await self._below(path or ()))}.",
            )
        gone = Renames(load_renamed()).find(path, tree) if path is not None else None
        if gone is None and (successor := await self._corpus.read(lambda index: index.successor(asked))):
            return NotFoundError(f"{asked[:200]} was renamed in {here}.", f"It is now {successor}.")
        if gone is not None:
            since = f" in {gone.row.since}" if gone.row.since else ""
            hint = f"It is now {gone.name}." if gone.name else gone.row.note or ", ".join(gone.row.instead)
            return NotFoundError(f"{asked[:200]} was {'renamed' if gone.name else 'removed'}{since}.", hint)
        near = tree.nearest(path) if path is not None else []
        hint = f"Perhaps: {', '.join(near)}." if near else "Search by words: nix-trinity options WORDS"
        return NotFoundError(f"{asked[:200]!r} is not an option of {here}.", hint)

    async def _below(self, path: Sequence[str]) -> tuple[str, ...]:
        """Some options below a set; of one with a person's own name, those below where the placeholder stands."""
        for length in range(len(path), 0, -1):
            if below := (await self.names(f"{join_name(path[:length])}.", limit=_MOST_CHILDREN)).names:
                return below
        return ()


def _problems(checked: Checked, first_line: int) -> Iterator[Problem]:
    for finding in checked.findings:
        yield Problem(
            finding.kind,
            first_line + checked.text.count("\n", 0, finding.at),
            finding.name,
            _message(finding),
            finding.suggestions,
            finding.is_error,
        )


def _message(finding: Finding) -> str:
    # The line of a syntax error counts from its block's beginning, which is not the text's.
    return _LINE.sub("", finding.message, count=1) if finding.kind == "syntax_error" else finding.message

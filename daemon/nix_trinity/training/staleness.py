"""After a change of the options: are accepted answers still true? Renamed options get their new names in them.

An answer holds while nothing in it is wrong and its options have the types that they had. Whether an option of another
type would still take the values is not guessed at: such an answer is set aside, and an operator sees it in the review.
A type that is only worded otherwise is the same type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from nix_trinity.knowledge.inspection import Inspection
from nix_trinity.knowledge.option_tree import is_placeholder, split_name
from nix_trinity.knowledge.reviews import Accepted
from nix_trinity.knowledge.same_type import same_type
from nix_trinity.training.ports import Inspector

_PAGE = 50
_MOST_REASONS = 5


class AcceptedStore(Protocol):
    """What is asked of the knowledge: learning_store.LearningStore."""

    async def accepted_page(self, after_id: str, limit: int) -> Sequence[Accepted]:
        """The next accepted or set aside exchanges in the order of their ids; an empty page ends."""
        ...

    async def renew(
        self,
        exchange_id: str,
        answer: str | None,
        option_types: Mapping[str, str],
        reason: str,
        release: str | None,
        now_ms: int,
    ) -> bool:
        """Let a mended answer count for an exchange, or set it aside (None)."""
        ...

    async def clear_renewal(self, exchange_id: str) -> bool:
        """Let the text that people accepted count again."""
        ...


@dataclass(frozen=True, slots=True)
class StalenessReport:
    """How many answers were looked at, and of how many a check changed what counts."""

    checked: int
    renewed: int
    """Renamed options have their new names in them now."""
    set_aside: int
    """They are not true any more, and could not be mended."""


@dataclass(frozen=True, slots=True)
class _Finding:
    """What becomes of an answer: ``text`` None sets it aside."""

    text: str | None
    types: Mapping[str, str]
    reason: str


async def refresh(store: AcceptedStore, inspector: Inspector, *, now_ms: int, release: str | None) -> StalenessReport:
    """Check every accepted or set aside answer against the options as they are, and mend it or set it aside.

    It may be broken off and begun again at any time.

    :raises TrinityError: there are no options to check by, or nothing can be kept; what was done until then stays.
    """
    checked = renewed = set_aside = 0
    before = ""
    while page := await store.accepted_page(before, _PAGE):
        for one in page:
            checked += 1
            finding = await _looked_at(one, inspector, release)
            if _changes(one, finding) and await _is_as_it_was(store, before, one):
                await _keep(store, one, finding, release, now_ms)
                renewed += finding is not None and finding.text is not None
                set_aside += finding is not None and finding.text is None
            before = one.id
    return StalenessReport(checked, renewed, set_aside)


def renamed_in(text: str, renamed: Mapping[str, str]) -> str:
    """``text`` with old names of options in place of new ones: whole names, in prose and code, all at once."""
    if not renamed:
        return text
    names = "|".join(re.escape(name) for name in sorted(renamed, key=len, reverse=True))
    whole = re.compile(rf"(?:(?<![\w./-])|(?<=\bconfig\.))(?:{names})(?![\w-]|'\w|\.[\w\"<*$])")
    return whole.sub(lambda found: renamed[found[0]], text)


async def _looked_at(one: Accepted, inspector: Inspector, release: str | None) -> _Finding | None:
    """What becomes of an exchange's answer; None when the text that people accepted is true."""
    here = f"NixOS {release}" if release else "this NixOS"
    said = await inspector.inspect(one.question, one.said_answer)
    wrong = _wrong(one.said_option_types, said, here)
    if not wrong:
        return None
    if one.renewed and one.set_aside is None:
        mended_before = await inspector.inspect(one.question, one.answer)
        if not _wrong(one.option_types, mended_before, here):
            return _Finding(one.answer, one.option_types, "")
        # A name that was changed twice: what it was called in between is still known in the mended text.
        wrong_now = await _mended(one.question, one.answer, one.option_types, mended_before, inspector, here)
        if wrong_now is not None:
            return wrong_now
    mended = await _mended(one.question, one.said_answer, one.said_option_types, said, inspector, here)
    return mended or _Finding(None, {}, "; ".join(wrong[:_MOST_REASONS]))


async def _mended(
    question: str, text: str, had: Mapping[str, str], now: Inspection, inspector: Inspector, here: str
) -> _Finding | None:
    """A text with the new names in it, when that makes all of it true; None when it does not."""
    mended = renamed_in(text, now.renamed)
    if mended == text:
        return None
    after = await inspector.inspect(question, mended)
    types: dict[str, str] = {}
    for name, type_text in had.items():
        new = now.renamed.get(name)
        if new is not None:
            types[new] = type_text
        elif name in now.types or not any(_is_one_of(old, name) for old in now.renamed):
            types[name] = type_text
    if _wrong(types, after, here):
        return None
    names = "; ".join(f"{old} is called {new} in {here}" for old, new in now.renamed.items())
    return _Finding(mended, dict(after.types), names)


def _wrong(had: Mapping[str, str], now: Inspection, here: str) -> list[str]:
    """What makes an answer untrue, in words; empty when it holds."""
    wrong = list(now.problems)
    for old, new in now.renamed.items():
        if not any(old in problem for problem in now.problems):
            wrong.append(f"{old} is called {new} in {here}")
    for name, text in had.items():
        if name in now.types:
            if not same_type(text, now.types[name]):
                wrong.append(f"{name} is of another type in {here}: {now.types[name]}, and was: {text}")
        elif not any(old in reason for reason in wrong for old in (name, *now.renamed) if _is_one_of(old, name)):
            wrong.append(f"{name} does not exist in {here}")
    return wrong


def _is_one_of(written: str, name: str) -> bool:
    """Whether a written name is the option of this name: ``users.users.a.shell`` is ``users.users.<name>.shell``."""
    mine, its = split_name(written), split_name(name)
    return (
        mine is not None
        and its is not None
        and len(mine) == len(its)
        and all(one == other or is_placeholder(other) for one, other in zip(mine, its, strict=True))
    )


def _changes(one: Accepted, finding: _Finding | None) -> bool:
    """Whether what is found is not what is kept already."""
    if finding is None:
        return one.renewed
    if finding.text is None:
        return one.set_aside != finding.reason
    return one.set_aside is not None or one.answer != finding.text


async def _is_as_it_was(store: AcceptedStore, before: str, one: Accepted) -> bool:
    """Whether nobody said anything meanwhile: a word on an exchange may put another text in the place of this one."""
    again = await store.accepted_page(before, 1)
    return bool(again) and again[0] == one


async def _keep(
    store: AcceptedStore, one: Accepted, finding: _Finding | None, release: str | None, now_ms: int
) -> None:
    if finding is None:
        await store.clear_renewal(one.id)
    else:
        await store.renew(one.id, finding.text, finding.types, finding.reason, release, now_ms)

"""Examples of a version that may not be taught any more, whatever an evaluation would say of it."""

from __future__ import annotations

from collections.abc import Collection

from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.training.version import Manifest

# Rejected by an operator, without consent by now, untrue since an upgrade, or in doubt.
_NOT_ALLOWED: Collection[str] = ("excluded", "review")


async def taken_back(store: LearningStore, version: Manifest | None) -> set[str]:
    """The exchanges of a version that were deleted, are no longer allowed, or whose answer was corrected since.

    What is merely crowded out by something better, or says the same as another one, is not among them.

    :raises StorageError: knowledge.db cannot be read.
    """
    if version is None:
        return set()
    back = set(version.example_ids) - await store.existing(version.example_ids)
    for one in version.learned:
        lesson = await store.lesson(one.id)
        if lesson is not None and (lesson.state in _NOT_ALLOWED or lesson.answer != one.answer):
            back.add(one.id)
    return back

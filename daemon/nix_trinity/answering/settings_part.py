"""The first part of an answer with a configuration: settings that the model chooses and the daemon writes down.

The engine holds the model to a schema whose names are those that were found, so that it cannot invent one.
"""

from __future__ import annotations

from collections.abc import Sequence

from nix_trinity.answering.retriever.features import Ranked
from nix_trinity.answering.retriever.retrieve import Retrieved
from nix_trinity.answering.settings_render import Setting
from nix_trinity.answering.settings_schema import Candidate, is_settable
from nix_trinity.knowledge.corpus.option_rows import summary_of
from nix_trinity.knowledge.option_types import OptionType

SETTINGS_TASK = (
    "Choose, from the options given above, the settings that do what is asked: as few as will do, the best one first. "
    "Answer in JSON."
)
NOTHING_FOUND_TASK = (
    "Nothing about this was found in the options and notes of this NixOS. Say so first, and name no option that you are "
    "not sure of."
)
MOST_SETTINGS = 3
ANSWER_TOKENS = 400
_APPLY = (
    "Put this in the system's configuration (/etc/nixos/configuration.nix unless it lies elsewhere) and apply it with "
    "`sudo nixos-rebuild switch`. To undo it, take it out again and apply that."
)
_MOST_CANDIDATES = 5
# The scores are logarithms of odds: an option this far below the best one is rarely what is meant.
_WITHIN = 2.5


def settings_candidates(retrieved: Retrieved) -> list[Candidate]:
    """The options that the model may set, best first; none when the question is not one for a setting."""
    if not retrieved.confident or retrieved.about_error or (retrieved.query.asks_what and not retrieved.sure):
        return []
    best = retrieved.options[0].score
    near = [one for one in retrieved.options[:_MOST_CANDIDATES] if best - one.score <= _WITHIN]
    return [_candidate(one, retrieved) for one in near if is_settable(one.option)]


def least_settings(retrieved: Retrieved) -> int:
    """How many settings the model has to choose: none where it is not clear that the question is one for a setting."""
    return 1 if retrieved.sure else 0


def explanation_task(snippet: str) -> str:
    """What the model is to do once the settings stand."""
    return (
        f"These settings were chosen, checked, and are shown to the person already:\n\n```nix\n{snippet}\n```\n\n"
        "Now explain in a few sentences what they do, and how to apply (sudo nixos-rebuild switch), check and undo "
        "them. Do not write the settings again."
    )


def snippet_text(snippet: str) -> str:
    """The settings as they are shown."""
    return f"```nix\n{snippet.rstrip()}\n```\n\n"


def told_by_the_options(settings: Sequence[Setting], *, after: str) -> str:
    """What the settings do, by the list of options, and how to apply and undo them.

    It takes the place of an explanation that names what does not exist, or that goes round in circles. ``after`` is
    what the person has read so far.
    """
    apart = "" if after.endswith("\n\n") else "\n\n"
    lines = [f"`{one.option.name}`: {' '.join(summary_of(one.option).split())}" for one in settings]
    return apart + "\n\n".join([*lines, _APPLY])


def _candidate(ranked: Ranked, retrieved: Retrieved) -> Candidate:
    found = Candidate.of(ranked.option)
    # Who asks to turn something on is not served by a model that writes false.
    if ranked.option.path[-1] == "enable" and found.type.kind == "boolean" and retrieved.query.turns_on:
        return Candidate(ranked.option, OptionType("enum", members=(True,)))
    return found

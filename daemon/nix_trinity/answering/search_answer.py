"""The answer when no model can be asked: what the search finds, said plainly."""

from __future__ import annotations

from nix_trinity.answering.grounding import Grounds
from nix_trinity.answering.passages import from_pack
from nix_trinity.answering.question import Outcome
from nix_trinity.answering.retriever.features import Ranked
from nix_trinity.answering.retriever.retrieve import Retrieved
from nix_trinity.answering.settings_render import render_option
from nix_trinity.knowledge.corpus.markdown import plain
from nix_trinity.knowledge.corpus.option_rows import summary_of

_MOST_OPTIONS = 4
_LONGEST_VALUE = 80


def search_answer(grounds: Grounds) -> str:
    """Markdown with the best options or the best note; says so when nothing fits."""
    found = grounds.retrieved
    of = f"NixOS {grounds.release}" if grounds.release else "this NixOS"
    if found is None or not (found.confident or found.notes):
        return f"The search finds nothing in the options of {of} that clearly answers this. " + _NEXT
    own = not found.notes or found.notes[0].pack is None
    if (found.about_error and own) or not found.confident:
        parts = [_note(found), _options(found, of) if found.confident else ""]
    else:
        parts = [_options(found, of), _note(found)]
    return "\n\n".join(part for part in parts if part)


def found_instead(grounds: Grounds, outcome: Outcome) -> str:
    """What follows an answer that rests on nothing, so that the person is not left with it; '' after any other one."""
    found = grounds.retrieved
    if outcome.verdict != "ungrounded" or grounds.verifier is None or found is None:
        return ""
    if not (found.confident or found.notes):
        return ""
    warning = (
        "The options that this answer names do not exist here, so do not use it. Instead:"
        if outcome.all_names_wrong
        else "This answer rests on nothing that was found. What the options and notes of this NixOS say:"
    )
    return f"\n\n---\n\n⚠ {warning}\n\n{search_answer(grounds)}"


def _options(found: Retrieved, of: str) -> str:
    best = found.options[:_MOST_OPTIONS]
    lines = [f"The options of {of} that fit best:", ""]
    lines += [f"{place}. {_line(ranked)}" for place, ranked in enumerate(best, 1)]
    snippet = render_option(best[0].option)
    if snippet and not snippet.startswith("#"):
        lines += ["", "The first one, in configuration.nix:", "", f"```nix\n{snippet}\n```"]
    return "\n".join(lines)


def _line(ranked: Ranked) -> str:
    option = ranked.option
    about = [option.type] if len(option.type) <= _LONGEST_VALUE else []
    for word, value in (("default", option.default), ("example", option.example)):
        shown = " ".join(value.split())
        if shown and len(shown) <= _LONGEST_VALUE:
            about.append(f"{word} `{shown}`")
    said = f" ({', '.join(about)})" if about else ""
    return f"`{option.name}`{said}: {' '.join(summary_of(option).split())}"


def _note(found: Retrieved) -> str:
    if not found.notes:
        return ""
    note = found.notes[0]
    return f"**{note.title}**{from_pack(note)}\n\n{plain(note.body).strip()}"


_NEXT = "Try other words, or look at the search by itself: nix-trinity options WORDS"

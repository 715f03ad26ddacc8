"""The finds of the search as a message."""

from __future__ import annotations

from nix_trinity.answering.grounding import Search
from nix_trinity.answering.retriever.features import Ranked
from nix_trinity.answering.settings_render import render_option
from nix_trinity.api.messages import NoteFound, OptionFound, OptionsReply
from nix_trinity.knowledge.corpus.finds import Found

_LEAST_SHARE = 0.005


def options_reply(search: Search) -> OptionsReply:
    """What ``GET /v1/options`` answers."""
    found = search.retrieved
    return OptionsReply(
        options=tuple(_option(ranked, search) for ranked in found.options),
        notes=tuple(_note(note) for note in found.notes),
        confident=found.confident,
        release=search.release,
    )


def _option(ranked: Ranked, search: Search) -> OptionFound:
    option = ranked.option
    shares = {name: value * search.weights.get(name, 0.0) for name, value in ranked.features.items()}
    return OptionFound(
        name=option.name,
        type=option.type,
        default=option.default,
        example=option.example,
        description=option.description,
        declarations=option.declarations,
        snippet=render_option(option),
        score=round(ranked.score, 3),
        why={name: round(share, 3) for name, share in shares.items() if abs(share) >= _LEAST_SHARE},
    )


def _note(note: Found) -> NoteFound:
    if note.pack is not None:
        return NoteFound("pack", note.title, note.pack.label, note.body)
    return NoteFound(note.kind, note.title, f"{note.file}#{note.anchor}" if note.anchor else note.file, note.body)

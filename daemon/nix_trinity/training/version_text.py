"""A version's Modelfile: text from which a person can build it again with ``ollama create``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from nix_trinity.errors import ModelfileError
from nix_trinity.modelfile.grammar import Message, Modelfile
from nix_trinity.modelfile.render import render_modelfile
from nix_trinity.training.version import Learned, Manifest


def pair(one: Learned) -> tuple[Message, Message]:
    """The two messages that teach an example."""
    return Message("user", one.question), Message("assistant", one.answer)


def version_text(manifest: Manifest, own: Modelfile) -> str:
    """The Modelfile of a version: ``own`` (the role's, with its base and its own messages) and what was learned.

    The grammar cannot say a text in which a line other than the last ends in three double quotes, and the engine's
    API can. Such a pair stands in comments, as JSON strings; the manifest holds it too.
    """
    lines = [
        f"# {manifest.name}: {manifest.kind} build, {len(manifest.learned)} learned examples after the role's own.",
        f"# To build it again: ollama create {manifest.name} -f {manifest.name}.Modelfile",
        render_modelfile(own).rstrip("\n"),
    ]
    for one in manifest.learned:
        messages = pair(one)
        if _sayable(messages):
            lines.append(_rendered(messages))
            continue
        lines.append("# The text of this example cannot be written in a Modelfile:")
        lines += [f"# MESSAGE {message.role} {json.dumps(message.content, ensure_ascii=False)}" for message in messages]
    return "\n".join(lines) + "\n"


def read_version_text(parsed: Modelfile, manifest: Manifest) -> Modelfile:
    """What :func:`version_text` was made of, with the pairs that it could only write in comments."""
    pairs = [pair(one) for one in manifest.learned]
    written = 2 * sum(1 for one in pairs if _sayable(one))
    own = parsed.messages[: len(parsed.messages) - written]
    return replace(parsed, messages=(*own, *(message for one in pairs for message in one)))


def own_part(modelfile: Modelfile, manifest: Manifest) -> Modelfile:
    """The version's Modelfile without what was learned."""
    return replace(modelfile, messages=modelfile.messages[: len(modelfile.messages) - 2 * len(manifest.learned)])


def _rendered(messages: Sequence[Message]) -> str:
    return render_modelfile(Modelfile(messages=tuple(messages))).strip("\n")


def _sayable(messages: Sequence[Message]) -> bool:
    try:
        render_modelfile(Modelfile(messages=tuple(messages)))
    except ModelfileError:
        return False
    return True

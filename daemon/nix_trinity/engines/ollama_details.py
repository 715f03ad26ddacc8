"""What Ollama's /api/show says of a model, and what /api/create of old servers is told."""

from __future__ import annotations

import json
import re
from typing import Any

from nix_trinity.engines.protocol import ChatMessage, CreateRequest, ModelDetails, ParameterValue
from nix_trinity.modelfile.grammar import Message, Modelfile

_FROM = re.compile(r"^FROM (.+)$", re.MULTILINE)
_BLOB = re.compile(r"sha256-[0-9a-f]{64}")


def details(name: str, answer: dict[str, Any]) -> ModelDetails:
    """Read an answer of /api/show.

    :raises ValueError: it is not of that form.
    """
    try:
        lengths = [
            int(value) for key, value in (answer.get("model_info") or {}).items() if key.endswith(".context_length")
        ]
        return ModelDetails(
            name=name,
            weights=_weights(str(answer.get("modelfile", ""))),
            template=str(answer.get("template", "")),
            system=str(answer.get("system", "")),
            messages=tuple(
                ChatMessage(message["role"], message["content"]) for message in answer.get("messages") or []
            ),
            parameters=_parameters(str(answer.get("parameters", ""))),
            context_length=lengths[0] if lengths else None,
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"what was shown of {name} has an unknown form ({error!r})") from error


def _weights(modelfile: str) -> str:
    # FROM names the blob of the weights by its path; the comment above it names the model itself.
    found = _FROM.search(modelfile)
    if found is None:
        return ""
    blob = _BLOB.search(found[1])
    return blob[0] if blob else found[1].strip()


def _parameters(text: str) -> dict[str, ParameterValue]:
    """``temperature   0.1`` a line; texts in quotes; ``stop`` once for each of its values."""
    result: dict[str, ParameterValue] = {}
    stops: list[str] = []
    for line in text.splitlines():
        name, _, rest = line.strip().partition(" ")
        value = _value(rest.strip())
        if name == "stop":
            stops.append(str(value))
        elif name:
            result[name] = value
    return {**result, "stop": stops} if stops else result


def _value(text: str) -> int | float | bool | str:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (int, float, bool, str)) else text


def as_modelfile(request: CreateRequest) -> Modelfile:
    """The same as a Modelfile, for servers that know no structured fields."""
    parameters: list[tuple[str, str]] = []
    for name, value in request.parameters.items():
        values = value if isinstance(value, list) else [value]
        parameters += [(name, str(one).lower() if isinstance(one, bool) else str(one)) for one in values]
    return Modelfile(
        base=request.base,
        parameters=tuple(parameters),
        template=request.template,
        system=request.system,
        adapters=request.adapters,
        licenses=request.licenses,
        messages=tuple(Message(message.role, message.content) for message in request.messages),
    )

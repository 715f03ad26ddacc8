"""Write a Modelfile."""

from __future__ import annotations

import re

from nix_trinity.errors import ModelfileError
from nix_trinity.modelfile.grammar import MESSAGE_ROLES, PARAMETER_NAME, SPACES, VERSION, Modelfile


def render_modelfile(modelfile: Modelfile) -> str:
    """Write a Modelfile that :func:`~nix_trinity.modelfile.parse.parse_modelfile` and Ollama read back as the same value.

    Raises ModelfileError for what the grammar cannot say: a text in which a line other than the last ends in
    three double quotes (the API takes it), and names that are none.
    """
    weights = (*([] if modelfile.base is None else [modelfile.base]), *modelfile.further_weights)
    if not all(weights) or (modelfile.further_weights and modelfile.base is None):
        raise ModelfileError("FROM has an empty model name.", "Name a model, or leave the base out.")
    lines = [f"FROM {_written('FROM', name)}" for name in weights]
    if modelfile.requires is not None and not VERSION.fullmatch(modelfile.requires):
        raise ModelfileError(f"REQUIRES {modelfile.requires!r} is no version.", "Write it like 0.17.4.")
    for keyword in ("requires", "renderer", "parser"):
        value = getattr(modelfile, keyword)
        if value is not None:
            lines.append(f"{keyword.upper()} {_written(keyword.upper(), value)}")
    for name, value in modelfile.parameters:
        if not re.fullmatch(PARAMETER_NAME, name):
            raise ModelfileError(f"{name!r} cannot be a parameter's name.", "Use one of Ollama's names.")
        lines.append(f"PARAMETER {name} {_written(f'PARAMETER {name}', value)}")
    if modelfile.template is not None:
        lines.append(f"TEMPLATE {_written('TEMPLATE', modelfile.template)}")
    if modelfile.system is not None:
        lines.append(f"SYSTEM {_written('SYSTEM', modelfile.system)}")
    lines += [f"ADAPTER {_written('ADAPTER', adapter)}" for adapter in modelfile.adapters]
    lines += [f"LICENSE {_written('LICENSE', licence)}" for licence in modelfile.licenses]
    for message in modelfile.messages:
        if message.role not in MESSAGE_ROLES:
            raise ModelfileError(f"{message.role!r} is no message role.", "Use system, user or assistant.")
        lines.append(f"MESSAGE {message.role} {_written('MESSAGE', message.content)}")
    return "".join(f"{line}\n" for line in lines)


def _written(where: str, value: str) -> str:
    plain = value and value == value.strip(SPACES) and not value.startswith('"')
    if plain and not re.search(r"[\r\n]", value):
        return value
    *inner, _ = re.split(r"[\r\n]", value)
    # A blank line after the quotes changes nothing: Ollama trims everything it has read before it looks.
    for number, line in enumerate(inner, start=1):
        if line.rstrip(SPACES).endswith('"""'):
            raise ModelfileError(
                f'{where}: line {number} of its text ends in """, and a Modelfile would end the text there.',
                'Put a character after the """, or take one quote away.',
            )
    return f'"""{value}"""'

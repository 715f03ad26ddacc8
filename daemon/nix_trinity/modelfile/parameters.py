"""Give a Modelfile's parameters the types that Ollama's API wants."""

from __future__ import annotations

import difflib
import re
from typing import Final

from nix_trinity.errors import ModelfileError
from nix_trinity.modelfile.grammar import Modelfile

ParameterValue = int | float | bool | str | list[str]

# api.Options and api.Runner in Ollama 0.17.4.
_PARAMETERS: Final[dict[str, type]] = {
    **dict.fromkeys(("num_keep", "seed", "num_predict", "top_k", "repeat_last_n"), int),
    **dict.fromkeys(("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread"), int),
    **dict.fromkeys(("temperature", "top_p", "min_p", "typical_p", "repeat_penalty"), float),
    **dict.fromkeys(("presence_penalty", "frequency_penalty"), float),
    "use_mmap": bool,
    "stop": list,
}
# Ollama still reads these and ignores them, so a person who sets one would be deceived.
_RETIRED: Final = frozenset(
    [
        *("penalize_newline", "low_vram", "f16_kv", "logits_all", "vocab_only", "use_mlock"),
        *("mirostat", "mirostat_tau", "mirostat_eta"),
    ]
)
# Go's strconv.ParseBool.
_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")


def typed_parameters(
    modelfile: Modelfile, *, origin: str = "Modelfile", tolerant: bool = False
) -> dict[str, ParameterValue]:
    """The parameters as the API's structured create wants them.

    ``stop`` accumulates to a list; of any other parameter the last line counts. Names and types are those of
    ``api.Options`` in Ollama 0.17.4. Raises ModelfileError for an unknown or retired name and for a value of
    the wrong type: at create, Ollama's API accepts all of them in silence. With ``tolerant`` they are left
    out, as Ollama does when it runs a model: older models of its library carry some.
    """
    typed: dict[str, ParameterValue] = {}
    stops: list[str] = []
    for name, text in modelfile.parameters:
        if _PARAMETERS.get(name) is list:
            stops.append(text)
            typed[name] = stops
            continue
        try:
            typed[name] = _typed(name, text, origin)
        except ModelfileError:
            if not tolerant:
                raise
    return typed


def _typed(name: str, text: str, origin: str) -> int | float | bool:
    kind = _PARAMETERS.get(name)
    if kind is int and _INTEGER.fullmatch(text) and -(2**63) <= int(text) < 2**63:
        return int(text)
    if kind is float and _NUMBER.fullmatch(text):
        return float(text)
    if kind is bool and text in _BOOLEANS:
        return _BOOLEANS[text]
    if kind is not None:
        wanted = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
        raise ModelfileError(f"{origin}: PARAMETER {name} is {text!r}, and not {wanted}.", f"Give {name} {wanted}.")
    if name in _RETIRED:
        raise ModelfileError(f"{origin}: PARAMETER {name} no longer does anything.", "Remove the line.")
    close = difflib.get_close_matches(name, _PARAMETERS, n=1)
    fix = f"Did you mean {close[0]}?" if close else f"Use one of: {', '.join(sorted(_PARAMETERS))}."
    raise ModelfileError(f"{origin}: PARAMETER {name} is unknown to Ollama.", fix)

"""The nouns of type texts, which stand for a type by themselves, and the types that they stand for.

They are the ``description`` of the types in nixpkgs' ``lib/types.nix`` and ``pkgs/pkgs-lib/formats.nix``, and of those
that single modules make for themselves, as they stand in ``options.json``.
"""

from __future__ import annotations

from dataclasses import replace

from nix_trinity.knowledge.option_types import (
    ABOVE_ZERO,
    ANYTHING,
    ATTRIBUTES,
    BOOLEAN,
    FLOAT,
    FUNCTION,
    INTEGER,
    LIST,
    NAME,
    NULL,
    NUMBER,
    ONE_LINE,
    PACKAGE,
    PATH,
    STRING,
    SUBMODULE,
    OptionType,
    either,
)

_TOML = either(BOOLEAN, NUMBER, STRING, PATH, LIST, ATTRIBUTES)
# What "JSON value", "YAML value" and their like stand for: the reader knows them by their form.
JSON = either(NULL, _TOML)
NOUNS: dict[str, OptionType] = {
    "null": NULL,
    "boolean": BOOLEAN,
    "boolean (merged using or)": BOOLEAN,
    "signed integer": INTEGER,
    "integer of at least 16 bits": INTEGER,
    "unsigned integer, meaning >=0": OptionType("integer", minimum=0),
    "positive integer, meaning >0": OptionType("integer", minimum=1),
    "nonzero signed integer, meaning !=0": either(OptionType("integer", maximum=-1), OptionType("integer", minimum=1)),
    "floating point number": FLOAT,
    "nonnegative floating point number, meaning >=0": OptionType("number", minimum=0, fractional=True),
    "nonnegative integer or floating point number, meaning >=0": OptionType("number", minimum=0),
    "positive integer or floating point number, meaning >0": OptionType("number", minimum=ABOVE_ZERO),
    "string": STRING,
    "Concatenated string": replace(STRING, separator=""),
    "non-empty string": OptionType("string", not_empty=True),
    "(optionally newline-terminated) single-line string": ONE_LINE,
    "single-line string": ONE_LINE,
    "string, not containing newlines or colons": NAME,
    "path, not containing newlines or colons": PATH,
    "path": PATH,
    "absolute path": PATH,
    "path in the Nix store": PATH,
    "package": PACKAGE,
    "package with provided sessions": PACKAGE,
    "package that is a Home Assistant component": PACKAGE,
    "ibus-engine": PACKAGE,
    "NetworkManager plug-in": PACKAGE,
    "attribute set": ATTRIBUTES,
    "nixpkgs config": ATTRIBUTES,
    "Nixpkgs package set": ATTRIBUTES,
    "An evaluation of Nixpkgs; the top level attribute set of packages": ATTRIBUTES,
    "nixpkgs overlay": FUNCTION,
    "lambda": FUNCTION,
    "module": either(SUBMODULE, FUNCTION, PATH),
    "submodule": SUBMODULE,
    "attribute-tagged union": SUBMODULE,
    "TOML value": _TOML,
    "Flat key-value file": either(NULL, BOOLEAN, NUMBER, STRING, LIST, ATTRIBUTES),
    "int, bool, string or list of them": either(INTEGER, BOOLEAN, STRING, LIST),
    "sysctl option value": either(NULL, BOOLEAN, INTEGER, STRING),
    "impossible (empty enum)": OptionType("enum"),
    "anything": ANYTHING,
    "unspecified value": ANYTHING,
    "raw value": ANYTHING,
    # Nouns of single modules for strings of a form of their own.
    **dict.fromkeys(
        (
            "string, with spaces inside double quotes",
            "string without line breaks or quotes",
            "string without spaces",
            "string of the form number{b|k|M|G}",
            "string containing all of the characters %Y, %m, %d, %H, %M, %S",
            "string containing either a number or a range",
            "string starting with / or ~/",
            "printable string without spaces, # and /",
            "file mode string",
            "key ID prefixed with BTN_ or KEY_",
            "Minecraft UUID",
            "Network prefix in CIDR notation",
            "IPv4 or IPv6 address",
            "PKCS#11 URI",
            "Go duration (https://golang.org/pkg/time/#ParseDuration)",
            "tmpfiles.d(5) age format",
            "session name",
            "configured template name",
            "coderepo names",
        ),
        STRING,
    ),
}
# The short names in a list of atoms: "INI atom (null, bool, int, float or string)".
ATOMS = {
    **{"null": NULL, "bool": BOOLEAN, "int": INTEGER, "integer": INTEGER, "float": NUMBER, "string": STRING},
    **{"str": STRING, "path": PATH, "package": PACKAGE, "attribute set thereof": ATTRIBUTES},
}

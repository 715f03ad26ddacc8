"""Find what a block of Nix assigns as options, and leave alone what is no NixOS module.

Recognised and left alone: flakes (their inline modules are read), packages, overlays, shells, plain data that
teaches the language, and what belongs to Home Manager.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from nix_trinity.answering.verifier.nix_expression import Binding, Expression
from nix_trinity.knowledge.options import Path

_MODULE_KEYS: Final = frozenset({"imports", "options", "disabledModules"})
_SKIPPED_KEYS: Final = frozenset({"disabledModules", "meta", "key", "freeformType", "_file", "_class", "_module"})
_OTHER_SYSTEMS: Final = frozenset(
    {"outputs", "inputs", "perSystem", "flake", "mkShell", "testScript", "projectRootFile"}
)
_FLAKE_OUTPUTS: Final = frozenset(
    {
        *("nixosConfigurations", "homeConfigurations", "darwinConfigurations", "nixosModules", "homeManagerModules"),
        *("packages", "legacyPackages", "devShells", "overlays", "apps", "checks", "formatter"),
    }
)
_OVERLAY_ARGUMENTS: Final = frozenset({"final", "prev", "self", "super", "old", "finalAttrs", "oldAttrs"})
# Options whose value is a whole configuration again; `*` is any attribute.
_CONFIGURATIONS: Final = (
    ("containers", "*", "config"),
    ("specialisation", "*", "configuration"),
    ("virtualisation", "vmVariant"),
    ("virtualisation", "vmVariantWithBootLoader"),
    ("virtualisation", "vmVariantWithDisko"),
)
_HOME_CONFIGURATIONS: Final = (("home-manager", "users", "*"), ("home-manager", "sharedModules"))
_SYSTEM_FUNCTIONS: Final = {
    "nixosSystem": False,
    "evalModules": False,
    "homeManagerConfiguration": True,
}


@dataclass(frozen=True, slots=True)
class Assignment:
    """An option that is given a value; a set comes before what is in it."""

    path: Path
    line: int
    value: Expression
    home_manager: bool = False
    """It stands in a Home Manager configuration."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that a block assigns, and the options that it declares itself."""

    assignments: tuple[Assignment, ...]
    declared: frozenset[Path]

    def declares(self, path: Sequence[str]) -> bool:
        """Whether the block itself declares the option, one above or one below it."""
        return any(path[: len(own)] == own[: len(path)] for own in self.declared)


def configuration_of(
    expression: Expression, is_root: Callable[[str], bool], *, home_manager: bool = False
) -> Configuration:
    """Collect what an expression assigns; ``is_root`` tells which attributes options begin with."""
    reader = _Reader(is_root)
    reader.any_file(expression, home_manager)
    return Configuration(tuple(reader.assignments), frozenset(reader.declared))


class _Reader:
    def __init__(self, is_root: Callable[[str], bool]) -> None:
        self.is_root = is_root
        self.assignments: list[Assignment] = []
        self.declared: set[Path] = set()

    def any_file(self, expression: Expression, home: bool) -> None:
        """Read what may be a module or anything else that is written in Nix."""
        match expression.kind:
            case "function" if _takes_module_arguments(expression):
                self.any_file(expression.elements[0], home)
            case "choice":
                for each in expression.elements:
                    self.any_file(each, home)
            case "attributes" if self._looks_like_module(expression):
                self.module(expression, home)
            case _:
                self.inline_modules(expression)

    def module(self, expression: Expression, home: bool) -> None:
        """Read what is a module."""
        match expression.kind:
            case "function":
                self.module(expression.elements[0], home)
            case "choice":
                for each in expression.elements:
                    self.module(each, home)
            case "attributes":
                home = home or any(_is_of_another_system(binding) for binding in expression.bindings)
                for binding in expression.bindings:
                    self._top(binding, home)

    def inline_modules(self, expression: Expression) -> None:
        """Look for the modules that a flake or a test holds, at any depth."""
        stack = [expression]
        while stack:
            each = stack.pop()
            if each.kind == "apply" and each.name in _SYSTEM_FUNCTIONS:
                self._modules_argument(each, _SYSTEM_FUNCTIONS[each.name])
            stack.extend(each.elements)
            for binding in each.bindings:
                if "nixosModules" in binding.path and binding.value.kind in {"function", "attributes"}:
                    self.any_file(binding.value, home=False)
                else:
                    stack.append(binding.value)

    def _modules_argument(self, system: Expression, home: bool) -> None:
        for argument in system.elements:
            for binding in argument.bindings:
                if binding.path == ("modules",):
                    for each in binding.value.elements:
                        self.module(each, home)

    def _looks_like_module(self, expression: Expression) -> bool:
        firsts = {binding.path[0] for binding in expression.bindings if binding.path}
        if firsts & _OTHER_SYSTEMS:
            return False
        if firsts & _MODULE_KEYS:
            return True
        return any(
            # A lone `system = "x86_64-linux";` is an argument of something else.
            self.is_root(path[0])
            and (len(path) > 1 or binding.value.kind in {"attributes", "choice", "list", "function"})
            for binding in expression.bindings
            if (path := binding.path[1:] if binding.path[:1] == ("config",) and len(binding.path) > 1 else binding.path)
        ) or any(
            binding.path == ("config",) and binding.value.kind in {"attributes", "choice"}
            for binding in expression.bindings
        )

    def _top(self, binding: Binding, home: bool) -> None:
        first = binding.path[0] if binding.path else "${…}"
        if first == "imports":
            for each in _elements(binding.value):
                self.module(each, home)
        elif first == "options":
            self._declare(binding.path[1:], binding.value)
        elif first == "config":
            if len(binding.path) == 1:
                self._body(binding.value, home)
            else:
                self._assign(binding.path[1:], binding.line, binding.value, home)
        elif first in _FLAKE_OUTPUTS:
            self.inline_modules(binding.value)
        elif first not in _SKIPPED_KEYS:
            self._assign(binding.path, binding.line, binding.value, home)

    def _body(self, value: Expression, home: bool) -> None:
        for each in value.elements if value.kind == "choice" else ():
            self._body(each, home)
        for binding in value.bindings:
            self._assign(binding.path, binding.line, binding.value, home)

    def _assign(self, path: Path, line: int, value: Expression, home: bool) -> None:
        if any(_matches(path, pattern) for pattern in _HOME_CONFIGURATIONS):
            for each in _elements(value) or (value,):
                self.module(each, home=True)
            return
        if any(_matches(path, pattern) for pattern in _CONFIGURATIONS):
            self.module(value, home=False)
            return
        if value.kind == "choice":
            for each in value.elements:
                self._assign(path, line, each, home)
            return
        self.assignments.append(Assignment(path, line, value, home))
        if [binding.path for binding in value.bindings] == [("_secret",)]:
            # The modules' way to take any value from a file; it is no option of its own.
            return
        if value.kind == "function" and value.name.endswith("..."):
            value = value.elements[0]
        for binding in value.bindings:
            self._assign((*path, *binding.path), binding.line, binding.value, home)
        if value.kind == "list":
            for each in value.elements:
                for binding in each.bindings:
                    self._assign((*path, "*", *binding.path), binding.line, binding.value, home)

    def _declare(self, path: Path, value: Expression) -> None:
        if value.kind != "attributes":
            self.declared.add(path)
        for binding in value.bindings:
            self._declare((*path, *binding.path), binding.value)


def _is_of_another_system(binding: Binding) -> bool:
    """Whether an attribute shows that the module is Home Manager's or nix-darwin's."""
    path = (*binding.path, *(inner for each in binding.value.bindings[:1] for inner in each.path[:1]))
    return path[:1] in {("home",), ("homebrew",), ("launchd",)} or path[:2] == ("system", "defaults")


def _takes_module_arguments(function: Expression) -> bool:
    arguments = function.name.split()
    if not arguments or arguments[0] in _OVERLAY_ARGUMENTS:
        return False
    return "..." in arguments or "config" in arguments


def _elements(value: Expression) -> Iterator[Expression] | tuple[Expression, ...]:
    return value.elements if value.kind in {"list", "choice"} else ()


def _matches(path: Path, pattern: Sequence[str]) -> bool:
    return len(path) == len(pattern) and all(
        expected in ("*", actual) for actual, expected in zip(path, pattern, strict=True)
    )

"""Render the goldens and the page of options: ``python -m tests.nix.render --lib PATH``.

Each configuration in tests/nix/configurations is evaluated by the real module system of nixpkgs' lib, with our
module and the declarations of tests/nix/nixos. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.nix import goldens, options_page, sources
from tests.nix.evaluation import CHECKOUT, Evaluation, Nix, RenderError
from tests.stack.errors import StackError
from tests.stack.nix_tools import new_nix_instantiate

HERE = Path(__file__).resolve().parent
CONFIGURATIONS = HERE / "configurations"
AT_ONCE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Render everything; what was there before goes, unless something cannot be rendered."""
    options = _parse(arguments)
    try:
        lib = _lib(options.lib.resolve())
        command = [options.nix_instantiate] if options.nix_instantiate else new_nix_instantiate()
        count = render(Nix(command, lib))
    except (RenderError, StackError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{count} configurations rendered into {sources.GOLDEN.relative_to(CHECKOUT)}")
    return 0


def render(nix: Nix) -> int:
    """Write the goldens, the page and both lists of checksums; return the number of configurations.

    :raises RenderError: something cannot be evaluated or written; then nothing has changed.
    """
    good = sorted(CONFIGURATIONS.glob("*.nix"))
    bad = sorted((CONFIGURATIONS / "failures").glob("*.nix"))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        options = pool.submit(nix.evaluate, HERE / "options.nix")
        parts = {name: pool.submit(nix.evaluate, HERE / f"{name}.nix") for name in ("package", "flake-outputs")}
        people = {
            file.stem: pool.submit(nix.evaluate, HERE / "home.nix", configuration=file)
            for file in sorted((CONFIGURATIONS / "home").glob("*.nix"))
        }
        evaluations = list(pool.map(lambda file: _evaluate(nix, file), [*good, *bad]))
    with TemporaryDirectory(prefix="golden-", dir=HERE) as folder:
        made = Path(folder) / "golden"
        for file, evaluation in zip([*good, *bad], evaluations, strict=True):
            if file in bad:
                goldens.write_failure(made / "failures" / file.stem, evaluation)
            else:
                goldens.write_configuration(made / file.stem, evaluation)
        documented = _value(options.result(), "the options")
        goldens.write_json(made / "options.json", options_page.plain(documented))
        for name, part in parts.items():
            goldens.write_json(made / f"{name}.json", _value(part.result(), name))
        for name, person in people.items():
            goldens.write_json(made / "home" / f"{name}.json", _value(person.result(), f"home/{name}"))
        shutil.rmtree(sources.GOLDEN, ignore_errors=True)
        made.rename(sources.GOLDEN)
    options_page.write()
    (sources.GOLDEN / "SOURCES.sha256").write_text(sources.sums(sources.sources()), encoding="utf-8")
    (sources.GOLDEN / "RESULTS.sha256").write_text(sources.sums(sources.results()), encoding="utf-8")
    return len(evaluations)


def _lib(given: Path) -> Path:
    """Return the folder of nixpkgs' lib, from it or from a checkout that has it."""
    for folder in (given, given / "lib"):
        if (folder / "modules.nix").is_file():
            return folder
    raise RenderError(f"{given} is no checkout of nixpkgs' lib: there is no modules.nix in it")


def _evaluate(nix: Nix, configuration: Path) -> Evaluation:
    return nix.evaluate(HERE / "evaluate.nix", configuration=configuration)


def _value(evaluation: Evaluation, what: str) -> list[dict[str, object]]:
    if evaluation.error:
        raise RenderError(f"{what} cannot be evaluated:\n{evaluation.error}")
    value: list[dict[str, object]] = evaluation.value
    return value


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.nix.render", description=__doc__.partition("\n")[0])
    parser.add_argument("--lib", type=Path, required=True, help="a checkout of nix-community/nixpkgs.lib, or its lib/")
    parser.add_argument("--nix-instantiate", help="the Nix to evaluate with; otherwise the container's")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

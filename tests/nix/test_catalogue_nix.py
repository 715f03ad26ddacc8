"""nix/lib/catalogue.nix and the daemon's catalogue.py give the same answers, on builtins alone and for every case at once."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nix_trinity.catalogue import ROLES, load_catalogue
from nix_trinity.catalogue_entries import RoleOverride
from tests.nix.evaluation import CHECKOUT

CATALOGUE = load_catalogue()
# What machines report: round sizes, and each threshold from both sides.
SIZES = sorted(
    {0.5, *(quarter / 4 for quarter in range(1, 600, 3)), 1024.0}
    | {CATALOGUE.reported_gib(tier) + shift for tier in CATALOGUE.tiers.values() for shift in (-0.01, 0.0, 0.01)}
)
# Overrides that the daemon accepts in each tier: known, in other letters, with ":latest", unknown, with a window.
CHOSEN: list[dict[str, dict[str, Any]]] = [
    {},
    {"expert": {"model": "Mistral:7B"}},
    {"quick": {"model": "phi:latest"}},
    {"coder": {"model": "somebody/own-model:9b", "numCtx": None}},
    {"coder": {"model": "somebody/own-model:9b", "numCtx": 12288}},
    {"empathy": {"model": "gemma3:1b", "numCtx": 2048}, "expert": {"model": "gemma3:1b", "numCtx": 2048}},
]
NAMES = [*CATALOGUE.models, "PHI", "phi:latest", "Phi:Latest", "phi:2", "mistral", "", "latest", "all-minilm:latest"]

QUESTIONS = """
{ file, cases }:
let
  catalogue = import file { };
  asked = builtins.fromJSON cases;
  reached = map (size: builtins.listToAttrs (map (name: { inherit name; value = catalogue.reaches name size; })
    catalogue.tierNames)) asked.sizes;
in {
  inherit (catalogue) roleNames tierNames;
  inherit reached;
  tiers = map catalogue.tierFor asked.sizes;
  resolved = map catalogue.resolve asked.resolve;
  embeddings = map catalogue.embedding asked.tiers;
  known = map (name: let found = catalogue.model name; in if found == null then null else found.name) asked.names;
}
"""


@pytest.fixture(scope="module")
def answers(nix_instantiate: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("catalogue")
    (folder / "questions.nix").write_text(QUESTIONS)
    cases = {"sizes": SIZES, "resolve": resolve_cases(), "tiers": list(CATALOGUE.tiers), "names": NAMES}
    command = [nix_instantiate, "--eval", "--strict", "--json", "--store", "dummy://", str(folder / "questions.nix")]
    command += ["--arg", "file", str(CHECKOUT / "nix/lib/catalogue.nix"), "--argstr", "cases", json.dumps(cases)]
    environment = {**os.environ, "HOME": str(folder), "NIX_STATE_DIR": str(folder), "NIX_PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def resolve_cases() -> list[dict[str, Any]]:
    return [
        {"tier": tier, "modern": modern, "roles": chosen}
        for tier, modern, chosen in itertools.product(CATALOGUE.tiers, (False, True), CHOSEN)
    ]


def test_the_roles_and_the_tiers_are_the_same(answers: dict[str, Any]) -> None:
    assert answers["roleNames"] == list(ROLES)
    assert answers["tierNames"] == sorted(CATALOGUE.tiers, key=lambda name: CATALOGUE.tiers[name].ram_gib_min)


def test_each_size_of_memory_gets_the_same_tier(answers: dict[str, Any]) -> None:
    assert answers["tiers"] == [CATALOGUE.tier_for(size).name for size in SIZES]
    for size, reached in zip(SIZES, answers["reached"], strict=True):
        assert reached == {name: size >= CATALOGUE.reported_gib(tier) for name, tier in CATALOGUE.tiers.items()}, size


def test_each_role_gets_the_same_model_and_window(answers: dict[str, Any]) -> None:
    for case, resolved in zip(resolve_cases(), answers["resolved"], strict=True):
        overrides = {
            role: RoleOverride(model=chosen.get("model"), num_ctx=chosen.get("numCtx"))
            for role, chosen in case["roles"].items()
        }
        expected = CATALOGUE.resolve(case["tier"], case["modern"], overrides)
        assert resolved == {role: {"base": model.base, "numCtx": model.num_ctx} for role, model in expected.items()}, (
            case
        )


def test_each_tier_has_the_same_embedding_model(answers: dict[str, Any]) -> None:
    assert answers["embeddings"] == [tier.embedding or "" for tier in CATALOGUE.tiers.values()]


def test_models_are_found_by_the_same_names(answers: dict[str, Any]) -> None:
    found = [CATALOGUE.model(name) for name in NAMES]
    assert answers["known"] == [model.name if model else None for model in found]


def test_it_needs_builtins_alone() -> None:
    for file in (CHECKOUT / "nix" / "lib").glob("*.nix"):
        assert not {"lib", "pkgs"} & set(file.read_text(encoding="utf-8").replace(".", " ").split()), Path(file).name

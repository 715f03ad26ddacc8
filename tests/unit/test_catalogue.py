from __future__ import annotations

import json
import lzma
import re
from pathlib import Path
from typing import Any

import pytest

from nix_trinity.catalogue import (
    ROLES,
    Catalogue,
    load_catalogue,
    modelfiles_dir,
    same_model,
)
from nix_trinity.catalogue_entries import RoleOverride
from nix_trinity.errors import CatalogueError
from nix_trinity.modelfile.grammar import Modelfile
from nix_trinity.modelfile.parameters import typed_parameters
from nix_trinity.modelfile.parse import parse_modelfile

# The models that the user's training strategy names; its phi-2 is Ollama's phi.
STRATEGY = [
    *("mistral:7b", "mixtral:8x7b", "llama2:13b", "llama2:70b", "deepseek-coder:6.7b", "deepseek-coder:33b"),
    *("gemma:7b", "neural-chat:7b", "phi"),
]
# Options that the examples set inside a list, where no full name can be written.
NESTED = [f"services.postgresql.ensureUsers.*.{name}" for name in ("name", "ensureDBOwnership")]

CATALOGUE = load_catalogue()
TEXT = (modelfiles_dir() / "catalogue.toml").read_text(encoding="utf-8")


def modelfile_of(role: str) -> Modelfile:
    path = modelfiles_dir() / CATALOGUE.roles[role].modelfile
    return parse_modelfile(path.read_bytes(), origin=path.name)


def broken(tmp_path: Path, old: str, new: str) -> CatalogueError:
    """The error for our own catalogue with one place changed."""
    assert old in TEXT
    path = tmp_path / "catalogue.toml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(path)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


def test_every_model_of_the_training_strategy_is_there_and_can_be_chosen() -> None:
    offered = {name for tier in CATALOGUE.tiers.values() for name in tier.selectable}
    for name in STRATEGY:
        assert name in CATALOGUE.models
        assert name in offered


def test_llama2_70b_is_the_quantised_download_and_not_140_gb() -> None:
    assert CATALOGUE.models["llama2:70b"].download_gb == 39
    assert CATALOGUE.models["llama2:70b"].memory_gib < 45


@pytest.mark.parametrize("name", CATALOGUE.models)
def test_memory_follows_the_stated_formula_and_context_the_models_limit(name: str) -> None:
    model = CATALOGUE.models[name]
    assert model.memory_gib == pytest.approx(model.memory_at(model.num_ctx), abs=0.051)
    assert 0 < model.num_ctx <= model.max_ctx
    assert model.embedding == (model.architecture.kv_heads == 0)


def test_the_memory_formula_by_hand() -> None:
    # mistral:7b at 4,096: 4.0978 GiB weights, 0.5 KV (4096*32*8*128*4), 0.289 graph, 0.5 fixed.
    assert CATALOGUE.models["mistral:7b"].memory_at(4096) == pytest.approx(5.387, abs=0.001)
    assert CATALOGUE.models["mistral:7b"].memory_at(8192) == pytest.approx(6.145, abs=0.001)


@pytest.mark.parametrize("name", CATALOGUE.tiers)
def test_each_model_that_a_tier_offers_fits_beside_the_system(name: str) -> None:
    tier = CATALOGUE.tiers[name]
    room = CATALOGUE.reported_gib(tier) - CATALOGUE.memory.system_gib
    embedding = [tier.embedding] if tier.embedding else []
    for model in [*tier.roles.values(), *tier.modern.values(), *tier.selectable, *embedding]:
        assert CATALOGUE.models[model].memory_gib <= room, model
    for model in [*tier.roles.values(), *tier.modern.values()]:
        assert model in tier.selectable
    assert all(CATALOGUE.models[model].embedding for model in embedding)


@pytest.mark.parametrize("name", CATALOGUE.tiers)
@pytest.mark.parametrize("modern", [False, True])
def test_every_tier_resolves_for_every_role(name: str, modern: bool) -> None:
    resolved = CATALOGUE.resolve(name, modern)
    assert tuple(resolved) == ROLES
    for role, chosen in resolved.items():
        assert chosen.role == role
        assert chosen.memory_gib is not None
        assert (modelfiles_dir() / chosen.modelfile).is_file()


@pytest.mark.parametrize(
    ("ram_gib", "tier"),
    [
        (0.5, "tiny"),
        (3.7, "tiny"),
        (7.3, "tiny"),
        (7.45, "minimum"),  # just above 8 * 0.93
        (7.6, "minimum"),  # "8 GB"
        (31.1, "minimum"),
        (46.5, "recommended"),  # "48 GB"
        (59.4, "recommended"),
        (62.0, "optimal"),  # "64 GB"
        (1007.0, "optimal"),
    ],
)
def test_the_tier_for_what_a_machine_reports(ram_gib: float, tier: str) -> None:
    assert CATALOGUE.tier_for(ram_gib).name == tier


def test_the_strategys_own_sets() -> None:
    def bases(tier: str) -> list[str]:
        return [model.base for model in CATALOGUE.resolve(tier).values()]

    assert bases("tiny") == ["phi"] * 4
    assert bases("minimum") == ["mistral:7b"] * 4
    assert bases("recommended") == ["mixtral:8x7b", "gemma:7b", "deepseek-coder:6.7b", "phi"]
    assert len(set(bases("optimal"))) == 4


def test_the_modern_sets_name_none_of_the_strategys_models() -> None:
    for tier in CATALOGUE.tiers:
        modern = {model.base for model in CATALOGUE.resolve(tier, True).values()}
        assert modern.isdisjoint(STRATEGY)


def test_fitting_lists_chat_models_largest_first() -> None:
    names = CATALOGUE.fitting(15.4)
    sizes = [CATALOGUE.models[name].memory_gib for name in names]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] <= 13.4
    assert "llama3.1:8b" in names
    assert "mixtral:8x7b" not in names
    assert "all-minilm" not in names
    assert CATALOGUE.fitting(2.0) == ()


def test_an_override_takes_the_new_models_own_context() -> None:
    coder = CATALOGUE.resolve("recommended", False, {"coder": RoleOverride(model="deepseek-coder:33b")})["coder"]
    assert (coder.base, coder.num_ctx, coder.memory_gib) == ("deepseek-coder:33b", 8192, 21.1)


def test_a_context_override_changes_the_memory() -> None:
    expert = CATALOGUE.resolve("recommended", False, {"expert": RoleOverride(num_ctx=16384)})["expert"]
    assert expert.num_ctx == 16384
    assert expert.memory_gib == pytest.approx(CATALOGUE.models["mixtral:8x7b"].memory_at(16384), abs=0.051)


def test_a_model_that_the_catalogue_does_not_know() -> None:
    expert = CATALOGUE.resolve("minimum", False, {"expert": RoleOverride(model="my-own:9b")})["expert"]
    assert (expert.base, expert.num_ctx, expert.memory_gib, expert.download_gb) == (
        "my-own:9b",
        4096,
        None,
        None,
    )


def test_roles_on_one_base_must_ask_for_one_context() -> None:
    with pytest.raises(CatalogueError) as caught:
        CATALOGUE.resolve("minimum", False, {"coder": RoleOverride(num_ctx=8192)})
    assert "expert and coder share mistral:7b" in caught.value.message
    assert "services.nixTrinity.roles.coder.numCtx" in caught.value.hint
    same = {role: RoleOverride(num_ctx=8192) for role in ROLES}
    assert {model.num_ctx for model in CATALOGUE.resolve("minimum", False, same).values()} == {8192}


def test_two_spellings_of_one_unknown_base_are_one_base() -> None:
    overrides = {
        "expert": RoleOverride(model="Mine", num_ctx=2048),
        "coder": RoleOverride(model="mine:latest", num_ctx=4096),
    }
    with pytest.raises(CatalogueError, match="share Mine"):
        CATALOGUE.resolve("minimum", False, overrides)
    assert same_model("PHI:latest", "phi")
    assert not same_model("phi", "phi3")
    assert CATALOGUE.model("phi:LATEST") is CATALOGUE.models["phi"]


@pytest.mark.parametrize(
    ("tier", "overrides", "message", "hint"),
    [
        ("recomended", {}, "tier 'recomended'", "recommended"),
        ("minimum", {"codr": RoleOverride()}, "role 'codr'", "coder"),
        (
            "optimal",
            {"quick": RoleOverride(model="llama2:13b", num_ctx=8192)},
            "its limit is 4096",
            "4096 or less",
        ),
        ("minimum", {"quick": RoleOverride(model="all-minilm")}, "embedding model", "roles.quick.model"),
        ("minimum", {"quick": RoleOverride(num_ctx=0)}, "num_ctx 0", "positive"),
    ],
)
def test_what_a_configuration_can_get_wrong(
    tier: str, overrides: dict[str, RoleOverride], message: str, hint: str
) -> None:
    with pytest.raises(CatalogueError) as caught:
        CATALOGUE.resolve(tier, False, overrides)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        (
            '"mixtral:8x7b", "mistral:7b"',
            '"mixtral:8x7", "mistral:7b"',
            "model 'mixtral:8x7'",
            "mixtral:8x7b",
        ),
        ('embedding = "all-minilm"', 'embedding = "all-minilmm"', "tiers.minimum names model", "all-minilm"),
        ("[tiers.tiny.modern]\nexpert", "[tiers.tiny.modern]\nexpret", "role 'expret'", "expert"),
        ('coder = "phi"\n', "", "tiers.tiny.roles: role coder is missing", "[tiers.tiny.roles]"),
        ("num_ctx = 2048", 'num_ctx = "2048"', 'models."phi".num_ctx: Expected `int`', '[models."phi"]'),
        ("layers = 32, heads", "layer = 32, heads", 'models."phi".architecture', '[models."phi"]'),
        (
            "ram_gib_min = 8\n",
            "ram_gib_min = 8\nswap = 1\n",
            "tiers.minimum: Object contains unknown",
            "minimum",
        ),
        ("slack_ratio = 0.07", "slack = 0.07", "memory:", "[memory]"),
        ("[roles.expert]", '[roles.expert]\nname = "x"', "roles.expert.name", "Remove"),
        ("[memory]", "[memroy]", "section 'memroy'", "memory"),
        ("[memory]", "memory = 1\n[roles]", "no table [memory]", "[memory]"),
        ("[memory]", "[memory", "not valid TOML", "Correct"),
    ],
)
def test_what_a_catalogue_can_get_wrong(tmp_path: Path, old: str, new: str, message: str, hint: str) -> None:
    error = broken(tmp_path, old, new)
    assert message in error.message
    assert hint in error.hint


def test_a_catalogue_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"nothing\.toml cannot be read: No such file"):
        load_catalogue(tmp_path / "nothing.toml")


def test_a_catalogue_is_a_frozen_value() -> None:
    assert isinstance(CATALOGUE, Catalogue)
    with pytest.raises(AttributeError):
        CATALOGUE.memory.slack_ratio = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("role", ROLES)
def test_our_modelfiles_leave_base_context_and_stops_to_the_base(role: str) -> None:
    modelfile = modelfile_of(role)
    assert modelfile.base is None
    parameters = typed_parameters(modelfile)
    assert {"num_ctx", "stop"}.isdisjoint(parameters)
    assert parameters["temperature"] in (0.1, 0.2, 0.5)
    assert [message.role for message in modelfile.messages] == ["user", "assistant"] * (
        4 if role in ("expert", "quick") else 3
    )


@pytest.mark.parametrize("role", ROLES)
def test_our_modelfiles_are_small_enough_for_a_small_context(role: str) -> None:
    modelfile = modelfile_of(role)
    assert modelfile.system
    # Three characters a token is on the safe side for English; the real tokenizer has its say in end_to_end.
    tokens = (len(modelfile.system) + sum(len(message.content) for message in modelfile.messages)) / 3
    assert tokens < (800 if role == "quick" else 1400)


@pytest.mark.parametrize("role", ROLES)
def test_our_system_prompts_hold_the_ground_rules(role: str) -> None:
    system = modelfile_of(role).system or ""
    for rule in ("NixOS", "nix-env", "apt", "nvent", "language of the question", "marked as data"):
        assert rule in system


@pytest.mark.parametrize("role", ROLES)
def test_example_answers_never_do_what_the_prompt_forbids(role: str) -> None:
    for message in modelfile_of(role).messages:
        assert not re.search(r"\bnix-env\b|\bapt\b|\bnix-channel\b", message.content)
        assert message.content.count("```") % 2 == 0
        if "```nix" in message.content:
            lead = message.content.split("```nix")[0]
            assert lead.strip(), "the answer starts with a sentence"
            assert "sudo nixos-rebuild switch" in message.content


def names_option(parts: tuple[str, ...], path: list[str]) -> bool:
    """Whether ``path`` is the option ``parts``, whose `*` and `<name>` stand for any name."""
    return len(parts) == len(path) and all(
        part == step or part == "*" or part.startswith("<") for part, step in zip(parts, path, strict=True)
    )


def test_every_option_in_our_modelfiles_exists(data_dir: Path) -> None:
    with lzma.open(data_dir / "nixos-options.json.xz") as file:
        options: dict[str, Any] = json.load(file)
    roots = {name.split(".", 1)[0] for name in options}
    names = {tuple(name.split(".")) for name in options}
    for role in ROLES:
        text = " ".join(message.content for message in modelfile_of(role).messages)
        paths = {path for path in re.findall(r"\b[a-z][\w-]*(?:\.[\w-]+)+", text) if path.split(".")[0] in roots}
        assert paths, role
        for path in paths:
            assert any(names_option(parts, path.split(".")) for parts in names), path
    assert set(NESTED) <= set(options)

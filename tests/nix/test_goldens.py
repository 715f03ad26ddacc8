"""What the module makes of each configuration, read from the goldens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nix_trinity.catalogue import load_catalogue
from nix_trinity.config_check import check_config
from tests.nix.evaluation import CHECKOUT
from tests.nix.rendered import PACKAGE, Golden, golden, good

CATALOGUE = load_catalogue()
ALL = good()
# The folders that a configuration takes from this machine or this checkout are not there when the goldens are read.
ON = [configuration for configuration in ALL if (configuration.folder / "config.toml").is_file()]


def by_name(configuration: Golden) -> str:
    return configuration.name


@pytest.mark.parametrize("configuration", ALL, ids=by_name)
def test_no_assertion_fails(configuration: Golden) -> None:
    assert configuration.json("assertions.json") == []


@pytest.mark.parametrize("configuration", ON, ids=by_name)
def test_the_daemon_takes_its_configuration(configuration: Golden, tmp_path: Path) -> None:
    text = configuration.text("config.toml")
    # A Modelfile of one's own is in the store, which is not here: the golden keeps where it lies, the test its content.
    ours = Path(__file__).parent / "configurations" / "files" / "coder.Modelfile"
    text = re.sub(r'"/nix/store/\w+-coder\.Modelfile"', f'"{ours}"', text)
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    check_config(tmp_path / "config.toml")


def test_turned_off_it_leaves_nothing() -> None:
    off = golden("disabled")
    assert not (off.folder / "units").exists()
    assert not (off.folder / "config.toml").exists()
    for file in ("users.json", "groups.json", "links.json", "etc.json"):
        assert off.json(file) == {}, file
    assert off.json("ollama.json")["enable"] is False
    assert off.text("tmpfiles.conf") == off.text("polkit.rules") == ""
    assert not any(off.json("packages.json").values())


@pytest.mark.parametrize("tier", CATALOGUE.tiers)
def test_each_tier_loads_exactly_its_own_models(tier: str) -> None:
    configuration = golden(f"tier-{tier}")
    entry = CATALOGUE.tiers[tier]
    bases = [model.base for model in CATALOGUE.resolve(tier).values()]
    ollama = configuration.json("ollama.json")
    assert ollama["loadModels"] == list(dict.fromkeys(bases)) + ([entry.embedding] if entry.embedding else [])
    assert (ollama["enable"], ollama["syncModels"]) == (True, False)
    assert configuration.config()["models"] == {"tier": tier, "modern": False, "roles": {}}
    assert configuration.config()["corpus"]["embedding_model"] == (entry.embedding or "")
    assert configuration.json("warnings.json") == []


@pytest.mark.parametrize("tier", CATALOGUE.tiers)
def test_the_page_about_tiers_says_what_the_catalogue_says(tier: str) -> None:
    cells = []
    for modern in (False, True):
        bases = [model.base for model in CATALOGUE.resolve(tier, modern).values()]
        cells.append(f"{bases[0]} for all" if len(set(bases)) == 1 else " / ".join(bases))
    row = f"| {tier} | {CATALOGUE.tiers[tier].ram_gib_min:g} GB | {cells[0]} | {cells[1]} |"
    assert row in (CHECKOUT / "docs/how-to/choose-a-tier.md").read_text(encoding="utf-8").splitlines()


def test_a_remote_ollama_is_reached_and_nothing_else() -> None:
    remote = golden("remote-ollama")
    assert remote.json("ollama.json")["enable"] is False
    assert remote.config()["ollama"]["url"] == "http://192.168.1.20:11434"
    service = remote.units()["nix-trinity.service"]
    assert service["Service"]["IPAddressAllow"] == ["localhost", "192.168.1.20"]
    assert service["Service"]["IPAddressDeny"] == ["any"]
    assert "ollama.service" not in service["Unit"]["After"][0]
    named = golden("remote-ollama-by-name")
    assert named.config()["ollama"]["url"] == "https://ollama.example"
    allowed = named.units()["nix-trinity.service"]["Service"]["IPAddressAllow"]
    assert allowed == ["localhost", "192.168.1.20", "2001:db8::20"]


def test_servers_elsewhere_are_reached_with_their_keys_and_nothing_else() -> None:
    served = golden("openai")
    config = served.config()
    assert config["openai"] == {"url": "http://192.168.1.20:8000/v1", "api_key_file": "openai-key"}
    assert config["models"]["roles"]["expert"] == {"engine": "openai", "model": "qwen3-32b"}
    quick = {"engine": "openai", "model": "qwen3-4b", "url": "http://192.168.1.21:8080/v1", "num_ctx": 8192}
    assert config["models"]["roles"]["quick"] == {**quick, "api_key_file": "openai-key-quick"}
    assert config["models"]["fall_back"] == ["quick"]
    assert (config["corpus"]["embedding_engine"], config["corpus"]["embedding_model"]) == ("openai", "nomic-embed-text")
    service = served.units()["nix-trinity.service"]["Service"]
    assert service["LoadCredential"] == [
        "openai-key:/run/secrets/openai-key",
        "openai-key-quick:/run/secrets/other-key",
    ]
    assert service["IPAddressAllow"] == ["localhost", "192.168.1.20", "192.168.1.21"]
    assert served.json("ollama.json")["enable"] is False
    beside = golden("openai-beside-ollama")
    assert beside.units()["nix-trinity.service"]["Service"]["IPAddressAllow"] == ["localhost", "192.168.1.20"]
    # Unasked, no question goes to another engine; and Ollama has no copy of a model that is served elsewhere.
    assert "fall_back" not in beside.config()["models"]
    assert beside.json("ollama.json")["loadModels"] == ["mistral:7b", CATALOGUE.tiers["minimum"].embedding]


def test_packs_are_named_with_their_revision() -> None:
    inputs, folder = golden("openai").config()["corpus"]["packs"]
    assert inputs == {"path": "/nix/store/00000000000000000000000000000000-team-knowledge", "revision": "1a2b3c4"}
    assert folder == {"path": "/srv/knowledge", "name": "house", "revision": "7"}


def test_everything_off_leaves_the_daemon_alone() -> None:
    off = golden("everything-off")
    assert not off.units(".timer")
    assert off.text("polkit.rules") == ""
    assert "nix-trinity-immediate.service" not in off.units()
    config = off.config()
    assert config["ollama"]["enabled"] is False
    assert config["learning"]["immediate_unit"] == ""
    assert config["logging"]["exchanges"] is False
    assert config["corpus"]["options"] == config["corpus"]["manual"] == ""


def test_everything_on_says_what_was_given() -> None:
    on = golden("everything-on")
    config = on.config()
    assert config["models"]["roles"]["expert"] == {"model": "qwen3:30b-instruct", "num_ctx": 16384}
    assert config["models"]["roles"]["coder"]["modelfile"].endswith("-coder.Modelfile")
    assert config["learning"]["adapters"] == {"expert": "/var/lib/adapters/expert.gguf"}
    assert config["learning"]["consent_by_default"] is True
    retention = {"previous": 3, "weekly": 8, "monthly": 12, "exchange_days": 0, "exchange_megabytes": 0}
    assert config["retention"] == retention
    assert config["ollama"]["url"] == "http://127.0.0.1:11435"
    assert config["answering"]["max_running"] == 1
    assert config["daemon"] == {"idle_timeout_seconds": 60, "log_level": "debug"}
    assert config["access"] == {"operators_group": "nix-reviewers", "users_group": "nix-trinity"}
    assert config["corpus"]["home_manager_options"] == "/run/current-system/sw/share/doc/home-manager/options.json"
    assert [note.partition("-")[2] for note in config["corpus"]["notes"]] == ["notes"]
    assert on.json("ollama.json")["package"].endswith("-ollama-cuda")
    assert on.units()["nix-trinity.socket"]["Socket"]["SocketGroup"] == ["nix-trinity"]
    assert set(on.json("ollama.json")["loadModels"]) >= {"qwen3:30b-instruct", "qwen3-coder:30b"}


def test_the_memory_is_read_from_a_report_of_facter() -> None:
    facter = golden("facter")
    assert facter.config()["models"]["tier"] == CATALOGUE.tier_for(32).name
    (warning,) = facter.json("warnings.json")
    assert "with 32 GiB of memory, the model of coder does not fit" in warning


@pytest.mark.parametrize(
    ("configuration", "option"),
    [("default", "ramGiB"), ("everything-off", "corpus.options"), ("facter", "roles.coder.model")],
)
def test_a_warning_names_the_option(configuration: str, option: str) -> None:
    assert any(f"services.nixTrinity.{option}" in text for text in golden(configuration).json("warnings.json"))


def test_without_documentation_the_release_grounds_answers_and_a_warning_says_so() -> None:
    without = golden("documentation-off")
    assert "release-options.json" in without.config()["corpus"]["options"]
    warnings = without.json("warnings.json")
    assert len(warnings) == 1
    assert "documentation.nixos.enable = true" in warnings[0]


@pytest.mark.parametrize("configuration", ON, ids=by_name)
def test_the_options_of_this_system_ground_its_answers(configuration: Golden) -> None:
    options = configuration.config()["corpus"]["options"]
    given = configuration.name in {"container", "documentation-off", "everything-off"}
    assert given or options.endswith("-options.json/share/doc/nixos/options.json")


@pytest.mark.parametrize("configuration", ON, ids=by_name)
def test_the_configuration_lies_where_the_daemon_looks(configuration: Golden) -> None:
    assert configuration.json("etc.json")["/etc/nix-trinity/config.toml"].endswith("-nix-trinity-config.toml")
    assert f"{PACKAGE}" in configuration.json("packages.json")["environment.systemPackages"]
    assert configuration.json("users.json")["nix-trinity"]["isSystemUser"] is True
    assert "nix-trinity" in configuration.json("groups.json")

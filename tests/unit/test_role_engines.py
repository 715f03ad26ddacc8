"""Which engine each role is on: what the configuration may say, and what it is told when it cannot be."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from nix_trinity.catalogue import load_catalogue
from nix_trinity.config import Config, parse_config
from nix_trinity.engine_choice import make_engine
from nix_trinity.errors import CatalogueError, ConfigError, EngineAuthError, TrinityError
from nix_trinity.nixos_names import set_by
from nix_trinity.role_engines import EnginePlace, api_url, embedding_place, engine_places, fall_back_order
from nix_trinity.roles import role_specs
from tests.stack.daemon_process import BIN

OPENAI = 'engine = "openai"\nmodel = "m"\n'
SERVER = '[openai]\nurl = "http://gpu:8000/v1"\n'
ALL = "".join(f"[models.roles.{role}]\n{OPENAI}" for role in ("expert", "empathy", "coder", "quick"))


def parsed(text: str) -> Config:
    return parse_config(text, origin="config.toml")


def specs_of(text: str) -> dict[str, tuple[str, str, str, int]]:
    found = role_specs(parsed(text), load_catalogue(), 8.0)
    return {role: (spec.engine, spec.url, spec.base, spec.num_ctx) for role, spec in found.items()}


def test_without_a_word_all_is_as_before() -> None:
    config = parsed("")
    assert engine_places(config) == (
        EnginePlace("ollama", "http://127.0.0.1:11434", ("expert", "empathy", "coder", "quick")),
    )
    assert {engine for engine, *_ in specs_of("").values()} == {"ollama"}
    assert engine_places(parsed("[ollama]\nenabled = false")) == ()
    assert fall_back_order(config) == ()


def test_a_role_on_a_server_and_the_others_on_ollama() -> None:
    text = f'{SERVER}api_key_file = "key"\n[models.roles.expert]\n{OPENAI}num_ctx = 32768\n'
    assert specs_of(text)["expert"] == ("openai", "http://gpu:8000/v1", "m", 32768)
    assert specs_of(text)["quick"][:2] == ("ollama", "")
    assert engine_places(parsed(text)) == (
        EnginePlace("openai", "http://gpu:8000/v1", ("expert",), "key"),
        EnginePlace("ollama", "http://127.0.0.1:11434", ("empathy", "coder", "quick")),
    )


def test_a_role_with_a_server_of_its_own_does_not_get_the_others_key() -> None:
    text = f'{SERVER}api_key_file = "key"\n{ALL}url = "http://other:1"\n'
    assert engine_places(parsed(text)) == (
        EnginePlace("openai", "http://gpu:8000/v1", ("expert", "empathy", "coder"), "key"),
        EnginePlace("openai", "http://other:1/v1", ("quick",), ""),
    )


def test_two_roles_on_one_model_may_have_different_contexts_there() -> None:
    """Ollama would load it anew at each change of role; another server holds one context for all."""
    text = f"{SERVER}[models.roles.expert]\n{OPENAI}num_ctx = 8192\n[models.roles.quick]\n{OPENAI}num_ctx = 2048\n"
    assert specs_of(text)["quick"][3] == 2048
    same = '[models.roles.expert]\nmodel = "m"\nnum_ctx = 8192\n[models.roles.quick]\nmodel = "m"\nnum_ctx = 2048\n'
    with pytest.raises(CatalogueError):
        specs_of(same)


def test_a_models_name_says_nothing_of_the_context_that_another_server_gives_it() -> None:
    text = SERVER + '[models.roles.expert]\nengine = "openai"\nmodel = "qwen3:8b"\n'
    assert specs_of(text)["expert"][3] == 4096


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://h:1", "http://h:1/v1"),
        ("http://h:1/", "http://h:1/v1"),
        ("http://h:1/v1/", "http://h:1/v1"),
        ("https://h/api/v1", "https://h/api/v1"),
        ("", ""),
    ],
)
def test_an_address_ends_where_the_api_begins(given: str, used: str) -> None:
    assert api_url(given) == used


def test_the_engine_of_the_embedding_model() -> None:
    model = '[corpus]\nembedding_model = "e"\n'
    assert embedding_place(parsed("")) is None
    assert embedding_place(parsed(model)) == EnginePlace("ollama", "http://127.0.0.1:11434", ())
    served = EnginePlace("openai", "http://gpu:8000/v1", ())
    assert embedding_place(parsed(f'{SERVER}{model}embedding_engine = "openai"\n')) == served
    assert embedding_place(parsed(f"[ollama]\nenabled = false\n{SERVER}{ALL}{model}")) == served
    assert embedding_place(parsed(f"[ollama]\nenabled = false\n{model}")) is None
    assert engine_places(parsed(f'{SERVER}{model}embedding_engine = "openai"\n'))[-1] == served


def test_the_order_of_falling_back() -> None:
    assert fall_back_order(parsed("[models]\nfall_back = true")) == ("expert", "empathy", "coder", "quick")
    assert fall_back_order(parsed('[models]\nfall_back = ["quick", "coder"]')) == ("quick", "coder")


@pytest.mark.parametrize(
    ("text", "keys", "fix"),
    [
        (f'{SERVER}[models.roles.expert]\nengine = "openai"', ("models.roles.expert.model",), "curl URL/models"),
        (f"[models.roles.expert]\n{OPENAI}", ("models.roles.expert.url", "openai.url"), "url ="),
        ('[models.roles.expert]\nurl = "http://h:1"', ("models.roles.expert.url",), 'engine = "openai"'),
        ('[models.roles.expert]\napi_key_file = "/k"', ("models.roles.expert.api_key_file",), 'engine = "openai"'),
        ('[models.roles.expert]\nengine = "vllm"', ("models.roles.expert.engine",), "check-config"),
        (f'{SERVER}[models.roles.expert]\n{OPENAI}[learning.adapters]\nexpert = "/a.gguf"', ("learning.adapters.expert",), "ollama"),
        (f"[ollama]\nenabled = false\n{SERVER}[models.roles.expert]\n{OPENAI}", ("models.roles.empathy.engine",), "ollama.enabled"),
        ('[openai]\nurl = "gpu:8000"', ("openai.url",), "check-config"),
        ('[openai]\nurl = "http://h:99999/v1"', ("openai.url",), "http://127.0.0.1:8000/v1"),
        ('[openai]\nurl = "http://user:pw@h/v1"', ("openai.url",), "api_key_file"),
        ('[openai]\nurl = "http://h/v1?key=x"', ("openai.url",), "api_key_file"),
        ('[openai]\napi_key = "sk-x"', ("openai.api_key",), "api_key_file"),
        ('[openai]\napi_key_file = "a/b"', ("openai.api_key_file",), "LoadCredential"),
        (f'{SERVER}{ALL}api_key_file = "/k"', ("models.roles.expert.api_key_file", "models.roles.quick.api_key_file"), "one file"),
        ('[models]\nfall_back = ["wizard"]', ("models.fall_back",), "expert"),
        ('[corpus]\nembedding_model = "e"\nembedding_engine = "openai"', ("openai.url",), "address"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_keys_and_the_fix(text: str, keys: tuple[str, ...], fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        specs_of(text)
    assert caught.value.keys == keys
    assert fix in caught.value.hint


def test_a_key_in_place_of_its_file_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        specs_of('[openai]\napi_key_file = "sk-verysecret"')
    assert "verysecret" not in str(caught.value)


@pytest.mark.parametrize("key", ["openai.api_key_file", "models.roles.quick.api_key_file", "http.token_file"])
def test_a_secret_with_a_slash_in_place_of_its_file_is_not_shown_either(key: str) -> None:
    section, _, name = key.rpartition(".")
    text = {
        "openai": "",
        "http": "port = 8460\n",
        "models.roles.quick": f'{OPENAI}url = "http://gpu:8000"\n',
    }[section]
    with pytest.raises(ConfigError) as caught:
        specs_of(f'[{section}]\n{text}{name} = "q83vEjRWeJq/very+secret="')
    assert caught.value.keys == (key,)
    assert "secret" not in str(caught.value)


def test_a_key_that_cannot_be_read_names_the_setting_that_names_its_file(tmp_path: Path) -> None:
    text = f"""[state]\ndirectory = "{tmp_path}"
[openai]\nurl = "http://127.0.0.1:9/v1"\napi_key_file = "/nowhere/ours"
{ALL}url = "http://127.0.0.1:8/v1"\napi_key_file = "/nowhere/own"
"""

    async def work() -> None:
        engine = make_engine(parsed(text))
        for model, key, file in (
            ("nix-expert", "openai.api_key_file", "ours"),
            ("nix-quick", "models.roles.quick.api_key_file", "own"),
        ):
            with pytest.raises(EngineAuthError) as caught:
                await engine.of(model).list_models()
            assert f"{key}: /nowhere/{file}" in caught.value.message
        await engine.close()

    asyncio.run(work())


def test_a_modelfile_with_an_adapter_is_refused_there(tmp_path: Path) -> None:
    own = tmp_path / "Modelfile"
    own.write_text("FROM m\nADAPTER /a.gguf\nSYSTEM x\n")
    with pytest.raises(TrinityError) as caught:
        specs_of(f'{SERVER}[models.roles.expert]\nengine = "openai"\nmodelfile = "{own}"\n')
    assert caught.value.keys == ("models.roles.expert.modelfile",)
    own.write_text("FROM m\nSYSTEM x\n")
    assert specs_of(f'{SERVER}[models.roles.expert]\nengine = "openai"\nmodelfile = "{own}"\n')["expert"][2] == "m"


def test_the_keys_have_their_options() -> None:
    assert set_by(("openai.url", "openai.api_key_file", "models.roles.quick.engine", "models.roles.quick.url")) == (
        "openai.url (services.nixTrinity.openai.url), "
        "openai.api_key_file (services.nixTrinity.openai.apiKeyFile), "
        "models.roles.quick.engine (services.nixTrinity.roles.quick.engine), "
        "models.roles.quick.url (services.nixTrinity.roles.quick.url)"
    )
    assert set_by(("models.fall_back",)) == "models.fall_back (services.nixTrinity.fallBack)"


def test_check_config_says_it_at_once(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[models.roles.expert]\n{OPENAI}")
    done = subprocess.run(
        [str(BIN / "nix-trinityd"), "check-config", "--nixos", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 78
    assert "models.roles.expert.url (services.nixTrinity.roles.expert.url)" in done.stderr
    file.write_text(f'[openai]\nurl = "http://gpu:8000/v1"\napi_key_file = "key"\n{ALL}')
    done = subprocess.run(
        [str(BIN / "nix-trinityd"), "check-config", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

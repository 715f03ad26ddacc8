"""A configuration that cannot be used is refused with file, key path and fix."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from nix_trinity.catalogue import load_catalogue
from nix_trinity.config import Config, load_config, parse_config
from nix_trinity.errors import CatalogueError, ConfigError, TrinityError
from nix_trinity.roles import role_specs


def test_an_empty_file_is_valid() -> None:
    assert parse_config("", origin="x") == Config()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[daemon]\nidle_timeot_seconds = 3", ["daemon.idle_timeot_seconds", "idle_timeout_seconds"]),
        ("[deamon]\n", ["deamon", "'daemon'"]),
        ("[daemon]\nidle_timeout_seconds = 'soon'", ["daemon.idle_timeout_seconds", "'soon'"]),
        ("[answering]\nmax_running = 0", ["answering.max_running", "0"]),
        ("[ollama]\nkeep_alive = 'for ever'", ["ollama.keep_alive"]),
        ("[ollama]\nurl = 'localhost'", ["ollama.url"]),
        ("[models.roles.quick]\nnum_ctx = 'big'", ["models.roles.quick.num_ctx", "'big'"]),
        ("[daemon\n", ["not valid TOML", "line 1"]),
        (f"[daemon]\nsocket = '/{'x' * 200}'", ["daemon.socket", "201 bytes", "107"]),
        ("[daemon]\nsocket = 'here'", ["daemon.socket", "absolute"]),
    ],
)
def test_what_is_wrong_is_named(text: str, said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, origin="/etc/nix-trinity/config.toml")
    for words in ["/etc/nix-trinity/config.toml", *said]:
        assert words in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    "text",
    [
        "[models]\ntier = 'huge'",
        "[models.roles.wizard]\nmodel = 'x'",
        "[models.roles.quick]\nmodelfile = '/nowhere'",
        "[models]\ntier = 'minimum'\n[models.roles.quick]\nnum_ctx = 2048",
    ],
)
def test_roles_that_cannot_be(text: str) -> None:
    with pytest.raises(TrinityError):
        role_specs(parse_config(text, origin="x"), load_catalogue(), 16.0)


def test_roles_on_one_base_share_their_context() -> None:
    text = "[models]\ntier = 'minimum'\n[models.roles.quick]\nnum_ctx = 2048"
    with pytest.raises(CatalogueError, match="share"):
        role_specs(parse_config(text, origin="x"), load_catalogue(), 16.0)


def test_a_persons_own_modelfile_takes_the_place_of_ours(tmp_path: Path) -> None:
    own = tmp_path / "mine.Modelfile"
    own.write_text("FROM phi\nPARAMETER num_ctx 2048\nSYSTEM Be brief.\n")
    text = f"[models]\ntier = 'minimum'\n[models.roles.quick]\nmodelfile = '{own}'"
    quick = role_specs(parse_config(text, origin="x"), load_catalogue(), 16.0)["quick"]
    assert (quick.base, quick.num_ctx, quick.modelfile.system) == ("phi", 2048, "Be brief.")


def test_c29_no_setting_takes_a_secret() -> None:
    """The file is made by Nix and lies in the world-readable store: what is secret must never be a value in it."""
    texts = [
        f"{section.name}.{field.name}"
        for section in msgspec.structs.fields(Config)
        for field in msgspec.structs.fields(section.type)
        if "str" in str(field.type)
    ]
    assert len(texts) > 10
    secret = re.compile(r"passw|secret|token|credential|(?<!num_)key|auth", re.IGNORECASE)
    assert [name for name in texts if secret.search(name.rpartition(".")[2])] == []

"""A configuration that cannot be used is refused with file, key path and fix."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from nix_trinity.catalogue import load_catalogue
from nix_trinity.config import Config, load_config, parse_config
from nix_trinity.config_check import check_config
from nix_trinity.daemon import main
from nix_trinity.errors import CatalogueError, ConfigError, TrinityError
from nix_trinity.nixos_names import option_of
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
        ("[http]\nport = 8460", ["http.token_file", "services.nixTrinity.httpTokenFile"]),
        ("[http]\nport = 65536\ntoken_file = '/t'", ["http.port", "65536"]),
        ("[http]\nport = -1\ntoken_file = '/t'", ["http.port", "-1"]),
        ("[http]\nport = '8460'\ntoken_file = '/t'", ["http.port", "'8460'"]),
        ("[http]\ntoken_file = '$CREDENTIALS_DIRECTORY/token'", ["http.token_file", "name alone"]),
        ("[http]\ntoken_file = './token'", ["http.token_file", "absolute"]),
        ("[http]\ntoken = 'x'", ["http.token", "'token_file'"]),
        ("[ollama]\nenabled = 'no'", ["ollama.enabled", "'no'"]),
        ("[learning.adapters]\nquick = '/a'\nexpert = 3", ["learning.adapters.expert", "3"]),
        ("[models.roles]\nquick = 3", ["models.roles.quick", "3"]),
        ("models = 3", ["models", "3"]),
        ("[corpus]\nnotes = ['/a', 3]", ["corpus.notes[1]"]),
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
    named = [name for name in texts if secret.search(name.rpartition(".")[2])]
    assert named == ["http.token_file", "openai.api_key_file"], "a file's name is not what is in it"


def checked(capsys: pytest.CaptureFixture[str], path: Path, *flags: str) -> list[str]:
    """The lines that check-config says of a file that it refuses: the problem, what to do, and which option it is."""
    with pytest.raises(SystemExit) as ended:
        main(["check-config", *flags, str(path)])
    assert ended.value.code == 78
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert len(lines) == 2 + len(flags), said.err
    assert lines[0].startswith("error: ")
    return lines


NIXOS = "services.nixTrinity"


@pytest.mark.parametrize(
    ("text", "problem", "options"),
    [
        pytest.param(
            "[ollama]\nurll = 1",
            "ollama.urll: there is no such setting",
            ["ollama.urll settings.ollama.urll"],
            id="unknown key",
        ),
        pytest.param("[olama]\n", "olama: there is no such setting", ["olama settings.olama"], id="unknown section"),
        pytest.param(
            "[models.roles.wizard]\nmodel = 'x'",
            "models.roles.wizard: there is no such role",
            ["models.roles.wizard roles.wizard"],
            id="unknown role",
        ),
        pytest.param(
            "[models.roles.quick]\nmodle = 'x'",
            "models.roles.quick.modle",
            ["models.roles.quick.modle settings.models.roles.quick.modle"],
            id="unknown key of a role",
        ),
        pytest.param("[models]\ntier = 'huge'", "models.tier: ", ["models.tier tier"], id="unknown tier"),
        pytest.param("[models]\nmodern = 1", "models.modern: ", ["models.modern modern"], id="wrong type"),
        pytest.param(
            "[models.roles.expert]\nmodelfile = '{bad}'",
            "models.roles.expert.modelfile: {bad}:2: 'FORM'",
            ["models.roles.expert.modelfile roles.expert.modelfile"],
            id="a Modelfile that does not parse",
        ),
        pytest.param(
            "[models.roles.expert]\nmodelfile = '{unknown}'",
            "models.roles.expert.modelfile: {unknown}: PARAMETER temprature",
            ["models.roles.expert.modelfile roles.expert.modelfile"],
            id="a Modelfile with an unknown parameter",
        ),
        pytest.param(
            "[models.roles.coder]\nmodelfile = '{weights}'",
            "models.roles.coder.modelfile: {weights}: FROM ./a.gguf",
            ["models.roles.coder.modelfile roles.coder.modelfile"],
            id="a Modelfile on a file",
        ),
        pytest.param(
            "[models.roles.expert]\nmodelfile = '{missing}'",
            "models.roles.expert.modelfile: {missing} cannot be read",
            ["models.roles.expert.modelfile roles.expert.modelfile"],
            id="no Modelfile",
        ),
        pytest.param(
            '[models.roles.expert]\nmodelfile = "a\\u0000b"',
            "cannot be read: embedded null byte",
            ["models.roles.expert.modelfile roles.expert.modelfile"],
            id="no path",
        ),
        pytest.param(
            "[models]\ntier = 'minimum'\n[models.roles.quick]\nnum_ctx = 2048",
            "models.roles.expert.num_ctx, models.roles.quick.num_ctx: ",
            ["models.roles.expert.num_ctx roles.expert.numCtx", "models.roles.quick.num_ctx roles.quick.numCtx"],
            id="num_ctx clash",
        ),
        pytest.param(
            "[models.roles.quick]\nnum_ctx = 100",
            "models.roles.quick.num_ctx: ",
            ["models.roles.quick.num_ctx roles.quick.numCtx"],
            id="num_ctx too small",
        ),
        pytest.param(
            "[models.roles.quick]\nmodel = 'mistral:7b'\nnum_ctx = 1000000",
            "models.roles.quick.num_ctx: ",
            ["models.roles.quick.num_ctx roles.quick.numCtx"],
            id="num_ctx too big",
        ),
        pytest.param(
            "[models.roles.quick]\nmodel = 'nomic-embed-text'",
            "models.roles.quick.model: ",
            ["models.roles.quick.model roles.quick.model"],
            id="an embedding model",
        ),
        pytest.param(
            "[http]\nport = 8460", "http.token_file: ", ["http.token_file httpTokenFile"], id="a port without a token"
        ),
        pytest.param("[http]\nport = 65536\ntoken_file = '/t'", "http.port: ", ["http.port httpPort"], id="no port"),
        pytest.param(
            "[learning]\nevaluation = ['{missing}']",
            "learning.evaluation: {missing}",
            ["learning.evaluation settings.learning.evaluation"],
            id="no evaluation questions",
        ),
        pytest.param(
            "[learning.adapters]\nwizard = '/a.gguf'",
            "learning.adapters.wizard: there is no such role",
            ["learning.adapters.wizard roles.wizard.adapter"],
            id="an adapter for no role",
        ),
        pytest.param(
            "[learning.adapters]\nexpert = 3",
            "learning.adapters.expert: ",
            ["learning.adapters.expert roles.expert.adapter"],
            id="an adapter that is a number",
        ),
        pytest.param(
            "[corpus]\nnotes = ['/a', 3]",
            "corpus.notes[1]: ",
            ["corpus.notes[1] corpus.notes"],
            id="an element of a list",
        ),
        pytest.param(
            "[daemon]\nsocket = 'here'",
            "daemon.socket: ",
            ["daemon.socket settings.daemon.socket"],
            id="a relative socket",
        ),
        pytest.param(
            "[retention]\nexchange_days = -1",
            "retention.exchange_days: ",
            ["retention.exchange_days retention.exchangeDays"],
            id="a negative number",
        ),
    ],
)
def test_check_config_names_the_key_and_the_option_that_sets_it(
    text: str, problem: str, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {name: tmp_path / name for name in ("bad", "unknown", "weights", "missing")}
    files["bad"].write_text("SYSTEM Be brief.\nFORM phi\n")
    files["unknown"].write_text("PARAMETER temprature 1\n")
    files["weights"].write_text("FROM ./a.gguf\n")
    config = tmp_path / "config.toml"
    for name, path in files.items():
        text, problem = text.replace(f"{{{name}}}", str(path)), problem.replace(f"{{{name}}}", str(path))
    config.write_text(text)
    plain = checked(capsys, config)
    assert problem in plain[0]
    lines = checked(capsys, config, "--nixos")
    assert lines[:2] == plain
    named = [option.split() for option in options]
    assert lines[2].endswith(", ".join(f"{key} ({NIXOS}.{option})" for key, option in named))


def test_what_is_not_toml_is_about_the_whole_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.toml").write_text("[daemon\n")
    assert checked(capsys, tmp_path / "config.toml", "--nixos")[2].endswith(f"({NIXOS})")
    assert "no such file" in checked(capsys, tmp_path / "none.toml", "--nixos")[0]


def test_a_good_file_is_said_to_be_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a system is built the token is not there yet; retention of nothing before the deployed version is allowed."""
    (tmp_path / "config.toml").write_text("[http]\nport = 8460\ntoken_file = 'http-token'\n[retention]\nprevious = 0")
    main(["check-config", "--nixos", str(tmp_path / "config.toml")])
    assert capsys.readouterr().out.endswith(": all is well.\n")


ON_TWO = "[models.roles.expert]\nmodel = 'mistral:7b'\n[models.roles.quick]\nmodel = 'phi'\n"


@pytest.mark.parametrize(
    ("adapters", "keys"),
    [
        ("[learning.adapters]\nexpert = '/a/x.gguf'\nquick = '/a/./x.gguf'", ["learning.adapters.expert", "learning.adapters.quick"]),
        ("[learning.adapters]\nexpert = 'Tuned'\nquick = 'tuned:latest'", ["learning.adapters.expert", "learning.adapters.quick"]),
        ("modelfile = '{own}'\n[learning.adapters]\nexpert = '/a/x.gguf'", ["learning.adapters.expert", "models.roles.quick.modelfile"]),
    ],
)  # fmt: skip
def test_an_adapter_fits_one_base(
    adapters: str, keys: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own"
    own.write_text("ADAPTER /a/x.gguf\n")
    (tmp_path / "config.toml").write_text(ON_TWO + adapters.replace("{own}", str(own)))
    problem, remedy, options = checked(capsys, tmp_path / "config.toml", "--nixos")
    for words in (", ".join(keys), "expert is on mistral:7b", "quick on phi"):
        assert words in problem
    assert "models.roles.quick.model" in remedy
    assert options.endswith(", ".join(f"{key} ({option_of(key)})" for key in keys))


@pytest.mark.parametrize(
    "text",
    [
        ON_TWO + "[learning.adapters]\nexpert = '/a/x.gguf'\nquick = '/a/X.gguf'",
        ON_TWO + "[learning.adapters]\nexpert = '/a/x.gguf'",
        ON_TWO.replace("phi", "Mistral:7b") + "[learning.adapters]\nexpert = '/a/x.gguf'\nquick = '/a/x.gguf'",
    ],
)
def test_adapters_that_fit(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(text)
    main(["check-config", str(tmp_path / "config.toml")])


SET_BY_AN_OPTION = {
    "models.tier": "tier", "models.modern": "modern", "models.roles.expert.model": "roles.expert.model",
    "models.roles.expert.modelfile": "roles.expert.modelfile", "models.roles.expert.num_ctx": "roles.expert.numCtx",
    "learning.adapters.coder": "roles.coder.adapter", "retention.previous": "retention.previous",
    "retention.weekly": "retention.weekly", "retention.monthly": "retention.monthly",
    "retention.exchange_days": "retention.exchangeDays", "retention.exchange_megabytes": "retention.exchangeMegabytes",
    "ollama.enabled": "ollama.enable", "ollama.url": "ollama.host", "corpus.options": "corpus.options",
    "corpus.manual": "corpus.manual", "corpus.home_manager_options": "corpus.homeManager", "corpus.notes": "corpus.notes",
    "corpus.packs": "packs",
    "access.users_group": "users", "access.operators_group": "operators", "learning.consent_by_default": "learnFrom",
    "daemon.idle_timeout_seconds": "idleTimeout", "logging.exchanges": "logging.exchanges",
    "daemon.log_level": "logging.level", "http.port": "httpPort", "http.token_file": "httpTokenFile",
    "openai.url": "openai.url", "openai.api_key_file": "openai.apiKeyFile", "models.fall_back": "fallBack",
    "models.roles.quick.engine": "roles.quick.engine", "models.roles.quick.url": "roles.quick.url",
    "models.roles.quick.api_key_file": "roles.quick.apiKeyFile",
}  # fmt: skip


def test_every_key_has_its_option() -> None:
    keys = [
        f"{section.name}.{field.name}"
        for section in msgspec.structs.fields(Config)
        for field in msgspec.structs.fields(section.type)
    ]
    named = {key for key in SET_BY_AN_OPTION if not re.search("roles|adapters", key)}
    assert named <= set(keys), "the table names no key that is gone"
    for key in {*keys, *SET_BY_AN_OPTION} - {"models.roles"}:
        assert option_of(key) == f"{NIXOS}.{SET_BY_AN_OPTION.get(key, f'settings.{key}')}"


def test_a_pack_that_whoever_checks_may_not_look_at_may_come_later(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    # As a folder that is closed to them does, it makes the look at it fail; root sees into those.
    file.write_text(f'[corpus]\npacks = ["/{"a" * 300}"]\n')
    check_config(file)

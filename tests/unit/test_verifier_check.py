from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nix_trinity.answering.verifier import nix_code
from nix_trinity.answering.verifier.findings import Finding, repair_request, verdict
from nix_trinity.answering.verifier.marking import marked
from nix_trinity.answering.verifier.nix_code import SyntaxProblem, read_nix
from nix_trinity.answering.verifier.nix_instantiate import parse_with_nix
from tests.data.verifier.support import checked, findings, nix, real_options, real_verifier, shown, verifier


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "Set `services.openssh.enable`.": "verified",
        "A flake pins its inputs.": "verified",
        "Set `services.openssh.enable` and `services.foo.bar`.": "flagged",
        "Set `services.foo.bar` and `services.bar.foo`.": "ungrounded",
        "Set `hardware.opengl.enable`.": "ungrounded",
        nix("networking.hostName = true;"): "flagged",
        nix("{ a = 1"): "flagged",
        "Run `nix-collect-garbage -d`.": "verified",
        "": "verified",
    }.items(),
)
def test_the_verdict_on_an_answer(text: str, expected: str) -> None:
    assert verdict(checked(text)) == expected


def test_the_repair_request_names_what_is_wrong_and_the_real_names() -> None:
    text = "Set `services.opensh.enable`.\n" + nix('hardware.opengl.enable = true;\nservices.openssh.enable = "yes";')
    request = repair_request(findings(text))
    assert (
        "`services.opensh.enable`: not an option of this NixOS (25.05). Real names: `services.openssh.enable`"
        in request
    )
    assert "`hardware.opengl.enable`: renamed in 24.11 to `hardware.graphics.enable`." in request
    assert '`services.openssh.enable`: takes `true` or `false`, without quotes, not `"yes"`.' in request


def test_nothing_is_asked_for_where_nothing_is_wrong() -> None:
    assert repair_request([]) == ""
    assert repair_request(findings("Run `rm -rf /`.")) == ""


def test_the_request_stays_short_and_says_nothing_twice() -> None:
    many = [Finding("unknown_option", f"services.x{number // 2}", "not an option") for number in range(100)]
    assert repair_request(many).count("\n- ") == 12


def test_names_from_the_answer_cannot_break_out_of_a_mark() -> None:
    code = 'services."``` > \\n\n# x\nservices.openssh".foo = 1;'
    text = shown(nix(code))
    assert "⚠" in text
    assert all(line.lstrip(" >").startswith("⚠") or "```" not in line or line.startswith("```") or "services." in line
               for line in text.split("\n"))  # fmt: skip
    for finding in findings(nix(code)):
        assert finding.name.isprintable()
        assert "`" not in finding.name


def test_a_very_long_block_is_checked_piece_by_piece() -> None:
    text = nix("services.openssh.enable = true;\n" * 1_500 + "services.foo.bar = true;")
    assert [finding.name for finding in findings(text)] == ["services.foo.bar"]
    assert shown(text).startswith(text[:1_000])


def test_a_long_answer_is_checked_in_time() -> None:
    text = "Set `services.openssh.enable` and services.foo.bar, not `hardware.opengl.enable`. " * 100 + nix(
        "services.openssh.enable = true;\nservices.foo = { bar = 1; };\n" * 200
    )
    started = time.perf_counter()
    checked(text)
    assert time.perf_counter() - started < 5


def test_the_parser_is_loaded_when_there_is_code_and_by_one_file_alone() -> None:
    package = Path(nix_code.__file__).parent
    users = [file.name for file in package.glob("*.py") if "tree_sitter" in file.read_text(encoding="utf-8")]
    assert users == ["nix_code.py"]
    script = (
        "import sys; from nix_trinity.answering.verifier import check, marking; print('tree_sitter' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"


def test_nix_itself_has_the_last_word_on_the_syntax() -> None:
    [clean] = checked(nix("networking.hostName = \"x\";"))  # fmt: skip
    flagged = verifier().with_problems(clean, [SyntaxProblem(0, "syntax error, unexpected x")])
    assert "# ⚠ line 1: syntax error, unexpected x" in marked(flagged)
    [wrong] = checked(nix('{ networking.hostName = "x" }'))
    assert wrong.findings
    assert verifier().with_problems(wrong, []).findings == ()
    assert verifier().with_problems(wrong, None) == wrong
    assert verifier().with_problems(wrong, [SyntaxProblem(9, "syntax error")]) == wrong
    [prose] = checked("No code")
    assert verifier().with_problems(prose, [SyntaxProblem(0, "x")]) == prose


def executable(folder: Path, script: str) -> Path:
    file = folder / "nix-instantiate"
    file.write_text(f"#!{sys.executable}\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def test_a_program_that_hangs_fails_or_is_not_there_tells_nothing(tmp_path: Path) -> None:
    async def ask(program: Path) -> object:
        return await parse_with_nix("{ }", program)

    started = time.monotonic()
    assert asyncio.run(ask(executable(tmp_path, "import time; time.sleep(60)"))) is None
    assert time.monotonic() - started < 6
    assert asyncio.run(ask(executable(tmp_path, "raise SystemExit(1)"))) is None
    assert asyncio.run(ask(tmp_path / "none")) is None
    assert (
        asyncio.run(
            ask(executable(tmp_path, "import sys; print('error: no such store', file=sys.stderr); sys.exit(1)"))
        )
        is None
    )


def test_the_program_runs_with_a_limit_of_memory(tmp_path: Path) -> None:
    script = (
        "import resource, sys\n"
        "print('error: syntax error', resource.getrlimit(resource.RLIMIT_AS)[0], file=sys.stderr)\nsys.exit(1)"
    )
    problems = asyncio.run(parse_with_nix("{ }", executable(tmp_path, script)))
    assert problems == (SyntaxProblem(0, f"syntax error {2 * 2**30}"),)


def test_a_program_that_accepts_the_code_finds_nothing(tmp_path: Path) -> None:
    assert asyncio.run(parse_with_nix("{ }", executable(tmp_path, "import sys; sys.stdin.read()"))) == ()


@pytest.mark.parametrize(
    ("code", "line"),
    {
        "{\n  a = 1\n}": 2,
        "{ a = 1; a = 2; }": 0,
        "{ a = 1; }": None,
        "services.x = cfg.y;": None,
        "{ a = 1; ...\n": 0,
    }.items(),
)
def test_a_real_nix_and_the_own_parser_agree(code: str, line: int | None) -> None:
    program = Path(shutil.which("nix-instantiate") or "")
    own = read_nix(code)
    problems = asyncio.run(parse_with_nix(own.source, program))
    assert problems is not None
    assert (line is None) == (problems == ()) == (own.problems == ())
    if line is not None and problems:
        assert problems[0].line >= line


def test_false_alarms_on_the_real_descriptions_are_rare(data_dir: Path) -> None:
    by = real_verifier(data_dir)
    described = [option for option in real_options(data_dir) if option.description]
    marked_ones = [option.name for option in described if any(f.is_error for f in findings(option.description, by))]
    # Of 20,913 descriptions 35 or so are marked; all but a few are mistakes of the descriptions themselves.
    assert len(marked_ones) / len(described) < 0.0025, marked_ones


def test_false_alarms_on_the_real_examples_are_rare(data_dir: Path) -> None:
    by = real_verifier(data_dir)
    options = [option for option in real_options(data_dir) if option.example]
    unknown, wrong = [], []
    for option in options:
        name = ".".join("x" if each[0] in "<*" else f'"{each}"' for each in option.path)
        found = findings(nix(f"{name} = {option.example};"), by)
        unknown += [option.name] * any(finding.kind == "unknown_option" for finding in found)
        wrong += [option.name] * any(finding.kind == "wrong_value" for finding in found)
    # What is left are examples that NixOS itself would refuse (seen one by one).
    assert len(unknown) / len(options) < 0.002, unknown
    assert len(wrong) / len(options) < 0.012, wrong

"""The shells' completions, run by the shells themselves, offer what the client says it takes, and nothing else."""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from nix_trinity.catalogue import ROLES
from nix_trinity.client.ask import ask
from nix_trinity.client.main import COMMANDS, _do
from nix_trinity.client.wire import Refusal
from tests.stack.terminal import Terminal
from tests.unit.test_client import FakeDaemon, environment, fixed

COMPLETIONS = Path(__file__).parents[2] / "completions"
HELP = {"--help", "-h"}
FILES = {"kept.jsonl"}
Offers = dict[str, set[str]]
Expected = dict[str, set[str]]


def refusal(*words: str) -> Refusal:
    """What the client says to these words; nothing where it does not mind them."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        try:
            if words[0] == "ask":
                ask(list(words[1:]))
            else:
                _do(words[0], list(words[1:]))
        except Refusal as said:
            return said
    return Refusal(0, "", "")


def listed(pattern: str, text: str) -> set[str]:
    """The names after the colon of what the client says, as in "Levels: beginner, intermediate, expert."."""
    found = re.match(rf"(?:{pattern}): ([^.]*)\.", text)
    return set(found[1].split(", ")) - {"none"} if found else set()


def expectations() -> Expected:
    """What is to be offered for a line that ends at the cursor, from the client's own words."""
    roles = set(ROLES)
    expected: Expected = {
        "nix-trinity ": {*COMMANDS, "help"},
        "nix-trinity -": {*HELP, "--version"},
        "nix-trinity sta": {"status", "stats"},
        "nix-trinity versions ": roles,
        "nix-trinity versions --json ": roles,
        "nix-trinity versions e": {"expert", "empathy"},
        "nix-trinity versions expert ": set(),
        "nix-trinity pack ": {"check"},
        "nix-trinity pack check ": set(),
        "nix-trinity rollback ": roles,
        "nix-trinity rollback quick ": set(),
        "nix-trinity rollback -- ": roles,
        "nix-trinity consent ": listed("Known", refusal("consent", "?").hint),
        "nix-trinity build --role=coder --role ": roles,
        "nix-trinity build --kind weekly --fo": {"--force"},
        "ask-nix-guru what is status ": set(),
        "nix-trinity nonsense ": set(),
        "nix-trinity nonsense -": set(),
        "nix-trinity help ": set(),
    }
    for command in COMMANDS:
        starts = [f"nix-trinity {command}", *(["ask-nix-guru"] if command == "ask" else [])]
        options = listed("Options", refusal(command, "--no-such-option").hint)
        for start in starts:
            expected[f"{start} -"] = options | HELP
            expected[f"{start} -- -"] = set()
            for option in options:
                if "needs a value" in refusal(command, option).message:
                    values = listed("Known|Levels|Roles", refusal(command, option, "?").hint)
                    if (command, option) == ("build", "--role"):
                        values = roles  # these the daemon checks
                    expected[f"{start} {option} "] = expected[f"{start} {option}="] = values
    return expected


class Shell:
    """What a shell needs to complete: a folder to be in, and programs that tell when they are started."""

    def __init__(self, name: str, folder: Path, daemon: FakeDaemon) -> None:
        if shutil.which(name) is None:
            pytest.fail(f"{name} is not installed; get it with: make prepare", pytrace=False)
        self.name = name
        self.folder = folder
        self.programs = folder / "bin"
        self.started = folder / "started"
        self.environment = environment(daemon.path, ZDOTDIR=str(folder), HOME=str(folder), INPUTRC="/dev/null")
        self.programs.mkdir()
        for program in ("nix-trinity", "ask-nix-guru"):
            (self.programs / program).write_text(f"#!/bin/sh\n: >{shlex.quote(str(self.started))}\n")
            (self.programs / program).chmod(0o755)
        self.here = folder / "here"
        self.here.mkdir()
        for file in FILES:
            (self.here / file).touch()

    def offers(self, lines: Sequence[str]) -> Offers:
        """What the shell offers for each line, at its end."""
        runs: dict[str, Callable[[Sequence[str]], Offers]] = {"bash": self._bash, "zsh": self._zsh, "fish": self._fish}
        return runs[self.name](lines)

    def at_bash(self) -> Terminal:
        """An interactive Bash that writes down what is offered, and says that it did."""
        start = self.folder / "bashrc"
        start.write_text(
            f"PS1='ready> ' PATH={self.programs} probe=0\ncd {self.here}\n"
            f"source {COMPLETIONS / 'nix-trinity.bash'}\nbind 'set bell-style none'\n"
            'recorded() {\n  _nix_trinity "$@"\n'
            f'  printf "$probe %s\\n" "${{COMPREPLY[@]}}" >>{self.folder / "offers"}\n'
            '  echo "recorded $((probe++));" >&2\n}\n'
            "complete -F recorded nix-trinity ask-nix-guru\n"
        )
        return Terminal(["bash", "--noprofile", "--rcfile", str(start), "-i"], self.environment, columns=200)

    def _bash(self, lines: Sequence[str]) -> Offers:
        with self.at_bash() as terminal:
            terminal.read_until("ready> ")
            for number, line in enumerate(lines):
                terminal.press(f"{line}\t")
                terminal.read_until(f"recorded {number};")
                terminal.press("\x15")
        return self._recorded(lines)

    def _zsh(self, lines: Sequence[str]) -> Offers:
        (self.folder / "lines").write_text("\n".join(lines))
        (self.folder / ".zshrc").write_text(
            f"fpath=({COMPLETIONS} $fpath) path=({self.programs}) probe=0\ncd {self.here}\n"
            "autoload -Uz compinit\ncompinit -u -D\n"
            # With -O, -A or -D it only fills arrays for those who will offer them afterwards.
            "compadd() {\n  local word\n  local -a offered\n"
            '  for word in "$@"; do\n    [[ $word == (-|--) ]] && break\n'
            '    [[ $word == -[OAD]* ]] && { builtin compadd "$@"; return }\n  done\n'
            '  builtin compadd -O offered "$@"\n'
            f'  (( $#offered )) && printf "$probe %s\\n" $offered >>{self.folder / "offers"}\n'
            '  builtin compadd "$@"\n}\n'
            "completed() { _main_complete }\nzle -C completed list-choices completed\n"
            f'zle-line-init() {{\n  local line\n  for line in "${{(@f)$(<{self.folder / "lines"})}}"; do\n'
            "    BUFFER=$line CURSOR=$#line\n    zle completed\n    (( probe++ ))\n  done\n"
            "  BUFFER=exit\n  zle accept-line\n}\nzle -N zle-line-init\n"
        )
        with Terminal(["zsh", "-d", "-i"], self.environment) as terminal:
            assert terminal.exit_code() == 0, terminal.screen
        return self._recorded(lines)

    def _fish(self, lines: Sequence[str]) -> Offers:
        code = [f"set -gx PATH {self.programs}", f"cd {self.here}", f"source {COMPLETIONS / 'nix-trinity.fish'}"]
        for number, line in enumerate(lines):
            code.append(f"for one in (complete -C '{line}'); echo {number} $one; end")
        done = subprocess.run(
            ["fish", "--no-config", "-c", "\n".join(code)],
            env=self.environment, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        assert done.stderr == ""
        (self.folder / "offers").write_text(
            "".join(line.partition("\t")[0] + "\n" for line in done.stdout.splitlines())
        )
        return self._recorded(lines)

    def _recorded(self, lines: Sequence[str]) -> Offers:
        offers: Offers = {line: set() for line in lines}
        for entry in (self.folder / "offers").read_text().splitlines():
            number, _, word = entry.partition(" ")
            # Fish repeats what stands before the =.
            offers[lines[int(number)]].add(word.strip().rpartition("=")[2] or word.strip())
        # Where no word can follow, Zsh names the options unasked: that is its way, and no word is offered with them.
        unasked = {line for line in lines if not line.rpartition(" ")[2].startswith("-")}
        return {
            line: {word for word in words if word and not (line in unasked and word.startswith("-"))}
            for line, words in offers.items()
        }


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    fake = FakeDaemon(tmp_path / "socket")
    fake.replies = [fixed(b"asked\n")]
    yield fake
    fake.close()


@pytest.fixture
def expected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Expected:
    monkeypatch.setenv("NIX_TRINITY_SOCKET", str(tmp_path / "none"))
    monkeypatch.setattr(sys, "stdin", None)
    return expectations()


def test_the_client_says_what_it_takes(expected: Expected) -> None:
    assert {"--kind", "--role", "--force", "--reason", "--json"} < expected["nix-trinity build -"]
    assert expected["nix-trinity good -"] == HELP
    assert expected["nix-trinity build --kind "] == {"weekly", "monthly", "immediate", "manual"}
    assert expected["nix-trinity export --form="] == {"exchanges", "chat"}
    assert expected["ask-nix-guru --role "] == {*ROLES, "auto"}
    assert expected["ask-nix-guru --level "] == {"beginner", "intermediate", "expert"}
    assert expected["nix-trinity consent "] == {"yes", "no"}


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_shell_offers_all_of_it_and_nothing_else(
    name: str, tmp_path: Path, daemon: FakeDaemon, expected: Expected
) -> None:
    shell = Shell(name, tmp_path, daemon)
    lines = list(expected)
    offers = shell.offers(lines)
    wrong = [line for line in lines if offers[line] != expected[line]]
    assert {line: offers[line] for line in wrong} == {line: expected[line] for line in wrong}
    assert not shell.started.exists(), "a completion started a program"
    assert daemon.requests == []


@pytest.mark.parametrize("command", ["export", "export --form chat", "import", "backup"])
@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_files_are_offered_where_one_is_named(name: str, command: str, tmp_path: Path, daemon: FakeDaemon) -> None:
    offers = Shell(name, tmp_path, daemon).offers([f"nix-trinity {command} kep", f"nix-trinity {command} x kep"])
    assert list(offers.values()) == [FILES, set()]


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_files_are_offered_again_and_again_where_several_are_named(
    name: str, tmp_path: Path, daemon: FakeDaemon
) -> None:
    offers = Shell(name, tmp_path, daemon).offers(["nix-trinity check kep", "nix-trinity check --json x kep"])
    assert list(offers.values()) == [FILES, FILES]


def test_bash_completes_files_and_what_stands_after_an_equals_sign(tmp_path: Path, daemon: FakeDaemon) -> None:
    with Shell("bash", tmp_path, daemon).at_bash() as terminal:
        for number, (typed, shown) in enumerate(
            [
                ("nix-trinity export kep", "kept.jsonl"),
                ("nix-trinity export --form=chat kep", "kept.jsonl"),
                ("nix-trinity check x kep", "kept.jsonl"),
                ("nix-trinity build --kind=we", "--kind=weekly"),
                ("ask-nix-guru --role c", "--role coder"),
            ]
        ):
            terminal.read_until("ready> ", after=f"recorded {number - 1};" if number else "")
            terminal.press(f"{typed}\t")
            terminal.read_until(f"recorded {number};")
            terminal.press("\x0c")
            terminal.read_until(shown, after=f"recorded {number};")
            terminal.press("\x15")

"""The evaluation questions: their form, options that are real, patterns that mean what they say; files of people's own."""

from __future__ import annotations

import json
import lzma
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.catalogue import ROLES
from nix_trinity.errors import CatalogueError
from nix_trinity.training.advice import advised
from nix_trinity.training.questions import Question, contradicted_by, load_questions, names_any, sample

QUESTIONS = load_questions()
SAMPLE = json.loads((Path(__file__).parents[1] / "data" / "sample-options.json").read_text(encoding="utf-8"))
BY_ID = pytest.mark.parametrize("question", QUESTIONS.asked, ids=lambda question: question.id)
ONE = '[[questions]]\nid = "a"\nquestion = "How?"\n'


def test_there_are_enough_for_every_role_and_in_many_languages() -> None:
    assert len(QUESTIONS.asked) >= 90
    languages = Counter(question.lang for question in QUESTIONS.asked)
    assert languages.total() - languages["en"] >= 10
    assert len(languages) >= 8
    assert all(len(sample(QUESTIONS.asked, 0, role)) >= 80 for role in ROLES)
    asked = [" ".join(question.question.casefold().split()) for question in QUESTIONS.asked]
    assert len(set(asked)) == len(asked)


@BY_ID
def test_every_right_option_is_in_the_sample(question: Question) -> None:
    """The sample is true to the real list (test_sample_options), and is always there."""
    assert [option for option in question.options if option not in SAMPLE] == []


def test_every_right_option_exists_in_a_real_nixos(data_dir: Path) -> None:
    with lzma.open(data_dir / "nixos-options.json.xz") as file:
        real = json.load(file)
    assert [option for question in QUESTIONS.asked for option in question.options if option not in real] == []


@BY_ID
def test_a_question_can_be_judged_and_does_not_answer_itself(question: Question) -> None:
    assert question.options or question.facts
    assert not advised(question.question, question.forbidden) or question.id == "from-apt"
    named = [option for option in question.options if option in question.question]
    assert not named or question.id in {"error-defined-twice", "state-version"}


@pytest.mark.parametrize(
    "advice",
    [
        "Run `nix-env -iA nixos.git`.",
        "Run `nix-env -f '<nixpkgs>' -iA git`.",
        "nix-env --install firefox",
        "nix-env -u",
        "Use sudo apt-get -y install git",
        "apt install vlc",
        "sudo dnf install vlc",
        "pacman -Syu vlc",
        "brew install vlc",
        "sudo npm install -g yarn",
        "pip install --break-system-packages requests",
        "curl -fsSL https://x.example | sudo bash",
        "bash -c '$(curl https://x.example)'",
        "sudo nano /etc/ssh/sshd_config",
        "Edit `/etc/hosts` and add a line.",
        "echo 'x' >> /etc/sysctl.conf",
        "sudo tee -a /etc/hosts",
        "sudo systemctl enable --now sshd",
        "systemctl --user enable syncthing",
        "sudo usermod -aG docker alice",
        "sudo update-grub",
        "sudo ufw allow 22",
        "chmod -R 777 /srv",
        "sudo rm -rf /nix/store/abc",
        "Ajoutez-le ainsi : sudo apt install vlc",
        "Bearbeite /etc/ssh/sshd_config.",
    ],
)
def test_what_no_answer_may_advise(advice: str) -> None:
    assert advised(advice, QUESTIONS.forbidden)


@pytest.mark.parametrize(
    "fine",
    [
        "Set `services.openssh.enable = true;` in /etc/nixos/configuration.nix and run `sudo nixos-rebuild switch`.",
        "sudo nano /etc/nixos/configuration.nix",
        "Edit `/etc/nixos/configuration.nix`.",
        "nix-env --list-generations -p /nix/var/nix/profiles/system",
        "nix-env -p /nix/var/nix/profiles/system --switch-generation 42",
        "nix-collect-garbage --delete-older-than 30d",
        "nix-shell -p git",
        "systemctl status sshd",
        "sudo systemctl restart sshd",
        "Add yourself to users.users.alice.extraGroups.",
        "sudo nix-channel --update",
        "chmod 600 key",
        "cat /etc/os-release",
        'environment.etc."foo.conf".text = "a";',
        "curl -O https://x.example/file",
    ],
)
def test_what_an_answer_may_well_advise(fine: str) -> None:
    assert advised(fine, QUESTIONS.forbidden) == []


def test_a_file_of_ones_own_is_added_with_what_it_forbids(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(f'forbidden = ["docker run"]\n{ONE}options = ["networking.hostName"]\nforbidden = ["x1"]\n')
    loaded = load_questions([str(own)])
    assert loaded.asked[:-1] == QUESTIONS.asked
    assert loaded.asked[-1].forbidden == ("docker run", "x1")
    assert loaded.forbidden == QUESTIONS.forbidden, "what a person forbids counts for their own questions"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("[[questions]\n", "not valid TOML", id="no TOML"),
        pytest.param('title = "x"\n', "'title'", id="unknown key of the file"),
        pytest.param("forbidden = 3\n", "forbidden", id="forbidden is no list"),
        pytest.param("questions = 3\n", "questions is not a list", id="questions is no list"),
        pytest.param('[[questions]]\nquestion = "How?"\n', "question 1", id="no id"),
        pytest.param(f"{ONE}anwser = 1\n", "question a: .*anwser", id="unknown key of a question"),
        pytest.param(f"{ONE}facts = 1\n", "question a: facts", id="wrong type"),
        pytest.param(ONE.replace("How?", "  "), "question a: question", id="empty question"),
        pytest.param(ONE.replace('"a"', '"A b"'), "id", id="bad id"),
        pytest.param(f'{ONE}lang = "german"\n', "lang", id="bad language"),
        pytest.param(f'{ONE}roles = ["guru"]\n', "role 'guru'", id="unknown role"),
        pytest.param(f"{ONE}roles = []\n", "for nobody", id="no role"),
        pytest.param(f'{ONE}options = ["a..b"]\n', "options", id="no option's name"),
        pytest.param(f'{ONE}facts = ["("]\n', "facts: .*regular expression", id="no regular expression"),
        pytest.param(f'{ONE}forbidden = ["x*"]\n', "fits any text", id="a pattern that fits anything"),
        pytest.param(ONE + ONE, "two|Two", id="one id twice"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_a_remedy(tmp_path: Path, text: str, says: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(text)
    with pytest.raises(CatalogueError, match=says) as caught:
        load_questions([own])
    assert str(own) in caught.value.message
    assert caught.value.hint


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"none\.toml"):
        load_questions([tmp_path / "none.toml"])


def test_an_id_of_ours_cannot_be_taken(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(ONE.replace('"a"', '"ssh-server"'))
    with pytest.raises(CatalogueError, match="ssh-server"):
        load_questions([own])


@given(st.integers(min_value=1, max_value=150), st.integers(min_value=0, max_value=120))
def test_a_sample_is_stable_whatever_is_asked_besides(most: int, removed: int) -> None:
    whole = sample(QUESTIONS.asked, most, "expert")
    assert len(whole) == min(most, len(sample(QUESTIONS.asked, 0, "expert")))
    rest = [one for number, one in enumerate(QUESTIONS.asked) if number != removed]
    smaller = sample(rest, most, "expert")
    assert len({one.id for one in whole} - {one.id for one in smaller}) <= 1
    assert [one.id for one in QUESTIONS.asked if one in whole] == [one.id for one in whole]


def test_a_role_is_asked_only_what_it_is_to_know() -> None:
    own = {question.id for question in sample(QUESTIONS.asked, 0, "quick")}
    assert "overlay" not in own
    assert "ssh-server" in own


SSH = Question(id="ssh", question="How do I enable the SSH server?", options=("services.openssh.enable",))


@pytest.mark.parametrize(
    ("question", "names", "expected"),
    [
        ("how do I enable the ssh server", ["services.telnetd.enable"], "ssh"),
        ("how do I enable the ssh server", [], "ssh"),
        ("how do I enable the ssh server", ["services.openssh.enable", "networking.hostName"], None),
        ("how do I disable the ssh server", ["services.telnetd.enable"], None),
        ("how do I enable bluetooth", ["services.telnetd.enable"], None),
    ],
)
def test_an_answer_that_contradicts_what_we_know_is_noticed(
    question: str, names: list[str], expected: str | None
) -> None:
    assert contradicted_by(question, names, [SSH]) == expected


def test_a_question_without_right_options_contradicts_nothing() -> None:
    fact = Question(id="f", question=SSH.question, facts=("x",))
    assert contradicted_by(SSH.question, [], [fact]) is None


@pytest.mark.parametrize(
    ("option", "name", "right"),
    [
        ("users.users.<name>.shell", "users.users.alice.shell", True),
        ("users.users.<name>.shell", "users.users.<name>.shell", True),
        ("services.nginx.virtualHosts.<name>.forceSSL", 'services.nginx.virtualHosts."a.org".forceSSL', True),
        ("fileSystems", 'fileSystems."/data".device', True),
        ("nix.settings.cores", "nix.settings", False),
        ("services.openssh.enable", "services.openssh.enabled", False),
        ("services.openssh.enable", "..", False),
    ],
)
def test_a_name_is_right_with_any_name_of_ones_own_in_it(option: str, name: str, right: bool) -> None:
    assert names_any([option], [name]) is right

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from nix_trinity.knowledge.sameness import cluster_key, differs_in_kind, likeness_block, same_question

DATA = Path(__file__).parents[1] / "data"

REWORDED = [
    ("How do I enable the SSH server?", "how can i turn on ssh server please"),
    ("How do I enable the SSH server?", "How do I turn the SSH server on?"),
    ("How do I open port 22?", "Can you tell me how to open port 22"),
    ("What is the option for the hostname?", "which option is for the hostname"),
    ("Wie aktiviere ich SSH?", "Hallo, wie kann ich SSH aktivieren"),
    ("Comment désactiver le pare-feu ?", "comment desactiver le pare-feu s'il vous plaît"),
    ("¿Cómo activo SSH?", "Hola, como activar ssh"),
    ("Why doesn't bluetooth work?", "why does Bluetooth not work"),
    ("How do I enable `nginx`?", "how do I enable nginx"),
    ("How do I install Firefox?", "How can I add firefox?"),
    ("Explain flakes", "What are flakes?"),
    ("How do I upgrade from 24.05 to 24.11?", "how to upgrade NixOS from 24.05 to 24.11"),
]
OTHERS = [
    ("How do I enable SSH?", "How do I disable SSH?"),
    ("How do I turn wifi on?", "How do I turn wifi off?"),
    ("How do I add a user?", "How do I remove a user?"),
    ("How do I install Firefox?", "How do I uninstall Firefox?"),
    ("How do I allow root login over ssh?", "How do I block root login over ssh?"),
    ("How do I start docker at boot?", "How do I stop docker at boot?"),
    ("sudo with a password", "sudo without a password"),
    ("I want it to suspend", "it should never suspend"),
    ("start docker at boot", "don't start docker at boot"),
    ("Wie aktiviere ich SSH?", "Wie deaktiviere ich SSH?"),
    ("Wie schalte ich WLAN ein?", "Wie schalte ich WLAN aus?"),
    ("Wie installiere ich Firefox?", "Wie deinstalliere ich Firefox?"),
    ("Anmelden mit Passwort", "Anmelden ohne Passwort"),
    ("Comment activer SSH ?", "Comment désactiver SSH ?"),
    ("Comment installer firefox ?", "Comment désinstaller firefox ?"),
    ("¿Cómo activo SSH?", "¿Cómo desactivo SSH?"),
    ("instalar firefox", "desinstalar firefox"),
    ("How do I upgrade to 24.11?", "How do I upgrade to 25.05?"),
    ("open port 22", "open port 2222"),
    ("redirect port 80 to 8080", "redirect port 8080 to 80"),
    ("migrate from ext4 to btrfs", "migrate from btrfs to ext4"),
    ("How do I enable nginx?", "How do I enable apache?"),
    ("How do I set services.nginx.enable?", "How do I set services.httpd.enable?"),
    ("nixos-rebuild switch --flake", "nixos-rebuild switch --upgrade"),
    ("edit /etc/fstab", "edit /etc/hosts"),
    ("I get “no such file”", "I get “permission denied”"),
    ("How does ssh start?", "Why does ssh start?"),
    ("What is a derivation?", "Why is a derivation?"),
    ("How do I enable the firewall?", "Should I enable the firewall?"),
    ("How do I enable zfs?", "Does NixOS support zfs?"),
    ("install nix", "install nixos"),
    ("What is systemd?", "What is a system?"),
    ("restart the network", "restart networkd"),
    ("How do I set the locale?", "How do I set locate?"),
    ("How do I set up a user service?", "How do I set up a system service?"),
    ("ssh server", "ssh client"),
    ("What is a derivation?", "Qu'est-ce qu'une dérivation ?"),
    ("help", "please"),
]


@pytest.mark.parametrize(("left", "right"), REWORDED)
def test_rewordings_ask_the_same(left: str, right: str) -> None:
    assert differs_in_kind(left, right) == ""
    assert same_question(left, right)
    assert cluster_key(left) == cluster_key(right)


@pytest.mark.parametrize(("left", "right"), OTHERS)
def test_what_needs_another_answer_is_another_question(left: str, right: str) -> None:
    assert differs_in_kind(left, right).endswith(".")
    assert differs_in_kind(right, left)
    assert not same_question(left, right)
    assert not same_question(right, left)
    assert cluster_key(left) != cluster_key(right)


def test_a_slip_of_the_pen_is_no_difference_and_stays_in_the_block() -> None:
    slip, right = "how do i disable the firewall completley", "How do I disable the firewall completely?"
    assert same_question(slip, right)
    assert same_question(right, slip)
    assert likeness_block(slip) == likeness_block(right)


def test_one_general_word_more_is_the_same_and_stays_in_the_block() -> None:
    assert same_question("How do I enable ssh?", "How do I enable the ssh server?")
    assert likeness_block("How do I enable ssh?") == likeness_block("How do I enable the ssh server?")


def test_two_general_words_apart_is_not_taken_for_the_same() -> None:
    assert not same_question("How do I enable ssh?", "How do I enable the ssh server on my computer?")


def test_the_key_is_stable_between_processes_and_versions() -> None:
    assert cluster_key("How do I enable SSH?") == cluster_key("ssh: enable, please!")
    assert len(cluster_key("")) == 64
    assert cluster_key("?") != cluster_key("!")


def test_questions_that_say_nothing_are_the_same_only_letter_by_letter() -> None:
    assert same_question("Help  me", "help me")
    assert not same_question("any idea?", "who are you?")


def test_long_and_odd_texts_are_read() -> None:
    long = "error: " + "x y " * 30_000
    assert not same_question(long + "1", long + "2")
    assert same_question(long, long)
    assert cluster_key("\udcff\x00 ssh") == cluster_key("\udcff\x00 ssh")


def test_none_of_all_pairs_of_560_different_questions_is_taken_for_one() -> None:
    asked = [
        json.loads(line)["question"]
        for name in ("retrieval.jsonl", "routing.jsonl")
        for line in (DATA / name).read_text(encoding="utf-8").splitlines()
    ]
    asked += [one for one in (DATA / "unanswered.txt").read_text(encoding="utf-8").splitlines() if one[:1] not in "#"]
    mistaken = [
        (left, right) for left, right in itertools.combinations(dict.fromkeys(asked), 2) if same_question(left, right)
    ]
    assert mistaken == []


def test_courtesies_and_case_never_change_the_key_of_a_real_question() -> None:
    asked = [json.loads(line)["question"] for line in (DATA / "routing.jsonl").read_text(encoding="utf-8").splitlines()]
    for question in asked:
        if len(question.split()) > 3:
            for other in (question.lower(), f"Please {question}", f"{question} Thanks!", f"Hi there, {question}"):
                assert cluster_key(other) == cluster_key(question), other

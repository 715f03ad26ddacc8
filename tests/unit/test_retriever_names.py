"""Case c32: whatever is typed is searched for and no query language; an option's own name finds it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from nix_trinity.answering.retriever.retrieve import Retrieved
from nix_trinity.knowledge.corpus.search import IndexReader
from tests.data.corpus.support import real_index, retriever

SYNTAX = [
    '"',
    "'",
    "*",
    ":",
    "(",
    ")",
    "^",
    "-",
    "+",
    ".",
    "{",
    "}",
    "@",
    "<name>",
    " AND ",
    " OR ",
    " NOT ",
    " NEAR(",
    "\x00",
    "\\",
    "%",
    ";",
    "--",
]
WORDS = [
    "services",
    "openssh",
    "enable",
    "nginx.",
    "name:",
    "rest :",
    "config.",
    "ssh-server",
    "don't",
    "user@host",
    "a.b.c",
]


@pytest.fixture(scope="module")
def index(data_dir: Path) -> IndexReader:
    return real_index(data_dir)


def names(found: Retrieved) -> list[str]:
    return [one.option.name for one in found.options]


def random_text(source: random.Random) -> str:
    """Any characters, lone surrogates too, mixed with words and with what FTS5 has a meaning for."""
    pieces = []
    for _ in range(source.randrange(7)):
        kind = source.randrange(4)
        if kind == 0:
            pieces.append(chr(source.randrange(0x110000)))
        elif kind == 1:
            pieces.append(chr(source.choice((source.randrange(0x20, 0x7F), source.randrange(0xA0, 0x3100)))))
        else:
            pieces.append(source.choice(SYNTAX if kind == 2 else WORDS))
    return source.choice(("", " ")).join(pieces)


def test_every_option_finds_itself_by_its_name(index: IndexReader) -> None:
    options = index.all_options()
    assert len(options) == 20_919
    lost = [
        option.name for option in options if option.name not in names(retriever().retrieve(index, option.name, limit=3))
    ]
    assert lost == []


def test_no_text_is_a_query_language(index: IndexReader) -> None:
    source = random.Random(32)
    searched = 0
    for number in range(5_000):
        question, attachment = random_text(source), random_text(source) if number % 10 == 0 else ""
        found = retriever().retrieve(index, question, attachment)
        searched += bool(found.options)
    assert searched > 2_000, "these texts are searched for, not only let pass"


@pytest.mark.parametrize("term", ['"', 'a"b', '""', "AND", "(", "x*", "name:x", "^x", "a - b", "{name} : x", "", "é'"])
def test_a_term_reaches_the_index_as_a_text(index: IndexReader, term: str) -> None:
    terms = [term, "openssh"]
    assert index.options_by_text(terms, limit=5, main_limit=5)[0]
    assert index.groups_by_text(terms, limit=5)
    assert index.passages.by_text(terms, kind="note", limit=5) is not None
    assert index.passages.notes_asked([term, term], limit=1) == []
    assert index.options_named(term) == []
    assert index.frequencies([term]) == {}


@pytest.mark.parametrize(
    "question",
    [
        "services.openssh.ports",
        "  services.openssh.ports\n",
        "`services.openssh.ports`",
        "services.openssh.ports?",
        "config.services.openssh.ports",
        "SERVICES.OPENSSH.PORTS",
        "what does services.openssh.ports do?",
        "I set services.openssh.ports = [ 2222 ]; but nothing listens there",
    ],
)
def test_a_name_is_found_however_it_is_put(index: IndexReader, question: str) -> None:
    found = retriever().retrieve(index, question)
    assert names(found)[0] == "services.openssh.ports"
    assert found.confident


@pytest.mark.parametrize(
    "name",
    [
        "services.tinc.networks.<name>.hosts",
        "systemd.slices.<name>.after",
        "services.strongswan-swanctl.swanctl.connections.<name>.local.<name>.auth",
        "services.isso.enable",
    ],
)
def test_a_name_within_a_question_leads_though_its_words_are_common(index: IndexReader, name: str) -> None:
    assert names(retriever().retrieve(index, f"what does {name} do?"))[0] == name


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("service.openssh.enable", "services.openssh.enable"),
        ("services.openssh.enabled", "services.openssh.enable"),
        ("services.opensh.enable", "services.openssh.enable"),
        ("networking.hostname", "networking.hostName"),
        ("networking.firewal.allowedTCPPorts", "networking.firewall.allowedTCPPorts"),
        ("time.timezone", "time.timeZone"),
        ("virtualization.docker.enable", "virtualisation.docker.enable"),
        ("environment.systempackages", "environment.systemPackages"),
        ("nix.settings.experimental-features", "nix.settings.experimental-features"),
        ("nixpkgs.config.allowUnfree", "nixpkgs.config.allowUnfree"),
        ('services.opensearch.settings."cluster.name"', 'services.opensearch.settings."cluster.name"'),
        ("users.users.alice.shell", "users.users.<name>.shell"),
    ],
)
def test_a_name_that_is_nearly_right_finds_the_right_one(index: IndexReader, question: str, name: str) -> None:
    assert name in names(retriever().retrieve(index, question))[:3]


def test_beside_a_name_stand_its_relatives(index: IndexReader) -> None:
    found = names(retriever().retrieve(index, "services.openssh.settings"))
    assert found[0] == "services.openssh.settings"
    assert all(name.startswith("services.openssh.") for name in found[:6])
    below = names(retriever().retrieve(index, "services.nginx.virtualHosts"))
    assert below[0] == "services.nginx.virtualHosts"
    assert any(name.startswith("services.nginx.virtualHosts.<name>.") for name in below)


@pytest.mark.parametrize("question", ["", " ", "\n\n\t", "?", "...", "\x00", "的", "\ud800", "\U0010ffff", "*", "."])
def test_nothing_to_search_for_finds_nothing(index: IndexReader, question: str) -> None:
    found = retriever().retrieve(index, question)
    assert (found.options, found.confident) == ((), False)

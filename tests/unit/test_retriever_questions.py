"""Questions as people ask them, in their languages and with their typos, over the real options and our notes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nix_trinity.answering.retriever.retrieve import Retrieved
from nix_trinity.knowledge.corpus.search import IndexReader
from tests.data.corpus.support import real_index, retriever

SSH = {"services.openssh.enable"}
BLUETOOTH = {"hardware.bluetooth.enable", "services.blueman.enable"}
TIME_ZONE = {"time.timeZone"}
HOST_NAME = {"networking.hostName"}
DOCKER = {"virtualisation.docker.enable"}
PRINTING = {"services.printing.enable", "hardware.printers.ensurePrinters"}
PORTS = {"networking.firewall.allowedTCPPorts", "networking.firewall.allowedUDPPorts"}
SWAP = {"swapDevices", "swapDevices.*.device"}
GARBAGE = {"nix.gc.automatic"}
PIPEWIRE = {"services.pipewire.enable", "services.pipewire.alsa.enable", "services.pipewire.pulse.enable"}


@pytest.fixture(scope="module")
def index(data_dir: Path) -> IndexReader:
    return real_index(data_dir)


def search(index: IndexReader, question: str) -> Retrieved:
    return retriever().retrieve(index, question)


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("how do I run an ssh server", SSH),
        ("I want to log in over ssh from my laptop", SSH),
        ("turn on bluetooth", BLUETOOTH),
        ("set my timezone to Europe/Berlin", TIME_ZONE),
        ("change the hostname", HOST_NAME),
        ("how do I install docker?", DOCKER),
        ("set up printing", PRINTING),
        ("open port 8080 in the firewall", PORTS),
        ("allow unfree packages", {"nixpkgs.config.allowUnfree"}),
        ("add a swap file", SWAP),
        ("how do I enable flakes", {"nix.settings.experimental-features"}),
        ("garbage collect automatically", GARBAGE),
        ("automatic upgrades", {"system.autoUpgrade.enable"}),
        ("make zsh the default shell for everybody", {"users.defaultUserShell", "programs.zsh.enable"}),
        ("enable plasma 6", {"services.desktopManager.plasma6.enable"}),
        ("I need a postgresql database", {"services.postgresql.enable"}),
        ("nginx web server", {"services.nginx.enable"}),
        ("install steam", {"programs.steam.enable"}),
        ("sound with pipewire", PIPEWIRE),
        ("add a user", {"users.users.<name>.isNormalUser", "users.users"}),
        ("install more fonts", {"fonts.packages", "fonts.enableDefaultPackages"}),
        ("virtual machines with libvirt", {"virtualisation.libvirtd.enable"}),
        ("compress memory with zram", {"zramSwap.enable"}),
        ("mount a tmpfs on /tmp", {"boot.tmp.useTmpfs"}),
    ],
)
def test_an_everyday_question_has_its_option_first(index: IndexReader, question: str, right: set[str]) -> None:
    found = search(index, question)
    assert found.options[0].option.name in right
    assert found.confident


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("Wie schalte ich einen SSH-Server ein?", SSH),
        ("Drucker einrichten", PRINTING),
        ("Zeitzone ändern", TIME_ZONE),
        ("Wie aktiviere ich Bluetooth?", BLUETOOTH),
        ("Wie öffne ich einen Port in der Firewall?", PORTS),
        ("Wie stelle ich meinen Rechnername ein?", HOST_NAME),
        ("Comment changer le fuseau horaire ?", TIME_ZONE),
        ("activer le bluetooth", BLUETOOTH),
        ("ouvrir un port du pare-feu", PORTS),
        ("configurer une imprimante", PRINTING),
        ("如何启用蓝牙", BLUETOOTH),
        ("怎么设置时区", TIME_ZONE),
        ("防火墙开放端口", PORTS),
        ("怎么设置打印机", PRINTING),
        ("как включить bluetooth", BLUETOOTH),
        ("изменить часовой пояс", TIME_ZONE),
        ("как открыть порт в файрволе", PORTS),
        ("настроить принтер", PRINTING),
        ("プリンターを設定したい", PRINTING),
        ("タイムゾーンを変更する", TIME_ZONE),
        ("방화벽에서 포트를 열고 싶어요", PORTS),
        ("프린터 설정", PRINTING),
        ("¿Cómo cambio la zona horaria?", TIME_ZONE),
        ("Come cambio il fuso orario?", TIME_ZONE),
    ],
)
def test_other_languages_lead_to_the_same_options(index: IndexReader, question: str, right: set[str]) -> None:
    found = search(index, question)
    assert found.options[0].option.name in right
    assert found.confident


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("enabel bluetoth", BLUETOOTH),
        ("firewal open prot 80", PORTS),
        ("trun on pirnting", PRINTING),
        ("networkmanger enable", {"networking.networkmanager.enable"}),
        ("set my timezoen", TIME_ZONE),
        ("postgressql databse", {"services.postgresql.enable"}),
        ("how do i instal doker", DOCKER),
        ("garbge colection automaticaly", GARBAGE),
        ("pipwire sound", PIPEWIRE),
    ],
)
def test_typing_errors_do_not_hide_the_option(index: IndexReader, question: str, right: set[str]) -> None:
    found = search(index, question)
    assert {one.option.name for one in found.options[:3]} & right
    assert found.confident


@pytest.mark.parametrize(
    "question",
    [
        "asdfgh qwertz uiop",
        "blorf the snorkwibble",
        "tell me a joke",
        "what is the weather tomorrow",
        "what is the capital of France",
        "2+2",
        "how old are you",
        "你好",
        "как дела",
        "спасибо",
        "guten Morgen",
        "xyzzy " * 200,
    ],
)
def test_nonsense_and_what_is_off_the_topic_is_no_confident_find(index: IndexReader, question: str) -> None:
    assert not search(index, question).confident


def test_a_likely_answer_is_told_from_a_chance_find(index: IndexReader) -> None:
    asked = ("how do I install docker?", "set up printing", "install steam", "I need a postgresql database")
    chance = ("tell me a joke", "what is the weather tomorrow", "2+2", "how old are you")
    assert min(search(index, one).likely for one in asked) > max(search(index, one).likely for one in chance)


def test_the_features_say_why(index: IndexReader) -> None:
    best = search(index, "enable the openssh daemon").options[0]
    assert best.option.name == "services.openssh.enable"
    features = best.features
    assert features["enable"] == features["enable_asked"] == features["enable_whole"] == features["set_said"] == 1
    assert features["rarest"] > 0.5
    assert features["placeholder"] == features["named"] == features["vector"] == features["past"] == 0
    weights = retriever().weights
    assert best.score == pytest.approx(sum(weights.get(name, 0) * value for name, value in features.items()))
    named = search(index, "what does hardware.bluetooth.powerOnBoot do").options[0]
    assert (named.option.name, named.features["named"]) == ("hardware.bluetooth.powerOnBoot", 1)


def test_features_stay_within_their_bounds(index: IndexReader) -> None:
    for question in ("turn on bluetooth", "open port 80", "services.nginx.enable", "ssh " * 100, "Zeitzone"):
        for one in search(index, question).options:
            assert all(0 <= value <= 1.5 for value in one.features.values()), one


def test_what_past_answers_and_vectors_say_is_taken_along(index: IndexReader) -> None:
    [number] = index.options_named("services.kanidm.enableServer")
    found = retriever().retrieve(
        index, "zxcvb", near=(number,), past={"services.borgbackup.jobs": 0.5, "not.an.option.at.all": 1.0}
    )
    features = {one.option.name: one.features for one in found.options}
    assert features["services.kanidm.enableServer"]["vector"] == 1
    assert features["services.borgbackup.jobs"]["past"] == 0.5
    assert len(features) == 2


def test_a_question_of_any_length_takes_a_moment(index: IndexReader) -> None:
    gibberish = " ".join(f"q{number:x}zv" for number in range(3_000))
    assert not search(index, gibberish).confident
    assert search(index, "\n" * 16_000 + "turn on bluetooth").options[0].option.name in BLUETOOTH
    retriever().retrieve(index, "why?", "error: " + gibberish * 100)

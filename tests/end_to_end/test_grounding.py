"""What a person gets to read: grounded in the options, settings written by the daemon, checked before it is shown.

A stand-in engine says what no good model should, so that it can be seen what becomes of it.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stack.daemon_process import SAMPLE_OPTIONS, ActivatedDaemon
from tests.stack.fake_ollama import BASE, Behaviour, Call, FakeOllama, answers, in_turn, refuses

SSH = "How do I enable the SSH server?"
CONCEPT = "Who are you?"


@pytest.fixture(scope="module")
def engine() -> Iterator[FakeOllama]:
    with FakeOllama() as fake:
        yield fake


@pytest.fixture(scope="module")
def running(engine: FakeOllama, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ActivatedDaemon]:
    with ActivatedDaemon(tmp_path_factory.mktemp("d"), ollama_url=engine.url, model=BASE) as daemon:
        yield daemon


@pytest.fixture
def daemon(running: ActivatedDaemon, engine: FakeOllama) -> ActivatedDaemon:
    engine.reset()
    return running


def chooses(*settings: dict[str, Any], then: Behaviour) -> Behaviour:
    """Fill in the form with ``settings``, whatever it allows, and say the rest as ``then`` does."""

    def behave(call: Call) -> None:
        if call.body.get("format"):
            answers(json.dumps({"settings": list(settings)}))(call)
        else:
            then(call)

    return behave


def no_form(then: Behaviour) -> Behaviour:
    return chooses(then=then)


SSH_ON = {"option": "services.openssh.enable", "value": True}


def test_the_daemon_writes_the_settings_that_the_model_chose(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    engine.chat = chooses(SSH_ON, then=answers("It lets people ", "log in."))
    answer = daemon.ask(SSH)
    assert answer["answer"].startswith("```nix\nservices.openssh.enable = true;\n```\n")
    assert answer["answer"].endswith("It lets people log in.")
    assert answer["verdict"] == "verified"
    assert answer["options_release"] == "25.05"
    assert answer["sources"][0] == {
        "kind": "option",
        "name": "services.openssh.enable",
        "where": "nixos/modules/services/networking/ssh/sshd.nix",
    }
    row = daemon.rows()[0]
    assert row["verdict"] == "verified"
    assert "services.openssh.enable" in row["sources"]
    assert row["answer"] == answer["answer"]


def test_the_form_offers_real_options_best_first_and_typed(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    engine.chat = chooses(SSH_ON, then=answers("Done."))
    daemon.ask(SSH)
    form = json.dumps(engine.chats[0]["format"])
    known = json.loads(SAMPLE_OPTIONS.read_text())
    items = engine.chats[0]["format"]["properties"]["settings"]["items"]
    names = [one["properties"]["option"]["const"] for one in items.get("anyOf", [items])]
    assert names[0] == "services.openssh.enable"
    assert set(names) <= set(known)
    assert "services.openssh.enable" in form
    # Both requests begin alike, up to the task, so that the engine's prefix cache helps.
    first, second = (chat["messages"][-1]["content"] for chat in engine.chats[:2])
    common = next(at for at, (one, other) in enumerate(zip(first, second, strict=False)) if one != other)
    assert first[:common].rstrip().endswith(SSH)


@pytest.mark.parametrize(
    "form",
    [
        pytest.param('{"settings": [{"option": "services.ssh.enable", "value": true}]}', id="an option not offered"),
        pytest.param('{"settings": [{"option": "services.openssh.enable", "value": "on"}]}', id="a wrong value"),
        pytest.param('{"settings": [{"option": "services.open', id="cut off"),
        pytest.param("I would enable SSH.", id="no JSON"),
    ],
)
def test_a_form_that_does_not_hold_is_not_shown(daemon: ActivatedDaemon, engine: FakeOllama, form: str) -> None:
    def behave(call: Call) -> None:
        answers(form if call.body.get("format") else "Set services.openssh.enable to true.")(call)

    engine.chat = behave
    answer = daemon.ask(SSH)
    assert answer["answer"] == "Set services.openssh.enable to true."
    assert answer["verdict"] == "verified"


def test_an_engine_that_takes_no_form_still_answers(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    def behave(call: Call) -> None:
        if call.body.get("format"):
            call.refuse(500, "failed to parse grammar")
        else:
            answers("Set services.openssh.enable to true.")(call)

    engine.chat = behave
    answer = daemon.ask(SSH)
    assert answer["answer"] == "Set services.openssh.enable to true."
    assert answer["verdict"] == "verified"


def test_c15_what_does_not_exist_is_marked_and_what_is_near_is_named(
    daemon: ActivatedDaemon, engine: FakeOllama
) -> None:
    bad = "Set hardware.opengl.enable and services.foo.bar, and nix.settings.experimental-features too. "
    engine.chat = no_form(answers(bad, "services.openssh.enable is fine."))
    answer = daemon.ask(CONCEPT)
    text = answer["answer"]
    assert answer["verdict"] == "flagged"
    assert "hardware.graphics.enable" in text
    marks = text.split("hardware.opengl.enable")[1].split("services.foo.bar")
    assert "⚠" in marks[0]
    assert "⚠" in marks[1].split("nix.settings")[0]
    assert "⚠" not in text.split("experimental-features")[1].split("services.openssh.enable")[0]


def test_one_repair_tells_the_model_what_is_real(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    engine.chat = in_turn(
        no_form(answers("It is easy. ", "Use services.ssh.enable now. ", "More. ")),
        no_form(answers("Use services.openssh.enable now.")),
    )
    events = stream(daemon, CONCEPT)
    text = "".join(event["text"] for event in events if event["event"] == "text")
    assert text == "It is easy. Use services.openssh.enable now."
    assert "services.ssh.enable" not in json.dumps(events)
    assert events[-1]["verdict"] == "corrected"
    assert events[-1]["prompt_tokens"] > 100, "what the engine saw is known, though its first answer was stopped"
    told = engine.chats[-1]["messages"][-1]["content"]
    assert "services.ssh.enable" in told
    assert "services.openssh.enable" in told


def test_a_repair_that_fails_leaves_the_fault_marked(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    engine.chat = in_turn(answers("Use services.ssh.enable now."), refuses(500, "out of memory"))
    answer = daemon.ask(CONCEPT)
    assert "⚠" in answer["answer"]
    assert answer["verdict"] in {"flagged", "ungrounded"}
    assert any("out of memory" in notice for notice in answer["notices"])
    assert daemon.rows()[0]["outcome"] == "answered"


def test_an_answer_of_which_nothing_exists_is_followed_by_the_search(
    daemon: ActivatedDaemon, engine: FakeOllama
) -> None:
    engine.chat = no_form(answers("Use services.sshd-server.on = true."))
    answer = daemon.ask(SSH)
    assert answer["verdict"] == "ungrounded"
    assert "services.openssh.enable = true;" in answer["answer"].split("do not exist here")[1]


def test_code_is_checked_whole_before_it_is_shown(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    code = [
        "```nix\n",
        "services.openssh.enable = ",
        '"yes"',
        ";\n",
        "networking.firewall.allowedTCPPorts = [ 70000 ];\n",
    ]
    engine.chat = no_form(answers(*code, "```\n"))
    events = stream(daemon, CONCEPT)
    text = "".join(event["text"] for event in events if event["event"] == "text")
    assert text.count("⚠") == 2
    assert events[-1]["verdict"] == "flagged"


def test_a_dangerous_command_carries_a_warning(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    engine.chat = no_form(answers("```bash\nsudo dd if=nixos.iso of=/dev/sda\n```\n"))
    text = daemon.ask(CONCEPT)["answer"]
    assert text.index("⚠") < text.index("of=/dev/sda")


def test_text_is_shown_sentence_by_sentence(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    engine.chat = no_form(answers("One sen", "tence. Ano", "ther one.", pause=0.05))
    texts = [event["text"] for event in stream(daemon, CONCEPT) if event["event"] == "text"]
    assert texts == ["One sentence. ", "Another one."]


def test_a_model_that_repeats_itself_is_stopped(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    def loops(call: Call) -> None:
        call.start()
        while True:
            call.say("Use services.openssh.enable for that. ", pause=0.02)

    engine.chat = no_form(loops)
    answer = daemon.ask(CONCEPT)
    assert answer["answer"].count("Use services.openssh.enable") == 2
    assert any("repeat itself" in notice for notice in answer["notices"])
    assert engine.closed, "the engine was told to stop"


def test_where_a_model_goes_astray_after_the_settings_the_options_explain_them(
    daemon: ActivatedDaemon, engine: FakeOllama
) -> None:
    engine.chat = chooses(SSH_ON, then=answers("It lets people log in. ", "See services.ssh.users too. ", "More."))
    answer = daemon.ask(SSH)
    assert "services.ssh.users" not in answer["answer"]
    assert "It lets people log in." in answer["answer"]
    told = answer["answer"].split("It lets people log in.")[1]
    described = json.loads(SAMPLE_OPTIONS.read_text())["services.openssh.enable"]["description"].split(".")[0]
    assert f"`services.openssh.enable`: {described}" in told
    assert "sudo nixos-rebuild switch" in told
    assert answer["verdict"] == "corrected"
    assert len(engine.chats) == 2, "no further request to a model that went astray"


def test_a_model_that_says_its_task_back_is_not_shown(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    def parrot(call: Call) -> None:
        task = call.body["messages"][-1]["content"].split("shown to the person already:")[1].split("```\n\n")[1]
        answers(task)(call)

    engine.chat = chooses(SSH_ON, then=parrot)
    answer = daemon.ask(SSH)
    assert "Do not write the settings again" not in answer["answer"]
    assert "`services.openssh.enable`: " in answer["answer"]
    assert answer["verdict"] == "verified"


def test_a_model_that_goes_round_in_one_block_is_stopped(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    turns = "```bash\nnixos-rebuild switch " + "--enable-on-system " * 12 + "\n```\n"
    engine.chat = no_form(answers("Use services.openssh.enable. ", turns))
    answer = daemon.ask(CONCEPT)
    assert "--enable-on-system" not in answer["answer"]
    assert any("repeat itself" in notice for notice in answer["notices"])


@pytest.mark.parametrize(
    "shown",
    [
        "-" * 80,
        "| --- " * 12 + "|",
        'hash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";',
        "." * 60,
        "# = # = # = # = # = # = # = # =",
    ],
)
def test_what_repeats_without_words_is_no_circle(daemon: ActivatedDaemon, engine: FakeOllama, shown: str) -> None:
    engine.chat = no_form(answers("Use services.openssh.enable. ", f"```text\n{shown}\n```\n"))
    assert shown in daemon.ask(CONCEPT)["answer"]


def test_what_rests_on_nothing_is_followed_by_the_search(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    engine.chat = no_form(answers("I am a cook from a small village."))
    answer = daemon.ask("How do I roll back to the previous generation?")
    assert answer["verdict"] == "ungrounded"
    after = answer["answer"].split("I am a cook from a small village.")[1]
    assert "⚠" in after
    assert "nixos-rebuild switch --rollback" in after
    assert daemon.rows()[0]["answer"] == answer["answer"]


def test_what_rests_on_nothing_says_so(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    engine.chat = no_form(answers("I am a cook from a small village."))
    for question in ("zxqv wvutsr?", "How do I roll back to the previous generation?"):
        answer = daemon.ask(question)
        assert answer["verdict"] == "ungrounded", answer["sources"]
        assert any("Nothing was found" in notice for notice in answer["notices"])
    told = [chat["messages"][-1]["content"] for chat in engine.chats if "zxqv" in chat["messages"][-1]["content"]]
    assert all("Nothing about this was found" in text for text in told)


def test_a_pasted_error_leads_to_its_note(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    engine.chat = answers("A definition needs its own value before that value exists, so the evaluation never ends.")
    paste = "building the system configuration...\nerror: infinite recursion encountered\n  at /nix/store/x.nix:3:4"
    answer = daemon.ask("why?", attachment=paste)
    assert not engine.chats[0].get("format")
    assert any("recursion" in source["name"].lower() for source in answer["sources"])
    prompt = engine.chats[0]["messages"][-1]["content"]
    assert "infinite recursion" in prompt.lower().split("attached text")[0]


def test_without_an_engine_the_search_answers(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with ActivatedDaemon(tmp_path, ollama_url=url, model=BASE) as daemon:
        done = daemon.client("ask-nix-guru", *SSH.split())
        assert done.returncode == 6
        assert "services.openssh.enable = true;" in done.stdout
        assert "No model answers" in done.stderr
        assert "services.ollama.enable" in done.stderr
        row = daemon.rows()[0]
        assert (row["outcome"], row["error_code"], row["model"]) == ("answered", "engine_unreachable", None)
        assert row["answer"].rstrip() == done.stdout.rstrip()
        found = daemon.client("nix-trinity", "options", "ssh", "server")
        assert found.stdout.splitlines()[0] == "services.openssh.enable"
        raw = json.loads(daemon.client("nix-trinity", "options", "--json", "ssh", "server").stdout)
        assert raw["options"][0]["why"]
        assert raw["release"] == "25.05"
        assert daemon.client("nix-trinity", "options").returncode == 2


def test_without_options_an_answer_is_not_called_checked(engine: FakeOllama, tmp_path: Path) -> None:
    engine.reset()
    missing = tmp_path / "none.json"
    with ActivatedDaemon(tmp_path, ollama_url=engine.url, model=BASE, options=missing) as daemon:
        answer = daemon.ask(SSH)
        assert answer["verdict"] == "ungrounded"
        assert any("not checked" in notice and str(missing) in notice for notice in answer["notices"])
        assert str(missing) in daemon.client("nix-trinity", "status").stdout


def test_a_rebuild_is_noticed_at_the_next_question(engine: FakeOllama, tmp_path: Path) -> None:
    engine.reset()
    options = tmp_path / "options.json"
    known = json.loads(SAMPLE_OPTIONS.read_text())
    options.write_text(json.dumps({name: one for name, one in known.items() if "openssh" not in name}))
    with ActivatedDaemon(tmp_path, ollama_url=engine.url, model=BASE, options=options) as daemon:
        engine.chat = no_form(answers("Use services.openssh.enable."))
        assert daemon.ask(SSH)["verdict"] == "ungrounded"
        options.write_text(json.dumps(known))
        assert daemon.ask(SSH)["verdict"] == "verified"
        options.write_text("{ broken")
        assert daemon.ask(SSH)["verdict"] == "verified", "the last good index stays"
        assert str(options) in daemon.client("nix-trinity", "status").stdout


def stream(daemon: ActivatedDaemon, question: str) -> list[dict[str, Any]]:
    with daemon.request("POST", "/v1/ask", {"question": question, "role": "quick"}) as reply:
        return [json.loads(line) for line in reply.read().splitlines()]

"""The ask line through the whole daemon, on an engine that does what no real one can be made to do.

The letter and number in a test's docstring is the row of the list of faults that users of such systems met.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stack.daemon_process import ActivatedDaemon
from tests.stack.fake_ollama import BASE, FINE, Behaviour, Call, FakeOllama, Model, answers, in_turn, refuses
from tests.stack.waiting import eventually

PATIENCE = "first_token_timeout_seconds = 2.0\ntoken_gap_timeout_seconds = 2.0"
WHOLE = "A flake is a folder with a lock file."
NO_ROOM = "the request exceeds the available context size (4096 tokens), try increasing it"


@pytest.fixture(scope="module")
def engine() -> Iterator[FakeOllama]:
    with FakeOllama() as fake:
        yield fake


@pytest.fixture(scope="module")
def running(engine: FakeOllama, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ActivatedDaemon]:
    """Without options, so that what the engine does is all that there is: nothing is searched or checked."""
    folder = tmp_path_factory.mktemp("d")
    with ActivatedDaemon(folder, ollama_url=engine.url, model=BASE, ollama=PATIENCE, options=None) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def grounded(engine: FakeOllama, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ActivatedDaemon]:
    """With options, so that a search can stand in for a model."""
    folder = tmp_path_factory.mktemp("g")
    with ActivatedDaemon(folder, ollama_url=engine.url, model=BASE, ollama=PATIENCE) as daemon:
        yield daemon


@pytest.fixture
def daemon(running: ActivatedDaemon, engine: FakeOllama) -> ActivatedDaemon:
    """The module's daemon, with an engine that has nothing against it."""
    engine.reset()
    return running


def prompt_size(chat: Any) -> int:
    return sum(len(message["content"]) for message in chat["messages"])


# A whole sentence, since an answer is shown sentence by sentence.
HALF = "This is half an answer."


def halfway(then: Callable[[Call], None]) -> Behaviour:
    """Break after the first words."""

    def behave(call: Call) -> None:
        call.start()
        call.say(f"{HALF} ")
        then(call)

    return behave


def hang_up(_call: Call) -> None:
    raise ConnectionResetError


def unheard_of(call: Call) -> None:
    call.start()
    call.raw(b"\xff\xfe<html>not Ollama</html>\n")


@pytest.mark.parametrize(
    ("fault", "code", "exit_code", "kept"),
    [
        pytest.param(lambda call: call.wait(), "engine_timeout", 6, "", id="silent from the beginning"),
        pytest.param(halfway(lambda call: call.wait()), "engine_timeout", 6, HALF, id="silent halfway"),
        pytest.param(unheard_of, "engine_garbage", 1, "", id="garbage from the beginning"),
        pytest.param(
            halfway(lambda call: call.raw(b"\x00garbage\n")),
            "engine_garbage",
            1,
            HALF,
            id="garbage halfway",
        ),
        pytest.param(refuses(404, "model 'nix-quick' not found"), "model_missing", 7, "", id="404"),
        pytest.param(refuses(500, "blob is damaged"), "engine_failed", 1, "", id="500"),
        pytest.param(refuses(503, "server busy, please try again"), "engine_busy", 5, "", id="503"),
        pytest.param(hang_up, "engine_unreachable", 6, "", id="hangs up at once"),
        pytest.param(halfway(hang_up), "engine_unreachable", 6, HALF, id="hangs up halfway"),
        pytest.param(halfway(Call.stop), "engine_garbage", 1, HALF, id="ends without being done"),
        pytest.param(
            halfway(lambda call: call.raw(b'{"error": "out of memory"}\n')),
            "engine_failed",
            1,
            HALF,
            id="error halfway",
        ),
        pytest.param(answers(), "empty_answer", 1, "", id="no word"),
    ],
)
def test_a_fault_of_the_engine_is_told_kept_and_lived_through(
    daemon: ActivatedDaemon, engine: FakeOllama, fault: Behaviour, code: str, exit_code: int, kept: str
) -> None:
    engine.chat = fault
    done = daemon.client("ask-nix-guru", "--role", "quick", "what is a flake")
    assert done.returncode == exit_code, done.stderr
    assert done.stdout.strip() == kept
    problem, remedy = done.stderr.splitlines()
    assert problem.startswith("error: ")
    assert remedy.strip()
    row = daemon.rows()[0]
    assert (row["outcome"], row["error_code"], row["answer"].strip()) == ("failed", code, kept)
    engine.reset()
    assert daemon.ask("what is a flake")["answer"] == WHOLE


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(hang_up, "engine_unreachable", id="hangs up at once"),
        pytest.param(lambda call: call.wait(), "engine_timeout", id="silent from the beginning"),
        pytest.param(refuses(404, "model 'nix-quick' not found"), "model_missing", id="404"),
    ],
)
def test_where_no_model_answers_the_search_does_and_says_so(
    grounded: ActivatedDaemon, engine: FakeOllama, fault: Behaviour, code: str
) -> None:
    """c10: an answer from the search alone, with a notice; and from the model again as soon as it can."""
    engine.reset()
    engine.chat = fault
    answer = grounded.ask("how do I enable the SSH server")
    assert "openssh" in answer["answer"]
    assert (answer["outcome"], answer["degraded"]) == ("answered", code)
    assert any(notice.startswith("No model answers:") for notice in answer["notices"])
    row = grounded.rows()[0]
    assert (row["outcome"], row["error_code"]) == ("answered", code)
    engine.reset()
    again = grounded.ask("what is a flake")
    assert again["degraded"] is None
    assert again["answer"].startswith(WHOLE)


def test_an_answer_from_the_search_is_not_put_down_to_a_model(grounded: ActivatedDaemon, engine: FakeOllama) -> None:
    engine.reset()
    engine.chat = lambda call: call.wait()
    assert grounded.ask("how do I enable the SSH server")["degraded"] == "engine_timeout"
    assert grounded.rows()[0]["model"] is None


def test_an_answer_that_names_no_option_is_not_said_to_name_wrong_ones(
    grounded: ActivatedDaemon, engine: FakeOllama
) -> None:
    """c15: what is replaced by the search is an answer in which all names are unknown."""
    engine.reset()
    engine.chat = answers("It gives the machine a name.")
    assert "do not exist here" not in grounded.ask("what does networking.hostName do")["answer"]


def test_a_busy_engine_is_asked_three_times_and_no_more(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    """c06: at most two retries."""
    engine.chat = refuses(503, "server busy, please try again.  maximum pending requests exceeded")
    assert daemon.ask("what is a flake")["error"]["code"] == "engine_busy"
    assert len(engine.chats) == 3
    engine.reset()
    engine.chat = in_turn(refuses(503, "server busy"), FINE)
    assert daemon.ask("what is a flake")["answer"] == WHOLE


@pytest.mark.parametrize("error", [NO_ROOM, "the input length exceeds the context length"])
def test_a_prompt_that_is_too_long_is_tried_once_more_and_shorter(
    daemon: ActivatedDaemon, engine: FakeOllama, error: str
) -> None:
    """c02: a refusal that names the context gets one retry with less."""
    engine.chat = in_turn(refuses(400, error), FINE)
    answer = daemon.ask("why does it fail", attachment="a line of the log\n" * 400)
    assert answer["outcome"] == "answered"
    first, second = map(prompt_size, engine.chats)
    assert second < 0.75 * first


def test_a_prompt_that_stays_too_long_is_an_error_with_a_remedy(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    """c02: after that one retry comes a readable error, and no third try."""
    engine.chat = refuses(400, NO_ROOM)
    error = daemon.ask("why does it fail", attachment="a line of the log\n" * 400)["error"]
    assert error["code"] == "context_too_long"
    assert "numCtx" in error["hint"]
    assert len(engine.chats) == 2
    row = daemon.rows()[0]
    assert (row["outcome"], row["error_code"]) == ("failed", "context_too_long")


def test_an_answer_to_a_prompt_that_was_cut_is_marked_and_not_built_upon(
    daemon: ActivatedDaemon, engine: FakeOllama
) -> None:
    """c01: the engine counts far fewer tokens than were sent."""
    engine.chat = answers("It invented this.", prompt_tokens=3)
    cut = daemon.ask("what is pomegranate", session="cut")
    assert cut["truncated"] is True
    assert any("did not see the whole prompt" in notice for notice in cut["notices"])
    assert daemon.rows()[0]["truncated"] is True
    line = next(line for line in daemon.log_lines() if line.get("request") == cut["id"])
    assert line["truncated"] is True

    engine.chat = FINE
    whole = daemon.ask("what is a tangerine", session="cut")
    assert whole["truncated"] is False
    daemon.ask("what is a kumquat", session="cut")
    after, later = (json.dumps(chat["messages"]) for chat in engine.chats[1:])
    assert "pomegranate" not in after
    assert "invented" not in after
    assert "tangerine" in later, "a whole answer is built upon"
    assert "invented" not in later


def test_all_requests_agree_on_the_window_and_on_how_long_to_stay(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    """c04: another num_ctx would reload the model, another keep_alive would unload it early."""
    for role in ("quick", "coder", "expert", "empathy", "quick"):
        assert daemon.ask("what is a flake", role=role)["outcome"] == "answered"
    assert len(engine.chats) == 5
    assert len({chat["options"]["num_ctx"] for chat in engine.chats}) == 1
    loading = [request.body for request in engine.requests if request.path in {"/api/chat", "/api/embed"}]
    assert {body["keep_alive"] for body in loading} == {"10m"}


def test_looking_at_the_engine_loads_nothing(daemon: ActivatedDaemon, engine: FakeOllama, tmp_path: Path) -> None:
    """c04: neither a probe nor a status may load a model."""
    for role in ("quick", "coder", "expert", "empathy"):
        daemon.ask("what is a flake", role=role)
    engine.reset()
    for _ in range(3):
        daemon.json("GET", "/v1/status")
        assert daemon.client("nix-trinity", "status").returncode == 0
    with ActivatedDaemon(tmp_path, ollama_url=engine.url, model=BASE) as second:
        eventually(lambda: second.json("GET", "/v1/status")["engine"]["reachable"])
    assert {request.path for request in engine.requests} <= {"/api/version", "/api/tags", "/api/show"}
    assert engine.requests, "the second daemon looked"


@pytest.fixture
def stubborn() -> Iterator[FakeOllama]:
    """An engine that has a model of before for the quick role, and makes no models any more."""
    with FakeOllama() as fake:
        fake.models["nix-quick:latest"] = Model(system="Answer as ever.")
        fake.making = refuses(500, "open /models/blobs/sha256-77: input/output error")
        yield fake


@pytest.fixture
def changed(stubborn: FakeOllama, tmp_path: Path) -> Iterator[ActivatedDaemon]:
    with ActivatedDaemon(tmp_path, ollama_url=stubborn.url, model=BASE, options=None) as daemon:
        yield daemon


def test_a_model_that_cannot_be_made_anew_leaves_the_old_one_in_use(changed: ActivatedDaemon) -> None:
    """c03: on any failure the previous model stays the active one."""
    assert changed.ask("what is a flake").get("answer") == WHOLE


def test_a_model_is_made_anew_as_soon_as_it_can_be(changed: ActivatedDaemon, stubborn: FakeOllama) -> None:
    """c10: nobody has to restart anything."""
    changed.ask("what is a flake")
    stubborn.making = None
    eventually(lambda: stubborn.models["nix-quick:latest"].system != "Answer as ever.", 8)


def test_status_shows_what_the_engine_said_when_it_could_not_make_a_model(changed: ActivatedDaemon) -> None:
    """c03: the server's own words."""
    changed.ask("what is a flake")
    shown = json.dumps(changed.json("GET", "/v1/status"))
    assert "input/output error" in shown
    assert "input/output error" in changed.client("nix-trinity", "status").stdout


@pytest.mark.parametrize("words", [["One. ", "Two. "], []], ids=["halfway", "before the first word"])
def test_a_client_that_leaves_ends_the_work_upstream(
    daemon: ActivatedDaemon, engine: FakeOllama, words: list[str]
) -> None:
    """c05: within 1 s by the product's promise; twice that here, for a busy machine."""

    def slow(call: Call) -> None:
        call.start()
        call.say(*words)
        call.wait()

    daemon.ask("what is a flake")
    engine.chat = slow
    with daemon.request("POST", "/v1/ask", {"question": "what is a channel", "role": "quick"}) as reply:
        while words and b'"event":"text"' not in (line := reply.readline()):
            assert line
        eventually(lambda: len(engine.chats) == 2)
    left = time.monotonic()
    eventually(lambda: engine.closed)
    assert engine.closed[0] - left < 2
    eventually(lambda: daemon.rows()[0]["outcome"] == "cancelled")
    assert words == [] or daemon.rows()[0]["answer"].startswith("One. ")
    assert daemon.json("GET", "/v1/status")["queue"]["running"] == 0


def test_a_reload_between_questions_is_counted(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    """c04: a model that is unloaded in between shows."""

    def reloads() -> int:
        count: int = daemon.json("GET", "/v1/status")["engine"]["reloads"]
        return count

    def loading(call: Call) -> None:
        call.start()
        call.say("Hello.")
        last = {"model": call.body["model"], "created_at": "2025-01-01T00:00:00Z", "done": True, "done_reason": "stop"}
        counts = {"prompt_eval_count": 900, "eval_count": 2, "load_duration": 3_000_000_000}
        call.raw(json.dumps({**last, **counts, "message": {"role": "assistant", "content": ""}}).encode() + b"\n")
        call.stop()

    daemon.ask("what is a flake")
    before = reloads()
    daemon.ask("what is a flake")
    assert reloads() == before
    engine.chat = loading
    daemon.ask("what is a flake")
    assert reloads() == before + 1


def test_an_old_ollama_is_given_a_modelfile(tmp_path: Path) -> None:
    """c03: before 0.5.5 a model is made from a Modelfile's text, not from fields."""
    with FakeOllama() as old:
        old.version = "0.5.1"

        def make(call: Call) -> None:
            text = str(call.body.get("modelfile", ""))
            if "from" in call.body or not text.startswith("FROM"):
                call.refuse(400, "neither 'from' nor 'files' was specified")
                return
            old.models["nix-quick:latest"] = Model(system="made from a Modelfile")
            call.start()
            call.raw(b'{"status": "success"}\n')
            call.stop()

        old.making = make
        with ActivatedDaemon(tmp_path, ollama_url=old.url, model=BASE, options=None) as running:
            assert running.ask("what is a flake").get("answer") == WHOLE
        assert "nix-quick:latest" in old.models


def test_the_newest_answer_can_be_judged_by_the_name_that_it_has_elsewhere(
    daemon: ActivatedDaemon, engine: FakeOllama
) -> None:
    newest = daemon.ask("what is a flake", fresh=True)["id"]
    assert daemon.json("GET", "/v1/history/last")["exchange"]["id"] == newest
    assert daemon.json("POST", "/v1/feedback", {"id": "last", "verdict": "good"})["id"] == newest

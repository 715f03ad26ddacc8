"""The engine for servers with OpenAI's API, against a real HTTP server that shows every fault."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from nix_trinity.engines.deadlines import Deadlines
from nix_trinity.engines.definitions import Definitions
from nix_trinity.engines.openai_compatible import OpenAIEngine
from nix_trinity.engines.openai_events import EventDecoder
from nix_trinity.engines.openai_form import fault_of
from nix_trinity.engines.openai_models import read_vectors
from nix_trinity.engines.protocol import ChatMessage, ChatRequest, CreateRequest, Engine, Usage
from nix_trinity.errors import (
    ConfigError,
    ContextTooLongError,
    EngineAuthError,
    EngineBusyError,
    EngineError,
    EngineProtocolError,
    EngineTimeoutError,
    EngineUnreachableError,
    ModelMissingError,
)
from tests.stack.fake_openai import (
    BASE,
    EMBEDDING,
    FINE,
    Behaviour,
    Call,
    FakeOpenAI,
    answers,
    in_turn,
    refuses,
    without,
)

T = TypeVar("T")
SHORT = Deadlines(connect=1.0, first_token=0.6, token_gap=0.3, short_call=0.6)
SCHEMA = {
    "type": "object",
    "properties": {"port": {"type": "integer", "minimum": 1}},
    "required": ["port"],
    "additionalProperties": False,
}
KEY = "sk-verysecretkey0123456789"


@pytest.fixture(scope="module")
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as fake:
        yield fake


@pytest.fixture
def fake(server: FakeOpenAI) -> Iterator[FakeOpenAI]:
    models = list(server.models)
    yield server
    server.reset()
    server.models, server.lists_models, server.dimensions = models, True, 8


def run(
    fake: FakeOpenAI,
    folder: Path,
    work: Callable[[OpenAIEngine], Awaitable[T]],
    *,
    key: Callable[[], str] | None = None,
    deadlines: Deadlines = SHORT,
    url: str = "",
) -> T:
    async def inner() -> T:
        engine = OpenAIEngine(url or fake.url, Definitions(folder / "definitions"), key=key, deadlines=deadlines)
        try:
            return await work(engine)
        finally:
            await engine.close()

    return asyncio.run(inner())


async def answer(engine: Engine, **fields: object) -> tuple[str, Usage | None]:
    given = {"model": BASE, "messages": (ChatMessage("user", "What is a flake?"),), "num_ctx": 4096, "max_tokens": 64}
    pieces: list[str] = []
    usage = None
    async with aclosing(engine.chat(ChatRequest(**{**given, **fields}))) as chunks:  # type: ignore[arg-type]
        async for chunk in chunks:
            pieces.append(chunk.text)
            usage = chunk.usage or usage
    return "".join(pieces), usage


def asked(fake: FakeOpenAI, folder: Path, behaviour: Behaviour, **fields: object) -> tuple[str, Usage | None]:
    fake.chat = behaviour
    return run(fake, folder, lambda engine: answer(engine, **fields))


def refused(fake: FakeOpenAI, folder: Path, behaviour: Behaviour, kind: type[EngineError]) -> EngineError:
    with pytest.raises(kind) as caught:
        asked(fake, folder, behaviour)
    assert caught.value.message
    assert caught.value.hint
    return caught.value


def test_an_answer_is_streamed_with_what_it_cost(fake: FakeOpenAI, tmp_path: Path) -> None:
    text, usage = asked(fake, tmp_path, FINE, temperature=0.2)
    assert text == "A flake is a folder with a lock file."
    assert usage is not None
    assert (usage.answer_tokens, usage.finish_reason) == (7, "stop")
    assert usage.prompt_tokens
    body = fake.chats[-1]
    assert (body["model"], body["max_tokens"], body["temperature"], body["stream"]) == (BASE, 64, 0.2, True)
    assert "options" not in body
    assert "num_ctx" not in body


def raw(*blocks: bytes) -> Behaviour:
    def behave(call: Call) -> None:
        call.start()
        for block in blocks:
            call.raw(block)
            call.wait(0.02)
        call.stop()

    return behave


CHUNK = b'data: {"choices":[{"delta":{"content":"caf\xc3\xa9"}}]}'


@pytest.mark.parametrize(
    "blocks",
    [
        (CHUNK[:20], CHUNK[20:], b"\n\ndata: [DO", b"NE]\n\n"),
        (CHUNK[:-7], CHUNK[-7:-6], CHUNK[-6:], b"\n\ndata: [DONE]\n\n"),
        (b": keep-alive\n\n", CHUNK, b"\r\n\r\n", b": x\r\ndata: [DONE]\r\n\r\n"),
        (CHUNK.replace(b"data: ", b"event: message\nid: 7\ndata:"), b"\r\r", b"data:[DONE]\r\r"),
        (CHUNK, b'\n\ndata: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'),
        (CHUNK, b'\n\ndata: {"choices":[{"delta":{},"finish_reason":"stop"}]}'),
        (b'data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}\n\n', CHUNK, b"\n\ndata: [DONE]\n\n"),
        (b'data: {"choices":[]}\n\ndata: {"choices":[{"delta":{"content":null}}]}\n\n', CHUNK, b"\n\ndata: [DONE]\n\n"),
        (b'data: {"choices":[{"delta":\ndata: {"content":"caf\xc3\xa9"}}]}\n\ndata: [DONE]\n\n',),
        (b'data: {"choices":[{"delta":\r', b'\ndata: {"content":"caf\xc3\xa9"}}]}\r\n\r\ndata: [DONE]\r', b"\n\r\n"),
    ],
)
def test_a_stream_may_be_cut_anywhere_and_have_what_else_is_allowed(
    fake: FakeOpenAI, tmp_path: Path, blocks: tuple[bytes, ...]
) -> None:
    assert asked(fake, tmp_path, raw(*blocks))[0] == "café"


def test_a_long_line_in_small_blocks_is_read_once() -> None:
    decoder = EventDecoder()
    began = time.process_time()
    events = [event for block in [b"data: ", *[b"x" * 16] * 60_000, b"\r", b"\n\r\n"] for event in decoder.feed(block)]
    # Read anew with each block, this takes minutes.
    assert time.process_time() - began < 15
    assert [len(event) for event in events] == [960_000]


@pytest.mark.parametrize(
    "block",
    [
        b'data: {"choices": [{"delta": {"con\n\n',
        b"data: hello\n\n",
        b"data: [1, 2]\n\n",
        b"data: \xff\xfe\n\n",
        b'data: {"choices": "none"}\n\n',
        b'data: {"choices": ["none"]}\n\n',
        b'data: {"choices": [{"delta": {"content": 7}}]}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b"x" * (1 << 20) + b"xx",
        b"",
    ],
)
def test_half_a_json_and_other_garbage_is_said_to_be_that(fake: FakeOpenAI, tmp_path: Path, block: bytes) -> None:
    error = refused(fake, tmp_path, raw(CHUNK, b"\n\n", block), EngineProtocolError)
    assert error.stable_code == "engine_garbage"
    assert fake.url in error.message


def test_a_server_that_does_not_stream_is_understood(fake: FakeOpenAI, tmp_path: Path) -> None:
    whole = {
        "choices": [{"message": {"content": [{"type": "text", "text": "Yes."}]}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
    }
    text, usage = asked(fake, tmp_path, lambda call: call.reply(whole))
    assert (text, usage) == ("Yes.", Usage(5, 2, "length"))


def calls_a_tool(*words: str) -> Behaviour:
    def behave(call: Call) -> None:
        call.start()
        call.say(*words)
        call.event(delta={"tool_calls": [{"index": 0, "function": {"name": "run_shell", "arguments": "{"}}]})
        call.end(reason="tool_calls")

    return behave


def test_a_tool_that_nobody_offered_is_let_be_and_the_text_kept(fake: FakeOpenAI, tmp_path: Path) -> None:
    assert asked(fake, tmp_path, calls_a_tool("Use ", "nix."))[0] == "Use nix."
    error = refused(fake, tmp_path, calls_a_tool(), EngineProtocolError)
    assert "run_shell" in error.message


def test_the_key_is_sent_and_never_shown(fake: FakeOpenAI, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fake.key = KEY
    assert run(fake, tmp_path, answer, key=lambda: KEY)[0].startswith("A flake")
    with pytest.raises(EngineAuthError) as caught:
        run(fake, tmp_path, answer, key=lambda: "wrong-key-entirely")
    assert "apiKeyFile" in caught.value.hint
    assert caught.value.stable_code == "engine_unauthorized"

    def echoes(call: Call) -> None:
        call.refuse(403, f"the key {KEY} ({KEY[:7]}***89) may not use this")

    fake.chat = echoes
    with pytest.raises(EngineAuthError) as echoed:
        run(fake, tmp_path, answer, key=lambda: KEY)
    for error in (caught.value, echoed.value):
        assert KEY not in str(error)
        assert KEY[:6] not in str(error)
    out = capfd.readouterr()
    assert KEY not in out.out + out.err


ODD_KEY = "0123456789abcdefODDKEY"


@pytest.mark.parametrize(
    "behaviour",
    [
        lambda call: call.refuse(403, f"not with {ODD_KEY}"),
        lambda call: call.reply([f"Authorization: Bearer {ODD_KEY}"]),
        lambda call: raw(b'data: {"error": {"message": "not with ' + ODD_KEY.encode() + b'", "code": 403}}\n\n')(call),
        lambda call: raw(b'data: "' + ODD_KEY.encode() + b'"\n\n')(call),
    ],
    ids=["refused", "no object", "refused in a stream", "no object in a stream"],
)
def test_a_key_of_no_known_form_that_a_server_echoes_is_not_shown(
    fake: FakeOpenAI, tmp_path: Path, behaviour: Behaviour
) -> None:
    fake.chat = behaviour
    with pytest.raises(EngineError) as caught:
        run(fake, tmp_path, answer, key=lambda: ODD_KEY)
    assert "ODDKEY" not in str(caught.value)


def test_a_key_that_cannot_be_read_is_an_engine_that_cannot_be_asked(fake: FakeOpenAI, tmp_path: Path) -> None:
    def unreadable() -> str:
        raise ConfigError("openai.api_key_file: it is not there.", "Write it.")

    with pytest.raises(EngineAuthError, match="it is not there"):
        run(fake, tmp_path, answer, key=unreadable)
    assert fake.requests == []


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        (refuses(404, "The model `x` does not exist"), ModelMissingError, "Served there"),
        (refuses(404, "The model `long-context-7b` does not exist"), ModelMissingError, "Served there"),
        (refuses(400, "Invalid model name passed in model=x"), ModelMissingError, BASE),
        (refuses(400, "maximum context length is 4096 tokens; reduce max_tokens"), ContextTooLongError, "4096"),
        (refuses(400, "too long", code="context_length_exceeded"), ContextTooLongError, "window"),
        (refuses(500, "the request exceeds the available context size"), ContextTooLongError, "context"),
        (refuses(429, "slow down"), EngineBusyError, "slow down"),
        (refuses(429, "pay first", code="insufficient_quota"), EngineAuthError, "pay first"),
        (refuses(400, "No connected db.", type="no_db_connection"), EngineAuthError, "apiKeyFile"),
        (refuses(503, "Loading model"), EngineBusyError, "Loading model"),
        (refuses(502, "bad gateway"), EngineUnreachableError, "behind"),
        (refuses(500, "litellm.APIConnectionError: Cannot connect to host"), EngineUnreachableError, "behind"),
        (refuses(504, "gave up"), EngineTimeoutError, "gave up"),
        (refuses(500, "out of cheese"), EngineError, "out of cheese"),
        (refuses(400, "messages must not be empty"), EngineError, "must not be empty"),
        (lambda call: call._handler.reply("not found", 404), ModelMissingError, ""),
        (lambda call: call.reply(["no", "object"]), EngineProtocolError, "object"),
    ],
)
def test_each_refusal_is_the_error_that_it_means(
    fake: FakeOpenAI, tmp_path: Path, behaviour: Behaviour, kind: type[EngineError], words: str
) -> None:
    fake.chat = behaviour

    async def work(engine: OpenAIEngine) -> None:
        await engine.list_models()
        await answer(engine)

    with pytest.raises(kind) as caught:
        run(fake, tmp_path, work)
    assert words in str(caught.value)


def test_a_redirect_is_not_followed_and_the_key_goes_nowhere(fake: FakeOpenAI, tmp_path: Path) -> None:
    with FakeOpenAI() as elsewhere:
        away = refuses(307, "moved", headers={"Location": f"{elsewhere.url}/chat/completions"})
        error = refused(fake, tmp_path, away, EngineProtocolError)
        assert elsewhere.url in error.message
        assert elsewhere.requests == []


def test_retry_after_is_read_in_both_forms(fake: FakeOpenAI, tmp_path: Path) -> None:
    for value, least, most in (("7", 7, 7), ("0.5", 0.5, 0.5), ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0)):
        error = refused(fake, tmp_path, refuses(429, "wait", headers={"Retry-After": value}), EngineBusyError)
        assert isinstance(error, EngineBusyError)
        assert error.retry_after_seconds is not None
        assert least <= error.retry_after_seconds <= most
    error = refused(fake, tmp_path, refuses(429, "wait", headers={"Retry-After": "soon"}), EngineBusyError)
    assert isinstance(error, EngineBusyError)
    assert error.retry_after_seconds is None


def test_an_error_in_the_middle_of_a_stream_is_one(fake: FakeOpenAI, tmp_path: Path) -> None:
    def breaks(call: Call) -> None:
        call.start()
        call.say("A flake ")
        call.data({"error": {"message": "CUDA went away", "code": 500}})
        call.stop()

    assert "CUDA went away" in refused(fake, tmp_path, breaks, EngineError).message


def test_a_connection_that_breaks_or_a_stream_that_just_ends_is_no_answer(fake: FakeOpenAI, tmp_path: Path) -> None:
    def hangs_up(call: Call) -> None:
        call.start()
        call.say("A flake ")
        call.hang_up()

    def stops(call: Call) -> None:
        call.start()
        call.say("A flake ")
        call.stop()

    assert "went away" in refused(fake, tmp_path, hangs_up, EngineUnreachableError).message
    assert "without saying" in refused(fake, tmp_path, stops, EngineProtocolError).message


def test_a_server_that_is_not_there_is_said_to_be_away(fake: FakeOpenAI, tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachableError) as caught:
        run(fake, tmp_path, answer, url="http://127.0.0.1:9/v1")
    assert "openai.url" in caught.value.hint


def test_https_to_a_server_without_it_is_not_said_to_be_away(fake: FakeOpenAI, tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachableError) as caught:
        run(fake, tmp_path, answer, url=fake.url.replace("http:", "https:"))
    assert "encrypted" in caught.value.message
    assert "https://" in caught.value.hint


@pytest.mark.parametrize("spoken", [(), ("A flake ",)])
def test_silence_has_its_limits_and_comments_are_silence(
    fake: FakeOpenAI, tmp_path: Path, spoken: tuple[str, ...]
) -> None:
    def silent(call: Call) -> None:
        call.start()
        call.say(*spoken)
        while True:
            call.raw(b": still here\n\n")
            call.wait(0.05)

    began = time.monotonic()
    error = refused(fake, tmp_path, silent, EngineTimeoutError)
    allowed = SHORT.token_gap if spoken else SHORT.first_token
    assert allowed * 0.9 <= time.monotonic() - began < allowed + 10
    assert f"{allowed:g} s" in error.message


def test_headers_that_do_not_come_are_waited_for_as_the_first_word(fake: FakeOpenAI, tmp_path: Path) -> None:
    began = time.monotonic()
    refused(fake, tmp_path, lambda call: call.wait(), EngineTimeoutError)
    assert time.monotonic() - began < SHORT.first_token + 10


def test_closing_the_iterator_closes_the_connection_within_a_second(fake: FakeOpenAI, tmp_path: Path) -> None:
    """c05."""
    fake.chat = answers(*["word "] * 500, pause=0.05)

    async def work(engine: OpenAIEngine) -> float:
        async with aclosing(engine.chat(ChatRequest(BASE, (ChatMessage("user", "x"),), 4096, 64))) as chunks:
            async for _ in chunks:
                break
        return time.monotonic()

    left = run(fake, tmp_path, work, deadlines=Deadlines())
    until = time.monotonic() + 2
    while not fake.closed and time.monotonic() < until:
        time.sleep(0.01)
    assert fake.closed[0] - left < 1


@pytest.mark.parametrize("field", ["stream_options", "max_tokens", "temperature", "top_p", "seed"])
def test_a_field_that_is_refused_is_asked_without_once_and_remembered(
    fake: FakeOpenAI, tmp_path: Path, field: str
) -> None:
    fake.chat = without(field, FINE)

    async def work(engine: OpenAIEngine) -> None:
        base = CreateRequest("nix-quick", BASE, parameters={"top_p": 0.9, "seed": 7})
        async with aclosing(engine.create(base)) as made:
            async for _ in made:
                pass
        for _ in range(2):
            assert (await answer(engine, model="nix-quick", temperature=0.1))[0].startswith("A flake")

    run(fake, tmp_path, work)
    assert [field in body for body in fake.chats] == [True, False, False]
    assert ("max_completion_tokens" in fake.chats[-1]) == (field == "max_tokens")


def test_after_the_first_word_nothing_is_asked_again(fake: FakeOpenAI, tmp_path: Path) -> None:
    """A fault that sounds like a refused field would have the answer's beginning said twice."""

    def stopped(call: Call) -> None:
        call.start()
        call.say("A flake ")
        call.data({"error": {"message": "max_tokens: the engine broke down", "code": 400}})
        call.stop()

    assert "broke down" in refused(fake, tmp_path, stopped, EngineError).message
    assert len(fake.chats) == 1


def test_a_model_without_a_system_role_has_it_with_the_first_question(fake: FakeOpenAI, tmp_path: Path) -> None:
    def no_system(call: Call) -> None:
        if call.body["messages"][0]["role"] == "system":
            call.refuse(400, "System role not supported")
        else:
            FINE(call)

    fake.chat = no_system

    async def work(engine: OpenAIEngine) -> str:
        async with aclosing(engine.create(CreateRequest("nix-quick", BASE, system="Be brief."))) as made:
            async for _ in made:
                pass
        return (await answer(engine, model="nix-quick"))[0]

    assert run(fake, tmp_path, work).startswith("A flake")
    assert fake.chats[-1]["messages"] == [{"role": "user", "content": "Be brief.\n\nWhat is a flake?"}]


def test_a_form_is_held_to_its_schema_by_the_server(fake: FakeOpenAI, tmp_path: Path) -> None:
    text, usage = asked(fake, tmp_path, answers('{"po', 'rt": 22}'), schema=SCHEMA)
    assert text == '{"port": 22}'
    assert usage is not None
    assert fake.chats[-1]["response_format"]["json_schema"]["schema"] == SCHEMA
    assert len(fake.chats) == 1


def test_without_schemas_it_is_asked_for_in_words_found_and_checked(fake: FakeOpenAI, tmp_path: Path) -> None:
    fenced = answers('Here it is:\n```json\n{"port": ', "22}\n```\nAnything else?")
    fake.chat = without("response_format", fenced, message="response_format is not supported")

    async def work(engine: OpenAIEngine) -> list[str]:
        return [(await answer(engine, schema=SCHEMA))[0] for _ in range(2)]

    assert run(fake, tmp_path, work) == ['{"port": 22}'] * 2
    assert ["response_format" in body for body in fake.chats] == [True, False, False]
    last = fake.chats[-1]["messages"][-1]["content"]
    assert last.startswith("What is a flake?")
    assert '"minimum":1' in last


def test_a_form_that_does_not_follow_its_schema_is_mended_once(fake: FakeOpenAI, tmp_path: Path) -> None:
    text, usage = asked(fake, tmp_path, in_turn(answers('{"port": "ssh"}'), answers('{"port": 22}')), schema=SCHEMA)
    assert text == '{"port": 22}'
    assert usage is not None
    assert usage.answer_tokens == 14
    said = fake.chats[-1]["messages"]
    assert [one["role"] for one in said] == ["user", "assistant", "user"]
    assert "the object.port has to be of the type integer" in said[-1]["content"]
    fake.reset()
    # What is wrong then too is for who asked to refuse: it is not asked for ever.
    assert asked(fake, tmp_path, answers("I would rather not."), schema=SCHEMA)[0] == "I would rather not."
    assert len(fake.chats) == 2


def test_vectors_come_in_the_order_of_their_texts(fake: FakeOpenAI, tmp_path: Path) -> None:
    vectors = run(fake, tmp_path, lambda engine: engine.embed(EMBEDDING, ["a", "b"]))
    assert [vector[0] for vector in vectors] == [ord("a") / 255, ord("b") / 255]


def test_models_and_what_stands_on_them(fake: FakeOpenAI, tmp_path: Path) -> None:
    fake.models = [{"id": BASE, "max_model_len": 2048}, {"id": "other"}]

    async def work(engine: OpenAIEngine) -> None:
        assert [one.name for one in await engine.list_models()] == [BASE, "other"]
        shown = await engine.show(BASE)
        assert (shown.weights, shown.context_length) == (f"{BASE} @ {fake.url}", 2048)
        with pytest.raises(ModelMissingError, match="Served there: other, served-7b"):
            await engine.show("nowhere")

    run(fake, tmp_path, work)


@pytest.mark.parametrize("content", ["nonsense", {}, {"data": 7}, {"data": [{"name": "x"}]}, {"data": ["x"]}])
def test_a_list_of_models_that_is_none_is_garbage(fake: FakeOpenAI, tmp_path: Path, content: object) -> None:
    fake.models = content if isinstance(content, list) else [content]  # type: ignore[list-item]
    fake.lists_models = True
    with pytest.raises(EngineProtocolError):
        run(fake, tmp_path, lambda engine: engine.list_models())


def test_many_ask_at_once(fake: FakeOpenAI, tmp_path: Path) -> None:
    async def work(engine: OpenAIEngine) -> list[tuple[str, Usage | None]]:
        return await asyncio.gather(*(answer(engine) for _ in range(20)))

    found = run(fake, tmp_path, work, deadlines=Deadlines())
    assert {text for text, _ in found} == {"A flake is a folder with a lock file."}
    assert threading.active_count() < 60


def test_vectors_refused_with_words_of_roles_are_an_error_like_any_other(tmp_path: Path) -> None:
    refusal = httpx.Response(400, json={"error": {"message": "your role in this system may not embed"}})
    transport = httpx.MockTransport(lambda _: refusal)

    async def work() -> None:
        engine = OpenAIEngine("http://127.0.0.1:9/v1", Definitions(tmp_path), transport=transport)
        await engine.embed(EMBEDDING, ["a"])

    with pytest.raises(EngineError, match="may not embed"):
        asyncio.run(work())


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        [{"embedding": [1.0]}],
        [{"embedding": [1.0]}, {"embedding": [1.0, 2.0]}],
        [{"embedding": [1.0]}, {"embedding": [math.nan]}],
        [{"embedding": [1.0]}, {"embedding": []}],
        [{"embedding": [1.0]}, {"embedding": "AACAPw=="}],
        [{"embedding": [1.0]}, {"embedding": [True]}],
        [{"embedding": [1.0], "index": 1}, {"embedding": [1.0], "index": 1}],
        [{"embedding": [1.0], "index": 1}, {"embedding": [1.0], "index": 2}],
        ["x", "y"],
    ],
)
def test_vectors_that_are_none_or_of_nobody_are_refused(data: object) -> None:
    with pytest.raises(ValueError, match="vector"):
        read_vectors({"data": data}, 2)


@pytest.mark.parametrize(
    ("value", "schema", "fault"),
    [
        ("22", {"const": 22}, ""),
        ("true", {"const": 1}, "has to be 1"),
        ('"b"', {"enum": ["a"]}, 'one of "a"'),
        ("7", {"anyOf": [{"type": "string"}, {"type": "integer"}]}, ""),
        ("null", {"anyOf": [{"type": "string"}, {"type": "integer"}]}, "none of those"),
        ("true", {"type": "integer"}, "type integer"),
        ("2.0", {"type": "integer"}, ""),
        ('"abc"', {"type": "string", "maxLength": 2}, "too long"),
        ('"abc"', {"type": "string", "pattern": "^b"}, "does not match"),
        ("0", {"type": "integer", "minimum": 1}, "out of range"),
        ("[1, 2]", {"type": "array", "maxItems": 1}, "not 0 to 1"),
        ('[1, "x"]', {"type": "array", "items": {"type": "integer"}}, "[1] has to be"),
        ("{}", SCHEMA, 'lacks "port"'),
        ('{"port": 1, "x": 2}', SCHEMA, '"x", which is not to be there'),
        ('{"port": ', SCHEMA, "not JSON"),
        ("[" * 100_000, SCHEMA, "not JSON"),
    ],
)
def test_what_is_wrong_with_an_answer_by_its_schema(value: str, schema: dict[str, object], fault: str) -> None:
    found = fault_of(value, schema)
    assert fault in found
    assert bool(found) == bool(fault)

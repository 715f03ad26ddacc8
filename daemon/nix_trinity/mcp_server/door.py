"""The daemon, asked over its socket by the thin client's own code, without holding up the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

from nix_trinity import __version__
from nix_trinity.client.report import checked, decoded, events
from nix_trinity.client.wire import Reply, request

Result = TypeVar("Result")

_AGENT = f"nix-trinity-mcp/{__version__}"


async def asked(method: str, path: str, message: dict[str, Any] | None = None) -> dict[str, Any]:
    """The JSON of a reply.

    :raises Refusal: the daemon is not there, or refuses.
    """
    return decoded(await _bytes(method, path, message, "application/json"))


async def in_words(path: str) -> str:
    """A reply in words for a person.

    :raises Refusal: see :func:`asked`.
    """
    return (await _bytes("GET", path, None, "text/plain")).decode("utf-8", "replace")


async def events_of(message: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    """The events of an answer as they come. Whoever stops listening stops the model, too.

    :raises Refusal: see :func:`asked`; or the answer broke off.
    """
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
    call = _Call()

    def work() -> None:
        reply = checked(_requested("POST", "/v1/ask", message, "application/json"))
        call.hold(reply)
        for event in events(reply.blocks()):
            loop.call_soon_threadsafe(waiting.put_nowait, event)
            if event.get("event") == "ended":
                return

    done = _started(work)
    done.add_done_callback(lambda _: waiting.put_nowait(None))
    try:
        while (event := await waiting.get()) is not None:
            yield event
        await done
    finally:
        call.end()


class _Call:
    """A reply that is being read in a thread and may be ended from another, also before its head has come."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reply: Reply | None = None
        self._ended = False

    def hold(self, reply: Reply) -> None:
        with self._lock:
            self._reply = reply
            if self._ended:
                reply.close()

    def end(self) -> None:
        with self._lock:
            self._ended = True
            if self._reply is not None:
                self._reply.close()


def _requested(method: str, path: str, message: dict[str, Any] | None, accept: str) -> Reply:
    body = b"" if message is None else json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
    return request(method, path, body=body, accept=accept, agent=_AGENT)


async def _bytes(method: str, path: str, message: dict[str, Any] | None, accept: str) -> bytes:
    return await _started(lambda: checked(_requested(method, path, message, accept)).body())


def _started(work: Callable[[], Result]) -> asyncio.Future[Result]:
    """Work in a thread that does not keep the program from ending, as those of an executor do."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(result: Callable[[], Result]) -> None:
        if not future.done():
            try:
                future.set_result(result())
            except Exception as error:
                future.set_exception(error)

    def run() -> None:
        try:
            done = work()
        except Exception as error:
            failed = error

            def outcome() -> Result:
                raise failed
        else:

            def outcome() -> Result:
                return done

        # The loop is closed when the program ends meanwhile.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, daemon=True).start()
    # An error that nobody waits for any more is no news.
    future.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return future

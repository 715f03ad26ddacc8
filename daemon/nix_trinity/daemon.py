"""``nix-trinityd``: builds the objects, joins the rooms, and runs until it is idle or told to stop."""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from nix_trinity import __version__
from nix_trinity.api.access import Access
from nix_trinity.api.door import TokenDoor
from nix_trinity.api.messages import OptionsReply
from nix_trinity.api.routes import Api
from nix_trinity.api.server import Activity, ApiServer
from nix_trinity.api.status import Facts, status_reply
from nix_trinity.api.status_messages import StatusReply
from nix_trinity.api.tool_routes import ToolApi
from nix_trinity.catalogue import load_catalogue
from nix_trinity.config import DEFAULT_CONFIG_PATH, Config, load_config
from nix_trinity.errors import StorageError, TrinityError
from nix_trinity.host.listening import Sockets, Wanted, listening
from nix_trinity.host.memory import total_memory_gib
from nix_trinity.host.notify import ServiceManager
from nix_trinity.host.release import nixos_release
from nix_trinity.learning_door import LearningDoor
from nix_trinity.logs import configure_logging
from nix_trinity.pack_door import PackDoor
from nix_trinity.role_engines import embedding_place, engine_places
from nix_trinity.roles import RoleSpec, role_specs, tier_name
from nix_trinity.rooms import Rooms

if TYPE_CHECKING:
    # Loaded once it is needed: the first reply does not wait for it.
    from nix_trinity.answering.option_facts import OptionFacts

_EXIT_CONFIG = 78  # EX_CONFIG of sysexits(3), which systemd shows by name
# The first reply comes before the engine's library is loaded, which takes longer than all the rest.
_FIRST_PROBE_SECONDS = 0.5
_SELF_CHECK_SECONDS = 20.0

_log = structlog.get_logger("daemon")


def main(arguments: Sequence[str] | None = None) -> None:
    """The program ``nix-trinityd``; exits with 78 when the configuration cannot be used."""
    parser = argparse.ArgumentParser(prog="nix-trinityd", description="The NixTrinity daemon.")
    parser.add_argument("--version", action="version", version=f"nix-trinityd {__version__}")
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"default: {DEFAULT_CONFIG_PATH}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    check = commands.add_parser("check-config", help="check a configuration file and exit")
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--nixos", action="store_true", help="say which NixOS option sets what is wrong")
    pack = commands.add_parser("check-pack", help="check a knowledge pack without a daemon, for a CI, and exit")
    pack.add_argument("folder", type=Path, metavar="DIR")
    pack.add_argument("--options", type=Path, metavar="FILE", help="a system's options.json to check by")
    pack.add_argument("--json", action="store_true", help="JSON instead of text")
    given = parser.parse_args(arguments)
    set_by: Callable[[tuple[str, ...]], str] | None = None
    try:
        if given.command == "check-config":
            if given.nixos:
                set_by = importlib.import_module("nix_trinity.nixos_names").set_by
            importlib.import_module("nix_trinity.config_check").check_config(given.file)
            print(f"{given.file}: all is well.")
            return
        if given.command == "check-pack":
            module = importlib.import_module("nix_trinity.pack_door")
            sys.exit(module.check_pack(given.folder, given.options, as_json=given.json))
        path = given.config or (DEFAULT_CONFIG_PATH if DEFAULT_CONFIG_PATH.exists() else None)
        serve(load_config(path) if path is not None else Config())
    except TrinityError as error:
        last = f"\n  Set here: {set_by(error.keys)}" if set_by is not None else ""
        print(f"error: {error.message}\n  {error.hint}{last}", file=sys.stderr)
        sys.exit(_EXIT_CONFIG)


def serve(config: Config) -> None:
    """Run the daemon on the inherited sockets, or on its own.

    :raises TrinityError: the configuration cannot be used here.
    """
    configure_logging(config.daemon.log_level, to_journal="JOURNAL_STREAM" in os.environ)
    ram_gib, specs = _resolved_roles(config)
    wanted = Wanted(config.daemon.socket, config.access.users_group, config.http.port, config.http.token_file)
    with listening(wanted, os.environ) as sockets:
        asyncio.run(_Daemon(config, specs, ram_gib, sockets).run())


def _resolved_roles(config: Config) -> tuple[float, dict[str, RoleSpec]]:
    ram_gib = total_memory_gib()
    return ram_gib, role_specs(config, load_catalogue(), ram_gib)


class _Daemon:
    def __init__(self, config: Config, specs: dict[str, RoleSpec], ram_gib: float, sockets: Sockets) -> None:
        self._config = config
        self._sockets = sockets
        self._manager = ServiceManager(os.environ)
        self._began = time.monotonic()
        self._chores: list[asyncio.Task[None]] = []
        self._ending: list[asyncio.Task[None]] = []
        self._facts = Facts(
            activated=sockets.activated,
            idle_timeout_seconds=config.daemon.idle_timeout_seconds if sockets.activated else 0.0,
            nixos_release=nixos_release(),
            tier=tier_name(config, load_catalogue(), ram_gib),
            ram_gib=ram_gib,
            engines=engine_places(config),
        )
        self._rooms = Rooms(config, specs, nixos_release=self._facts.nixos_release, do=self._do)
        self._door = LearningDoor(self._rooms, config)
        self._pack_door = PackDoor(self._rooms, config)
        self._activity = Activity(self._api().application(), time.monotonic)
        # Outside of what counts requests: who is refused does not keep the daemon awake.
        door = TokenDoor(self._activity, sockets.token) if sockets.token is not None else self._activity
        self._server = ApiServer(door, grace_seconds=config.daemon.shutdown_grace_seconds, on_ready=self._ready)

    def _api(self) -> Api:
        access = self._config.access
        return Api(
            answering=self._rooms.answering,
            store=self._rooms.store,
            search=self._search,
            access=Access(access.users_group, access.operators_group),
            status_of=self._status,
            inspect=self._door.inspect,
            learning=self._door.api(),
            tools=ToolApi(self._option_facts),
            packs=self._pack_door.api(),
            embed=self._embed if embedding_place(self._config) is not None and self._facts.engines else None,
        )

    async def run(self) -> None:
        """Serve until idle or told to stop, and leave everything written."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave, f"told to by {number.name}")
        self._do("open the database", self._open_store())
        if self._facts.engines:
            self._do("probe", self._rooms.health.watch(first_after_seconds=_FIRST_PROBE_SECONDS))
        self._do("watchdog", self._feed_watchdog())
        self._do("idle exit", self._leave_when_idle())
        self._do("get ready", self._get_ready())
        try:
            await self._server.serve(self._sockets.all)
        finally:
            for chore in self._chores:
                chore.cancel()
            await asyncio.gather(*self._chores, return_exceptions=True)
            await self._rooms.answering.cancel_all(_SHUTTING_DOWN)
            await self._rooms.close()
            _log.info("stopped")

    async def _get_ready(self) -> None:
        await asyncio.sleep(_FIRST_PROBE_SECONDS)
        await (await self._rooms.assembled()).grounding.warm_up()
        self._do("watch", self._rooms.watch())
        self._do("timers", self._rooms.read_timers())
        # The options' tree and the vocabulary stay: a full collection need not look at them again.
        gc.collect()
        gc.freeze()

    async def _search(self, words: str, limit: int) -> OptionsReply:
        assembly = await self._rooms.assembled()
        module = importlib.import_module("nix_trinity.api.options")
        reply: OptionsReply = module.options_reply(await assembly.grounding.search(words, limit=limit))
        return reply

    async def _option_facts(self) -> OptionFacts:
        return (await self._rooms.assembled()).facts

    async def _embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        module = await asyncio.to_thread(importlib.import_module, "nix_trinity.answering.embeddings")
        model = self._config.corpus.embedding_model
        vectors: Sequence[Sequence[float]] = await module.embedded(
            self._rooms.engine, model, self._rooms.admission, texts
        )
        return vectors

    async def _status(self) -> StatusReply:
        rooms = self._rooms
        return await status_reply(
            self._facts,
            uptime_seconds=time.monotonic() - self._began,
            health=rooms.health,
            models=rooms.models,
            admission=rooms.admission,
            store=rooms.store,
            assembly=rooms.assembly,
            learning=await self._door.status(),
        )

    def _ready(self) -> None:
        self._manager.ready("Waiting for questions")
        sockets = self._sockets
        _log.info("ready", listening=sockets.addresses, activated=sockets.activated, version=__version__)

    async def _open_store(self) -> None:
        try:
            interrupted = await self._rooms.store.open()
        except StorageError as error:
            _log.warning("exchanges are not being kept", code=error.stable_code, error=error.message)
        else:
            if interrupted:
                _log.warning("questions were interrupted by a crash", count=interrupted)

    async def _feed_watchdog(self) -> None:
        limit = self._manager.watchdog_seconds
        if limit is None:
            return
        while True:
            # This task runs on the loop that serves, so a loop that hangs sends nothing.
            async with asyncio.timeout(_SELF_CHECK_SECONDS):
                await self._rooms.store.responds()
            self._manager.alive()
            await asyncio.sleep(limit / 3)

    async def _leave_when_idle(self) -> None:
        limit = self._facts.idle_timeout_seconds
        while limit > 0:
            idle = 0.0 if self._rooms.working else self._activity.idle_seconds()
            if idle >= limit:
                self._leave(f"idle for {limit:g} s")
                return
            await asyncio.sleep(max(limit - idle, 0.05))

    def _leave(self, why: str) -> None:
        _log.info("stopping", why=why)
        self._manager.stopping(f"Stopping: {why}")
        self._server.leave()
        # An answer may come to its end; a build would have to end in its middle anyway, and is better tried again.
        self._ending.append(asyncio.create_task(self._rooms.stop_builds(), name="end builds"))
        grace = self._config.daemon.shutdown_grace_seconds
        asyncio.get_running_loop().call_later(grace, self._end_answers)

    def _end_answers(self) -> None:
        self._ending.append(asyncio.create_task(self._rooms.answering.cancel_all(_SHUTTING_DOWN), name="end answers"))

    def _do(self, name: str, chore: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(chore, name=name)
        task.add_done_callback(self._chore_done)
        self._chores.append(task)

    def _chore_done(self, chore: asyncio.Task[None]) -> None:
        # A chore that fails is a fault of ours: better a restart by the service manager than half a daemon.
        if not chore.cancelled() and chore.exception() is not None:
            _log.error("a chore failed", chore=chore.get_name(), exc_info=chore.exception())
            self._server.leave()


_SHUTTING_DOWN = TrinityError(
    "The daemon was stopped before the answer was whole.",
    "Ask again: it starts by itself with the next question.",
    code="shutting_down",
)

if __name__ == "__main__":
    main()

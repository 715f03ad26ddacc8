"""systemd, logind and UPower over a real bus: what is asked, and that no fault of theirs becomes one of ours."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from dbus_next.constants import MessageType
from dbus_next.message import Message
from dbus_next.signature import Variant
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from nix_trinity.errors import HostError
from nix_trinity.host.systemd import SystemBus, elapse_at
from tests.stack import message_bus
from tests.stack.message_bus import FakeServices, MessageBusDaemon, no_bus, returns, silent
from tests.stack.waiting import eventually

T = TypeVar("T")

SYSTEMD = "org.freedesktop.systemd1"
MANAGER = f"{SYSTEMD}.Manager"
LOGIND = "org.freedesktop.login1"
UPOWER = "org.freedesktop.UPower"
NAMES = (SYSTEMD, LOGIND, UPOWER)
START = (MANAGER, "StartUnit")
BATTERY = (UPOWER, "OnBattery")
UNIT = "nix-trinity-immediate.service"
JOB = returns("o", "/org/freedesktop/systemd1/job/7")
UNIT_PATH = "/org/freedesktop/systemd1/unit/some_2eunit"
LONG = 60.0
"""A deadline that no test waits for: what ends before has ended by itself."""
SHORT = 0.3


@pytest.fixture
def bus() -> Iterator[MessageBusDaemon]:
    with MessageBusDaemon() as daemon:
        yield daemon


@pytest.fixture
def services(bus: MessageBusDaemon) -> Iterator[FakeServices]:
    with FakeServices(bus.address, NAMES) as fakes:
        fakes.answers[START] = JOB
        fakes.answers[BATTERY] = returns("v", Variant("b", True))
        yield fakes


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(holds: Callable[[], Any]) -> None:
    """Let the loop go on until something is so."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  what is waited for happens in another thread
            await asyncio.sleep(0.01)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run it, and fail when it leaves behind a task, a descriptor or an exception that nobody took."""
    complaints: list[str] = []

    async def watched() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(str(context)))
        result = await coroutine
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left
        gc.collect()
        return result

    before = descriptors()
    result = asyncio.run(watched())
    gc.collect()
    assert complaints == []
    eventually(lambda: descriptors() <= before)
    return result


async def refusal(system: SystemBus) -> HostError:
    with pytest.raises(HostError) as caught:
        await system.start_unit(UNIT)
    return caught.value


async def nothing_to_be_had(system: SystemBus) -> HostError:
    """Ask for everything; all that is optional is None or not in force."""
    assert await system.on_battery() is None
    assert await system.cpu_seconds("nix-daemon.service") is None
    assert await system.next_elapse("nix-trinity-weekly.timer") is None
    async with system.inhibit("a new version is deployed") as held:
        assert held is False
    return await refusal(system)


def test_a_unit_is_started_by_its_exact_name_and_replaces_no_other_job(
    bus: MessageBusDaemon, services: FakeServices
) -> None:
    run(SystemBus(bus.address).start_unit(UNIT))
    (call,) = services.calls
    assert (call.path, call.interface, call.member) == ("/org/freedesktop/systemd1", MANAGER, "StartUnit")
    assert call.body == [UNIT, "fail"]


@pytest.mark.parametrize(
    "name", ["nix-trinity.service", "nix-trinity-weekly.service", "nix-trinity-build@quick.service"]
)
def test_the_names_of_our_services_are_accepted(bus: MessageBusDaemon, services: FakeServices, name: str) -> None:
    run(SystemBus(bus.address).start_unit(name))
    assert services.calls[0].body[0] == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "sshd.service",
        "nix-trinity-weekly.timer",
        "nix-trinity",
        "nix-trinity-weekly.service ",
        "nix-trinity-weekly.service\n",
        "nix-trinity-.service",
        "my-nix-trinity-weekly.service",
        "nix-trinity-../../x.service",
        "nix-trinity-Weekly.service",
        "poweroff.target",
    ],
)
def test_no_other_unit_is_ever_asked_for(bus: MessageBusDaemon, services: FakeServices, name: str) -> None:
    with pytest.raises(HostError, match="not a service of NixTrinity") as caught:
        run(SystemBus(bus.address).start_unit(name))
    assert "learning.immediate_unit" in caught.value.hint
    assert services.calls == []


def test_the_next_elapse_is_read_from_the_timer(bus: MessageBusDaemon, services: FakeServices) -> None:
    due = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
    services.answers[MANAGER, "GetUnit"] = returns("o", UNIT_PATH)
    services.answers[f"{SYSTEMD}.Timer", "NextElapseUSecRealtime"] = returns(
        "v", Variant("t", int(due.timestamp()) * 1_000_000)
    )
    services.answers[f"{SYSTEMD}.Timer", "NextElapseUSecMonotonic"] = returns("v", Variant("t", 2**64 - 1))
    assert run(SystemBus(bus.address).next_elapse("nix-trinity-weekly.timer")) == due
    assert services.calls[0].body == ["nix-trinity-weekly.timer"]
    assert {call.path for call in services.calls[1:]} == {UNIT_PATH}


def test_a_timer_since_boot_is_told_in_wall_clock_time() -> None:
    assert elapse_at(0, 700_000_000, wall_now=1_000_000.0, monotonic_now=100.0) == datetime.fromtimestamp(
        1_000_600, UTC
    )


def test_the_earlier_of_both_clocks_counts() -> None:
    early, late = 1_000_100_000_000, 700_000_000
    assert elapse_at(early, late, wall_now=1_000_000.0, monotonic_now=100.0) == datetime.fromtimestamp(1_000_100, UTC)


@given(st.sampled_from([0, 2**64 - 1]), st.sampled_from([0, 2**64 - 1]))
def test_a_timer_that_is_not_due_has_no_next_elapse(realtime: int, monotonic: int) -> None:
    assert elapse_at(realtime, monotonic, wall_now=1e9, monotonic_now=10.0) is None


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_no_number_of_systemds_is_too_great(realtime: int, monotonic: int) -> None:
    found = elapse_at(realtime, monotonic, wall_now=1.7e9, monotonic_now=1e5)
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize("on_battery", [True, False])
def test_battery_is_as_upower_says(bus: MessageBusDaemon, services: FakeServices, on_battery: bool) -> None:
    services.answers[BATTERY] = returns("v", Variant("b", on_battery))
    assert run(SystemBus(bus.address).on_battery()) is on_battery


def test_processor_time_is_in_seconds(bus: MessageBusDaemon, services: FakeServices) -> None:
    services.answers[MANAGER, "GetUnit"] = returns("o", UNIT_PATH)
    services.answers[f"{SYSTEMD}.Service", "CPUUsageNSec"] = returns("v", Variant("t", 2_500_000_000))
    assert run(SystemBus(bus.address).cpu_seconds("nix-daemon.service")) == 2.5
    services.answers[f"{SYSTEMD}.Service", "CPUUsageNSec"] = returns("v", Variant("t", 2**64 - 1))
    assert run(SystemBus(bus.address).cpu_seconds("nix-daemon.service")) is None


def test_the_inhibitor_is_held_while_inside_and_released_after(bus: MessageBusDaemon, services: FakeServices) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    services.answers[f"{LOGIND}.Manager", "Inhibit"] = returns("h", 0, descriptors=[writing])

    async def deploys() -> None:
        with suppress(RuntimeError):
            async with SystemBus(bus.address).inhibit("a new version is deployed") as held:
                assert held is True
                with pytest.raises(BlockingIOError):
                    os.read(reading, 1)
                raise RuntimeError("the deployment fails")
        eventually(lambda: released(reading))

    asyncio.run(deploys())
    os.close(reading)
    assert services.calls[0].body == ["sleep:shutdown", "NixTrinity", "a new version is deployed", "delay"]


def test_a_program_that_is_started_meanwhile_does_not_hold_it_longer(
    bus: MessageBusDaemon, services: FakeServices
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    services.answers[f"{LOGIND}.Manager", "Inhibit"] = returns("h", 0, descriptors=[writing])

    def child() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)

    async def deploys() -> subprocess.Popen[bytes]:
        async with SystemBus(bus.address).inhibit("a new version is deployed"):
            return await asyncio.to_thread(child)

    with asyncio.run(deploys()) as started:
        eventually(lambda: released(reading))
        assert started.poll() is None
        started.kill()
    os.close(reading)


def released(reading: int) -> bool:
    try:
        return os.read(reading, 1) == b""
    except BlockingIOError:
        return False


def test_an_inhibitor_that_is_given_with_a_wrong_reply_is_let_go(bus: MessageBusDaemon, services: FakeServices) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    services.answers[f"{LOGIND}.Manager", "Inhibit"] = returns("sh", "surprise", 0, descriptors=[writing])

    async def deploys() -> None:
        async with SystemBus(bus.address).inhibit("a new version is deployed") as held:
            assert held is False
            eventually(lambda: released(reading))

    asyncio.run(deploys())
    os.close(reading)


def test_without_logind_deployment_goes_on_and_that_is_said_once(bus: MessageBusDaemon) -> None:
    system = SystemBus(bus.address)

    async def deploys() -> None:
        async with system.inhibit("a new version is deployed") as held:
            assert held is False

    with capture_logs() as lines:
        run(deploys())
        run(deploys())
    assert [line["event"] for line in lines if line["log_level"] != "debug"] == ["sleep_and_shutdown_not_delayed"]


def test_a_bus_without_these_services_is_no_fault(bus: MessageBusDaemon) -> None:
    fault = run(nothing_to_be_had(SystemBus(bus.address, deadline_seconds=LONG)))
    assert UNIT in fault.message
    assert "org.freedesktop.systemd1" in fault.message
    assert "systemctl status" in fault.hint


@pytest.mark.parametrize(
    "address", ["unix:path=/nonexistent/bus", "unix:tmpdir=/tmp", "tcp:host=127.0.0.1,port=9", "", "nonsense", "unix:"]
)
def test_no_bus_at_all(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    run(nothing_to_be_had(SystemBus(address, deadline_seconds=LONG)))


def access_denied(call: Message) -> Message:
    return message_bus.error(call, "org.freedesktop.DBus.Error.AccessDenied", "Permission denied")


def bare_error(call: Message) -> Message:
    return Message(
        message_type=MessageType.ERROR, reply_serial=call.serial, destination=call.sender, error_name="some.Error"
    )


def odd_error(call: Message) -> Message:
    body = [[Variant("a{sv}", {"x": Variant("i", 1)})]]
    return Message(
        message_type=MessageType.ERROR,
        reply_serial=call.serial,
        destination=call.sender,
        error_name="some.Error",
        signature="av",
        body=body,
    )


@pytest.mark.parametrize(
    "answer",
    [
        access_denied,
        bare_error,
        odd_error,
        returns(""),
        returns("s", "/not/a/path"),
        returns("oo", "/a", "/b"),
        returns("v", Variant("s", "x")),
    ],
    ids=["denied", "bare error", "odd error", "empty", "string", "two", "variant"],
)
def test_a_wrong_answer_is_an_error_at_once_and_the_next_call_works(
    bus: MessageBusDaemon, services: FakeServices, answer: message_bus.Answer, caplog: pytest.LogCaptureFixture
) -> None:
    for key in [START, BATTERY, (MANAGER, "GetUnit"), (f"{LOGIND}.Manager", "Inhibit")]:
        services.answers[key] = answer
    system = SystemBus(bus.address, deadline_seconds=LONG)
    fault = run(nothing_to_be_had(system))
    assert fault.code == "host_unavailable"
    services.answers[START] = JOB
    run(system.start_unit(UNIT))
    assert caplog.records == []


@pytest.mark.parametrize("value", [Variant("s", "yes"), Variant("u", 1), Variant("v", Variant("b", True))])
def test_a_property_of_a_wrong_type_tells_nothing(
    bus: MessageBusDaemon, services: FakeServices, value: Variant
) -> None:
    services.answers[BATTERY] = returns("v", value)
    assert run(SystemBus(bus.address, deadline_seconds=LONG).on_battery()) is None


def test_the_reason_of_a_refusal_is_told(bus: MessageBusDaemon, services: FakeServices) -> None:
    services.answers[START] = access_denied
    fault = run(refusal(SystemBus(bus.address)))
    assert "Permission denied" in fault.message
    assert "polkit" in fault.hint


def test_a_service_that_never_answers_ends_at_the_deadline(bus: MessageBusDaemon, services: FakeServices) -> None:
    services.answers[START] = silent
    services.answers[BATTERY] = silent
    system = SystemBus(bus.address, deadline_seconds=SHORT)
    assert "no answer within 0.3 s" in run(refusal(system)).message
    assert run(system.on_battery()) is None
    services.answers[START] = JOB
    run(SystemBus(bus.address).start_unit(UNIT))


def test_one_service_that_hangs_keeps_no_other_waiting(bus: MessageBusDaemon, services: FakeServices) -> None:
    services.answers[BATTERY] = silent

    async def both() -> None:
        system = SystemBus(bus.address, deadline_seconds=LONG)
        hanging = asyncio.create_task(system.on_battery())
        await until(lambda: "OnBattery" in services.members())
        await system.start_unit(UNIT)
        assert not hanging.done()
        hanging.cancel()
        with suppress(asyncio.CancelledError):
            await hanging

    run(both())


def test_the_loop_goes_on_while_a_service_hangs(bus: MessageBusDaemon, services: FakeServices) -> None:
    services.answers[START] = silent

    async def beats() -> int:
        hanging = asyncio.create_task(SystemBus(bus.address, deadline_seconds=LONG).start_unit(UNIT))
        await until(lambda: services.calls)
        beaten = 0
        for _ in range(50):
            await asyncio.sleep(0)
            beaten += not hanging.done()
        hanging.cancel()
        with suppress(asyncio.CancelledError):
            await hanging
        return beaten

    assert run(beats()) == 50


def test_a_bus_that_is_killed_in_the_middle_and_comes_back(
    bus: MessageBusDaemon, caplog: pytest.LogCaptureFixture
) -> None:
    system = SystemBus(bus.address, deadline_seconds=LONG)
    with FakeServices(bus.address, NAMES) as fakes:
        fakes.answers[START] = silent

        async def killed() -> HostError:
            call = asyncio.create_task(refusal(system))
            await until(lambda: fakes.calls)
            bus.kill()
            return await call

        assert "no answer within" not in asyncio.run(killed()).message
    run(nothing_to_be_had(system))
    bus.start()
    with FakeServices(bus.address, NAMES) as fakes:
        fakes.answers[START] = JOB
        run(system.start_unit(UNIT))
    assert caplog.records == []


def test_a_peer_that_introspects_and_answers_wrongly_does_no_harm(
    bus: MessageBusDaemon, services: FakeServices
) -> None:
    services.answers[BATTERY] = silent

    def peculiar(call: Message) -> Message:
        return Message.new_method_return(call, "s", ["<node><interface name='not xml"])

    services.answers["org.freedesktop.DBus.Introspectable", "Introspect"] = peculiar
    services.answers[START] = peculiar

    async def examined() -> None:
        system = SystemBus(bus.address, deadline_seconds=LONG)
        asking = asyncio.create_task(system.on_battery())
        await until(lambda: services.calls)
        us = services.calls[0].sender
        calls: list[tuple[str, str, str, list[Any]]] = [
            ("org.freedesktop.DBus.Introspectable", "Introspect", "", []),
            ("org.freedesktop.DBus.Introspectable", "Introspect", "ai", [[1, 2]]),
            ("org.freedesktop.DBus.Properties", "Get", "i", [7]),
            ("org.freedesktop.systemd1.Manager", "StartUnit", "ss", [UNIT, "fail"]),
        ]
        for interface, member, signature, body in calls:
            message = Message(us, "/", interface, member=member, signature=signature, body=body)
            reply = await asyncio.to_thread(services.ask, message)
            assert reply.message_type is MessageType.ERROR
        assert not asking.done()
        assert "StartUnit" in (await refusal(system)).message
        services.answers[START] = JOB
        await system.start_unit(UNIT)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking

    run(examined())


def on_the_wire(message: Message) -> bytes:
    return bytes(message._marshall())  # type: ignore[no-untyped-call]


def hello(**fields: Any) -> bytes:
    reply = Message(message_type=MessageType.METHOD_RETURN, reply_serial=1, serial=1, **fields)
    return on_the_wire(reply)


def after_authentication(data: bytes) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        message_bus.authenticate(connection)
        connection.sendall(data)

    return talk


def named_and_silent(connection: socket.socket) -> None:
    after_authentication(NAMED)(connection)
    message_bus.until_closed(connection)


def endless_lines(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")


NAMED = hello(signature="s", body=[":1.1"])
ERROR_HELLO = on_the_wire(
    Message(
        message_type=MessageType.ERROR, reply_serial=1, serial=1, error_name="some.Error", signature="s", body=["no"]
    )
)
# A message whose header says that nearly 4 GiB follow.
ENORMOUS = b"l\x02\x01\x01" + struct.pack("<III", 0xFFFF_FF00, 1, 0)


@pytest.mark.parametrize(
    "talk",
    [
        lambda _connection: None,
        lambda connection: connection.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n"),
        lambda connection: connection.sendall(b"OK"),
        lambda connection: connection.sendall(b"REJECTED EXTERNAL\r\n"),
        lambda connection: connection.sendall(b"\xff\xfe\x00\r\n"),
        lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        lambda connection: connection.sendall(b"x" * 10_000),
        endless_lines,
        after_authentication(b""),
        after_authentication(b"\x00" * 64),
        after_authentication(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        after_authentication(ENORMOUS),
        after_authentication(ERROR_HELLO),
        after_authentication(hello()),
        after_authentication(hello(signature="u", body=[7])),
        after_authentication(NAMED),
        after_authentication(NAMED + b"\x00" * 64),
        after_authentication(NAMED + NAMED + b"l\x02\x01\x01"),
    ],
)
def test_what_is_no_bus_is_a_prompt_error(
    talk: Callable[[socket.socket], None], caplog: pytest.LogCaptureFixture
) -> None:
    with no_bus(talk) as address, capture_logs() as lines:
        fault = run(nothing_to_be_had(SystemBus(address, deadline_seconds=LONG)))
    reasons = [fault.message, *(line["reason"] for line in lines)]
    assert len(reasons) == 5
    assert [reason for reason in reasons if "no answer within" in reason] == []
    assert caplog.records == []


@pytest.mark.parametrize("talk", [message_bus.until_closed, named_and_silent])
def test_a_bus_that_hangs_ends_at_the_deadline(talk: Callable[[socket.socket], None]) -> None:
    with no_bus(talk) as address:
        fault = run(nothing_to_be_had(SystemBus(address, deadline_seconds=SHORT)))
    assert "no answer within" in fault.message


def test_a_bus_that_does_not_even_accept_does_not_stop_the_loop(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("b") / "bus"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(path))
        listener.listen(0)
        first.connect(str(path))
        run(nothing_to_be_had(SystemBus(f"unix:path={path}", deadline_seconds=SHORT)))


def test_the_library_is_loaded_only_when_the_bus_is_asked() -> None:
    code = (
        "import asyncio, sys\n"
        "from nix_trinity.host.systemd import SystemBus\n"
        "system = SystemBus('unix:path=/nonexistent')\n"
        "print('dbus_next' in sys.modules)\n"
        "asyncio.run(system.on_battery())\n"
        "print('dbus_next' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if line in ("True", "False")] == ["False", "True"]

"""The SQL of builds, and of small facts that outlive the daemon."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import apsw
import msgspec

from nix_trinity.knowledge.judged import as_json
from nix_trinity.knowledge.learning import Build

_COLUMNS = tuple(field.name for field in msgspec.structs.fields(Build))
_NEWEST_FIRST = "ORDER BY started_at_ms DESC, id"
_LIST = ", ".join(_COLUMNS)
_ROLES_AT = _COLUMNS.index("roles")
_PUT = (
    f"INSERT INTO builds ({_LIST}) VALUES ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[1:])}"
)
_SUCCEEDED = "state IN ('done', 'nothing_new')"


def put_build(connection: apsw.Connection, build: Build) -> None:
    """Write the row, new or anew."""
    row = list(msgspec.structs.astuple(build))
    (row[_ROLES_AT],) = as_json(build.roles)
    connection.execute(_PUT, row)


def close_interrupted(connection: apsw.Connection, now_ms: int) -> int:
    """Mark what a killed daemon left running as failed, and return how many there were."""
    connection.execute(
        "UPDATE builds SET state = 'failed', error_code = 'interrupted', ended_at_ms = ?,"
        " error = 'The daemon stopped before it was finished.' WHERE state = 'running'",
        (now_ms,),
    )
    return connection.changes()


def newest(connection: apsw.Connection, limit: int) -> list[Build]:
    """The builds that began last, newest first."""
    return _builds(connection.execute(f"SELECT {_LIST} FROM builds {_NEWEST_FIRST} LIMIT ?", (limit,)))  # noqa: S608


def between(connection: apsw.Connection, since_ms: int, until_ms: int) -> list[Build]:
    """The builds that began from ``since_ms`` on and before ``until_ms``, newest first."""
    period = "WHERE started_at_ms >= ? AND started_at_ms < ?"
    rows = connection.execute(f"SELECT {_LIST} FROM builds {period} {_NEWEST_FIRST}", (since_ms, until_ms))  # noqa: S608
    return _builds(rows)


def _builds(rows: Iterable[tuple[object, ...]]) -> list[Build]:
    found: list[Build] = []
    for row in rows:
        fields: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
        fields["roles"] = msgspec.json.decode(fields["roles"], type=tuple[str, ...])
        found.append(msgspec.convert(fields, Build, strict=False))
    return found


def last_success(connection: apsw.Connection, kinds: Sequence[str]) -> int | None:
    """When the newest build of these kinds that succeeded had ended, in Unix milliseconds."""
    ended: int | None = connection.execute(
        f"SELECT max(ended_at_ms) FROM builds WHERE {_SUCCEEDED} AND kind IN (SELECT value FROM json_each(?))",  # noqa: S608
        as_json(kinds),
    ).get
    return ended


def last_started(connection: apsw.Connection) -> int | None:
    """When the newest build of any kind that succeeded had begun, in Unix milliseconds."""
    started: int | None = connection.execute(f"SELECT max(started_at_ms) FROM builds WHERE {_SUCCEEDED}").get  # noqa: S608
    return started


def fact(connection: apsw.Connection, name: str) -> str | None:
    """The value that was kept under a name."""
    value: str | None = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).get
    return value


def put_fact(connection: apsw.Connection, name: str, value: str) -> None:
    """Keep a value under a name, in the place of an older one."""
    connection.execute(
        "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )

"""The daemon's memory in one SQLite file: history as rows that people can query too, facts as their owners' bytes.

Facts are on the disk when `put` returns, with the power gone too. History survives the death of the process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from autoscaler.clients.sqlite import Connection, Database, look
from autoscaler.errors import StoreError, way_out
from autoscaler.model.decision import Decision
from autoscaler.model.operation import Outcome
from autoscaler.ports import Clock, Fact, FactKind, Record, RecordKind

DAY_S = 86_400.0
PRUNE_EVERY_S = 60.0
PRUNE_BATCH = 500  # rows deleted at once, so that no cycle waits for a year's worth

# Ordered by time, so that a cycle's rows are appended; `n` orders what happened at the same time.
_SCHEMA = (
    """
    CREATE TABLE history (
        at REAL NOT NULL, n INTEGER NOT NULL, kind TEXT NOT NULL, workload TEXT NOT NULL, policy TEXT NOT NULL,
        revision TEXT NOT NULL, before INTEGER, after INTEGER, reason TEXT NOT NULL, text TEXT NOT NULL,
        by TEXT NOT NULL, details BLOB, PRIMARY KEY (at, n)
    ) WITHOUT ROWID;
    CREATE INDEX history_of_workload ON history (workload, at);
    CREATE TABLE facts (
        kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, key)
    ) WITHOUT ROWID
    """,
)
_COLUMNS = "at, n, kind, workload, policy, revision, before, after, reason, text, by, details"
_INSERT = f"""
    INSERT INTO history ({_COLUMNS})
    VALUES (?1, (SELECT coalesce(max(n), 0) + 1 FROM history WHERE at = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
"""
_NEWEST = "ORDER BY at DESC, n DESC LIMIT ?"
_PRUNE = """
    DELETE FROM history WHERE (at, n) IN (SELECT at, n FROM history WHERE at < ? ORDER BY at, n LIMIT ?)
"""


class _Details(msgspec.Struct, frozen=True, array_like=True):
    decision: Decision | None = None
    outcome: Outcome | None = None
    place: str = ""
    repository: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Details).decode


class SqliteStore:
    """A store in the file `path`, made if absent. Raises StoreError when it is damaged, newer or not writable.

    History older than `days` goes away, a batch per minute as new lines come in.
    """

    def __init__(self, path: Path, clock: Clock, *, days: float = 30.0) -> None:
        self._database = Database(path, _SCHEMA)
        self._clock = clock
        self._keep_s = days * DAY_S
        self._prune_at = clock.monotonic()

    async def append(self, records: Sequence[Record]) -> None:
        """Add lines of history."""
        rows = [_row(record) for record in records]
        await self._database.write(lambda file: file.executemany(_INSERT, rows))
        if self._clock.monotonic() >= self._prune_at:
            gone = await self.prune()
            self._prune_at = self._clock.monotonic() + (0 if gone == PRUNE_BATCH else PRUNE_EVERY_S)

    async def history(self, workload: str | None, *, until: float, limit: int) -> Sequence[Record]:
        """The newest `limit` lines not after `until`, newest first; of all workloads for None."""
        chosen = "at <= ?" if workload is None else "workload = ? AND at <= ?"
        values = (until, limit) if workload is None else (workload, until, limit)
        query = f"SELECT {_COLUMNS} FROM history WHERE {chosen} {_NEWEST}"
        return await self._database.read(lambda file: [_record(row) for row in file.execute(query, values)])

    async def put(self, facts: Sequence[Fact]) -> None:
        """Keep these facts; on the disk and as a whole when it returns."""
        await self._database.write(lambda file: _put(file, facts), durable=True)

    async def facts(self) -> Sequence[Fact]:
        """Everything kept, by kind and key."""
        return await self._database.read(_facts)

    async def prune(self) -> int:
        """Take away one batch of what is too old; how many lines that were."""
        limit = self._clock.now() - self._keep_s
        return await self._database.write(lambda file: file.execute(_PRUNE, (limit, PRUNE_BATCH)).rowcount)

    async def close(self) -> None:
        """Close the file, with everything written."""
        await self._database.close()


def facts_in(path: Path) -> tuple[list[Fact], float] | None:
    """What is kept in a file that a daemon wrote, and when it was written last; None where there is no such file.

    Raises StoreError where it cannot be read.
    """
    try:
        written = max(each.stat().st_mtime for each in (path, path.with_name(f"{path.name}-wal")) if each.exists())
    except ValueError:
        return None
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}", hint=way_out(error)) from None
    return look(path, len(_SCHEMA), _facts), written


def _facts(file: Connection) -> list[Fact]:
    rows = file.execute("SELECT kind, key, value FROM facts ORDER BY kind, key").fetchall()
    return [Fact(FactKind(kind), key, value) for kind, key, value in rows]


def _put(file: Connection, facts: Sequence[Fact]) -> None:
    for fact in facts:
        if fact.value is None:
            file.execute("DELETE FROM facts WHERE kind = ? AND key = ?", (fact.kind.value, fact.key))
        else:
            file.execute("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", (fact.kind.value, fact.key, fact.value))


def _row(record: Record) -> tuple[object, ...]:
    details = None
    if record.decision is not None or record.outcome is not None or record.place or record.repository:
        details = _encode(_Details(record.decision, record.outcome, record.place, record.repository))
    line = (record.at, record.kind.value, record.workload, record.policy, record.revision)
    return (*line, record.before, record.after, record.reason, record.text, record.by, details)


def _record(row: tuple[Any, ...]) -> Record:
    at, _, kind, workload, policy, revision, before, after, reason, text, by, blob = row
    details = _Details()
    if blob is not None:
        with contextlib.suppress(msgspec.MsgspecError):  # of another version: the line is good without its steps
            details = _decode(blob)
    return Record(
        at=at,
        kind=RecordKind(kind),
        workload=workload,
        policy=policy,
        revision=revision,
        place=details.place,
        repository=details.repository,
        before=before,
        after=after,
        reason=reason,
        text=text,
        by=by,
        decision=details.decision,
        outcome=details.outcome,
    )

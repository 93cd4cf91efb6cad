"""SQLite: one file behind one thread, its errors as sentences.

Write-ahead log. Of the two connections one syncs every commit to the disk (`durable`), the other leaves that to the
operating system: it survives the death of the process, and may lose its last commits with the power.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from autoscaler.errors import StoreError

T = TypeVar("T")
Connection = sqlite3.Connection

ANSWER_S = 10.0  # a disk that takes longer than this is reported, not waited for
WAITING = 256  # so many calls may wait for the thread; more are refused at once
BUSY_MS = 5000  # another program (a backup) may hold the file this long

_MOVE = "move the file away (or restore a backup) and start again; a new one begins empty"


class Database:
    """An open file with its schema. Raises StoreError when it cannot be opened, or is newer than this program.

    `schema` holds the statements that lead from each version to the next; its length is the version.
    """

    def __init__(self, path: Path, schema: Sequence[str]) -> None:
        self.path = path
        self._waiting = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._place = _place(path)
        except OSError as error:
            raise StoreError(
                f"{path}: cannot be opened: {error.strerror}", hint=_about(sqlite3.SQLITE_CANTOPEN)
            ) from None
        self._connections: list[Connection] = []
        try:
            self._relaxed = self._connect("NORMAL")
            _upgrade(self._relaxed, path, schema)
            self._durable = self._connect("FULL")
        except sqlite3.Error as error:
            self._close()
            raise _spoken(error, path, opening=True) from None
        except StoreError:
            self._close()
            raise
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` makes of the file. Raises StoreError."""
        return await self._call(lambda: work(self._relaxed))

    async def write(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Run `work` in one transaction; when this returns it is committed as a whole. Raises StoreError."""
        connection = self._durable if durable else self._relaxed
        return await self._call(lambda: self._transaction(connection, work))

    async def close(self) -> None:
        """Wait for what is being written, fold the log into the file and close it."""
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)
        self._close()

    async def _call(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING:
            raise StoreError(f"{self.path}: {self._waiting} calls are waiting already", hint="look at the disk")
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)
        future.add_done_callback(self._answered)
        done, _ = await asyncio.wait({future}, timeout=ANSWER_S)
        if not done:
            raise StoreError(
                f"{self.path}: no answer for {ANSWER_S:g} s; what was to be written may still be, later",
                hint="look at the disk",
            )
        return future.result()

    def _answered(self, future: asyncio.Future[T]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # looked at, so that a late failure is not reported as forgotten

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.Error as error:
            raise _spoken(error, self.path) from None

    def _transaction(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        if _place(self.path) != self._place:
            raise StoreError(
                f"{self.path}: was moved or deleted while in use",
                hint="put it back, or restart the daemon to begin a new one",
            )
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # a full disk may have rolled it back already
                connection.execute("ROLLBACK")
            raise
        return result

    def _connect(self, synchronous: str) -> Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000)
        self._connections.append(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        return connection

    def _close(self) -> None:
        for connection in self._connections:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def look(path: Path, version: int, work: Callable[[Connection], T]) -> T:
    """What `work` makes of a file that is somebody else's, which is not changed. Raises StoreError.

    Where nothing waits in its log the file is taken as it is, so that no log is made beside it.
    """
    waiting = path.with_name(f"{path.name}-wal").exists()
    how = "mode=ro" if waiting else "mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)) as connection:
            _known(connection, path, version)
            return work(connection)
    except sqlite3.Error as error:
        raise _spoken(error, path) from None


def _place(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _upgrade(connection: Connection, path: Path, schema: Sequence[str]) -> None:
    version = _known(connection, path, len(schema))
    for number, statements in enumerate(schema[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {statements}; PRAGMA user_version = {number}; COMMIT;")


def _known(connection: Connection, path: Path, most: int) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > most:
        raise StoreError(
            f"{path}: was written by a newer autoscaler (layout {version}, this one knows {most})",
            hint="run the newer version, or give this one another data folder",
        )
    return version


def _spoken(error: sqlite3.Error, path: Path, *, opening: bool = False) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_IOERR and _full(path):  # what it shares between connections did not fit
        return StoreError(f"{path}: the disk is full", hint=_about(sqlite3.SQLITE_FULL, opening=opening))
    return StoreError(f"{path}: {error}", hint=_about(code, opening=opening))


def _full(path: Path) -> bool:
    try:
        return os.statvfs(path.parent).f_bavail == 0
    except OSError:
        return False


def _about(code: int, *, opening: bool = False) -> str:
    then = "start again" if opening else "writing goes on by itself"
    return {
        sqlite3.SQLITE_FULL: f"free some space on the disk; {then}",
        sqlite3.SQLITE_IOERR: f"look at the disk; once it works {then}",
        sqlite3.SQLITE_READONLY: "make the file and its folder writable for the user the daemon runs as",
        sqlite3.SQLITE_CANTOPEN: "the data folder must exist or be creatable, and be writable",
        sqlite3.SQLITE_BUSY: "another program holds the file; end it, or copy the file to look into it",
        sqlite3.SQLITE_CORRUPT: f"the file is damaged; {_MOVE}",
        sqlite3.SQLITE_NOTADB: f"the file is not a store of ours; {_MOVE}",
    }.get(code, "")

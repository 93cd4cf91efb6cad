"""The store on disk: what survives, and what it says when the disk does not do its part."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from autoscaler.clients.sqlite import Database
from autoscaler.clock import ManualClock
from autoscaler.errors import StoreError
from autoscaler.ports import Fact, FactKind
from autoscaler.store.sqlite import DAY_S, PRUNE_BATCH, PRUNE_EVERY_S, SqliteStore
from tests.support import child, nouns

WRITES_PAIRS = """
import asyncio, sys
from pathlib import Path
from autoscaler.clock import ManualClock
from autoscaler.ports import Fact, FactKind
from autoscaler.store.sqlite import SqliteStore
from tests.support import nouns

async def main():
    store = SqliteStore(Path(sys.argv[1]), ManualClock(0.0))
    number = 0
    while True:
        number += 1
        word = str(number).encode()
        await store.append([nouns.record(float(number), "a")])
        await store.put([Fact(FactKind.PAUSE, "a", word), Fact(FactKind.OVERRIDE, "a", word)])
        print(number, flush=True)

asyncio.run(main())
"""

FILLS_A_DISK = """
import asyncio, os, subprocess, sys
from pathlib import Path
from autoscaler.clock import ManualClock
from autoscaler.errors import StoreError
from autoscaler.ports import Fact, FactKind
from autoscaler.store.sqlite import SqliteStore

async def main(folder):
    store = SqliteStore(folder / "memory.db", ManualClock(0.0))
    await store.put([Fact(FactKind.PAUSE, "kept", b"1")])
    ballast = folder / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        pass
    try:
        while True:
            await store.put([Fact(FactKind.PAUSE, os.urandom(8).hex(), bytes(4096))])
    except StoreError as error:
        print(error)
    print(any(fact.key == "kept" for fact in await store.facts()))
    ballast.unlink()
    await store.put([Fact(FactKind.PAUSE, "after", b"1")])
    print(any(fact.key == "after" for fact in await store.facts()))
    await store.close()
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    try:
        SqliteStore(folder / "memory.db", ManualClock(0.0))
    except StoreError as error:
        print(error)

folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], check=True)
asyncio.run(main(folder))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "memory.db"


async def test_what_put_returned_from_outlives_a_kill_and_is_whole(path: Path) -> None:
    """The process is killed in the middle of writing: what it was told is kept is there, and pairs are pairs."""
    with child.python(WRITES_PAIRS, str(path)) as writer:
        told = [int(child.line(writer)) for _ in range(20)][-1]
        writer.kill()
        rest, _ = writer.communicate()
    told = max([told, *map(int, rest.split())])
    store = SqliteStore(path, ManualClock(0.0))
    facts = {fact.kind: fact.value for fact in await store.facts()}
    lines = await store.history("a", until=1e9, limit=1)
    await store.close()
    assert facts[FactKind.PAUSE] == facts[FactKind.OVERRIDE]
    assert int(facts[FactKind.PAUSE] or 0) >= told
    assert lines[0].at >= told


async def test_facts_are_synced_to_the_disk_and_history_is_not(path: Path) -> None:
    database = Database(path, ["CREATE TABLE t (a)"])
    (facts,) = await database.write(lambda file: file.execute("PRAGMA synchronous").fetchone(), durable=True)
    (history,) = await database.write(lambda file: file.execute("PRAGMA synchronous").fetchone())
    await database.close()
    assert (facts, history) == (2, 1)  # FULL, NORMAL


async def test_everything_is_there_after_a_clean_stop(path: Path) -> None:
    store = SqliteStore(path, ManualClock(0.0))
    await store.append([nouns.record(1.0, "a", made=nouns.decision())])
    await store.close()
    again = SqliteStore(path, ManualClock(0.0))
    (line,) = await again.history("a", until=1.0, limit=5)
    await again.close()
    assert line.decision == nouns.decision()


async def test_only_the_owner_may_read_it(path: Path) -> None:
    await SqliteStore(path, ManualClock(0.0)).close()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


async def test_old_history_goes_away_batch_by_batch_and_facts_stay(path: Path) -> None:
    clock = ManualClock(100 * DAY_S)
    store = SqliteStore(path, clock, days=30)
    old, new = clock.now() - 31 * DAY_S, clock.now() - 29 * DAY_S
    await store.put([Fact(FactKind.PAUSE, "a", b"1")])
    await store.append([nouns.record(old + n, "a") for n in range(PRUNE_BATCH + 10)] + [nouns.record(new, "a")])
    assert len(await store.history("a", until=clock.now(), limit=10_000)) == 11
    await store.append([nouns.record(clock.now(), "b")])
    assert [line.at for line in await store.history("a", until=clock.now(), limit=10_000)] == [new]
    clock.advance(2 * DAY_S)
    await store.append([nouns.record(clock.now(), "b")])
    assert list(await store.history("a", until=clock.now(), limit=10_000)) == []
    assert len(await store.facts()) == 1
    await store.close()


async def test_pruning_rests_between_batches_that_find_little(path: Path) -> None:
    clock = ManualClock(100 * DAY_S)
    store = SqliteStore(path, clock, days=30)
    await store.append([nouns.record(clock.now(), "a")])
    await store.append([nouns.record(0.0, "a")])
    assert len(await store.history("a", until=clock.now(), limit=10)) == 2
    clock.advance(PRUNE_EVERY_S)
    await store.append([nouns.record(clock.now(), "b")])
    assert len(await store.history("a", until=clock.now(), limit=10)) == 1
    await store.close()


async def test_a_file_of_a_newer_program_is_refused_and_left_alone(path: Path) -> None:
    await SqliteStore(path, ManualClock(0.0)).close()
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    with pytest.raises(StoreError, match="newer autoscaler") as caught:
        SqliteStore(path, ManualClock(0.0))
    assert "newer version" in caught.value.hint


async def test_a_file_that_is_something_else_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database at all " * 100)
    with pytest.raises(StoreError, match="not a database") as caught:
        SqliteStore(path, ManualClock(0.0))
    assert "move the file away" in caught.value.hint
    assert path.read_bytes() == b"not a database at all " * 100


async def test_a_damaged_page_is_an_error_with_a_way_out(path: Path) -> None:
    store = SqliteStore(path, ManualClock(0.0))
    await store.put([Fact(FactKind.MEMORY, f"{n:05}", bytes(500)) for n in range(2000)])
    await store.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 100_000)
    damaged = SqliteStore(path, ManualClock(0.0))
    with pytest.raises(StoreError) as caught:
        await damaged.facts()
    await damaged.close()
    assert "damaged" in caught.value.hint


async def test_details_of_another_version_cost_only_the_details(path: Path) -> None:
    store = SqliteStore(path, ManualClock(0.0))
    await store.append([nouns.record(1.0, "a", "a sentence", nouns.decision())])
    with sqlite3.connect(path) as file:
        file.execute("UPDATE history SET details = x'ff00'")
    file.close()
    (line,) = await store.history("a", until=1.0, limit=1)
    await store.close()
    assert (line.text, line.decision) == ("a sentence", None)


async def test_a_file_that_is_taken_away_is_missed(path: Path) -> None:
    """SQLite would go on writing into a file that nobody will ever see again."""
    store = SqliteStore(path, ManualClock(0.0))
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(StoreError, match="moved or deleted"):
        await store.put([Fact(FactKind.PAUSE, "a", b"1")])
    path.with_name("elsewhere").rename(path)
    await store.put([Fact(FactKind.PAUSE, "a", b"1")])
    await store.close()


async def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in the way")
    with pytest.raises(StoreError, match=r"data/memory\.db: cannot be opened") as caught:
        SqliteStore(tmp_path / "data" / "memory.db", ManualClock(0.0))
    assert "data folder" in caught.value.hint


async def test_a_write_that_fails_halfway_leaves_nothing(path: Path) -> None:
    database = Database(path, ["CREATE TABLE t (a INTEGER PRIMARY KEY)"])

    def twice(file: sqlite3.Connection) -> None:
        file.execute("INSERT INTO t VALUES (1)")
        file.execute("INSERT INTO t VALUES (1)")

    with pytest.raises(StoreError):
        await database.write(twice, durable=True)
    assert await database.read(lambda file: file.execute("SELECT count(*) FROM t").fetchone()) == (0,)
    await database.close()


async def test_writers_side_by_side_all_get_in(path: Path) -> None:
    store = SqliteStore(path, ManualClock(0.0))
    await asyncio.gather(*(store.put([Fact(FactKind.INTENT, str(n), b"1")]) for n in range(100)))
    assert len(await store.facts()) == 100
    await store.close()


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a file system: run as root on Linux")
def test_a_full_disk_and_a_read_only_one_are_told_and_survived(tmp_path: Path) -> None:
    command = ["unshare", "--mount", sys.executable, "-c", FILLS_A_DISK, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    full, hint, kept, after, readonly, readonly_hint = done.stdout.splitlines()
    assert "disk is full" in full
    assert "free some space" in hint
    assert (kept, after) == ("True", "True")
    assert "memory.db" in readonly
    assert "writable" in readonly_hint

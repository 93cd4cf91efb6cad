"""What it costs to be looked at: a scrape of every series, and every line of history told to 200 listeners."""

from __future__ import annotations

import asyncio
import time

from autoscaler.loop.board import Board
from autoscaler.model.observation import Workload
from autoscaler.model.policy import Placed, PolicySet
from autoscaler.ports import Record, RecordKind
from autoscaler.web import metrics
from autoscaler.web.events import Streams
from benchmarks.calibration import Stopwatch
from benchmarks.deciding import Fleet
from benchmarks.rows import Row

WORKLOADS = 10_000
SCRAPES = 7
CLIENTS = 200
LINES = 1_000  # of history in one cycle


def watched() -> list[Row]:
    """A scrape and the longest time for which it lets nothing else run; a line of history for all who listen."""
    return asyncio.run(_watched())


async def _watched() -> list[Row]:
    board = _board()
    watch, held = Stopwatch(), 0.0
    for _ in range(SCRAPES):
        looking = asyncio.create_task(_longest())
        with watch.piece(WORKLOADS):
            await metrics.text(board, leading=True, store_failing=False)
        looking.cancel()
        held = max(held, await looking)
    of = f"{WORKLOADS:,} workloads"
    return [
        Row(f"a scrape of /metrics, each of {of}", watch.cost()),
        Row(f"a scrape of /metrics, {of}: nothing else runs for", None, "under 50 ms", f"{1000 * held:.0f} ms"),
        Row(f"a line of history, told to {CLIENTS} listeners", (await _told(board)).cost()),
    ]


async def _longest() -> float:
    """The longest time between two turns of this task, until it is cancelled."""
    longest = 0.0
    try:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - before)
    except asyncio.CancelledError:
        return max(longest, time.perf_counter() - before)


async def _told(board: Board) -> Stopwatch:
    streams, watch = Streams(board), Stopwatch()
    held = [streams.open() for _ in range(CLIENTS)]
    for each in held:
        each.__enter__()
    key = next(iter(board.entries))
    lines = [Record(at=float(n), kind=RecordKind.DECISION, workload=key, text="held") for n in range(LINES)]
    for _ in range(SCRAPES):
        with watch.piece(LINES):
            streams.accept(lines)
    return watch


def _board() -> Board:
    """Every workload decided once."""
    fleet, board = Fleet(WORKLOADS), Board()
    seen = fleet.look()
    fleet.turn(seen)
    workloads = [Workload(plan.ref, policy) for plan, policy in zip(fleet.plans, fleet.policies, strict=True)]
    board.activated(PolicySet("r1", tuple(Placed(each, "web.yaml", 1) for each in fleet.policies)), workloads)
    for one, decision in zip(seen, fleet.decided, strict=True):
        board.show(decision, one.state, ())
    return board

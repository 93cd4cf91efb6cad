"""Server-sent events: every line of history as it is written, and the end of every cycle.

Each client has a short queue of its own. One that does not read loses the oldest events and is told how many; one that
takes nothing for half a minute is let go. Nothing here waits for a client, so the cycle never does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence

import msgspec
from aiohttp import web

from autoscaler.loop.board import Board
from autoscaler.loop.views import history
from autoscaler.ports import Record, RecordKind

CLIENTS = 250
QUEUED = 200  # events per client
BEAT_S = 10.0  # a comment at least this often, so that both ends notice a dead connection
PATIENCE_S = 30.0

_encode = msgspec.json.Encoder().encode


class CycleEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle has ended: how many there were, what it took, and the policy set it followed."""

    at: float
    count: int
    every_s: float
    duration_s: float
    lateness_s: float
    revision: str
    rejected: str


class Queue:
    """What one client has still to be sent; `workload` (a key) leaves out what is about others."""

    def __init__(self, workload: str) -> None:
        self.workload = workload
        self.lost = 0
        self.closed = False
        self._events: deque[bytes] = deque()
        self._woken = asyncio.Event()

    def put(self, event: bytes) -> None:
        """Add an event; the oldest goes when there are too many."""
        if len(self._events) >= QUEUED:
            self._events.popleft()
            self.lost += 1
        self._events.append(event)
        self._woken.set()

    async def take(self) -> bytes:
        """Everything that waits, as one piece; a comment when nothing came for a while, nothing at the end."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), BEAT_S)
        self._woken.clear()
        lost, self.lost = self.lost, 0
        events = [told("lost", _encode({"events": lost}))] if lost else []
        events += self._events
        self._events.clear()
        return b"".join(events) or (b"" if self.closed else b": nothing new\n\n")

    def close(self) -> None:
        """Nothing comes any more."""
        self.closed = True
        self._woken.set()


class Streams:
    """A sink of records and a listener to cycles; `open` hands a client its queue."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._queues: set[Queue] = set()
        board.turn_ended.append(self._turned)

    def accept(self, records: Sequence[Record]) -> None:
        """Pass on lines of history."""
        if not self._queues:
            return
        for record, line in zip(records, history(records).lines, strict=True):
            self._tell(told("line", _encode(line)), record.workload, everyone=record.kind is RecordKind.POLICIES)

    @contextlib.contextmanager
    def open(self, workload: str = "") -> Iterator[Queue]:
        """A queue for as long as a client is there. Raises HTTPServiceUnavailable when there are too many."""
        if len(self._queues) >= CLIENTS:
            raise web.HTTPServiceUnavailable(reason=f"{CLIENTS} clients listen already")
        queue = Queue(workload)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)

    def close(self) -> None:
        """The daemon goes: every client is let go of."""
        for queue in self._queues:
            queue.close()

    @property
    def clients(self) -> int:
        """How many listen."""
        return len(self._queues)

    async def events(self, queue: Queue) -> AsyncIterator[bytes]:
        """The state of now, then everything that comes."""
        yield b"retry: 2000\n" + self._cycle()
        while not queue.closed:
            yield await queue.take()

    def _turned(self) -> None:
        if self._queues:
            self._tell(self._cycle(), "", everyone=True)

    def _cycle(self) -> bytes:
        board = self._board
        event = CycleEvent(
            at=board.cycle_at or board.started,
            count=board.cycles,
            every_s=board.cycle_s,
            duration_s=board.durations.last,
            lateness_s=board.latenesses.last,
            revision=board.revision,
            rejected=board.rejected_revision,
        )
        return told("cycle", _encode(event))

    def _tell(self, event: bytes, workload: str, *, everyone: bool) -> None:
        for queue in self._queues:
            if everyone or not queue.workload or queue.workload == workload:
                queue.put(event)


def told(name: str, data: bytes) -> bytes:
    """One event as it goes over the wire.

    >>> told("line", b"{}")
    b'event: line\\ndata: {}\\n\\n'
    """
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


async def stream(request: web.Request, streams: Streams, workload: str) -> web.StreamResponse:
    """The events of a workload (of all for an empty key) until the client or the daemon goes."""
    with streams.open(workload) as queue:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        with contextlib.suppress(ConnectionError, TimeoutError):
            async for events in streams.events(queue):
                await asyncio.wait_for(response.write(events), PATIENCE_S)
        if request.transport is not None:
            request.transport.abort()
        return response

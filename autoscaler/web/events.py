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
        self._events: deque[bytes] = deque(maxlen=QUEUED)
        self._woken = asyncio.Event()

    def put(self, events: Sequence[bytes]) -> None:
        """Add events; the oldest go when there are too many."""
        self.lost += max(0, len(self._events) + len(events) - QUEUED)
        self._events.extend(events)
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
    """A sink of records and a listener to cycles; `open` hands a client its queue.

    A client that takes nothing for `patience_s` seconds is let go.
    """

    def __init__(self, board: Board, *, patience_s: float = PATIENCE_S) -> None:
        self.patience_s = patience_s
        self._board = board
        self._queues: set[Queue] = set()
        board.turn_ended.append(self._turned)

    def accept(self, records: Sequence[Record]) -> None:
        """Pass on lines of history."""
        if not self._queues:
            return
        lines = [told("line", _encode(each)) for each in history(records).lines]
        of: dict[str, list[bytes]] = {"": lines}  # worked out once per workload that somebody follows, not per client
        for queue in self._queues:
            if queue.workload not in of:
                of[queue.workload] = [
                    line
                    for record, line in zip(records, lines, strict=True)
                    if record.kind is RecordKind.POLICIES or record.workload == queue.workload
                ]
            if of[queue.workload]:
                queue.put(of[queue.workload])

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
        event = [self._cycle()] if self._queues else []
        for queue in self._queues:
            queue.put(event)

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
                await asyncio.wait_for(response.write(events), streams.patience_s)
        if request.transport is not None:
            request.transport.abort()
        return response

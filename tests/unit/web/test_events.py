"""Server-sent events: what a client is told, and that a slow one costs nothing."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc

import pytest
from aiohttp import web

from autoscaler.loop.board import Board
from autoscaler.ports import Record, RecordKind
from autoscaler.web.events import CLIENTS, QUEUED, Streams, stream
from autoscaler.web.serving import running, tcp
from tests.support.wait import auntil

WEB = "compose/default/shop/service/web"


def line(text: str, workload: str = WEB) -> Record:
    return Record(at=1.0, kind=RecordKind.DECISION, workload=workload, text=text)


async def test_a_client_is_told_of_lines_and_of_cycles() -> None:
    board = Board()
    streams = Streams(board)
    with streams.open() as queue:
        streams.accept([line("first"), line("second", "other")])
        board.turned(5.0, duration_s=0.1, lateness_s=0.0)
        told = (await queue.take()).decode()
    assert [part.split("\n")[0] for part in told.split("\n\n")[:-1]] == ["event: line", "event: line", "event: cycle"]
    assert '"text":"first"' in told
    assert '"count":1' in told
    assert streams.clients == 0


async def test_one_that_asks_for_a_workload_hears_of_it_alone() -> None:
    streams = Streams(Board())
    with streams.open(WEB) as queue:
        streams.accept(
            [line("ours"), line("theirs", "other"), Record(at=1.0, kind=RecordKind.POLICIES, text="new set")]
        )
        told = (await queue.take()).decode()
    assert "ours" in told
    assert "new set" in told
    assert "theirs" not in told


async def test_a_client_that_does_not_read_loses_the_oldest_and_is_told_how_many() -> None:
    streams = Streams(Board())
    with streams.open() as queue:
        for number in range(QUEUED + 50):
            streams.accept([line(f"number {number}.")])
        told = (await queue.take()).decode()
    assert told.startswith('event: lost\ndata: {"events":50}')
    assert "number 49." not in told
    assert told.count("event: line") == QUEUED


async def test_clients_that_follow_one_workload_share_what_is_told_of_it() -> None:
    streams = Streams(Board())
    with (
        streams.open(WEB) as one,
        streams.open(WEB) as two,
        streams.open("third") as third,
        streams.open() as everything,
    ):
        streams.accept([line("ours"), line("theirs", "other")])
        streams.accept([line("more", "other")])
        for queue in (one, two):
            assert (await queue.take()).count(b"event: line") == 1
        assert (await everything.take()).count(b"event: line") == 3
        streams.close()
        assert await third.take() == b""


async def test_one_that_reads_nothing_from_its_socket_is_let_go_and_holds_no_memory_until_then() -> None:
    streams = Streams(Board(), patience_s=0.3)

    async def events(request: web.Request) -> web.StreamResponse:
        return await stream(request, streams, "")

    application = web.Application()
    application.add_routes([web.get("/events", events)])
    listening = tcp("127.0.0.1", 0, key="listen")
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    async with running(application, listening):
        with socket.create_connection(listening.getsockname()) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.sendall(b"GET /events HTTP/1.1\r\nHost: here\r\n\r\n")
            await auntil(lambda: streams.clients == 1, "it listens")
            tracemalloc.start()
            for _ in range(200):
                streams.accept([line("x" * 500) for _ in range(QUEUED)])
                await asyncio.sleep(0)
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert held < 2_000_000  # of 25 MB that were told
            await auntil(lambda: streams.clients == 0, "it is let go")


async def test_more_clients_than_can_be_served_are_sent_away() -> None:
    streams = Streams(Board())
    held = [streams.open() for _ in range(CLIENTS)]
    for each in held:
        each.__enter__()
    with pytest.raises(web.HTTPServiceUnavailable), streams.open():
        pass
    held[0].__exit__(None, None, None)
    with streams.open():
        pass


async def test_when_the_daemon_goes_the_stream_ends() -> None:
    streams = Streams(Board())
    with streams.open() as queue:
        events = streams.events(queue)
        assert (await anext(events)).startswith(b"retry: 2000\nevent: cycle")
        streams.close()
        with pytest.raises(StopAsyncIteration):
            await anext(events)

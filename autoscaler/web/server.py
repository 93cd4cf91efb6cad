"""The daemon's doors: the API on a unix socket of its owner's; API, dashboard, health and metrics on a TCP port."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from aiohttp import web

from autoscaler.clients.access import certify
from autoscaler.loop.board import Board
from autoscaler.settings import WebSettings
from autoscaler.web import doors, metrics
from autoscaler.web.cluster_callers import Callers
from autoscaler.web.doors import Entrance, Rooms
from autoscaler.web.endpoint import MOST_BODY
from autoscaler.web.exposition import CONTENT_TYPE, Family
from autoscaler.web.guard import Guard
from autoscaler.web.relay import Relay
from autoscaler.web.serving import running, tcp, unix

LATE_CYCLES = 5  # a daemon whose last cycle ended this many cycles (and at least a minute) ago hangs


class Vitals:
    """What health is told by. `leading`, `store_failing` and `more` (further metrics) are asked each time."""

    def __init__(
        self, board: Board, now: Callable[[], float], *, leading: Callable[[], bool], store_failing: Callable[[], bool]
    ) -> None:
        self.board = board
        self.now = now
        self.leading = leading
        self.store_failing = store_failing
        self.more: Callable[[], Iterable[Family]] = tuple
        self.one_scrape = asyncio.Lock()  # however many ask, a cycle shares its thread with one
        self._stood_by = 0.0  # when it was asked last while another daemon acted

    def alive(self) -> str:
        """Empty while cycles go on, or another daemon acts, or there are no policies yet; else why not."""
        if not self.leading() or not self.board.revision:
            self._stood_by = self.now()
            return ""
        last = max(self.board.cycle_at or self.board.started, self._stood_by)
        late = self.now() - last
        if late > max(LATE_CYCLES * self.board.cycle_s, 60.0):
            return f"the last cycle ended {late:.0f} s ago"
        return ""

    def ready(self) -> str:
        """Empty once policies are in force and a cycle is over, or another daemon acts; else why not."""
        if self.leading() and self.board.cycle_at is None:
            return "the first cycle is not over yet"
        return self.alive()


@contextlib.asynccontextmanager
async def serve(
    rooms: Rooms,
    vitals: Vitals,
    path: Path,
    address: tuple[str, int] | None,
    settings: WebSettings = WebSettings(),  # noqa: B008 (frozen)
    *,
    relay: Relay | None = None,
    names: Iterable[str] = (),
    callers: Callers | None = None,
) -> AsyncIterator[None]:
    """Keep both doors open; over TCP the daemon goes by these `names` too. Raises SettingsError."""
    async with contextlib.AsyncExitStack() as stack:
        private = web.Application(middlewares=[doors.problems], client_max_size=MOST_BODY)
        private.add_routes(
            [*doors.routes(rooms, Entrance(relay=relay)), *_routes(vitals, rooms, workloads=settings.workload_series)]
        )
        await stack.enter_async_context(running(private, unix(path)))
        stack.callback(path.unlink, missing_ok=True)
        if address is not None:
            guard = Guard(settings, address[0], vitals.now, *names, callers=callers)
            strict = doors.named(guard)
            public = web.Application(middlewares=[strict, doors.problems], client_max_size=MOST_BODY)
            public.add_routes(
                [
                    *doors.routes(rooms, Entrance(guard, relay)),
                    *doors.pages(),
                    *_routes(vitals, rooms, workloads=settings.workload_series),
                ]
            )
            await stack.enter_async_context(running(public, tcp(*address, key="listen"), _tls(settings)))
        stack.callback(rooms.streams.close)
        yield


def _tls(settings: WebSettings) -> ssl.SSLContext | None:
    if settings.cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certify(context, "web", settings.cert, settings.key)
    return context


def _routes(vitals: Vitals, rooms: Rooms, *, workloads: bool) -> list[web.RouteDef]:
    async def metrics_(request: web.Request) -> web.Response:
        async with vitals.one_scrape:
            text = await metrics.text(
                vitals.board,
                leading=vitals.leading(),
                store_failing=vitals.store_failing(),
                clients=rooms.streams.clients,
                workloads=workloads,
                more=vitals.more(),
            )
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})

    async def healthz(request: web.Request) -> web.Response:
        return _verdict(vitals.alive())

    async def readyz(request: web.Request) -> web.Response:
        return _verdict(vitals.ready())

    return [web.get("/metrics", metrics_), web.get("/healthz", healthz), web.get("/readyz", readyz)]


def _verdict(trouble: str) -> web.Response:
    return web.Response(status=503 if trouble else 200, text=f"{trouble or 'ok'}\n")

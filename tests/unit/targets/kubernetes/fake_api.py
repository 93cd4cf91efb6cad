"""A small API server on loopback that answers as told: for the faults a real one will not show on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from autoscaler.clock import SystemClock
from tests.unit.targets.kubernetes.records import deployment, pod, replica_set

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TOKEN = "sesame-0123456789"


def status(code: int, message: str = "", reason: str = "", **more: Any) -> web.Response:
    """The API's own way of saying no."""
    headers = more.pop("headers", None)
    body = {"kind": "Status", "status": "Failure", "code": code, "message": message, "reason": reason, **more}
    return web.json_response(body, status=code, headers=headers)


class FakeApi:
    """One namespace `shop` with a Deployment `web` of two pods. `orders` are answered first, by `handlers` after.

    Watches stay open and get what is put into `tell`; `watches` and `lists` count what was asked for.
    """

    def __init__(self) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {
            "deployments": [deployment()],
            "replicasets": [replica_set()],
            "pods": [pod("web-a"), pod("web-b")],
            "horizontalpodautoscalers": [],
            "scaledobjects": [],
            "statefulsets": [],
            "resourcequotas": [],
            "limitranges": [],
        }
        self.version = 10
        self.streams = True
        self.away = False
        self.watches: list[tuple[str, str]] = []  # plural, the resource version asked from
        self.lists: list[str] = []
        self.calls: list[tuple[str, str, Any]] = []
        self.tokens: list[str] = []
        self.handlers: dict[tuple[str, str], list[Handler]] = {}
        self.live: list[tuple[str, asyncio.Queue[bytes | None]]] = []
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self.cut()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def kubeconfig(self, folder: Path, *, token: str = TOKEN) -> Path:
        path = folder / "kubeconfig"
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        config = {
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [context],
        }
        path.write_text(json.dumps(config))
        return path

    def once(self, method: str, end: str, handler: Handler) -> None:
        """Answer the next request of this method whose path ends so by `handler`."""
        self.handlers.setdefault((method, end), []).append(handler)

    def tell(self, plural: str, kind: str, thing: dict[str, Any]) -> None:
        """Send an event to the open watches of this plural."""
        line = json.dumps({"type": kind, "object": thing}).encode() + b"\n"
        for of, queue in self.live:
            if of == plural:
                queue.put_nowait(line)

    def cut(self) -> None:
        """End all open watches."""
        for _, queue in self.live:
            queue.put_nowait(None)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.tokens.append(request.headers.get("Authorization", ""))
        body = await request.json() if request.can_read_body else None
        plural = request.path.rpartition("/")[2]
        if "watch" not in request.query and not (request.method == "GET" and plural in self.objects):
            self.calls.append((request.method, request.path, body))
        for (method, end), handlers in self.handlers.items():
            if method == request.method and request.path.endswith(end) and handlers:
                return await handlers.pop(0)(request)
        if self.away:
            return status(503, "shutting down")
        if plural in self.objects and request.query.get("watch") == "1":
            return await self._watch(request, plural)
        if plural in self.objects:
            self.lists.append(plural)
            meta = {"resourceVersion": str(self.version)}
            return web.json_response({"metadata": meta, "items": self.objects[plural]})
        if request.path.endswith("/deployments/web"):
            return web.json_response(self.objects["deployments"][0])
        return status(404, "not found", "NotFound")

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        initial = "sendInitialEvents" in request.query
        if initial and not self.streams:
            causes = [{"reason": "FieldValueForbidden", "field": "sendInitialEvents"}]
            return status(422, "sendInitialEvents is forbidden for watch", "Invalid", details={"causes": causes})
        self.watches.append((plural, request.query.get("resourceVersion", "")))
        response = web.StreamResponse()
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.live.append((plural, queue))
        if initial:
            for thing in self.objects[plural]:
                queue.put_nowait(json.dumps({"type": "ADDED", "object": thing}).encode() + b"\n")
            mark = {"resourceVersion": str(self.version), "annotations": {"k8s.io/initial-events-end": "true"}}
            queue.put_nowait(json.dumps({"type": "BOOKMARK", "object": {"metadata": mark}}).encode() + b"\n")
        try:
            while (line := await queue.get()) is not None:
                await response.write(line)
        finally:
            self.live.remove((plural, queue))
        return response


class Skipping(SystemClock):
    """The real clock, which a test may move on; pauses are noted and last a hundredth."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0
        self.naps: list[float] = []

    def now(self) -> float:
        return super().now() + self.skipped

    def monotonic(self) -> float:
        return super().monotonic() + self.skipped

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        await asyncio.sleep(seconds / 100)

"""Requests and answers: endpoints as routes, errors as JSON with a hint, headers that keep browsers strict."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from autoscaler.errors import AutoscalerError, SourceError, StoreError, UsageError
from autoscaler.loop.answers import Problem
from autoscaler.loop.desk import Desk
from autoscaler.loop.gallery import Gallery
from autoscaler.loop.names import UnknownWorkload
from autoscaler.web import api, openapi
from autoscaler.web.caller import SOCKET, Caller, Refusal, Refused
from autoscaler.web.endpoint import By, Endpoint, asked
from autoscaler.web.events import BEAT_S, Streams, stream
from autoscaler.web.guard import HEADERS, Guard
from autoscaler.web.relay import ANSWER_S, SIGNED, Relay

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_encode = msgspec.json.Encoder().encode


class Rooms(msgspec.Struct, frozen=True):
    """What the doors open to."""

    desk: Desk
    gallery: Gallery
    streams: Streams


class Entrance(msgspec.Struct, frozen=True):
    """Who is let in where: without a guard (on the socket) whoever is there may do everything.

    `relay` hands on what another daemon is to answer, where several share a lease.
    """

    guard: Guard | None = None
    relay: Relay | None = None

    async def admitted(self, request: web.Request, *, write: bool) -> Caller:
        """Who asks. Raises Refused with why not."""
        if self.guard is None:
            return SOCKET
        if self.relay is not None and SIGNED in request.headers:
            return await self.relay.judged(request)
        refusal = self.guard.foreign(request)
        caller = refusal or await self.guard.caller(request, write=write)
        if isinstance(caller, Refusal):
            raise Refused(caller)
        return caller

    async def elsewhere(
        self, request: web.Request, caller: Caller, *, anyway: bool, silence_s: float = ANSWER_S
    ) -> web.StreamResponse | None:
        """The answer of another daemon that acts; None where this one is to answer. Raises Refused."""
        if self.relay is None:
            return None
        return await self.relay.answer(request, caller, anyway=anyway, silence_s=silence_s)


def routes(rooms: Rooms, entrance: Entrance) -> list[web.RouteDef]:
    """Every route of the API."""
    table = api.endpoints(rooms.desk, rooms.gallery)

    @functools.cache  # made when somebody first asks: few do, and it takes tens of milliseconds
    def described() -> bytes:
        return _encode(openapi.description(table))

    async def description(request: web.Request) -> web.Response:
        return web.Response(body=described(), content_type="application/json")

    async def events(request: web.Request) -> web.StreamResponse:
        caller = await entrance.admitted(request, write=False)
        answer = await entrance.elsewhere(request, caller, anyway=True, silence_s=2 * BEAT_S)
        if answer is not None:
            return answer
        name = request.query.get("workload", "")
        key = rooms.desk.entry(name).workload.ref.key if name else ""
        return await stream(request, rooms.streams, key)

    found = [_route(each, entrance) for each in table]
    found += [web.get(f"{api.PREFIX}/openapi.json", description), web.get(f"{api.PREFIX}/events", events)]
    return found


def _route(endpoint: Endpoint, entrance: Entrance) -> web.RouteDef:
    async def handle(request: web.Request) -> web.StreamResponse:
        caller = await entrance.admitted(request, write=endpoint.write)
        if endpoint.by is not By.ASKED:
            answered = await entrance.elsewhere(request, caller, anyway=endpoint.by is By.ANYBODY)
            if answered is not None:
                return answered
        answer = await endpoint.handle(await asked(endpoint, request, caller))
        return web.Response(
            body=_encode(answer), content_type="application/json", headers={"Cache-Control": "no-store"}
        )

    return web.route(endpoint.method, endpoint.path.replace("{name}", "{name:.+}"), handle)


def pages() -> list[web.RouteDef]:
    """The dashboard: files of this package, each asked for by its name, and the page itself at `/`."""
    files = {f"/{each.relative_to(STATIC).as_posix()}": each for each in STATIC.rglob("*") if each.suffix in TYPES}
    return [_file("/", STATIC / "index.html"), *(_file(path, file) for path, file in sorted(files.items()))]


def _file(path: str, file: Path) -> web.RouteDef:
    body = file.read_bytes()
    mark = f'"{hashlib.sha256(body).hexdigest()[:16]}"'

    async def give(request: web.Request) -> web.Response:
        headers = {"ETag": mark, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == mark:
            return web.Response(status=304, headers=headers)
        response = web.Response(body=body, content_type=TYPES[file.suffix], charset="utf-8", headers=headers)
        response.enable_compression()
        return response

    return web.get(path, give)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Our errors as JSON with a hint: 404 for an unknown name, 400 for a wrong question, 503 for a failing store."""
    try:
        return await handler(request)
    except Refused as error:
        refusal = error.refusal
        response = _problem(refusal.status, refusal.sentence, refusal.hint)
        if refusal.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response
    except web.HTTPException as error:
        response = _problem(error.status, f"{request.method} {request.path}: {error.reason}")
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except UnknownWorkload as error:
        return _problem(404, error.message, error.hint)
    except UsageError as error:
        return _problem(400, error.message, error.hint)
    except (StoreError, SourceError) as error:
        return _problem(503, error.message, error.hint)
    except AutoscalerError as error:
        return _problem(500, error.message, error.hint)


def named(guard: Guard) -> Any:
    """A middleware that turns away requests for other names, and makes browsers strict."""

    @web.middleware
    async def strict(request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = guard.misnamed(request) if request.path not in OPEN else None
        response = await handler(request) if refusal is None else _problem(421, refusal.sentence, refusal.hint)
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    return strict


OPEN = ("/metrics", "/healthz", "/readyz")  # asked by address, by machines


def _problem(status: int, sentence: str, hint: str = "") -> web.Response:
    body = _encode(Problem(sentence, hint))
    return web.Response(
        status=status, body=body, content_type="application/json", headers={"Cache-Control": "no-store"}
    )

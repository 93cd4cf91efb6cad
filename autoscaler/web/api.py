"""The daemon's API: the desk's answers as JSON over HTTP. On the unix socket only: who may open it, may speak.

GET  /v1/status · /v1/workloads/{name} · /v1/explain/{name}?at= · /v1/history?workload=&until=&limit= · /v1/memory
POST /v1/pause/{name} · /v1/resume/{name} · /v1/override/{name}, a JSON body each
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from autoscaler.errors import AutoscalerError, StoreError, UsageError
from autoscaler.loop.answers import Problem
from autoscaler.loop.desk import Desk, Word
from autoscaler.loop.names import UnknownWorkload

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


class PauseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long (seconds; None: until resumed), who and why."""

    for_s: float | None = None
    by: str = ""
    why: str = ""


class ResumeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who and why."""

    by: str = ""
    why: str = ""


class OverrideBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which count for how long (seconds), who and why; `force` allows more than the policy's max."""

    count: int
    for_s: float
    force: bool = False
    by: str = ""
    why: str = ""


def routes(desk: Desk) -> list[web.RouteDef]:
    """Every route of the API."""

    async def status(request: web.Request) -> web.Response:
        return _answer(await desk.status())

    async def workload(request: web.Request) -> web.Response:
        return _answer(await desk.workload(request.match_info["name"]))

    async def explain(request: web.Request) -> web.Response:
        return _answer(await desk.explain(request.match_info["name"], _number(request, "at")))

    async def history(request: web.Request) -> web.Response:
        limit = _number(request, "limit")
        return _answer(
            await desk.history(
                request.query.get("workload"),
                until=_number(request, "until"),
                limit=50 if limit is None else int(limit),
            )
        )

    async def memory(request: web.Request) -> web.Response:
        return _answer(await desk.recollect())

    async def pause(request: web.Request) -> web.Response:
        body = await _body(request, PauseBody)
        word = Word(body.by, body.why)
        return _answer(await desk.pause(request.match_info["name"], for_s=body.for_s, word=word))

    async def resume(request: web.Request) -> web.Response:
        body = await _body(request, ResumeBody)
        return _answer(await desk.resume(request.match_info["name"], word=Word(body.by, body.why)))

    async def override(request: web.Request) -> web.Response:
        body = await _body(request, OverrideBody)
        word = Word(body.by, body.why)
        name = request.match_info["name"]
        return _answer(await desk.override(name, body.count, for_s=body.for_s, force=body.force, word=word))

    return [
        web.get("/v1/status", status),
        web.get("/v1/workloads/{name:.+}", workload),
        web.get("/v1/explain/{name:.+}", explain),
        web.get("/v1/history", history),
        web.get("/v1/memory", memory),
        web.post("/v1/pause/{name:.+}", pause),
        web.post("/v1/resume/{name:.+}", resume),
        web.post("/v1/override/{name:.+}", override),
    ]


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Our errors as JSON with a hint: 404 for an unknown name, 400 for a wrong question, 503 for a failing store."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _problem(error.status, f"{request.method} {request.path}: {error.reason}")
    except UnknownWorkload as error:
        return _problem(404, error.message, error.hint)
    except UsageError as error:
        return _problem(400, error.message, error.hint)
    except StoreError as error:
        return _problem(503, error.message, error.hint)
    except AutoscalerError as error:
        return _problem(500, error.message, error.hint)


def _answer(said: Any) -> web.Response:
    return web.Response(body=_encode(said), content_type="application/json")


def _problem(status: int, sentence: str, hint: str = "") -> web.Response:
    return web.Response(status=status, body=_encode(Problem(sentence, hint)), content_type="application/json")


def _number(request: web.Request, key: str) -> float | None:
    text = request.query.get(key)
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{key}: expected a number, got {text}") from None


async def _body(request: web.Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.read() or b"{}", type=kind)
    except msgspec.DecodeError as error:
        raise UsageError(f"the request's body is wrong: {error}") from None

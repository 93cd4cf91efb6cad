"""What an endpoint of the API is: one table drives the routes, what is read from a request, and the description."""

from __future__ import annotations

import enum
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from autoscaler.errors import UsageError
from autoscaler.web.caller import Caller

MOST_BODY = 256 * 1024

Value = str | float | int | None


class Param(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of a query: its type (`str`, `int`, `float`), bounds, words to choose from, and its default."""

    name: str
    about: str
    kind: type = str
    default: Value = None
    least: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()

    def read(self, request: web.Request) -> Value:
        """The value in a request. Raises UsageError."""
        text = request.query.get(self.name)
        if text is None:
            return self.default
        if self.kind is str:
            if self.choices and text not in self.choices:
                raise UsageError(f"{self.name}: expected one of {', '.join(self.choices)}, got {text}")
            return text
        try:
            value: int | float = self.kind(text)
        except ValueError:
            raise UsageError(f"{self.name}: expected a number, got {text}") from None
        low, high = self.least if self.least is not None else -1e15, self.most if self.most is not None else 1e15
        if not (math.isfinite(value) and low <= value <= high):
            raise UsageError(f"{self.name} must be between {low:g} and {high:g}, got {text}")
        return value


class Asked(msgspec.Struct, frozen=True):
    """A request as an endpoint sees it: the workload's name in its path, parameters, body, and who asks."""

    name: str
    values: Mapping[str, Any]
    body: Any
    caller: Caller


class By(enum.Enum):
    """Which of several daemons that share a lease answers."""

    HOLDER = "the one that acts"
    ANYBODY = "the one that acts; where it cannot be asked, the one that was"
    ASKED = "the one that was asked"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One way to ask: `path` may hold `{name}`; `answer` and `body` are structs; `write` needs the right to."""

    method: str
    path: str
    about: str
    answer: type
    handle: Callable[[Asked], Awaitable[Any]]
    params: tuple[Param, ...] = ()
    body: type | None = None
    write: bool = False
    named: str = ""  # what the name in the path is
    by: By = By.HOLDER


async def asked(endpoint: Endpoint, request: web.Request, caller: Caller) -> Asked:
    """What a request asks of an endpoint. Raises UsageError, HTTPUnsupportedMediaType."""
    known = {param.name for param in endpoint.params}
    strange = next((key for key in request.query if key not in known), None)
    if strange is not None:
        words = f"expected {', '.join(sorted(known))}" if known else "none are expected"
        raise UsageError(f"{strange}: no such parameter, {words}")
    values = {param.name: param.read(request) for param in endpoint.params}
    body: Any = None
    if endpoint.body is not None:
        if request.content_type not in ("application/json", "application/octet-stream"):
            raise web.HTTPUnsupportedMediaType(reason="expected application/json")
        try:
            body = msgspec.json.decode(await request.read() or b"{}", type=endpoint.body)
        except msgspec.DecodeError as error:
            raise UsageError(
                f"the request's body is wrong: {error}", hint="GET /api/v1/openapi.json tells its shape"
            ) from None
    return Asked(request.match_info.get("name", ""), values, body, caller)

"""Readiness by HTTP: 2xx is ready, everything else is not, and nothing is an exception."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiohttp import web

from autoscaler.clients.http_probe import TIMEOUT_S, HttpProbe
from tests.parts.process import free_port
from tests.support.wire import served


@pytest.mark.parametrize(
    ("status", "ready"), [(200, True), (204, True), (299, True), (302, False), (404, False), (503, False)]
)
async def test_only_2xx_is_ready(status: int, ready: bool) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})

    async with served(handler) as url:
        probe = HttpProbe()
        assert await probe.ready(f"{url}/ready") is ready
        await probe.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://no-such-host.invalid/", "http://[::1", "what"])
async def test_who_cannot_be_asked_is_not_ready(url: str) -> None:
    probe = HttpProbe()
    assert await probe.ready(url.replace("{port}", str(free_port()))) is False
    await probe.close()


async def test_who_does_not_answer_in_time_is_not_ready() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with served(handler) as url:
        probe, began = HttpProbe(), time.monotonic()
        assert await probe.ready(url) is False
        assert time.monotonic() - began < TIMEOUT_S + 3.0
        await probe.close()


async def test_a_probe_may_be_closed_unused() -> None:
    await HttpProbe().close()


# a word to one that is about to leave


@pytest.mark.parametrize(("status", "said"), [(200, ""), (202, ""), (503, "it answered 503"), (302, "it answered 302")])
async def test_who_is_told_answers_2xx_or_it_is_said_what_it_answered(status: int, said: str) -> None:
    heard: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        heard.append(f"{request.method} {request.path}")
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})

    async with served(handler) as url:
        probe = HttpProbe()
        assert await probe.tell(f"{url}/drain") == said
        await probe.close()
    assert heard == ["POST /drain"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://no-such-host.invalid/", "http://[::1", "what"])
async def test_who_cannot_be_told_is_said(url: str) -> None:
    probe = HttpProbe()
    assert (await probe.tell(url.replace("{port}", str(free_port())))).startswith("no answer (")
    await probe.close()

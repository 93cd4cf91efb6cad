"""Ranges through the library: in the body, in time, with warnings kept, and every failure one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from autoscaler.clients.prometheus_range import RangeClient
from autoscaler.errors import SourceError
from tests.parts.process import free_port
from tests.support.wire import cut, served

ONE = {"metric": {"a": "b"}, "values": [[100, "1"], [115, "NaN"]]}


def matrix(*series: Any, **more: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(series)}, **more}


async def failed(url: str) -> str:
    client = RangeClient(url)
    with pytest.raises(SourceError) as caught:
        await client.window("load", 100, 130, 15)
    await client.close()
    message = caught.value.message
    assert message.startswith("the past cannot be read: ")
    assert len(message) < 300
    assert "object at" not in message
    return message


async def test_series_come_with_labels_values_and_warnings_and_the_query_goes_in_the_body() -> None:
    seen: list[tuple[str, str, dict[str, Any]]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, str(request.rel_url), dict(await request.post())))
        return web.json_response(matrix(ONE, warnings=["a store is away"]))

    query = "load + " * 5000 + "load"
    async with served(handler) as url:
        client = RangeClient(url)
        told = await client.window(query, 100, 130, 0.5)
        await client.close()
    assert [(each.metric, each.values) for each in told.series] == [({"a": "b"}, {100.0: "1", 115.0: "NaN"})]
    assert told.warnings == ("a store is away",)
    assert seen == [
        ("POST", "/api/v1/query_range", {"query": query, "start": "100", "end": "130", "step": "0.5"}),
    ]


async def test_a_server_that_is_down_is_one_sentence_without_secrets() -> None:
    port = free_port()
    message = await failed(f"http://ann:s3cret@127.0.0.1:{port}")
    assert message == f"the past cannot be read: http://127.0.0.1:{port}: cannot connect"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ('{"status":"error","errorType":"bad_data","error":"parse \\"x\\""}', 400, "parse"),
        ("<html>Bad Gateway</html>", 502, "502"),
        ('{"status":"error","error":"away"}', 200, "this is not an answer of Prometheus"),
        ("<html>login</html>", 200, "this is not an answer of Prometheus"),
        ("[]", 200, "this is not an answer of Prometheus"),
        ('["warnings"]', 200, "this is not an answer of Prometheus"),
        ('"warnings" <html>', 200, "this is not an answer of Prometheus"),
        ('{"data":{"result":[{}]}}', 200, "this is not an answer of Prometheus"),
    ],
)
async def test_an_answer_that_is_none_is_one_sentence(body: str, status: int, words: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(text=body, status=status)

    async with served(handler) as url:
        assert words in await failed(url)


async def test_a_connection_cut_in_the_middle_is_one_sentence() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await cut(request, b'{"status":')

    async with served(handler) as url:
        await failed(url)


async def test_a_busy_server_is_not_asked_again() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(status=503, text="busy")

    async with served(handler) as url:
        assert "503" in await failed(url)
    assert len(asked) == 1

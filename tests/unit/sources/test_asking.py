"""Many queries asked as one, and what happens where that fails: on a wire that answers what a test says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiohttp import web

from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.model.signal import Missing, MissingWhy, Reading, Series
from autoscaler.sources.asking import LEAST, MOST_VAIN
from autoscaler.sources.prometheus import PrometheusSource
from tests.parts.process import free_port
from tests.support import asks
from tests.support.wire import served

NAMES = re.compile(r'n=~?"([^"]*)"')


class Wire:
    """A Prometheus with one series per name; `wrong` says what is answered where a name is among those asked for."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []  # the names in each query that is no companion
        self.wrong: dict[str, Any] = {}
        self.most: int | None = None  # more names than that are refused
        self.every: Any = None
        self.empty: set[str] = set()
        self.unlabelled = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = str((await request.post())["query"])
        names = set(NAMES.findall(query)[0].split("|")) if NAMES.search(query) else set()
        companion = query.startswith("time()")
        if not companion:
            self.asked.append(names)
        wrong = [said for name, said in self.wrong.items() if name in names]
        if self.every is not None:
            return web.Response(status=self.every, text="no")
        if not companion and self.most is not None and len(names) > self.most:
            return web.json_response({"status": "error", "errorType": "execution", "error": "too many"}, status=422)
        if not companion and wrong and wrong[0] == "silent":
            await asyncio.Event().wait()
        if not companion and wrong and not isinstance(wrong[0], list):
            said = f"found duplicate for {wrong[0]}"
            return web.json_response({"status": "error", "errorType": "execution", "error": said}, status=422)
        rows = [] if companion and "max_over_time" in query else sorted(names - self.empty)
        labels = [{} if self.unlabelled and len(names) > 1 else {"n": name} for name in rows]
        value = "1" if companion else "7"
        result = [{"metric": each, "value": [1000.0, value]} for each in labels]
        body: dict[str, Any] = {"status": "success", "data": {"resultType": "vector", "result": result}}
        if wrong and not companion:
            body["warnings"] = wrong[0]
        return web.json_response(body)


class Bench:
    """A source on a wire."""

    def __init__(self, url: str, wire: Wire) -> None:
        self.wire = wire
        self.source = PrometheusSource(PrometheusClient(url), deadline_s=1.0)

    async def read(self, names: Sequence[str]) -> dict[str, Reading]:
        self.wire.asked.clear()
        readings = await self.source.read([asks.query(f'sum(load{{n="{name}"}})') for name in names], 0.0)
        return dict(zip(names, readings, strict=True))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    wire = Wire()
    async with served(wire.answer) as url:
        made = Bench(url, wire)
        yield made
        await made.source.close()


ALL = [f"t{n:02}" for n in range(64)]


def missing(readings: dict[str, Reading]) -> dict[str, str]:
    return {name: each.detail for name, each in readings.items() if isinstance(each, Missing)}


async def test_what_shares_a_template_is_one_query(bench: Bench) -> None:
    readings = await bench.read(ALL)
    assert bench.wire.asked == [set(ALL)]
    assert all(isinstance(each, Series) and each.points[0].value == 7.0 for each in readings.values())
    assert all(isinstance(each, Series) and each.points[0].labels == () for each in readings.values())


async def test_one_query_alone_is_asked_as_it_is_written(bench: Bench) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(str((await request.post())["query"]))
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": []}})

    async with served(handler) as url:
        source = PrometheusSource(PrometheusClient(url))
        await source.read([asks.query("sum(  load{n='a'}[5m:])"), asks.query("sum(other{n='a'})")], 0.0)
        await source.close()
    assert {"sum(  load{n='a'}[5m:])", "sum(other{n='a'})"} <= set(seen)


async def test_who_has_no_series_is_empty_and_only_they_are_asked_about_the_past(bench: Bench) -> None:
    bench.wire.empty = {"t03", "t40"}
    readings = await bench.read(ALL)
    assert set(missing(readings)) == {"t03", "t40"}
    assert all(each.why is MissingWhy.EMPTY for each in readings.values() if isinstance(each, Missing))
    assert bench.wire.asked == [set(ALL)]


async def test_one_that_is_wrong_takes_nobody_with_it_and_is_asked_alone_from_then_on(bench: Bench) -> None:
    bench.wire.wrong = {"t21": "t21"}
    first = await bench.read(ALL)
    assert list(missing(first)) == ["t21"]
    assert missing(first)["t21"].endswith("HTTP 422: execution: found duplicate for t21")
    assert len(bench.wire.asked) == 13, "twice the levels"
    assert list(missing(await bench.read(ALL))) == ["t21"]
    assert sorted(bench.wire.asked, key=len)[0] == {"t21"}
    assert all("t21" not in each or len(each) == 1 for each in bench.wire.asked)
    assert len(bench.wire.asked) <= 3
    bench.wire.wrong = {}
    assert missing(await bench.read(ALL)) == {}
    for _ in range(25):
        await bench.read(ALL)
    assert bench.wire.asked == [set(ALL)]


async def test_every_other_one_wrong_leaves_the_others(bench: Bench) -> None:
    bench.wire.wrong = {name: name for name in ALL[::2]}
    for _ in range(2):
        readings = await bench.read(ALL)
        assert list(missing(readings)) == ALL[::2]
        assert all(said.endswith(f"duplicate for {name}") for name, said in missing(readings).items())


async def test_one_that_never_answers_takes_less_and_less_with_it(bench: Bench) -> None:
    bench.wire.wrong = {"t21": "silent"}
    first = await bench.read(ALL)
    assert "t21" in missing(first)
    assert len(missing(first)) <= 16, "the others are read in what is left of the time"
    for _ in range(3):
        last = await bench.read(ALL)
    assert list(missing(last)) == ["t21"]


async def test_too_many_at_once_are_asked_in_smaller_parts_the_next_time(bench: Bench) -> None:
    bench.wire.most = 16
    assert missing(await bench.read(ALL)) == {}
    assert len(bench.wire.asked) > 4
    for _ in range(3 + LEAST):
        assert missing(await bench.read(ALL)) == {}
    assert max(map(len, bench.wire.asked)) <= 16


async def test_a_server_that_takes_only_single_ones_is_soon_asked_for_nothing_else(bench: Bench) -> None:
    bench.wire.most = 1
    for _ in range(10):
        assert missing(await bench.read(ALL)) == {}
    assert sorted(map(sorted, bench.wire.asked)) == [[name] for name in ALL]


async def test_a_server_that_refuses_everything_is_not_asked_for_each(bench: Bench) -> None:
    bench.wire.every = 503
    readings = await bench.read(ALL)
    assert len(missing(readings)) == len(ALL)
    assert len(bench.wire.asked) <= 2 * MOST_VAIN
    assert "HTTP 503" in missing(readings)["t63"]
    assert missing(readings)["t63"].startswith("asked together with")
    bench.wire.every = None
    assert missing(await bench.read(ALL)) == {}


async def test_a_server_that_is_away_is_asked_once_and_said_so() -> None:
    made = Bench(f"http://127.0.0.1:{free_port()}", Wire())
    readings = await made.read(ALL)
    assert all("cannot connect" in said and "together" not in said for said in missing(readings).values())
    assert len(missing(readings)) == len(ALL)
    await made.source.close()


async def test_an_answer_that_is_not_whole_spoils_only_those_it_is_about(bench: Bench) -> None:
    bench.wire.wrong = {"t21": ["a store is away"]}
    for turn in range(3):
        readings = await bench.read(ALL)
        spoilt = [name for name, each in readings.items() if isinstance(each, Missing)]
        assert "t21" in spoilt
        assert len(spoilt) <= 64 >> (4 * (turn + 1)) or spoilt == ["t21"]
        assert all(each.why is MissingWhy.PARTIAL for each in readings.values() if isinstance(each, Missing))


async def test_where_all_stores_are_away_nobody_is_read_and_the_questions_stay_few(bench: Bench) -> None:
    bench.wire.wrong = {name: ["a store is away"] for name in ALL}
    for _ in range(3):
        readings = await bench.read(ALL)
        assert all(isinstance(each, Missing) and each.why is MissingWhy.PARTIAL for each in readings.values())
        assert len(bench.wire.asked) <= 31


async def test_series_that_nobody_can_be_told_by_are_asked_for_one_by_one(bench: Bench) -> None:
    bench.wire.unlabelled = True
    readings = await bench.read(ALL[:4])
    assert missing(readings) == {}
    assert [each for each in bench.wire.asked if len(each) == 1] == [{name} for name in ALL[:4]]


async def test_victoria_says_partial_without_a_warning() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        row = {"metric": {}, "value": [1000.0, "1"]}
        data = {"resultType": "vector", "result": [row]}
        return web.json_response({"status": "success", "isPartial": True, "data": data})

    async with served(handler) as url:
        source = PrometheusSource(PrometheusClient(url))
        (reading,) = await source.read([asks.query("load")], 0.0)
        await source.close()
    assert isinstance(reading, Missing)
    assert (reading.why, reading.detail) == (MissingWhy.PARTIAL, "the server says that its answer is partial")

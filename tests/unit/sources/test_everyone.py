"""Thousands of one template are asked for without saying whose, where that is no more than what is wanted anyway."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.model.signal import Missing, MissingWhy, Reading, Series
from autoscaler.sources import asking
from autoscaler.sources.prometheus import PrometheusSource
from tests.support import asks
from tests.support.wire import served

WIDE, OURS = 20, 30

NAMES = re.compile(r'n(=~?|!=)"([^"]*)"')


class Wire:
    """A Prometheus in which there are also series of others; `wrong` says what becomes of questions for everyone."""

    def __init__(self) -> None:
        self.others = 0
        self.without: set[str] = set()
        self.wrong: Any = None
        self.asked: list[str] = []  # how the names of each question stand that is no companion

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = str((await request.post())["query"])
        found = NAMES.search(query)
        assert found is not None
        companion = query.startswith("time()")
        if not companion:
            self.asked.append(found[1])
        everyone = found[1] == "!="
        if everyone and isinstance(self.wrong, int):
            return web.json_response({"status": "error", "errorType": "x", "error": "duplicate"}, status=self.wrong)
        there = [f"w{n}" for n in range(OURS)] + [f"other{n}" for n in range(self.others)]
        names = there if everyone else found[2].split("|")
        past = companion and "max_over_time" in query
        value = "1" if companion else "7"
        rows = [{"metric": {"n": name}, "value": [1.0, value]} for name in names if name not in self.without]
        body: dict[str, Any] = {"status": "success", "data": {"resultType": "vector", "result": [] if past else rows}}
        if everyone and isinstance(self.wrong, str):
            body["warnings"] = [self.wrong]
        return web.json_response(body)


class Bench:
    """A source on a wire, for which more than a few are many."""

    def __init__(self, url: str, wire: Wire) -> None:
        self.wire = wire
        self.source = PrometheusSource(PrometheusClient(url), deadline_s=5.0)

    async def read(self) -> list[Reading]:
        self.wire.asked.clear()
        put = [asks.query(f'sum(load{{n="w{number}"}})') for number in range(OURS)]
        return list(await self.source.read(put, 0.0))


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(asking, "WIDE", WIDE)
    wire = Wire()
    async with served(wire.answer) as url:
        made = Bench(url, wire)
        yield made
        await made.source.close()


def all_read(readings: list[Reading]) -> bool:
    return all(isinstance(each, Series) and each.points[0].value == 7.0 for each in readings)


async def test_nobody_is_named_and_everybody_gets_his_own(bench: Bench) -> None:
    bench.wire.others, bench.wire.without = OURS, {"w3"}
    for _ in range(3):
        readings = await bench.read()
        assert bench.wire.asked == ["!="]
        assert isinstance(readings[3], Missing)
        assert readings[3].why is MissingWhy.EMPTY, "others' series are nobody's here"
        assert all_read(readings[:3] + readings[4:])


async def test_where_most_belongs_to_others_names_are_named_from_then_on(bench: Bench) -> None:
    bench.wire.others = OURS + 1
    assert all_read(await bench.read())
    assert bench.wire.asked == ["!="]
    assert all_read(await bench.read())
    assert bench.wire.asked == ["=~"]


async def test_after_many_rounds_it_is_tried_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "NARROW_ROUNDS", 3)
    bench.wire.others = OURS + 1
    asked = []
    for _ in range(5):
        await bench.read()
        asked += bench.wire.asked
    assert asked == ["!=", "=~", "=~", "!=", "=~"]


@pytest.mark.parametrize("wrong", [422, "a store is away"])
async def test_what_is_wrong_with_others_costs_one_question_and_nobody_his_data(bench: Bench, wrong: object) -> None:
    bench.wire.wrong = wrong
    assert all_read(await bench.read())
    assert bench.wire.asked == ["!=", "=~"]
    assert all_read(await bench.read())
    assert bench.wire.asked == ["=~"]

"""Faults among a thousand workloads: who is not concerned is read, in time, and in a handful of questions."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from aiohttp import web

from autoscaler.clients.access import Access
from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.model.observation import Ask
from autoscaler.model.signal import Missing, MissingWhy, Reading, Series
from autoscaler.sources.prometheus import PrometheusSource
from tests.support import asks
from tests.support.wire import served

MANY = 1_000
DEADLINE_S = 2.0

NAMES = re.compile(r'n=~?"([^"]*)"')
COMPANION = "time()"


class Town:
    """A Prometheus over a thousand workloads: some not a number, one metric never answered, one tenant away."""

    def __init__(self) -> None:
        self.nan: set[str] = set()
        self.silent = ""  # the metric whose values nobody gets
        self.away = ""  # the tenant whose store is away
        self.questions = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = str((await request.post())["query"])
        self.questions += 1
        if self.away and request.headers.get("X-Scope-OrgID") == self.away:
            return web.Response(status=503, text="the store is away")
        companion = query.startswith(COMPANION)
        if self.silent and self.silent in query and not companion:
            await asyncio.Event().wait()
        found = NAMES.search(query)
        names = [] if companion and "max_over_time" in query else found[1].split("|") if found else []
        rows: list[dict[str, Any]] = [
            {"metric": {"n": name}, "value": [1000.0, "1" if companion else "NaN" if name in self.nan else "7"]}
            for name in names
        ]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": rows}})


def of(metric: str) -> list[Ask]:
    return [asks.query(f'sum({metric}{{n="w{number}"}})') for number in range(MANY)]


def whys(readings: list[Reading]) -> dict[MissingWhy | None, int]:
    found: dict[MissingWhy | None, int] = {}
    for each in readings:
        why = each.why if isinstance(each, Missing) else None
        found[why] = found.get(why, 0) + 1
    return found


async def test_five_percent_that_are_not_a_number_are_missing_and_the_others_are_read_in_one_go() -> None:
    town = Town()
    town.nan = {f"w{number}" for number in range(0, MANY, 20)}
    async with served(town.answer) as url:
        source = PrometheusSource(PrometheusClient(url), deadline_s=DEADLINE_S)
        readings = list(await source.read(of("load"), 1000.0))
        await source.close()
    assert whys(readings) == {MissingWhy.NAN: MANY // 20, None: MANY - MANY // 20}
    assert all(isinstance(each, Missing) == (number % 20 == 0) for number, each in enumerate(readings))
    assert town.questions <= 4


async def test_one_template_that_is_never_answered_takes_its_own_signals_only_and_no_longer_than_the_deadline() -> None:
    town = Town()
    town.silent = "slow"
    async with served(town.answer) as url:
        source = PrometheusSource(PrometheusClient(url), deadline_s=DEADLINE_S)
        for _ in range(2):  # what failed before is asked after what answered
            began = asyncio.get_running_loop().time()
            readings = list(await source.read([*of("slow"), *of("quick")], 1000.0))
            assert asyncio.get_running_loop().time() - began < DEADLINE_S + 1.0
            assert whys(readings[:MANY]) == {MissingWhy.FAILED: MANY}
            assert all(isinstance(each, Series) for each in readings[MANY:])
        await source.close()


async def test_one_tenant_of_three_that_is_away_leaves_the_other_two() -> None:
    town = Town()
    town.away = "tenant-1"
    async with served(town.answer) as url:
        sources = [
            PrometheusSource(
                PrometheusClient(Access(url=url, headers={"X-Scope-OrgID": f"tenant-{number}"})), deadline_s=DEADLINE_S
            )
            for number in range(3)
        ]
        told = await asyncio.gather(*(source.read(of("load"), 1000.0) for source in sources))
        for source in sources:
            await source.close()
    assert [whys(list(each)) for each in told] == [{None: MANY}, {MissingWhy.FAILED: MANY}, {None: MANY}]
    assert town.questions < 80, "a store that is away is not asked for each workload"

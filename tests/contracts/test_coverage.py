"""One of three scrape targets is down under a real Prometheus: the load seems to fall, and nothing shrinks."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import msgspec
import pytest
from aiohttp import web

from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Plan, prepare
from autoscaler.decide.step import step
from autoscaler.model.decision import Decision, Reason
from autoscaler.model.observation import Ask, Seen
from autoscaler.model.policy import Behavior, Direction, Signal
from autoscaler.model.signal import Reading, Series
from autoscaler.model.target import Instance, TargetState
from autoscaler.sources.prometheus import PrometheusSource
from tests.parts.prometheus import PrometheusMaker
from tests.support import nouns
from tests.support.wait import auntil
from tests.support.wire import served

pytestmark = pytest.mark.prometheus

QUERY = "sum(rate(work_seconds_total[10s]))"
READY_S = 3600.0  # the instances have been ready for so long


async def working(request: web.Request) -> web.Response:
    """A counter that rises by ten a second."""
    return web.Response(text=f"work_seconds_total {10 * time.monotonic()}\n")


class Service:
    """A workload whose three instances are scraped, decided from what a source reads, one cycle after the other."""

    def __init__(self, source: PrometheusSource, addresses: list[str]) -> None:
        now = time.time()
        self.instances = tuple(
            Instance(id=f"id{n}", name=f"web-{n}", created=0.0, ready=True, since=now - READY_S, address=address)
            for n, address in enumerate(addresses)
        )
        policy = msgspec.structs.replace(
            nouns.policy(),
            signals=(Signal(name="work", prometheus=QUERY, per_replica=12.0),),
            behavior=Behavior(down=Direction(stabilization=0.0)),
        )
        self.plan: Plan = prepare(nouns.ref(), policy)
        self.source = source
        self.memories: dict[str, Memory] = {}
        self.at = now - 4000.0  # the first cycles are long ago, so that no window of a beginning is open

    async def read(self) -> Reading:
        ask = Ask(self.plan.ref, self.plan.workload.policy.signals[0], QUERY, self.instances)
        (reading,) = await self.source.read([ask], time.time())
        return reading

    async def decide(self) -> Decision:
        self.at += 15.0
        state = TargetState(ref=self.plan.ref, desired=3, existing=3, ready=3, at=self.at, instances=self.instances)
        seen = Seen(state=state, readings=(await self.read(),))
        stepped = step([self.plan], [seen], self.memories, self.at)
        self.memories = stepped.memories
        return stepped.decisions[0]


async def test_a_target_that_is_down_is_doubt_and_not_less_load(prometheus_server: PrometheusMaker) -> None:
    async with AsyncExitStack() as stack, AsyncExitStack() as third:
        urls = [await stack.enter_async_context(served(working)) for _ in range(2)]
        urls.append(await third.enter_async_context(served(working)))
        addresses = [url.removeprefix("http://") for url in urls]
        server = await asyncio.to_thread(prometheus_server, scrape={"app": addresses})
        source = PrometheusSource(PrometheusClient(server.url))
        stack.push_async_callback(source.close)
        service = Service(source, addresses)

        async def whole() -> bool:
            decision = await service.decide()
            reading = decision.readings[0][1] if decision.readings else await service.read()
            return isinstance(reading, Series) and reading.found == ("id0", "id1", "id2") and 28 < load(reading) < 32

        await auntil(whole, "all three are in the data", within=30, every=0.5)
        for _ in range(60):  # whatever a beginning holds back is over
            await service.decide()
        await third.aclose()

        async def less() -> Series | None:
            reading = await service.read()
            decision = await service.decide()
            assert decision.desired == 3, decision
            return reading if isinstance(reading, Series) and load(reading) < 21 else None

        reading = await auntil(less, "the load seems to be that of two", within=40, every=0.5)
        assert (reading.found, reading.expected) == (("id0", "id1"), ("id0", "id1", "id2"))
        decision = await service.decide()
        assert (decision.desired, decision.reason) == (3, Reason.DOUBT), decision
        (said,) = [each for each in decision.steps if each.reason is Reason.SIGNAL_MISSING]
        assert said.facts["why"] == "uncovered"
        assert said.facts["detail"] == "2 of 3 ready instances are in it, 80% are needed"
        assert said.after == 2, "without coverage it would shrink"


def load(reading: Series) -> float:
    return sum(point.value for point in reading.points)

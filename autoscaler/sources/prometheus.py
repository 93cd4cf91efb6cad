"""Readings from Prometheus: each distinct query once per cycle, beside it how old its samples are and whose."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from autoscaler.clients.prometheus import IN_FLIGHT, Answer, PrometheusClient
from autoscaler.errors import SourceError
from autoscaler.model.observation import Ask
from autoscaler.model.signal import Reading
from autoscaler.sources import coverage, judge
from autoscaler.sources.intervals import Intervals

DEADLINE_S = 5.0

Told = Answer | SourceError


class PrometheusSource:
    """Asks one server. A server that does not answer makes the readings Missing, never zero."""

    def __init__(
        self, client: PrometheusClient, *, deadline_s: float = DEADLINE_S, intervals: Intervals | None = None
    ) -> None:
        self._client = client
        self._deadline_s = deadline_s
        self._intervals = intervals or Intervals()
        self._coverage = coverage.Coverage()
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._answered: dict[str, bool] = {}  # whether each query had an answer when it was asked last

    async def read(self, asks: Sequence[Ask], now: float) -> Sequence[Reading]:
        """One reading per ask, in the same order, all within the deadline."""
        until = asyncio.get_running_loop().time() + self._deadline_s
        apart = self._coverage.apart(asks, now)
        queries: dict[str, set[str]] = {ask.query: set() for ask in asks}
        for query in tuple(queries):
            for companion, further in judge.companions(query, apart).items():
                queries.setdefault(companion, set()).update({further} - {""})
        # First what is known to answer, last what failed when it was asked last: it holds nobody else up.
        rank = {True: 0, None: 1, False: 2}
        order = sorted(queries, key=lambda query: rank[self._answered.get(query)])
        told: dict[str, Told] = {}
        for answers in await asyncio.gather(*(self._told(query, queries[query], until) for query in order)):
            told.update(answers)
        self._answered = {query: self._answered[query] for query in queries if query in self._answered}
        for query in dict.fromkeys(ask.query for ask in asks):
            judge.learn(query, told, self._intervals, apart)
        readings = [judge.reading(ask, told, self._intervals, apart) for ask in asks]
        return self._coverage.covered(asks, readings, coverage.Told(told, apart, self._intervals, now))

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

    async def _told(self, query: str, further: Iterable[str], until: float) -> dict[str, Told]:
        """The answer to a query, and where it is empty the answers to further ones."""
        answer = await self._ask(query, until)
        told = {query: answer}
        if isinstance(answer, Answer) and not answer.samples:
            told.update({each: await self._ask(each, until) for each in further})
        return told

    async def _ask(self, query: str, until: float) -> Told:
        try:
            async with asyncio.timeout_at(until):
                await self._slots.acquire()
        except TimeoutError:
            return SourceError(f"{self._client.url}: not asked within {self._deadline_s:g} s, others took too long")
        self._answered[query] = False
        try:
            answer = await self._client.instant(query, max(0.0, until - asyncio.get_running_loop().time()))
        except SourceError as error:
            return error
        finally:
            self._slots.release()
        self._answered[query] = True
        return answer

"""Readings from Prometheus: each distinct query once per cycle, and beside it how old its samples are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from autoscaler.clients.prometheus import Answer, PrometheusClient
from autoscaler.errors import SourceError
from autoscaler.model.observation import Ask
from autoscaler.model.signal import Reading
from autoscaler.sources import judge
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
        self._failed: set[str] = set()

    async def read(self, asks: Sequence[Ask], now: float) -> Sequence[Reading]:
        """One reading per ask, in the same order, all within the deadline."""
        until = asyncio.get_running_loop().time() + self._deadline_s
        queries: dict[str, set[str]] = {ask.query: set() for ask in asks}
        for query in tuple(queries):
            for companion, further in judge.companions(query).items():
                queries.setdefault(companion, set()).update({further} - {""})
        # What failed last time is asked last, so that it holds nobody else up.
        order = sorted(queries, key=self._failed.__contains__)
        told: dict[str, Told] = {}
        for answers in await asyncio.gather(*(self._told(query, queries[query], until) for query in order)):
            told.update(answers)
        self._failed = {query for query, answer in told.items() if isinstance(answer, SourceError)}
        for query in dict.fromkeys(ask.query for ask in asks):
            judge.learn(query, told, self._intervals)
        return [judge.reading(ask, told, self._intervals) for ask in asks]

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
            return await self._client.instant(query, max(0.0, until - asyncio.get_running_loop().time()))
        except SourceError as error:
            return error

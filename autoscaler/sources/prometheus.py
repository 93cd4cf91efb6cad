"""Readings from Prometheus: in as few queries as there can be, beside each how old its samples are and whose."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.model.observation import Ask
from autoscaler.model.signal import Reading
from autoscaler.sources import coverage, judge
from autoscaler.sources.asking import Asker
from autoscaler.sources.intervals import Intervals

DEADLINE_S = 5.0


class PrometheusSource:
    """Asks one server. A server that does not answer makes the readings Missing, never zero."""

    def __init__(
        self, client: PrometheusClient, *, deadline_s: float = DEADLINE_S, intervals: Intervals | None = None
    ) -> None:
        self._client = client
        self._deadline_s = deadline_s
        self._intervals = intervals or Intervals()
        self._coverage = coverage.Coverage()
        self._asker = Asker(client, deadline_s)

    async def read(self, asks: Sequence[Ask], now: float) -> Sequence[Reading]:
        """One reading per ask, in the same order, all within the deadline."""
        until = asyncio.get_running_loop().time() + self._deadline_s
        apart = self._coverage.apart(asks, now)
        queries: dict[str, set[str]] = {ask.query: set() for ask in asks}
        for query in tuple(queries):
            for companion, further in judge.companions(query, apart).items():
                queries.setdefault(companion, set()).update({further} - {""})
        told = await self._asker.told(queries, until)
        for query in dict.fromkeys(ask.query for ask in asks):
            judge.learn(query, told, self._intervals, apart)
        readings = [judge.reading(ask, told, self._intervals, apart) for ask in asks]
        return self._coverage.covered(asks, readings, coverage.Told(told, apart, self._intervals, now))

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

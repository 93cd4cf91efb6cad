"""Readings from Prometheus: each distinct query once per cycle, and beside it how old its samples are.

A reply's own timestamp is the time of evaluation and proves nothing, so the age comes from companion queries over the
query's innermost selectors, reckoned on the server's clock.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from autoscaler.clients.prometheus import Answer, PrometheusClient
from autoscaler.decide.explain import span
from autoscaler.errors import SourceError
from autoscaler.model.observation import Ask
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.policy.promql import Selector, selectors

DEADLINE_S = 5.0
MAX_AGE_S = 120.0  # where the policy does not say
LOOKBACK_S = 300.0  # how far back the server looks for an instant value, its default

# Warnings about the query, not about data that is not there. Everything else means a partial response.
HINTS = ("PromQL info:", "PromQL warning:")

Told = Answer | SourceError


class PrometheusSource:
    """Asks one server. A server that does not answer makes the readings Missing, never zero."""

    def __init__(self, client: PrometheusClient, *, deadline_s: float = DEADLINE_S) -> None:
        self._client = client
        self._deadline_s = deadline_s

    async def read(self, asks: Sequence[Ask], now: float) -> Sequence[Reading]:
        """One reading per ask, in the same order."""
        queries = dict.fromkeys(ask.query for ask in asks)
        for query in list(queries):
            queries.update(dict.fromkeys(_companion(each) for each in selectors(query) or ()))
        told = dict(zip(queries, await asyncio.gather(*map(self._ask, queries)), strict=True))
        return [_reading(ask, told) for ask in asks]

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

    async def _ask(self, query: str) -> Told:
        try:
            return await self._client.instant(query, self._deadline_s)
        except SourceError as error:
            return error


def _companion(selector: Selector) -> str:
    return f"time() - max(timestamp({selector.text}))"


def _reading(ask: Ask, told: dict[str, Told]) -> Reading:
    answer = told[ask.query]
    if isinstance(answer, SourceError):
        return Missing(MissingWhy.FAILED, answer.message)
    partial = [text for text in answer.warnings if not text.startswith(HINTS)]
    if partial:
        return Missing(MissingWhy.PARTIAL, partial[0])
    if not answer.samples:
        return Missing(MissingWhy.EMPTY, "the query gives no series")
    if len(answer.samples) > 1:
        return Missing(MissingWhy.SEVERAL, f"the query gives {len(answer.samples)} series: put sum(…) or max(…) around")
    sample = answer.samples[0]
    value = _number(sample.value[1])
    if not math.isfinite(value):
        return Missing(MissingWhy.NAN, f"the query gives {sample.value[1]}")
    age = _age(ask.query, told)
    if isinstance(age, Missing):
        return age
    oldest = MAX_AGE_S if ask.signal.max_age is None else ask.signal.max_age
    if age is not None and age > oldest:
        most = "more than " if age == LOOKBACK_S else ""
        said = f"the newest sample is {most}{span(age)} old, max_age is {span(oldest)}"
        return Missing(MissingWhy.STALE, said)
    return Series((Point(value, tuple(sorted(sample.metric.items()))),), age)


def _age(query: str, told: dict[str, Told]) -> float | Missing | None:
    """How old the newest sample of the oldest selector is, in seconds; None where that cannot be told.

    A range may still hold samples of series the server does not find any more: then they are older than its lookback.
    """
    ages: list[float] = []
    for each in selectors(query) or ():
        answer = told[_companion(each)]
        if isinstance(answer, SourceError):
            return Missing(MissingWhy.FAILED, f"the age of the data cannot be told: {answer.message}")
        if answer.samples:
            ages.append(max(0.0, _number(answer.samples[0].value[1])))
        elif each.ranged:
            ages.append(LOOKBACK_S)
    return max(ages, default=None)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan

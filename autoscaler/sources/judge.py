"""Answers of Prometheus → one reading: what counts as a value, and what as missing and why. Pure.

A reply's own timestamp is the time of evaluation and proves nothing, so the age comes from companion queries over the
query's innermost selectors, reckoned on the server's clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from autoscaler.clients.prometheus import Answer
from autoscaler.decide.explain import span
from autoscaler.errors import SourceError
from autoscaler.model.observation import Ask
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.policy.promql import Selector, selectors
from autoscaler.sources.intervals import UNTIL_SEEN_S, Intervals

# Warnings about the query, not about data that is not there. Everything else means a partial response.
HINTS = ("PromQL info:", "PromQL warning:")

# How closely a range is searched for the newest sample of series that are gone now.
LOOK_EVERY_S = 15.0
FEWEST_LOOKS = 4
MOST_LOOKS = 20

Told = Mapping[str, Answer | SourceError]


def companions(query: str) -> dict[str, str]:
    """The queries that tell how old the samples are that a query reads.

    Each with the one to ask when it finds nothing: series that are gone now may still have samples in the range that
    the query reads. Empty where there is no range.
    """
    return {_age_now(each): _age_in_range(each) if each.range_s else "" for each in selectors(query) or ()}


def learn(query: str, told: Told, intervals: Intervals) -> None:
    """Take note of when the newest samples came."""
    for each in selectors(query) or ():
        answer = told.get(_age_now(each))
        age = _age(answer)
        if isinstance(answer, Answer) and age is not None:
            at = answer.samples[0].value[0]
            intervals.saw(each.text, round(at - age, 3), at)


def reading(ask: Ask, told: Told, intervals: Intervals) -> Reading:
    """The reading of one ask from the answers to its query and companions."""
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
    oldest: float | None = None
    for selector, age in _ages(ask.query, told):
        if isinstance(age, SourceError):
            return Missing(MissingWhy.FAILED, f"the age of the data cannot be told: {age.message}")
        limit, because = _limit(ask, selector, intervals)
        if age > limit:
            return Missing(MissingWhy.STALE, f"the newest sample is {span(age)} old, max_age is {span(limit)}{because}")
        oldest = age if oldest is None else max(oldest, age)
    return Series((Point(value, tuple(sorted(sample.metric.items()))),), oldest)


def _ages(query: str, told: Told) -> Iterator[tuple[Selector, float | SourceError]]:
    """How old the newest sample of each selector is, in seconds; one without any samples has no part in the answer."""
    for each in selectors(query) or ():
        for companion in (_age_now(each), _age_in_range(each)):
            answer = told.get(companion)
            if isinstance(answer, SourceError):
                yield each, answer
                break
            age = _age(answer)
            if age is not None:
                yield each, age
                break


def _limit(ask: Ask, selector: Selector, intervals: Intervals) -> tuple[float, str]:
    if ask.signal.max_age is not None:
        return ask.signal.max_age, ""
    seen = intervals.limit(selector.text)
    if seen is None:
        return UNTIL_SEEN_S, " until two intervals between samples are seen"
    return seen, ", by the interval at which samples came"


def _age_now(selector: Selector) -> str:
    return f"time() - max(timestamp({selector.text}))"


def _age_in_range(selector: Selector) -> str:
    range_s = math.ceil(selector.range_s)
    step_s = math.ceil(max(range_s / MOST_LOOKS, min(range_s / FEWEST_LOOKS, LOOK_EVERY_S)))
    return f"time() - max(max_over_time(timestamp({selector.text})[{range_s}s:{step_s}s]))"


def _age(answer: Answer | SourceError | None) -> float | None:
    if not isinstance(answer, Answer) or not answer.samples:
        return None
    age = _number(answer.samples[0].value[1])
    return max(0.0, age) if math.isfinite(age) else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan

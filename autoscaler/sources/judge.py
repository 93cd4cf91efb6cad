"""Answers of Prometheus → one reading: what counts as a value, and what as missing and why. Pure.

A reply's own timestamp is the time of evaluation and proves nothing, so the age comes from companion queries over the
query's innermost selectors, reckoned on the server's clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from autoscaler.clients.prometheus import Answer, Sample
from autoscaler.decide.explain import span
from autoscaler.errors import SourceError
from autoscaler.model.observation import Ask
from autoscaler.model.policy import Reduce
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.policy.promql import Selector, selectors
from autoscaler.sources.instances import named
from autoscaler.sources.intervals import UNTIL_SEEN_S, Intervals

# Warnings about the query, not about data that is not there. Everything else means a partial response.
HINTS = ("PromQL info:", "PromQL warning:")

# How closely a range is searched for the newest sample of series that are gone now.
LOOK_EVERY_S = 5.0
FEWEST_LOOKS = 4
MOST_LOOKS = 40

REDUCED: Mapping[Reduce, Callable[[Sequence[float]], float]] = {
    Reduce.SUM: math.fsum,
    Reduce.MAX: max,
    Reduce.MIN: min,
    Reduce.AVG: lambda values: math.fsum(values) / len(values),
}

Told = Mapping[str, Answer | SourceError]
Apart = Mapping[str, tuple[str, ...]]  # a selector's text → the labels by which its ages are told apart

ALIKE: Apart = {}


def companions(query: str, apart: Apart = ALIKE) -> dict[str, str]:
    """The queries that tell how old the samples are that a query reads.

    Each with the one to ask when it finds nothing: series that are gone now may still have samples in the range that
    the query reads. Empty where there is no range.
    """
    return {age_now(each, apart): _age_in_range(each) if each.reach_s else "" for each in selectors(query) or ()}


def learn(query: str, told: Told, intervals: Intervals, apart: Apart = ALIKE) -> None:
    """Take note of when the newest samples came."""
    for each in selectors(query) or ():
        answer = told.get(age_now(each, apart))
        age = _age(answer)
        if isinstance(answer, Answer) and age is not None:
            at = answer.samples[0].value[0]
            intervals.saw(each.text, round(at - age, 3), at)


def reading(ask: Ask, told: Told, intervals: Intervals, apart: Apart = ALIKE) -> Reading:
    """The reading of one ask from the answers to its query and companions. A voucher's value means nothing.

    Where instances are told apart, each that the labels of a series name has its point.
    """
    answer = told[ask.query]
    if isinstance(answer, SourceError):
        return Missing(MissingWhy.FAILED, answer.message)
    missing = partial(answer)
    if missing:
        return Missing(MissingWhy.PARTIAL, missing)
    if not answer.samples:
        return Missing(MissingWhy.EMPTY, "the query gives no series")
    points = _apart(ask, answer.samples) if ask.apart else _together(ask, answer.samples)
    if isinstance(points, Missing):
        return points
    oldest: float | None = None
    for selector, age in _ages(ask.query, told, apart):
        if isinstance(age, SourceError):
            return Missing(MissingWhy.FAILED, f"the age of the data cannot be told: {age.message}")
        most, because = limit(ask, selector, intervals)
        if age > most:
            return Missing(MissingWhy.STALE, f"the newest sample is {span(age)} old, max_age is {span(most)}{because}")
        oldest = age if oldest is None else max(oldest, age)
    return Series(points, oldest)


def partial(answer: Answer) -> str:
    """What the server says of data that is not in its answer; empty where it says nothing."""
    return next((text for text in answer.warnings if not text.startswith(HINTS)), "")


def limit(ask: Ask, selector: Selector, intervals: Intervals) -> tuple[float, str]:
    """The age in seconds from which on samples of a selector are stale, and the end of a sentence that says why."""
    if ask.signal.max_age is not None:
        return ask.signal.max_age, ""
    seen = intervals.limit(selector.text)
    if seen is None:
        return UNTIL_SEEN_S, " until two intervals between samples are seen"
    return seen, ", by the interval at which samples came"


def ages(answer: Answer | SourceError | None) -> list[tuple[float, Mapping[str, str]]]:
    """What the answer to an age companion tells: ages in seconds, with the labels they are told apart by."""
    if not isinstance(answer, Answer):
        return []
    found = ((_number(each.value[1]), each.metric) for each in answer.samples)
    return [(max(0.0, age), labels) for age, labels in found if math.isfinite(age)]


def sampled_before(selector: Selector, told: Told) -> bool:
    """True where a selector had samples in the range that its query reads, as far as that was asked."""
    return bool(ages(told.get(_age_in_range(selector))))


def age_now(selector: Selector, apart: Apart = ALIKE) -> str:
    """The query for the ages of a selector's newest samples."""
    labels = apart.get(selector.text, ())
    by = f" by ({', '.join(labels)}) " if labels else ""
    return f"time() - max{by}(timestamp({selector.text}))"


def _together(ask: Ask, samples: Sequence[Sample]) -> tuple[Point, ...] | Missing:
    value = float(len(samples)) if ask.voucher else _value(ask, samples)
    if isinstance(value, Missing):
        return value
    return (Point(value, tuple(sorted(samples[0].metric.items())) if len(samples) == 1 else ()),)


def _apart(ask: Ask, samples: Sequence[Sample]) -> tuple[Point, ...] | Missing:
    """A point for each instance that is named; what is not a number, and what names nobody here, is left out."""
    found: dict[str, Point] = {}
    for sample in samples:
        id, value = named(ask.instances, sample.metric), _number(sample.value[1])
        if id in found:
            return Missing(MissingWhy.SEVERAL, "the query gives several series of one instance: aggregate in the query")
        if id and math.isfinite(value):
            found[id] = Point(value, instance=id)
    if not found:
        said = f"none of {len(samples)} series names an instance: keep a label that does, such as instance or pod"
        return Missing(MissingWhy.UNCOVERED, said)
    return tuple(found.values())


def _value(ask: Ask, samples: Sequence[Sample]) -> float | Missing:
    """The one value of an answer: several series as the signal says they become one."""
    reduce = ask.signal.reduce
    if len(samples) > 1 and reduce is None:
        said = f"the query gives {len(samples)} series: write reduce: sum, max, min or avg, or aggregate in the query"
        return Missing(MissingWhy.SEVERAL, said)
    values = [_number(each.value[1]) for each in samples]
    for value, sample in zip(values, samples, strict=True):
        if not math.isfinite(value):
            return Missing(MissingWhy.NAN, f"the query gives {sample.value[1]}")
    return values[0] if reduce is None else REDUCED[reduce](values)


def _ages(query: str, told: Told, apart: Apart) -> Iterator[tuple[Selector, float | SourceError]]:
    """How old the newest sample of each selector is, in seconds; one without any samples has no part in the answer."""
    for each in selectors(query) or ():
        answer = told.get(age_now(each, apart))
        age = _age(answer)
        if age is None and not isinstance(answer, SourceError):
            answer = told.get(_age_in_range(each))
            age = _age(answer)
        if isinstance(answer, SourceError):
            yield each, answer
        elif age is not None:
            yield each, age


def _age_in_range(selector: Selector) -> str:
    """Of series that are gone now. Where no look hits one that lived shortly, its age is taken to be the range."""
    reach_s = math.ceil(selector.reach_s)
    step_s = math.ceil(max(reach_s / MOST_LOOKS, min(reach_s / FEWEST_LOOKS, LOOK_EVERY_S)))
    newest = f"time() - max(max_over_time(timestamp({selector.text})[{reach_s}s:{step_s}s]))"
    return f"{newest} or {reach_s} + 0 * count(count_over_time({selector.text}[{reach_s}s]))"


def _age(answer: Answer | SourceError | None) -> float | None:
    return min((age for age, _ in ages(answer)), default=None)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan

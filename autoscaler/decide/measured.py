"""Who is due by what is measured of each instance: it stands out among all of them, or its memory grows and grows.

What cannot be read says nothing: it makes nobody due, and what stood out before has to stand out anew.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from autoscaler.decide.lineage import Grown, Outlying, Recycling
from autoscaler.model.policy import GROWTH_PARTS, Growth, Outlier, Policy, Resource, Signal, When
from autoscaler.model.signal import Reading, Series
from autoscaler.model.target import Instance

OUTLIER, GROWTH = "recycle.when.outlier", "recycle.when.memory_growth"
FEWEST = 3  # of two nobody can tell which one stands out
HALF_SHARE = 0.25  # of the growth must have been in either half of the period: a step is none


class Grew(NamedTuple):
    """How memory grew: bytes before and after, and when that began."""

    before: float
    after: float
    since: float


def wanted(when: When) -> tuple[Signal, ...]:
    """What has to be read of instances for these causes, beside the signals of the policy."""
    found: list[Signal] = []
    if when.outlier is not None:
        found.append(Signal(name=OUTLIER, prometheus=when.outlier.prometheus, server=when.outlier.server))
    if when.memory_growth is not None:
        found.append(Signal(name=GROWTH, resource=Resource.MEMORY, per_replica=1.0))  # in bytes
    return tuple(found)


def sources(policy: Policy) -> set[str]:
    """The names of all sources that a policy is read from."""
    more = () if policy.recycle is None else wanted(policy.recycle.when)
    return {signal.source for signal in (*policy.signals, *more)}


def noted(
    known: Recycling, when: When, measured: Mapping[str, Reading], instances: Sequence[Instance], now: float,
    *, warm_s: float, gap_s: float,
) -> Recycling:  # fmt: skip
    """What is known with these readings; without any (between two cycles) nothing new.

    Instances count once they have been ready for `warm_s`. Looks more than `gap_s` apart tell of no time between them.
    """
    warm = {each.id for each in instances if each.ready and not each.draining and now - each.since >= warm_s}
    outlying = {id: each for id, each in known.outlying.items() if now - each.seen <= gap_s}
    grown = known.grown
    if when.outlier is not None and OUTLIER in measured:
        outlying = _outlying(outlying, _values(measured[OUTLIER], warm), when.outlier, now)
    if when.memory_growth is not None and GROWTH in measured:
        values = _values(measured[GROWTH], warm)
        grown = _grown(grown, values, {each.id for each in instances}, when.memory_growth, now)
    if outlying == known.outlying and grown == known.grown:
        return known
    return msgspec.structs.replace(known, outlying=outlying, grown=grown)


def growth(parts: Grown, asked: Growth, now: float) -> Grew | None:
    """How the memory of one instance grew within the period; None where that is not enough, or not known well enough.

    The part that is not over yet does not count.
    """
    if len(parts) < 2 or _part(asked, now) - parts[-1][0] > 1:
        return None
    least = dict(parts[:-1])
    last = parts[-2][0]
    first = last - GROWTH_PARTS
    if first not in least or last - GROWTH_PARTS // 2 not in least:
        return None
    before, middle, after = least[first], least[last - GROWTH_PARTS // 2], least[last]
    whole = after - before
    steady = min(middle - before, after - middle) >= whole * HALF_SHARE
    if before <= 0 or whole * 100 <= before * asked.percent or not steady:
        return None
    return Grew(before, after, first * asked.per / GROWTH_PARTS)


def _values(reading: Reading, wanted: set[str]) -> dict[str, float]:
    points = reading.points if isinstance(reading, Series) else ()
    return {each.instance: each.value for each in points if each.instance in wanted}


def _outlying(
    before: Mapping[str, Outlying], values: Mapping[str, float], asked: Outlier, now: float
) -> dict[str, Outlying]:
    if len(values) < FEWEST:
        return {}
    median = statistics.median_high(values.values())  # so that fewer than half can be above it
    if median <= 0:
        return {}
    return {
        id: Outlying(before[id].since if id in before else now, now, value, median, len(values))
        for id, value in values.items()
        if value > asked.times_median * median
    }


def _grown(
    before: Mapping[str, Grown], values: Mapping[str, float], there: set[str], asked: Growth, now: float
) -> dict[str, Grown]:
    """The least of each part of the time; a clock that was set back begins anew."""
    part = _part(asked, now)
    found = {id: parts for id, parts in before.items() if id in there and parts[-1][0] <= part}
    for id, value in values.items():
        parts = found.get(id, ())
        if parts and parts[-1][0] == part:
            found[id] = (*parts[:-1], (part, min(parts[-1][1], value)))
        else:
            found[id] = (*(each for each in parts if each[0] >= part - GROWTH_PARTS - 1), (part, value))
    return found


def _part(asked: Growth, now: float) -> int:
    return int(now // (asked.per / GROWTH_PARTS))

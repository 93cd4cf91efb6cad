"""A replay → a scorecard: what was short and for how long, what it cost beside a perfect plan, how often it changed."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from autoscaler.backtest.quality import area, clairvoyant
from autoscaler.backtest.workload import Demand
from autoscaler.decide.explain import explain
from autoscaler.model.decision import Decision

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

HOUR_S = 3600.0
DAY_S = 86400.0
MOMENT_S = 600.0  # the worst moment is the worst ten minutes


class Played(msgspec.Struct, frozen=True):
    """A replay in columns, one entry per decision: from `times[i]` up to `times[i+1]`, the last up to `end`.

    `load` is what came in per second (not a number: not known, and not scored); `ready` and `desired` are the counts
    after the decision; `arrived` and `over` what came in until the next one, and what of it took too long; `needed` the
    least count that carries the load within the objective. Entries before `scored` only fill the windows.
    """

    times: Sequence[float]
    end: float
    load: Sequence[float]
    ready: Sequence[int]
    desired: Sequence[int]
    arrived: Sequence[float]
    over: Sequence[float]
    needed: Sequence[int]
    scored: int = 0

    def lasts(self, index: int) -> float:
        """How long an entry lasts, in seconds."""
        until = self.times[index + 1] if index + 1 < len(self.times) else self.end
        return until - self.times[index]

    def counted(self) -> list[int]:
        """The entries that are scored: after the windows were filled, with a load that is known."""
        return [index for index, load in enumerate(self.load) if index >= self.scored and math.isfinite(load)]

    def stretches(self) -> list[tuple[float, float]]:
        """The times that are scored, as (from, to); neighbours are one."""
        counted = self.counted()
        found: list[tuple[float, float]] = []
        first = 0
        for place, index in enumerate(counted):
            if place + 1 == len(counted) or counted[place + 1] != index + 1:
                found.append((self.times[counted[first]], self.times[index] + self.lasts(index)))
                first = place + 1
        return found


class Worst(msgspec.Struct, frozen=True, kw_only=True):
    """The ten minutes in which the most requests took too long, and how the count of its worst cycle came about.

    Of `ordered` instances `ready` served then, and the load needed `needed`. `lines` are those of `explain` for the
    decision made at `decided` and in force at `at`.
    """

    at: float
    over: float
    load: float
    ready: int
    ordered: int
    needed: int
    decided: float
    lines: tuple[str, ...]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """How good it was, over the time that is scored.

    `requests` is the load that came in, `over_percent` the share of it over the objective, `short_minutes` how long
    fewer were ready than it needed. `replica_hours` stand beside `clairvoyant_hours` of the cheapest plan that knows
    the load ahead and is never short; `cost` is one by the other (None: none was needed). `changes` are changes of the
    count, `reversals` those in the other direction than the one before. `missing_minutes` had no load and are not
    scored.
    """

    hours: float
    missing_minutes: float
    requests: float
    over_percent: float
    short_minutes: float
    replica_hours: float
    clairvoyant_hours: float
    cost: float | None
    least: int
    most: int
    changes: int
    changes_per_day: float
    reversals: int
    at_max_percent: float
    at_max_minutes: float


def score(played: Played, *, maximum: int, startup_s: float) -> Card:
    """The scorecard; `maximum` is the policy's, `startup_s` what a clairvoyant must know ahead."""
    import numpy as np

    counted = np.array(played.counted(), int)
    all_last = np.diff(np.array([*played.times, played.end]))
    lasts, counts = all_last[counted], np.asarray(played.desired)[counted]
    short = np.asarray(played.ready)[counted] < np.asarray(played.needed)[counted]
    least = clairvoyant_s(played, startup_s)
    seconds, whole = _total(lasts), _total(all_last[played.scored :])
    arrived, over = _total(np.asarray(played.arrived)[counted]), _total(np.asarray(played.over)[counted])
    spent = _total(counts * lasts)
    full = _total(lasts[counts >= maximum])
    course = np.diff(played.desired[max(played.scored - 1, 0) :])
    moves = course[course != 0].tolist()
    return Card(
        hours=seconds / HOUR_S,
        missing_minutes=(whole - seconds) / 60,
        requests=arrived,
        over_percent=100 * over / arrived if arrived else 0.0,
        short_minutes=_total(lasts[short]) / 60,
        replica_hours=spent / HOUR_S,
        clairvoyant_hours=least / HOUR_S,
        cost=spent / least if least else None,
        least=min(counts.tolist(), default=0),
        most=max(counts.tolist(), default=0),
        changes=len(moves),
        changes_per_day=len(moves) * DAY_S / max(whole, 1.0),
        reversals=sum((one > 0) != (other > 0) for one, other in pairwise(moves)),
        at_max_percent=100 * full / seconds if seconds else 0.0,
        at_max_minutes=full / 60,
    )


def _total(column: npt.NDArray[np.float64]) -> float:
    """The sum in the order of time, as one adds up by hand."""
    return float(sum(column.tolist()))


def clairvoyant_s(played: Played, startup_s: float) -> int:
    """Instance seconds of the cheapest plan that is never short, over the time that is scored.

    It knows what is needed ahead, and orders so early that it serves in time.
    """
    start = played.times[0]
    moments = [round(time - start) for time in played.times]
    course = [
        (second, played.needed[index])
        for index, second in enumerate(moments)
        if not index or played.needed[index] != played.needed[index - 1]
    ]
    plan = clairvoyant(course, round(startup_s), round(played.end - start))
    return sum(area(plan, round(low - start), round(high - start)) for low, high in played.stretches())


def needs(load: Sequence[float], demand: Demand, *, least: int = 1) -> array[int]:
    """The least count for each load, that of the cycle's end included; `least` where nothing comes (0 where idle)."""
    import numpy as np

    known = np.asarray(load, float)
    known = np.where(np.isfinite(known), known, 0.0)
    highest = np.maximum(known, np.append(known[1:], known[-1:]))
    return array("l", np.where(highest > 0, demand.of_each(highest), least).tolist())


def worst(played: Played, changes: Sequence[Decision]) -> Worst | None:
    """The worst moment; None where no request took too long. `changes` are the decisions, in the order of time."""
    counted = played.counted()
    total, first, best = 0.0, 0, (0.0, 0, 0)
    for place, index in enumerate(counted):
        total += played.over[index]
        while played.times[index] - played.times[counted[first]] >= MOMENT_S:
            total -= played.over[counted[first]]
            first += 1
        if total > best[0] * (1 + 1e-9):
            best = (total, first, place)
    over, first, last = best
    if over <= 0:
        return None
    at = max(counted[first : last + 1], key=lambda i: (played.over[i], played.needed[i] - played.ready[i]))
    time = played.times[at]
    decision = next((each for each in reversed(changes) if each.at <= time), changes[0])
    return Worst(
        at=time,
        over=over,
        load=played.load[at],
        ready=played.ready[at],
        ordered=played.desired[at],
        needed=played.needed[at],
        decided=decision.at,
        lines=tuple(explain(decision)),
    )

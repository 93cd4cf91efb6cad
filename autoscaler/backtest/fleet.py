"""The simulated instances of a replay under a recorded load, and what they would have measured of themselves."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import accumulate

import msgspec

from autoscaler.backtest.assumed import Assumed
from autoscaler.backtest.traces import Load
from autoscaler.backtest.workload import Backend, Demand
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series

NOTHING_RUNS = Missing(MissingWhy.EMPTY, "no instance was ready")
NO_LOAD = Missing(MissingWhy.EMPTY, "the load of this time was not recorded")


class Arrivals(msgspec.Struct, frozen=True):
    """What came in: `at[i]` in load per second at cycle i (not a number: not known), and of every second.

    Where it is not known nothing arrives in `load`; such cycles are not scored.
    """

    at: array[float]
    load: Load

    @property
    def peak(self) -> float:
        """The highest load that is known."""
        return max((rate for rate in self.at if math.isfinite(rate)), default=0.0)


def arrivals(readings: Sequence[float], every_s: float, earlier_s: float) -> Arrivals:
    """What came in, from the load as it was read at each cycle; it came `earlier_s` before it was read.

    Between two cycles it is a straight line. Values below zero are none.
    """
    whole, part = divmod(earlier_s / every_s, 1.0)
    first = int(whole)
    at = array("d")
    for beat in range(len(readings)):
        here = readings[beat + first] if beat + first < len(readings) else math.nan
        if part:
            after = readings[beat + first + 1] if beat + first + 1 < len(readings) else math.nan
            here = here * (1 - part) + after * part
        at.append(max(here, 0.0) if math.isfinite(here) else math.nan)
    rates = array("d")
    for beat, rate in enumerate(at):
        end = round((beat + 1) * every_s)
        seconds = end - len(rates)
        following = at[beat + 1] if beat + 1 < len(at) else math.nan
        if not math.isfinite(rate) or not math.isfinite(following):
            rates.extend([0.0] * seconds)
        elif rate == following:
            rates.extend([rate] * seconds)
        else:
            slope = (following - rate) / seconds if seconds else 0.0
            rates.extend([rate + slope * (second + 0.5) for second in range(seconds)])
    return Arrivals(at, Load(rates, array("d", accumulate(rates, initial=0.0))))


class Fleet:
    """Instances at times since the epoch; after each cycle it is noted what had come in and what had taken too long.

    `existing` were ordered and not removed, `ready` of them serve. `over` and `arrived` are totals up to each cycle.
    """

    def __init__(self, come: Arrivals, demand: Demand, assumed: Assumed, start: float, count: int) -> None:
        self._come = come
        self._start = start
        self._capacity = assumed.capacity
        self._backend = Backend(come.load, demand, assumed.model(), delay_s=round(assumed.startup_s), count=count)
        self.existing = self.ready = count
        self.over, self.arrived = array("d"), array("d")
        self._before = (0.0, 0.0)
        self._busy: float | None = None

    def advance(self, now: float) -> None:
        """Let the time before `now` pass, and note what it brought."""
        backend = self._backend
        backend.advance(min(now - self._start, self._come.load.seconds))
        self.existing, self.ready = backend.existing, backend.ready
        self.over.append(backend.violated)
        self.arrived.append(self._come.load.before[backend.second])
        served, ready_s = backend.served - self._before[0], backend.ready_s - self._before[1]
        self._busy = served / (ready_s * self._capacity) if ready_s else None
        self._before = backend.served, backend.ready_s

    def order(self, count: int, now: float) -> None:
        """Have so many instances."""
        self._backend.order(count, now - self._start)
        self.existing, self.ready = self._backend.existing, self._backend.ready

    def utilization(self, beat: int) -> Reading:
        """How busy the ready instances were since the cycle before, as a share of their capacity."""
        if not math.isfinite(self._come.at[beat]):
            return NO_LOAD
        return NOTHING_RUNS if self._busy is None else Series((Point(self._busy),), 0.0)

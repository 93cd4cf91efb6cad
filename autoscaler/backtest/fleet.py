"""The simulated instances of a replay under a recorded load, and what they would have measured of themselves."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from autoscaler.backtest.assumed import Assumed
from autoscaler.backtest.traces import Load
from autoscaler.backtest.workload import Backend, Demand
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Column = npt.NDArray[np.float64]

PART = 16_384  # cycles whose seconds are made in one go
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
    import numpy as np

    whole, part = divmod(earlier_s / every_s, 1.0)
    beats = len(readings)
    read = np.full(beats + 2, np.nan)
    late = np.asarray(readings[int(whole) :], float)
    read[: len(late)] = late
    with np.errstate(invalid="ignore"):  # what is not finite is not known
        came = read[:-1] * (1 - part) + read[1:] * part if part else read[:-1]
    came[~np.isfinite(came)] = np.nan
    came[came < 0] = 0.0
    rates = array("d")
    for first in range(0, beats, PART):
        _spread(came[first : min(first + PART, beats) + 1], first, every_s, rates)
    return Arrivals(_array(came[:beats]), Load(rates, array("d", accumulate(rates, initial=0.0))))


def _spread(came: Column, first: int, every_s: float, rates: array[float]) -> None:
    """Add the seconds of some cycles, the first of which is `first`; the last entry only says where they end."""
    import numpy as np

    here, following = came[:-1], came[1:]
    ends = np.rint(np.arange(first + 1, first + 1 + len(here)) * every_s).astype(np.int64)
    seconds = np.diff(ends, prepend=len(rates))
    known = np.isfinite(following - here)
    slope = np.where(known & (seconds > 0), (following - here) / np.maximum(seconds, 1), 0.0)
    within = np.arange(len(rates), ends[-1]) - np.repeat(ends - seconds, seconds) + 0.5
    rates.extend(_array(np.repeat(np.where(known, here, 0.0), seconds) + np.repeat(slope, seconds) * within))


def _array(column: Column) -> array[float]:
    return array("d", column.tobytes())


class Fleet:
    """Instances at times since the epoch; after each cycle it is noted what had come in and what had taken too long.

    `existing` were ordered and not removed, `ready` of them serve. `over` and `arrived` are totals up to each cycle.
    """

    def __init__(self, come: Arrivals, demand: Demand, assumed: Assumed, start: float, count: int) -> None:
        self._come = come
        self._start = start
        self._end = come.load.seconds
        self._came = come.load.before
        self._capacity = assumed.capacity
        self._backend = Backend(come.load, demand, assumed.model(), delay_s=round(assumed.startup_s), count=count)
        self.existing = self.ready = count
        self.over, self.arrived = array("d"), array("d")
        self._before = self._after = (0.0, 0.0)  # what was served, and the instance seconds, at the last two cycles

    def advance(self, now: float) -> None:
        """Let the time before `now` pass, and note what it brought."""
        backend, past = self._backend, now - self._start
        backend.advance(past if past < self._end else self._end)
        self.existing, self.ready = backend.existing, backend.ready
        self.over.append(backend.violated)
        self.arrived.append(self._came[backend.second])
        self._before, self._after = self._after, (backend.served, backend.ready_s)

    def order(self, count: int, now: float) -> None:
        """Have so many instances."""
        self._backend.order(count, now - self._start)
        self.existing, self.ready = self._backend.existing, self._backend.ready

    def utilization(self, beat: int) -> Reading:
        """How busy the ready instances were since the cycle before, as a share of their capacity."""
        if not math.isfinite(self._come.at[beat]):
            return NO_LOAD
        served, ready_s = self._after[0] - self._before[0], self._after[1] - self._before[1]
        return Series((Point(served / (ready_s * self._capacity)),), 0.0) if ready_s else NOTHING_RUNS

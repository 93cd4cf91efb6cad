"""A simulated service: instances that need time to start, a queue, and a latency that grows with utilization.

Every second the ready instances serve what they can; the rest waits, up to a limit, and what is more is dropped. The
mean wait is Sakasegawa's closed form for a queue with many servers, so small fleets need a lower utilization than large
ones. Seconds are whole, loads are requests per second.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

import msgspec

from autoscaler.backtest.traces import Load
from autoscaler.decide.adaptive.carried import FULLEST, wait

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BLOCK_S = 15  # so many seconds are looked at together
SLACK = 1e-9  # nearer than this to the edge each second is reckoned by itself


class Model(msgspec.Struct, frozen=True):
    """What one instance is like: seconds per request, the objective for a request, the longest queue in seconds."""

    service_s: float = 0.1
    objective_s: float = 0.3
    queue_s: float = 10.0

    @property
    def capacity(self) -> float:
        """Requests per second that keep one instance busy all the time."""
        return 1.0 / self.service_s

    def latency(self, ready: int, rate: float) -> float:
        """Mean seconds per request while this rate is served and nothing waits."""
        used = min(rate / (ready * self.capacity), FULLEST)
        return self.service_s * (1.0 + wait(ready, used))


class Demand:
    """How many instances a load needs under a model.

    >>> demand = Demand(Model(), 100)
    >>> [demand.of(rate) for rate in (1, 7, 7.5, 15, 50, 100, 200, 1000)]
    [1, 1, 2, 2, 6, 11, 21, 102]
    """

    def __init__(self, model: Model, most: int) -> None:
        self._model = model
        self._carried = array("d")
        self._reach(most)

    def carried(self, ready: int) -> float:
        """The greatest load that so many carry within the objective."""
        self._reach(ready)
        return self._carried[ready - 1] if ready else 0.0

    def of(self, rate: float) -> int:
        """The least count, at least 1, that carries this load within the objective."""
        while not self._carried or rate > self._carried[-1]:
            self._reach(2 * len(self._carried) + 1)
        return bisect_left(self._carried, rate) + 1

    def of_each(self, rates: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """The same for many loads; 1 where there is none."""
        import numpy as np

        self.of(float(rates.max(initial=0.0)))
        return np.searchsorted(np.frombuffer(self._carried), rates) + 1

    def runs(self, load: Load, least: int = 1) -> list[tuple[int, int]]:
        """The demand of every second as (first second, count), one entry where it changes; `least` for no load."""
        self.of(max(load.rates))
        carried = self._carried
        found: list[tuple[int, int]] = []
        need, low, high = -1, 1.0, 0.0
        for second, rate in enumerate(load.rates):
            if low < rate <= high:
                continue
            place = bisect_left(carried, rate)
            count = place + 1 if rate > 0 else least
            if count != need:
                need = count
                found.append((second, need))
            low, high = carried[place - 1] if place else 0.0, carried[place] if rate > 0 else 0.0
        return found

    def _reach(self, most: int) -> None:
        for ready in range(len(self._carried) + 1, most + 1):
            self._carried.append(self._edge(ready))

    def _edge(self, ready: int) -> float:
        """By halving: latency only grows with the load."""
        model = self._model
        low, high = 0.0, ready * model.capacity * FULLEST
        while True:
            middle = (low + high) / 2
            if middle in (low, high):
                return low
            if model.latency(ready, middle) <= model.objective_s:
                low = middle
            else:
                high = middle


class Backend:
    """Instances under a load: the service of a replay.

    A new one serves `delay_s` after it was ordered; those of the beginning are ready. Scaling down takes the newest
    first, at once. `served`, `violated` (requests that came in seconds over the objective) and `ready_s` (instances
    times seconds) only grow; `counts` and `readies` are what `existing` and `ready` were, as (first second, count).
    """

    def __init__(self, load: Load, demand: Demand, model: Model, *, delay_s: int, count: int) -> None:
        self.existing = self.ready = count
        self.served = self.violated = self.ready_s = self.waiting = 0.0
        self.counts = [(0, count)]
        self.readies = [(0, count)]
        self.second = 0
        self._rates, self._before = load.rates, load.before
        self._demand = demand
        self._model = model
        self._delay_s = delay_s
        self._easy, self._easy_for = 0.0, 0  # the load that so many carry without a second look
        self._starting: list[tuple[int, int]] = []  # (serves from this second, so many), oldest first

    def advance(self, now: float) -> None:
        """Let the seconds before `now` pass."""
        end = int(now)
        while self.second < end:
            self._serve(self._started(end) if self._starting else end)

    def order(self, count: int, now: float) -> None:
        """So many instances from the second `now` on."""
        more = count - self.existing
        if more == 0:
            return
        self.advance(now)
        second = int(now)
        self.existing = count
        self.counts.append((second, count))
        if more > 0:
            self._starting.append((second + self._delay_s, more))
            if not self._delay_s:
                self._started(second)
            return
        while more < 0 and self._starting:
            at, starting = self._starting.pop()
            more += starting
            if more > 0:
                self._starting.append((at, more))
        if more < 0:
            self.ready += more
            self.readies.append((second, self.ready))

    def _started(self, end: int) -> int:
        """Let those serve whose time has come; how far to go before the next do, at most to `end`."""
        starting = self._starting
        while starting and starting[0][0] <= self.second:
            self.ready += starting.pop(0)[1]
            self.readies.append((self.second, self.ready))
        return min(end, starting[0][0]) if starting else end

    def _serve(self, end: int) -> None:
        """Serve the seconds up to `end` with the instances that are ready."""
        ready, rates, before = self.ready, self._rates, self._before
        if ready != self._easy_for:
            self._easy, self._easy_for = self._demand.carried(ready) * (1.0 - SLACK), ready
        easy, second = self._easy, self.second
        while second < end:
            stop = min(second + BLOCK_S, end)
            if not self.waiting and max(rates[second:stop]) <= easy:
                self.served += before[stop] - before[second]
            else:
                self._crowded(second, stop)
            second = stop
        self.ready_s += ready * (end - self.second)
        self.second = end

    def _crowded(self, second: int, end: int) -> None:
        """The same second by second, where not all can be served within the objective at once."""
        model, ready, waiting = self._model, self.ready, self.waiting
        capacity, longest = ready * model.capacity, max(ready, 1) * model.capacity * model.queue_s
        for rate in self._rates[second:end]:
            served = min(waiting + rate, capacity)
            waiting = min(waiting + rate - served, longest)
            if not ready or model.latency(ready, served) + waiting / capacity > model.objective_s:
                self.violated += rate
            self.served += served
        self.waiting = waiting

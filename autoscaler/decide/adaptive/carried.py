"""A load → the count that carries it: within a latency objective where there is one, else by capacity alone."""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache

FULLEST = 0.99  # utilization above this is not told apart: the closed form of the wait has a pole at 1
USED = 0.97  # of what a count carries is planned for: a need is an estimate
STEPS = 60  # halvings; after these the edge of a load is exact to its last digits
MOST = 100_000


def wait(servers: float, used: float) -> float:
    """Mean wait in service times at a utilization below 1: Sakasegawa's closed form.

    >>> round(wait(1, 0.5), 3), round(wait(10, 0.9), 3)
    (0.5, 0.61)
    """
    return float(used ** math.sqrt(2.0 * (servers + 1)) / (servers * (1.0 - used)))


class Carrier:
    """What counts of one kind of instance carry.

    `capacity` is the most that one can serve; `objective_s` the mean latency to stay within and `service_s` what a
    request takes on an idle instance. One instance then works on `capacity` times `service_s` requests at a time.
    """

    def __init__(self, capacity: float, objective_s: float | None, service_s: float | None) -> None:
        self._capacity = capacity
        self._slots, self._ratio = 1, math.inf
        if objective_s is not None:
            service_s = 1.0 / capacity if service_s is None else service_s
            self._slots = max(1, round(capacity * service_s))
            self._ratio = objective_s / service_s
        self._carried: list[float] = []
        self.unit = self.load(1)

    def load(self, count: int) -> float:
        """The greatest load that so many carry."""
        if count < 1:
            return 0.0
        if math.isinf(self._ratio):
            return count * self._capacity
        while len(self._carried) < count:
            self._carried.append(self._edge(len(self._carried) + 1))
        return self._carried[count - 1]

    def count(self, need: float) -> int:
        """The least count, at least 1, that carries this load with a little to spare."""
        wanted = need / USED
        if not wanted > 0:
            return 1
        least = min(max(1, math.ceil(wanted / self._capacity)), MOST)
        if math.isinf(self._ratio) or least == MOST:
            return least
        self.load(least)
        while self._carried[-1] < wanted and len(self._carried) < MOST:
            self.load(len(self._carried) + 1)
        return max(1, bisect_left(self._carried, wanted) + 1)

    def _edge(self, count: int) -> float:
        """By halving: latency only grows with the load."""
        servers, low, high = count * self._slots, 0.0, FULLEST
        for _ in range(STEPS):
            used = (low + high) / 2
            if 1.0 + wait(servers, used) <= self._ratio:
                low = used
            else:
                high = used
        return low * count * self._capacity


@lru_cache(maxsize=1024)
def carrier(capacity: float, objective_s: float | None = None, service_s: float | None = None) -> Carrier:
    """The carrier of these numbers, made once."""
    return Carrier(capacity, objective_s, service_s)

"""A yardstick for one run: machines differ and are shared, ratios travel.

One *round* is 100 times: look up a key, multiply two doubles, compare, make a tuple, keep a running sum. No library, no
I/O, nothing of ours. Rounds are timed between the pieces of what is measured, so that a busy machine slows both alike:
compare the rounds of two runs, not their microseconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

ROUNDS = 50  # timed in one go
KEYS = tuple(f"key{n}" for n in range(100))
TABLE = {key: float(n) for n, key in enumerate(KEYS)}


def one_round() -> float:
    """The loop itself; returns its sum so that nothing of it can be left out."""
    total = 0.0
    for key in KEYS:
        value = TABLE[key]
        product = value * 1.1
        pair = (value, product) if product > 50.0 else (product, value)
        total += pair[0]
    return total


def round_s() -> float:
    """CPU seconds of one round, now."""
    began = time.process_time()
    for _ in range(ROUNDS):
        one_round()
    return (time.process_time() - began) / ROUNDS


class Cost(NamedTuple):
    """What one piece of work costs: CPU seconds at the median, and the same in calibration rounds."""

    seconds: float
    rounds: float


class Stopwatch:
    """CPU time of pieces of work, each beside a calibration of its own."""

    def __init__(self) -> None:
        self._costs: list[Cost] = []

    @contextmanager
    def piece(self, works: int) -> Iterator[None]:
        """Time what happens inside as so many works."""
        before = round_s()
        began = time.process_time()
        yield
        each = (time.process_time() - began) / works
        self._costs.append(Cost(each, each / ((before + round_s()) / 2)))

    def cost(self) -> Cost:
        """The median over the pieces."""
        return Cost(*(statistics.median(column) for column in zip(*self._costs, strict=True)))


def timed(work: Callable[[], object], *, works: int = 2000, pieces: int = 15) -> Cost:
    """What one call costs."""
    watch = Stopwatch()
    for _ in range(pieces):
        with watch.piece(works):
            for _ in range(works):
                work()
    return watch.cost()

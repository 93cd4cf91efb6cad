"""A load generator: what the clients of many simulated workloads ask for, the same again for the same seed."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import msgspec

from autoscaler.model.observation import Ask
from autoscaler.model.signal import Point, Reading, Series
from autoscaler.model.target import WorkloadRef

DAY_S = 86_400.0
SWING = 0.6  # of the mean, by day and night
NOISE = 4096  # values, read again and again from other places
SLOT_S = 15.0
SURGES = 40  # one workload in so many is in a surge at any time
AGE_S = 1.0


class _Client(msgspec.Struct, frozen=True, gc=False):
    """Who asks one workload: how much on average, when in the day most, and where in the noise."""

    mean: float
    phase: float
    offset: int


class LoadSource:
    """Answers every ask with its workload's load now, whatever the query; `speed` days pass in one."""

    def __init__(self, seed: int, *, mean: float, speed: float = 1.0) -> None:
        drawn = random.Random(seed)
        self._seed = seed
        self._mean = mean
        self._speed = speed
        self._noise = [drawn.lognormvariate(0.0, 0.08) for _ in range(NOISE)]
        self._clients: dict[str, _Client] = {}

    async def read(self, asks: Sequence[Ask], now: float) -> Sequence[Reading]:
        """One reading per ask, in the same order."""
        return [Series((Point(self.load(ask.ref, now)),), AGE_S) for ask in asks]

    def load(self, ref: WorkloadRef, now: float) -> float:
        """What is asked of a workload, per second."""
        client = self._clients.get(ref.key) or self._client(ref.key)
        at = now * self._speed
        slot = int(at / SLOT_S)
        level = 1.0 + SWING * math.sin(math.tau * (at / DAY_S + client.phase))
        surge = 3.0 if (slot // 40 + client.offset) % SURGES == 0 else 1.0
        return client.mean * level * surge * self._noise[(slot + client.offset) % NOISE]

    async def close(self) -> None:
        """Nothing is open."""

    def _client(self, key: str) -> _Client:
        drawn = random.Random(f"{self._seed} {key}")
        mean = self._mean * drawn.lognormvariate(0.0, 0.5)
        client = self._clients[key] = _Client(mean, drawn.random(), drawn.randrange(NOISE))
        return client

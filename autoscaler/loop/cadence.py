"""When to turn: a monotonic beat that no wall clock can stop, and wakes that coalesce."""

from __future__ import annotations

import asyncio
import contextlib

from autoscaler.ports import Clock

COALESCE_S = 0.05
GRAIN_S = 1 / 1024  # beats are told in whole grains: sums and differences of such times are exact
STEP_S = 0.5  # the wall clock was set where it moved by more than this against the steady one


class Cadence:
    """Beats every `every_s` seconds from its start on; `wake` names workloads to look at before the next beat."""

    def __init__(self, clock: Clock, every_s: float) -> None:
        self.every_s = every_s
        self._clock = clock
        self._start = _grain(clock.monotonic())
        self._beats = 0
        self._beat = self._start  # when the last one was due; `hurry` moves only those to come
        self._offset = _grain(clock.now() - clock.monotonic())
        self._woken: set[str] = set()
        self._stir = asyncio.Event()

    def wake(self, key: str) -> None:
        """Ask for a look at one workload soon."""
        self._woken.add(key)
        self._stir.set()

    def hurry(self) -> None:
        """Make the next beat now (a new policy set, a person's word)."""
        self._start = _grain(self._clock.monotonic() - self._beats * self.every_s)
        self._stir.set()

    @property
    def lateness_s(self) -> float:
        """How long ago the next beat was due; negative before it."""
        return self._clock.monotonic() - (self._start + self._beats * self.every_s)

    def beat_at(self) -> float:
        """When the last beat was due, in seconds since the epoch: two beats are exactly one or more cycles apart."""
        offset = self._clock.now() - self._clock.monotonic()
        if abs(offset - self._offset) > STEP_S:
            self._offset = _grain(offset)
        return self._beat + self._offset

    async def next(self) -> set[str] | None:
        """Wait for what comes first: None for a beat, else the keys that woke it. Missed beats are skipped."""
        while True:
            late = self.lateness_s
            if late >= 0:
                self._beats += 1 + int(late / self.every_s)
                self._beat = self._start + (self._beats - 1) * self.every_s
                self._woken.clear()
                self._stir.clear()
                return None
            await self._rest(-late)
            if self._woken and self.lateness_s < 0:
                await self._clock.sleep(COALESCE_S)
                woken, self._woken = self._woken, set()
                self._stir.clear()
                return woken
            self._stir.clear()

    async def _rest(self, seconds: float) -> None:
        nap = asyncio.ensure_future(self._clock.sleep(seconds))
        stirred = asyncio.ensure_future(self._stir.wait())
        try:
            await asyncio.wait({nap, stirred}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (nap, stirred):
                each.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await each


def _grain(seconds: float) -> float:
    return round(seconds / GRAIN_S) * GRAIN_S

"""The fleet brake: what goes wrong for many workloads at once is a fault of the data, not of the load."""

from __future__ import annotations

import math

import msgspec

PERIOD_S = 600.0
SHARE = 0.3
AT_LEAST = 5
LATCH_S = 3600.0
DOUBT_SHARE = 0.05  # of the idle workloads, woken on doubt in one minute
RECYCLE_SHARE = 0.05  # of the workloads: so many replacements in one minute over the whole fleet
RECYCLE_LEAST = 5


class Fleet(msgspec.Struct, frozen=True, gc=False):
    """What the brake remembers: who shrank because of signals or idle and when, and until when nobody may.

    `size` is the number of workloads steered. `wanting` counts who wanted to shrink in the cycle at `cycle`, `idle` how
    many were idle when it began; a cycle may come in slices. `doubting` is when idle workloads were woken on doubt
    within the last minute, `recycled` when replacements began within it.
    """

    size: int = 1
    shrunk: dict[str, float] = {}
    cycle: float = 0.0
    wanting: int = 0
    idle: int = 0
    latched: float | None = None  # since when
    doubting: tuple[float, ...] = ()
    recycled: tuple[float, ...] = ()

    @property
    def allowed(self) -> int:
        """How many distinct workloads may shrink in ten minutes."""
        return max(AT_LEAST, math.floor(SHARE * self.size))

    def deciding(self, now: float) -> bool:
        """True in the later slices of a cycle."""
        return self.cycle == now


class Brake:
    """The fleet's memory while a step runs. `idle` is how many of its workloads were idle when the cycle began."""

    def __init__(self, fleet: Fleet, now: float, resumed: float | None, idle: int) -> None:
        self._fleet = fleet
        self._now = now
        shrunk = fleet.shrunk
        self.shrunk = {key: min(at, now) for key, at in shrunk.items() if now - at < PERIOD_S} if shrunk else {}
        self.wanting = fleet.wanting if fleet.cycle == now else 0
        self.idle = idle
        latched = None if fleet.latched is None else min(fleet.latched, now)  # a clock may have been set back
        if latched is not None and (now - latched >= LATCH_S or (resumed is not None and resumed >= latched)):
            latched = None
        self.latched = latched
        # whoever says `resume` has looked at the data: it does not latch again at once for the same reason
        self._vouched = resumed is not None and 0 <= now - resumed < PERIOD_S
        self.doubting = [min(at, now) for at in fleet.doubting if now - at < 60.0] if fleet.doubting else []
        self.recycled = [min(at, now) for at in fleet.recycled if now - at < 60.0] if fleet.recycled else []

    def holds(self, key: str) -> bool:
        """One more workload wants to shrink because of signals or idle: whether it may not, counted if it may."""
        self.wanting += 1
        if self.wanting > 2 * self._fleet.allowed and self.latched is None and not self._vouched:
            self.latched = self._now
        if self.latched is not None:
            return True
        if key not in self.shrunk and len(self.shrunk) >= self._fleet.allowed:
            return True
        self.shrunk[key] = self._now
        return False

    def may_wake_on_doubt(self) -> bool:
        """Whether one more idle workload may be woken on doubt this minute, counted if so; one at least always may."""
        if len(self.doubting) >= max(1, math.floor(DOUBT_SHARE * self.idle)):
            return False
        self.doubting.append(self._now)
        return True

    def may_recycle(self) -> bool:
        """Whether the fleet allows one more replacement in this minute, counted if so."""
        if len(self.recycled) >= max(RECYCLE_LEAST, math.floor(RECYCLE_SHARE * self._fleet.size)):
            return False
        self.recycled.append(self._now)
        return True

    def fleet(self) -> Fleet:
        """What is to be remembered."""
        return Fleet(
            size=self._fleet.size,
            shrunk=self.shrunk,
            cycle=self._now,
            wanting=self.wanting,
            idle=self.idle,
            latched=self.latched,
            doubting=tuple(self.doubting),
            recycled=tuple(self.recycled),
        )

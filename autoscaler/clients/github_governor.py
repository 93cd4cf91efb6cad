"""How often GitHub may be asked: its limits as it documents them, kept by one governor for each login.

Who is least urgent goes without first. Where GitHub says stop, everybody does.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import math
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from autoscaler.errors import GitHubBusy

AT_ONCE = 10  # GitHub allows a hundred for everybody with this login
WRITE_S = 1.0  # between two writes
MINUTE, HOUR = 60.0, 3600.0
LONGEST_S = 3600.0  # that a secondary limit is believed
_LIMIT = re.compile(rb"rate limit|abuse detection|too many requests", re.IGNORECASE)


class Clock(Protocol):
    """What is needed of one."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class Urgency(enum.Enum):
    """What goes first. Each value: the share of the hour left to those above it, and how many seconds it waits."""

    FIRST = (0.0, 300.0)
    PLAN = (0.05, 60.0)
    REPORT = (0.15, 10.0)


class Window:
    """At most so many points within so many seconds."""

    def __init__(self, seconds: float, most: float) -> None:
        self._seconds, self._most = seconds, most
        self._spent: deque[tuple[float, float]] = deque()
        self._sum = 0.0

    def wait_s(self, at: float, points: float) -> float:
        """Seconds until so many may be spent."""
        while self._spent and self._spent[0][0] <= at - self._seconds:
            self._sum -= self._spent.popleft()[1]
        over = self._sum + points - self._most
        for then, each in self._spent:  # the oldest first: so many must have left the window
            if over <= 0:
                return 0.0
            over -= each
            if over <= 0:
                return then + self._seconds - at
        return 0.0

    def spend(self, at: float, points: float) -> None:
        """Count them."""
        self._spent.append((at, points))
        self._sum += points


class Governor:
    """Turns to ask. `limit`, `remaining` and `reset` are what GitHub told last of the hour; None before it did."""

    def __init__(self, clock: Clock) -> None:
        self.limit: int | None = None
        self.remaining: int | None = None
        self.reset: float | None = None  # by GitHub's clock
        self._clock = clock
        self._reset_at = -math.inf  # the same on our steady clock
        self._held_until = -math.inf
        self._doublings = 0
        self._last_write = -math.inf
        self._points = Window(MINUTE, 900)
        self._writes = (Window(MINUTE, 80), Window(HOUR, 500))
        self._places = asyncio.Semaphore(AT_ONCE)

    @contextlib.asynccontextmanager
    async def turn(self, urgency: Urgency, *, write: bool) -> AsyncIterator[None]:
        """Wait until it is this one's turn. Raises GitHubBusy where that is later than it can wait."""
        async with self._places:
            deadline = self._clock.monotonic() + urgency.value[1]
            while (wait := self._wait_s(urgency, write=write)) > 0:
                if self._clock.monotonic() + wait > deadline:
                    raise GitHubBusy(
                        f"GitHub is not asked before {wait:.0f} s are over: {self._why()}", retry_after_s=wait
                    )
                await self._clock.sleep(wait)
            self._spend(write=write)
            yield

    def heard(self, status: int, headers: Mapping[str, str], body: bytes, skew_s: float) -> float | None:
        """What an answer says of limits: seconds to wait where it is a refusal for that reason, None where not."""
        at = self._clock.monotonic()
        if (told := _number(headers.get("x-ratelimit-remaining"))) is not None:
            self.remaining, self.limit = int(told), int(_number(headers.get("x-ratelimit-limit")) or 0) or self.limit
            self.reset = _number(headers.get("x-ratelimit-reset"))
            self._reset_at = at + max(0.0, (self.reset or 0.0) - (self._clock.now() + skew_s))
        if status not in (403, 429):
            self._doublings = 0 if 200 <= status < 400 else self._doublings
            return None
        after = _number(headers.get("retry-after"))
        if after is None and not (status == 429 or self.remaining == 0 or _LIMIT.search(body)):
            return None
        if after is None and self.remaining == 0 and "x-ratelimit-remaining" in headers:
            after = self._reset_at - at
        if after is None:
            after = MINUTE * 2.0**self._doublings
            self._doublings = min(self._doublings + 1, 6)
        wait = min(max(after, 1.0), LONGEST_S)
        self._held_until = max(self._held_until, at + wait)
        return wait

    @property
    def held_s(self) -> float:
        """Seconds that GitHub told us to stay away; 0 where it did not."""
        return max(0.0, self._held_until - self._clock.monotonic())

    def _wait_s(self, urgency: Urgency, *, write: bool) -> float:
        at = self._clock.monotonic()
        waits = [self._held_until - at, self._points.wait_s(at, 5 if write else 1)]
        if write:
            waits += [self._last_write + WRITE_S - at, *(each.wait_s(at, 1) for each in self._writes)]
        if self.remaining is not None and self.limit and self.remaining <= self.limit * urgency.value[0]:
            waits.append(self._reset_at - at)
        return max(0.0, *waits)

    def _spend(self, *, write: bool) -> None:
        at = self._clock.monotonic()
        self._points.spend(at, 5 if write else 1)
        if self.remaining is not None and at < self._reset_at:
            self.remaining = max(0, self.remaining - 1)  # until its answer says better
        if write:
            self._last_write = at
            for each in self._writes:
                each.spend(at, 1)

    def _why(self) -> str:
        if self.held_s > 0:
            return "it told us to stay away"
        if self.remaining is not None and self.limit:
            return f"{self.remaining} of {self.limit} requests are left of this hour"
        return "so much was written lately"


def _number(text: str | None) -> float | None:
    """A count of seconds or requests; None for anything else (a date in `retry-after` is told by no GitHub)."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None

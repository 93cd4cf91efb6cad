"""The one place that reads a clock.

Time in this project is a float: seconds since the epoch, UTC. It is read once per cycle and passed down.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

BACK_S = 60.0  # a wall clock this long behind is right, and we are ahead


class SystemClock:
    """Wall time anchored to the monotonic clock, so that a wall clock that is set does not make time jump about.

    A step ahead is followed at once: what was measured before is old then. A step back is followed once the wall clock
    has stayed behind for a minute; until then `now()` goes on from where it was. `wall` and `steady` are the clocks it
    is made of, in seconds.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._read_wall = wall
        self._steady = steady
        self._wall = wall()
        self._anchor = steady()
        self._behind: float | None = None  # since when the wall clock is behind, on the steady one

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        steady, wall = self._steady(), self._read_wall()
        ours = self._wall + (steady - self._anchor)
        if wall >= ours - 1.0:
            self._behind = None
            if wall <= ours + 1.0:
                return ours
        elif self._behind is None:
            self._behind = steady
            return ours
        elif steady - self._behind < BACK_S:
            return ours
        self._wall, self._anchor, self._behind = wall, steady, None
        return wall

    def monotonic(self) -> float:
        """Seconds on a clock that nobody sets; only differences mean something."""
        return self._steady()

    async def sleep(self, seconds: float) -> None:
        """Come back after `seconds` (at once for 0 or less)."""
        await asyncio.sleep(max(0.0, seconds))


class ManualClock:
    """A clock that moves only when told; for replay, policy tests and the simulated world.

    >>> clock = ManualClock(1000.0)
    >>> clock.advance(15)
    >>> clock.now()
    1015.0
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._moved = asyncio.Condition()

    def now(self) -> float:
        """Seconds since the epoch, UTC, as last set."""
        return self._now

    def monotonic(self) -> float:
        """The same seconds: this clock has no wall beside it."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on without waking sleepers (synchronous callers have none)."""
        self._now += seconds

    async def pass_time(self, seconds: float) -> None:
        """Move on and wake every sleeper whose time has come."""
        async with self._moved:
            self._now += seconds
            self._moved.notify_all()
        await asyncio.sleep(0)

    async def sleep(self, seconds: float) -> None:
        """Come back once the clock was moved by `seconds`."""
        until = self._now + seconds
        async with self._moved:
            await self._moved.wait_for(lambda: self._now >= until)


def text(at: float) -> str:
    """A time for people: ISO 8601 in UTC, whole seconds.

    >>> text(0.0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(written: str) -> float:
    """Seconds since the epoch for an ISO 8601 time; without an offset it is UTC. Raises ValueError."""
    when = datetime.fromisoformat(written)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def end_of(written: str) -> float:
    """The last moment an ISO 8601 time can mean, in seconds since the epoch: of its second, or of its fraction.

    A time that was printed short is so never before what happened then. Raises ValueError.

    >>> end_of('1970-01-01T00:00:05Z'), end_of('1970-01-01T00:00:05.250Z')
    (5.999999, 5.250999)
    """
    fraction = re.search(r":\d\d[.,](\d+)", written)
    digits = min(len(fraction[1]), 6) if fraction else 0
    return round(parse(written) + max(10.0**-digits - 1e-6, 1e-6), 6)

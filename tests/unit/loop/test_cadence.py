"""When the daemon turns: beats that stay on time, wakes between them."""

from __future__ import annotations

import asyncio
import itertools

from autoscaler.loop.cadence import Cadence
from tests.support.virtual import LoopClock, run


def test_beats_are_told_exactly_one_cycle_apart_however_late_they_come() -> None:
    async def story() -> None:
        cadence = Cadence(LoopClock(1_700_000_000.0123), 15.0)
        at = []
        for late in (0.0, 0.2, 0.0003, 3.7, 0.0):
            assert await cadence.next() is None
            await asyncio.sleep(late)
            at.append(cadence.beat_at())
        assert [after - before for before, after in itertools.pairwise(at)] == [15.0] * 4

    run(story())


def test_beats_that_were_missed_are_skipped() -> None:
    async def story() -> None:
        cadence = Cadence(LoopClock(), 15.0)
        await cadence.next()
        first = cadence.beat_at()
        await asyncio.sleep(50)
        await cadence.next()
        assert cadence.beat_at() - first == 45.0
        await cadence.next()
        assert cadence.beat_at() - first == 60.0

    run(story())


def test_a_wall_clock_that_is_set_moves_the_beats_and_does_not_stop_them() -> None:
    async def story() -> None:
        clock = LoopClock()
        cadence = Cadence(clock, 15.0)
        await cadence.next()
        first = cadence.beat_at()
        clock.step = -3600.0
        began = clock.monotonic()
        await cadence.next()
        assert clock.monotonic() - began == 15.0
        assert cadence.beat_at() == first + 15.0 - 3600.0

    run(story())


def test_wakes_come_together_and_before_the_next_beat() -> None:
    async def story() -> None:
        clock = LoopClock()
        cadence = Cadence(clock, 15.0)
        await cadence.next()
        began = clock.monotonic()
        cadence.wake("a")
        asyncio.get_running_loop().call_later(0.02, cadence.wake, "b")
        assert await cadence.next() == {"a", "b"}
        assert clock.monotonic() - began < 0.1
        assert await cadence.next() is None
        assert clock.monotonic() - began == 15.0

    run(story())


def test_a_hurry_makes_the_next_beat_now() -> None:
    async def story() -> None:
        clock = LoopClock()
        cadence = Cadence(clock, 15.0)
        await cadence.next()
        began = clock.monotonic()
        asyncio.get_running_loop().call_later(2.0, cadence.hurry)
        assert await cadence.next() is None
        assert abs(clock.monotonic() - began - 2.0) < 0.01

    run(story())


def test_a_beat_keeps_its_time_when_somebody_asks_for_the_next_one_meanwhile() -> None:
    """It was told as one cycle earlier: what a new process holds for five minutes was held for four."""

    async def story() -> None:
        cadence = Cadence(LoopClock(), 60.0)
        await cadence.next()
        await cadence.next()
        at = cadence.beat_at()
        await asyncio.sleep(5)
        cadence.hurry()
        assert cadence.beat_at() == at
        await cadence.next()
        assert cadence.beat_at() == at + 5.0

    run(story())

"""The wall clock is set by an hour under a running daemon: nothing shrinks, no hold ends early, words keep their time.

Time runs sixty times as fast here: a cycle of 15 s takes a quarter of a second. The platform has a clock of its own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.clock import BACK_S
from autoscaler.model.target import WorkloadRef
from autoscaler.targets.simulated import Fleet
from tests.faults.home import Home, WallClock
from tests.support.wait import auntil

pytestmark = pytest.mark.e2e

HOUR = 3600.0
SPEED = 60.0
WEB = WorkloadRef("compose", "shop", "service", "web")
POLICY = """
name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 1, max: 20}
signals: [{name: load, prometheus: load, per_replica: 100}]
behavior: {down: {stabilization: 3m}}
"""
OFFICE = POLICY + 'schedule: [{name: office, cron: "0 8 * * *", for: 1h, min: 9}]\n'
SEVEN = 1_700_031_600.0  # 07:00 UTC
STEPS = {
    "ahead": (HOUR,),
    "back": (-HOUR,),
    "ahead and back": (HOUR, -HOUR),
    "back and ahead": (-HOUR, HOUR),
}


def home(folder: Path, policy: str = POLICY, *, count: int = 1, start: float | None = None) -> Home:
    clock, theirs = WallClock(SPEED, start), WallClock(SPEED, start)
    fleet = Fleet(theirs)
    fleet.put(WEB, count, start_s=1.0)
    return Home(folder, policy, fleet, clock)


async def settled(house: Home, load: float, count: int) -> None:
    house.dial.values["load"] = load
    await auntil(lambda: house.count(WEB) == count, f"{count} instances")
    await house.cycles(4)


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
async def test_a_service_under_load_keeps_its_count_and_the_beat_goes_on(
    tmp_path: Path, steps: tuple[float, ...]
) -> None:
    async with home(tmp_path).running() as house:
        await settled(house, 450.0, 5)
        began, cycles = house.clock.monotonic(), house.board.cycles
        for step in steps:
            house.clock.step += step
            await house.cycles(4, {WEB: 5})
        took = house.clock.monotonic() - began
        assert took / 15 - 2 < house.board.cycles - cycles < took / 15 + 2, "the cadence is that of the steady clock"
        house.dial.values["load"] = 700.0
        await auntil(lambda: house.count(WEB) == 7, "seven instances", within=3)


@pytest.mark.parametrize("steps", [(HOUR,), (-HOUR,)], ids=["ahead", "back"])
async def test_a_window_that_holds_a_service_up_is_not_cut_short(tmp_path: Path, steps: tuple[float, ...]) -> None:
    async with home(tmp_path).running() as house:
        await settled(house, 450.0, 5)
        house.dial.values["load"] = 50.0
        await house.cycles(2, {WEB: 5})
        for step in steps:
            house.clock.step += step
            await house.cycles(1, {WEB: 5})
        await house.cycles(5, {WEB: 5})
        assert house.told(WEB).reason in ("stabilized_down", "reseeded")
        await auntil(lambda: house.count(WEB) == 1, "one instance, in the end", within=20)


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["ahead", "back"])
async def test_a_clock_set_while_no_daemon_ran_shrinks_nothing_early(tmp_path: Path, step: float) -> None:
    first = home(tmp_path)
    async with first.running():
        await settled(first, 450.0, 5)
    first.clock.step += step
    clock = WallClock(SPEED, first.clock.now() + step)
    async with Home(tmp_path, POLICY, first.fleet, clock).running() as second:
        second.dial.values["load"] = 50.0
        await second.cycles(7, {WEB: 5})
        await auntil(lambda: second.count(WEB) == 1, "one instance, in the end", within=20)


async def test_a_window_of_the_schedule_follows_the_wall_clock_both_ways(tmp_path: Path) -> None:
    async with home(tmp_path, OFFICE, start=SEVEN + 600).running() as house:
        await settled(house, 450.0, 5)
        house.clock.step = HOUR
        await auntil(lambda: house.count(WEB) == 9, "the window is open by the wall clock", within=3)
        house.clock.step = 0.0
        await house.cycles(int(BACK_S / 15) + 3)
        assert house.told(WEB).reason != "window_floor", "a clock that was set right is right within two minutes"
        assert house.count(WEB) == 9, "the floor's end is no reason to let go at once"
        await auntil(lambda: house.count(WEB) == 5, "what the load asks for, in the end", within=20)


async def test_a_pause_and_an_override_end_at_the_time_they_were_given(tmp_path: Path) -> None:
    async with home(tmp_path).running() as house:
        await settled(house, 450.0, 5)
        until = (await house.desk.override("web", 8, for_s=HOUR / 2)).override.until
        await auntil(lambda: house.count(WEB) == 8, "eight by override", within=3)
        house.clock.step = -HOUR
        await house.cycles(int(BACK_S / 15) + 3, {WEB: 8})
        assert house.clock.now() < until - HOUR, "the daemon goes by the clock that was set back"
        assert house.told(WEB).reason == "override", "it was told to end at a time, which is an hour farther off now"
        house.clock.step = HOUR / 2
        await auntil(lambda: house.clock.now() > until and house.told(WEB).reason != "override", "the time has come")
        await house.cycles(2, {WEB: 5})
        await house.desk.pause("web", for_s=HOUR / 2)
        house.dial.values["load"] = 50.0
        house.clock.step = HOUR
        await auntil(lambda: house.told(WEB).reason not in ("paused", "awaiting_cycle"), "the pause is over", within=3)
        await house.cycles(6, {WEB: 5})
        assert [line.reason for line in (await house.desk.history("web", limit=200)).lines].count("paused") >= 1


async def test_the_history_of_the_hour_that_came_twice_is_not_lost(tmp_path: Path) -> None:
    async with home(tmp_path).running() as house:
        await settled(house, 450.0, 5)
        house.clock.step = -HOUR
        await house.cycles(int(BACK_S / 15) + 3)
        lines = (await house.desk.history("web")).lines
        assert any((line.before, line.after) == (1, 5) for line in lines if line.kind == "decision"), lines

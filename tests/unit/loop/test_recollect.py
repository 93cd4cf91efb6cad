"""A dry run by a daemon's memory is that daemon's next cycle, on the same input."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import pytest

from autoscaler.clock import ManualClock
from autoscaler.decide.plan import Plan
from autoscaler.errors import SourceError, StoreError
from autoscaler.loop.claims import claimed
from autoscaler.loop.foresee import foresee, next_cycle, taken_over
from autoscaler.loop.observe import Observer
from autoscaler.loop.recollect import CLEAN, Recollection, left
from autoscaler.loop.registry import PLATFORMS, Targets
from autoscaler.model.decision import Decision
from autoscaler.model.observation import Ask
from autoscaler.model.signal import Missing, MissingWhy, Reading
from autoscaler.model.target import WorkloadRef
from autoscaler.policy.load import load
from autoscaler.ports import Fact, FactKind
from autoscaler.store.memory import MemoryStore
from autoscaler.store.sqlite import SqliteStore, facts_in
from autoscaler.targets.simulated import SimulatedTarget
from tests.support.virtual import run
from tests.unit.loop.house import POLICY, WEB, House

CYCLE_S = 15.0
BEATS = 60
STEADY = POLICY.replace("{stabilization: 0s}", "{stabilization: 2m, rates: [{replicas: 2, per: 1m}]}")
ADAPTIVE = POLICY.replace("behavior: {down: {stabilization: 0s}}", "algorithm: adaptive")
KINDS = {"at once": POLICY, "smoothed and limited": STEADY, "adaptive": ADAPTIVE}


def wander(dice: random.Random, load: float | Missing) -> float | Missing:
    """The load a cycle later: it drifts, jumps and is now and then not there."""
    if dice.random() < 0.06:
        return Missing(MissingWhy.FAILED, "connection refused")
    before = 400.0 if isinstance(load, Missing) else load
    jump = dice.choice([-350.0, 400.0]) if dice.random() < 0.08 else 0.0
    return min(max(before + dice.gauss(0, 40) + jump, 0.0), 1100.0)


async def looks_ahead(house: House, told: Recollection, at: float) -> Decision:
    """The cycle at that time as a dry run beside the daemon decides it: with eyes of its own."""
    taken = taken_over(msgspec.json.decode(msgspec.json.encode(told), type=Recollection), at)
    observer, plans = eyes(house, taken.steering, taken.prints)
    (decision,) = next_cycle(plans, await observer.look(plans, taken.underway, at, wake=False), taken, at, CYCLE_S)
    return decision


def eyes(house: House, *of: dict[str, str]) -> tuple[Observer, list[Plan]]:
    """Another process's sight of the same world, and its plans."""
    targets = Targets({name: lambda: SimulatedTarget(house.fleet, house.clock) for name in PLATFORMS})
    policies = load([("0.yaml", house.policies)], "r").policies
    plans = [claim.plan() for claim in claimed(targets.discover(policies), *of)]
    return Observer(targets, {"prometheus": house.dial}), plans


async def happens(house: House, dice: random.Random) -> None:
    """What people and other hands do, now and then."""
    chance = dice.random()
    if chance < 0.04:
        await house.desk.override(WEB.key, dice.randint(1, 9), for_s=40.0)
    elif chance < 0.07:
        await house.desk.pause(WEB.key, for_s=35.0)
    elif chance < 0.12 and house.web.units:
        house.fleet.remove(WEB, next(iter(house.web.units)))


def watched(house: House, seen: list[tuple[Decision, Decision]], of: Recollection | None = None) -> None:
    """Before each cycle somebody looks ahead, by the daemon's memory or that `of` another; then there are both."""
    run_cycle = house.cycle.run

    async def cycle(
        keys: Iterable[str] | None, *, cycle_s: float, wake: bool = False, now: float | None = None
    ) -> list[Decision]:
        at = house.clock.now() if now is None else now
        foretold = None if wake else await looks_ahead(house, of or await house.desk.recollect(), at)
        decisions = await run_cycle(keys, cycle_s=cycle_s, wake=wake, now=now)
        seen.extend((foretold, each) for each in decisions if foretold is not None)
        return decisions

    house.cycle.run = cycle  # type: ignore[method-assign]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_by_the_memory_of_a_running_daemon_a_dry_run_is_its_next_cycle(kind: str, seed: int) -> None:
    seen: list[tuple[Decision, Decision]] = []

    async def story() -> None:
        dice = random.Random(seed)
        house = House(KINDS[kind], count=4, start_s=20.0)
        house.dial.values["load"] = 400.0
        watched(house, seen)
        async with house.running():
            await asyncio.sleep(1.0)
            for _ in range(BEATS):
                house.dial.values["load"] = wander(dice, house.dial.values["load"])
                await asyncio.sleep(CYCLE_S * dice.random())
                await happens(house, dice)
                await asyncio.sleep(CYCLE_S * dice.random())

    run(story())
    for foretold, decided in seen[1:]:  # before the first one nothing is remembered
        assert foretold == decided
    assert len({decided.reason for _, decided in seen}) >= 4, "much happened"
    assert sum(decided.changes for _, decided in seen) > 4


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_by_what_a_daemon_left_a_dry_run_is_the_first_cycle_of_the_next_one(kind: str, clean: bool) -> None:
    seen: list[tuple[Decision, Decision]] = []

    async def story() -> None:
        house = House(KINDS[kind], count=4, start_s=20.0)
        async with house.running():
            for load in (400.0, 900.0, 700.0):
                house.dial.values["load"] = load
                await asyncio.sleep(100.0)
            killed = list(await house.store.facts())
        facts = await house.store.facts() if clean else killed
        again = House(KINDS[kind], fleet=house.fleet, store=MemoryStore())
        again.dial.values["load"] = 350.0
        await again.store.put(facts)
        watched(again, seen, left(facts, 0.0))
        async with again.running():
            await asyncio.sleep(1.0)

    run(story())
    foretold, decided = seen[0]
    assert foretold == decided
    assert decided.current > 4, "the one before grew it"
    if kind == "at once":
        assert (decided.desired < decided.current) is clean, "after a kill it is not trusted to shrink"


def test_of_two_workloads_the_one_that_is_new_is_decided_by_its_past() -> None:
    async def story() -> None:
        house = House(count=4)
        house.dial.values["load"] = 900.0
        async with house.running():
            await asyncio.sleep(1.0)
            house.dial.values["load"] = 400.0
            house.fleet.put(WorkloadRef("compose", "shop", "service", "api"), 4)
            taken = taken_over(await house.desk.recollect(), house.clock.now())
            house.policies = f"{POLICY}---\n{POLICY.replace('name: web', 'name: api').replace('e: web', 'e: api')}"
            observer, plans = eyes(house, taken.steering, taken.prints)
            told, notes = await foresee(plans, observer, Nothing(), house.clock, CYCLE_S, (), taken)
        assert [(each.policy, each.remembered, each.reason) for each in told] == [
            ("api", False, "within_tolerance"),
            ("web", True, "settling"),
        ]
        assert notes == ["api, load: nobody knows"]

    run(story())


class Nothing:
    """Nobody knows what was before."""

    async def read(self, asks: Sequence[Ask], times: Sequence[float]) -> list[Sequence[Reading] | SourceError]:
        return [SourceError("nobody knows") for _ in asks]


def test_a_file_is_read_without_a_trace_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite"
    assert facts_in(path) is None
    fact = Fact(FactKind.MEMORY, CLEAN, b"1")

    async def keep() -> SqliteStore:
        store = SqliteStore(path, ManualClock(0.0))
        await store.put([fact])
        found = facts_in(path)
        assert found is not None
        assert found[0] == [fact], "what is still in the log of a daemon that runs"
        return store

    with asyncio.Runner() as runner:
        runner.run(runner.run(keep()).close())
        path.chmod(0o400)
        found = facts_in(path)
    assert found is not None
    assert (found[0], left(*found).clean) == ([fact], True)
    assert [each.name for each in tmp_path.iterdir()] == ["memory.sqlite"]


def test_a_file_that_is_no_store_of_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite"
    path.write_text("nothing of ours, " * 100)
    with pytest.raises(StoreError, match="not a database"):
        facts_in(path)

"""The rules about time: somebody takes over, the wheel turns; and in the end everything is where it belongs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.daemons import BEGIN_AGAIN_S, RENEW_S
from tests.simulation.keeping import LEASE_S

if TYPE_CHECKING:
    from autoscaler.model.target import WorkloadRef
    from tests.simulation.world import World

LOOK_S = 30.0
TAKEN_OVER_S = LEASE_S + RENEW_S + BEGIN_AGAIN_S + LOOK_S + 10.0
TURNS = 3
BEGINS_S = 120.0  # to restore and to read the policies


async def watching(world: World) -> None:
    """Look again and again, for as long as the world lasts."""
    led = world.now()  # when somebody acted last, or nobody could
    up: dict[str, float] = {}  # process → since when it runs without a stop, the lease service and the store in reach
    leads: dict[str, float] = {}  # process → since when it has held the lease, too
    turns_within = TURNS * world.told.cycle_s + BEGINS_S
    while not world.over:
        await asyncio.sleep(LOOK_S)
        now, holder = world.now(), world.holder()
        # a daemon that begins with policies it cannot read has none: their owner is told, and nothing else can be done
        away = world.lately("lease away", "store fails", within=LOOK_S) or not world.readable()
        up = {
            each.process.mark: up.get(each.process.mark, now)
            for each in world.lives.values()
            if each.process.runs and not away
        }
        leads = {holder.process.mark: leads.get(holder.process.mark, now)} if holder is not None and up else {}
        if holder is not None or not up:
            led = now
        waiting = max((now - since for since in up.values()), default=0.0)
        if min(waiting, now - led) > TAKEN_OVER_S:
            world.rules.say("somebody takes over", f"nobody has acted for {now - led:.0f} s, {', '.join(up)} could")
        if holder is not None and holder.told_to_stop is None:
            since = max(leads.get(holder.process.mark, now), holder.turned)
            if now - since > turns_within:
                world.rules.say("the wheel turns", f"{holder.process.mark} has not decided for {now - since:.0f} s")


async def settled(world: World) -> None:
    """After a quiet while: everything is where it belongs, and nothing half done is left."""
    for who, ref in enumerate(world.refs):
        workload = world.fleet.workload(ref)
        odd = [each.name for each in workload.units.values() if each.draining or each.replaces in workload.units]
        if odd:
            world.rules.say("nothing half done is left", f"{ref.name}: {odd}; {_why(world, ref)}")
        low, high = world.bounds(who)
        wanted, count = min(max(low, 5), high), len(workload.counted())
        if count != wanted:
            said = f"{ref.name}: {count} run, {wanted} are wanted; {_why(world, ref)}"
            world.rules.say("it converges", said)
        sick = [each.name for each in workload.counted() if not each.ready(world.now())]
        if sick:
            world.rules.say("the sick are replaced", f"{ref.name}: {sick}; {_why(world, ref)}")
    left = await world.store.open_operations()
    if left:
        world.rules.say("nothing half done is left", f"operations on record: {left}")


def _why(world: World, ref: WorkloadRef) -> str:
    """What the acting daemon says of a workload."""
    life = world.holder()
    entry = life.board.entries.get(ref.key) if life is not None else None
    if life is None or entry is None or entry.decision is None:
        return "nobody acts"
    return (
        f"{life.process.mark}: {entry.decision.reason.value}, decided {life.clock.now() - entry.decision.at:.0f} s ago"
    )

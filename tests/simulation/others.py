"""What a story's events do: to the instances, by other hands, to the daemons, and what people say."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.errors import StoreError
from autoscaler.loop.answers import Done
from autoscaler.model.target import WorkloadRef
from tests.simulation.daemons import STOPS_WITHIN_S, Life
from tests.simulation.story import Event

if TYPE_CHECKING:
    from tests.simulation.world import World

FIGHT_EVERY_S = 40.0


@dataclass
class Hand:
    """What other hands did to one workload last: times are true ones."""

    raised_to: int = 0
    raised_at: float = -math.inf
    at: float = -math.inf
    count: int = 0  # as they left it
    off: bool = False  # switched off by its owner
    fights: bool = False


@dataclass
class Said:
    """A person's word in force on one workload: until when by the clock of the daemon that answered."""

    what: str
    at: float
    until: float
    count: int = 0


class Others:
    """Everybody but the daemons. `hands` and `said` tell the rules what is to be respected."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.hands: dict[str, Hand] = {ref.key: Hand() for ref in world.refs}
        self.said: dict[str, Said | None] = {}  # None: nobody knows whether it was taken in
        self.stepped = -math.inf  # when a wall clock was set last

    # events

    async def begin(self, event: Event) -> None:
        if event.what in ("kill", "restart", "stopped", "wall clock"):
            return self._process(event)
        if event.what in ("pause", "override", "resume"):
            return await self._word(event)
        if event.what.startswith("policy"):
            return self._world.edit(event.who, event.how or event.what.removeprefix("policy "))
        if event.what == "kill at call":
            self._world.ambush = event
        self._platform(event)
        if event.who >= 0:
            self._instances(event)

    def end(self, event: Event) -> None:
        world = self._world
        workload = world.fleet.workload(world.refs[event.who])
        ref = workload.ref
        match event.what:
            case "platform away":
                world.fleet.away = "" if world.during("platform away") is None else "connection refused"
            case "never ready" if world.during("never ready", event.who) is None:
                workload.start_s = 5.0
                for unit in workload.units.values():
                    if unit.running() and unit.ready_at == math.inf:
                        unit.ready_at = world.now()
            case "limit" if world.during("limit", event.who) is None:
                workload.limit = None
            case "rollout":
                workload.rollout = world.during("rollout", event.who) is not None
            case "sick":
                for unit in workload.units.values():
                    if unit.sick_since < math.inf and unit.ended == math.inf:
                        world.fleet.make_well(ref, unit.id)
            case "stopped by others":
                for unit in [each for each in workload.units.values() if each.off]:
                    world.fleet.remove(ref, unit.id)
            case "fight":
                self.hands[ref.key].fights = False
            case "policy broken" | "policy gone":
                world.edit(event.who, "back")
            case "zero by owner" if world.during("zero by owner", event.who) is None:
                self.hands[ref.key].off = False
                if not workload.counted():
                    self._set_count(ref, 1)

    # instances and counts

    def _platform(self, event: Event) -> None:
        if event.what == "platform away":
            self._world.fleet.away = "connection refused"

    def _instances(self, event: Event) -> None:
        world = self._world
        ref = world.refs[event.who]
        workload, hand = world.fleet.workload(ref), self.hands[ref.key]
        counted = workload.counted()
        units = [each for each in counted if each.ready(world.now())]
        match event.what:
            case "sick" if units:
                world.fleet.make_sick(ref, units[0].id)
            case "crash" if units:
                world.fleet.crash(ref, units[-1].id)
            case "removed by others" if units and len(counted) > 1:
                self._left(ref, len(counted) - 1)
                world.fleet.remove(ref, units[0].id)
            case "stopped by others" if units and len(counted) > 1:
                self._left(ref, len(counted) - 1)
                world.fleet.stop(ref, units[0].id)
            case "count by others" if counted and not hand.off:
                self._set_count(ref, int(event.much))
            case "fight" if not hand.off and not hand.fights:
                hand.fights = True
                asyncio.get_running_loop().create_task(self._fight(ref, int(event.much)))
            case "zero by owner" if counted:  # where nothing runs nobody sees that it is meant
                hand.off = True
                for unit in list(workload.units.values()):
                    world.fleet.remove(ref, unit.id)
                self._left(ref, 0)
            case "never ready":
                workload.start_s = math.inf
            case "limit":
                workload.limit = int(event.much)
            case "rollout":
                workload.rollout = True

    async def _fight(self, ref: WorkloadRef, count: int) -> None:
        """Another writer that wants its own count, again and again."""
        hand, workload = self.hands[ref.key], self._world.fleet.workload(ref)
        while hand.fights and not hand.off and not self._world.over:
            if workload.counted() and len(workload.counted()) != count:
                self._set_count(ref, count)
            await asyncio.sleep(FIGHT_EVERY_S)

    def _set_count(self, ref: WorkloadRef, count: int) -> None:
        self._left(ref, count)
        self._world.fleet.set_count(ref, count, by="somebody")

    def _left(self, ref: WorkloadRef, count: int) -> None:
        """Note that other hands leave a workload with this count."""
        hand, before = self.hands[ref.key], len(self._world.fleet.workload(ref).counted())
        now = self._world.now()
        if count > before:
            hand.raised_to, hand.raised_at = count, now
        hand.count, hand.at = count, now

    # processes

    def _process(self, event: Event) -> None:
        world = self._world
        life = world.holder() if event.how == "holder" else world.lives.get(event.how)
        if life is None:
            return
        match event.what:
            case "kill":
                life.gone_s = event.lasts
                life.process.dies_at = life.process.breaths + max(1, int(event.much))
            case "restart":
                life.gone_s, life.told_to_stop = event.lasts, world.now()
                life.daemon.stop()
                asyncio.get_running_loop().call_later(STOPS_WITHIN_S, self._killed_at_last, life)
            case "stopped":
                life.process.stop()
                asyncio.get_running_loop().call_later(event.lasts, life.process.go_on)
            case "wall clock":
                life.clock.step += event.much
                self.stepped = world.now()

    def _killed_at_last(self, life: Life) -> None:
        """Whoever sends SIGTERM sends SIGKILL after a while; a process that runs should not need it."""
        if self._world.lives.get(life.name) is life and life.process.runs:
            self._world.rules.say(
                "it stops when told", f"{life.process.mark} runs {STOPS_WITHIN_S:.0f} s after SIGTERM"
            )
        life.process.kill()

    # words

    async def _word(self, event: Event) -> None:
        life, name = self._world.holder(), f"w{event.who}"
        if life is None:
            return
        if event.what == "pause":
            await self._say(life, name, event.what, life.desk.pause(name, for_s=event.lasts))
        elif event.what == "override":
            await self._say(life, name, event.what, life.desk.override(name, int(event.much), for_s=event.lasts))
        else:
            await self._say(life, name, event.what, life.desk.resume(name))

    async def _say(self, life: Life, name: str, what: str, request: object) -> bool:
        """Ask, and note what holds from now on; True where it was taken in."""
        world = self._world
        key = world.refs[int(name[1:])].key if name != "fleet" else name
        answer = await life.asked(request)  # type: ignore[arg-type]
        if isinstance(answer, Done):
            self._taken_in(key, what, answer, life.clock.now())
            return True
        if answer is None or isinstance(answer, StoreError):
            self.said[key] = None
            if key in self.hands and what == "resume":
                self.hands[key].off = False
        return False

    def _taken_in(self, key: str, what: str, answer: Done, at: float) -> None:
        world = self._world
        if what == "resume":
            self.said.pop(key, None)
        elif what == "pause" and answer.pause is not None:
            self.said[key] = Said(what, at, answer.pause.until or math.inf)
        elif answer.pause is None and answer.override is not None:
            self.said[key] = Said(what, at, answer.override.until, answer.override.count)
        if key in self.hands:
            self.hands[key].raised_at = -math.inf
            self.hands[key].off = self.hands[key].off and what != "resume"
            world.owners[key] = max(world.owners.get(key, -math.inf), world.now())

    async def resume_all(self) -> None:
        """When the story is over: nothing is paused, overridden or braked any more."""
        names = ["fleet", *(f"w{who}" for who in range(self._world.told.workloads))]
        while names:
            life = self._world.holder()
            if life is not None and await self._say(life, names[0], "resume", life.desk.resume(names[0])):
                names.pop(0)
            else:
                await asyncio.sleep(30.0)

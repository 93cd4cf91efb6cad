"""The source and the platform as one daemon reaches them: over wires that delay, lose, repeat, reorder and lie."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from autoscaler.errors import Unreachable
from autoscaler.model.observation import Ask
from autoscaler.model.operation import Advanced, Operation
from autoscaler.model.policy import Policy
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.targets.simulated import SimulatedTarget
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

WIRE_S = 0.03
LIES = {"zero": 0.0, "huge": 1000.0, "negative": -1.0}  # a value is multiplied by this


async def wire(process: Process) -> None:
    """The time a call needs on its way: each its own, so that calls overtake each other."""
    await asyncio.sleep(process.dice.uniform(0.0, WIRE_S))


class FailingSource:
    """Loads of the world, missing or wrong in the ways its story tells. `told` is what it said last, by workload."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process
        self.told: dict[tuple[str, str], Reading] = {}

    async def read(self, asks: Sequence[Ask], now: float) -> Sequence[Reading]:
        slow = self._world.during("source slow")
        if slow is not None:
            await asyncio.sleep(min(slow.much, 5.0))
        else:
            await wire(self._process)
        late = Missing(MissingWhy.FAILED, "no answer within 5 s") if slow is not None and slow.much > 5.0 else None
        answers = [late or self._reading(ask) for ask in asks]
        self.told.update({(ask.ref.name, ask.signal.name): answer for ask, answer in zip(asks, answers, strict=True)})
        return answers

    def _reading(self, ask: Ask) -> Reading:
        who = self._world.number(ask.ref)
        event = self._world.during("source", who)
        value = self._world.load(who, ask.signal.name)
        if event is None:
            return Series((Point(value),), 5.0)
        if event.how in LIES:
            return Series((Point(value * LIES[event.how]),), 5.0)
        if event.how == "uncovered":
            ids = tuple(each.id for each in ask.instances if each.ready)
            return Series((Point(value / 2),), 5.0, found=ids[: len(ids) // 2], expected=ids)
        return Missing(MissingWhy(event.how), "as the story tells")

    async def close(self) -> None:
        pass


class FailingTarget:
    """The simulated platform through a connection that loses, repeats, delays and reorders calls.

    Of the calls under way when a process stops or dies, half are on the wire already and land all the same; the others
    land when it goes on, however late that is.
    """

    def __init__(self, world: World, process: Process, inner: SimulatedTarget, name: str) -> None:
        self._world = world
        self._process = process
        self._inner = inner
        self._name = name
        self._frozen: dict[WorkloadRef, TargetState | Missing] = {}

    def discover(self, policies: Sequence[Policy]) -> Sequence[tuple[WorkloadRef, Policy]]:
        return self._inner.discover(policies)

    async def states(self, refs: Sequence[WorkloadRef]) -> Sequence[TargetState | Missing]:
        await wire(self._process)
        world = self._world
        found = await self._inner.states(refs)
        partly = world.during("platform partly")
        if partly is not None:
            lost = Missing(MissingWhy.FAILED, "left out of the answer")
            found = [
                lost if (world.number(r) + int(partly.at)) % 3 == 0 else s for r, s in zip(refs, found, strict=True)
            ]
        if self._frozen or world.during("states frozen", ANYBODY) is not None:
            found = [self._froze(ref, state) for ref, state in zip(refs, found, strict=True)]
        return found

    def _froze(self, ref: WorkloadRef, state: TargetState | Missing) -> TargetState | Missing:
        """A cache that is not fed any more: what it had, with the age that it has."""
        if self._world.during("states frozen", self._world.number(ref)) is None:
            self._frozen.pop(ref, None)
            return state
        return self._frozen.setdefault(ref, state)

    async def advance(self, operation: Operation) -> Advanced:
        world, process = self._world, self._process
        world.calls.calling(self._name, operation)
        self._ambushed(operation, after=False)
        if operation.stage == "wait":  # it only looks
            answer = await self._inner.advance(operation)
        elif process.dice.random() < 0.5:
            answer = await self._landed(operation)
        else:
            loop = asyncio.get_running_loop()
            on_the_wire = loop.create_task(self._landed(operation), context=contextvars.Context())
            answer = await asyncio.shield(on_the_wire)
        self._ambushed(operation, after=True)
        await asyncio.sleep(0)
        return answer

    async def _landed(self, operation: Operation) -> Advanced:
        world = self._world
        slow = world.during("platform slow")
        await (wire(self._process) if slow is None else asyncio.sleep(slow.much))
        if world.over:
            raise Unreachable("there is no world any more")
        before = world.calls.landing(self._name, operation)
        answer = await self._inner.advance(operation)
        if world.during("call repeated", world.number(operation.ref)) is not None:
            answer = await self._inner.advance(operation)
        world.calls.landed(operation, before)
        return answer

    def _ambushed(self, operation: Operation, *, after: bool) -> None:
        """A story may have the process killed at a call of this kind: just before it leaves, or when it is done."""
        ambush = self._world.ambush
        if (
            ambush is not None
            and ambush.how == f"{operation.kind.value}:{operation.stage}"
            and bool(ambush.much) == after
        ):
            self._world.ambush = None
            self._world.lives[self._name].gone_s = ambush.lasts
            self._process.dies_at = self._process.breaths + 1

    async def wakes(self) -> AsyncIterator[WorkloadRef]:
        async for ref in self._inner.wakes():
            yield ref

    async def leftovers(self, refs: Sequence[WorkloadRef]) -> list[Operation]:
        await wire(self._process)
        try:
            return await self._inner.leftovers(refs)
        except Unreachable:
            return []

    async def close(self) -> None:
        pass


ANYBODY = -2  # asks for a fault whoever it is about

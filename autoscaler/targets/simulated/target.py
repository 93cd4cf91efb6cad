"""The simulated platform as a target: state in, operations out, and nothing leaves this process."""

from __future__ import annotations

import operator
from collections.abc import AsyncIterator, Sequence

from autoscaler.errors import Gone, TargetError
from autoscaler.model.operation import BEGIN, Advanced, Operation, OperationKind
from autoscaler.model.policy import Policy
from autoscaler.model.signal import Missing, MissingWhy
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.ports import Clock
from autoscaler.targets.naming import named
from autoscaler.targets.simulated.fleet import Fleet, News
from autoscaler.targets.simulated.stages import BACK, REMOVE, STOP, Stages
from autoscaler.targets.simulated.unit import Simulated, Unit

LEFTOVER_S = 120.0

_place = operator.attrgetter("number", "created")


class SimulatedTarget:
    """The workloads of a fleet. Like compose it keeps no desired count; what policies name stands in for any platform.

    A workload that was never put there, and every one while the fleet is away, is Missing.
    """

    def __init__(self, fleet: Fleet, clock: Clock) -> None:
        self._fleet = fleet
        self._clock = clock
        self._stages = Stages(fleet)
        self._steered: set[WorkloadRef] = set()

    def discover(self, policies: Sequence[Policy]) -> list[tuple[WorkloadRef, Policy]]:
        """The workloads these policies name, whatever platform they are for."""
        found = [(named(each), each) for each in policies]
        self._steered = {ref for ref, _ in found}
        return found

    async def states(self, refs: Sequence[WorkloadRef]) -> list[TargetState | Missing]:
        """How each workload stands now."""
        now = self._clock.now()
        return [self._state(ref, now) for ref in refs]

    async def advance(self, operation: Operation) -> Advanced:
        """Make the operation's next call."""
        return self._stages.advance(operation, self._clock.now())

    async def wakes(self) -> AsyncIterator[WorkloadRef]:
        """Steered workloads about which something changed, or one of whose instances has become ready."""
        news = News()
        self._fleet.listeners.append(news)
        try:
            while True:
                for ref in news.due(self._fleet.now()):
                    if ref in self._steered:
                        yield ref
                await news.wait(self._clock, self._fleet.now())
        finally:
            self._fleet.listeners.remove(news)

    async def leftovers(self, refs: Sequence[WorkloadRef]) -> list[Operation]:
        """Removals of what forgotten operations left: half drained, never started, or beside the one to replace."""
        found: list[Operation] = []
        for ref in refs:
            try:
                workload = self._fleet.look(ref)
            except Gone:
                continue
            found += self._left(ref, workload)
        return found

    async def close(self) -> None:
        """Nothing to let go of; the fleet goes on."""

    def _state(self, ref: WorkloadRef, now: float) -> TargetState | Missing:
        try:
            workload = self._fleet.look(ref)
        except TargetError as error:
            return Missing(MissingWhy.FAILED, error.message)
        there = self._fleet.now()
        count = workload.counted()
        shown = sorted(count + [each for each in workload.units.values() if each.draining], key=_place)
        instances = tuple([each.instance(there) for each in shown])
        return TargetState(
            ref=ref,
            desired=None,
            existing=len(count),
            ready=sum([each.ready and not each.draining for each in instances]),
            at=now,
            instances=instances,
            rollout=workload.rollout,
            version=str(workload.version),
            writer=workload.writer,
            off_by_owner=not count,
            foreign_at=workload.foreign_at,
        )

    def _left(self, ref: WorkloadRef, workload: Simulated) -> list[Operation]:
        now = self._clock.now()
        counted = {each.id for each in workload.counted()}
        found: list[Operation] = []
        for unit in workload.units.values():
            if unit.leaving:
                facts = {"first": "yes", "why": "a daemon that died had begun to replace it", "end": "conflict"}
                found.append(_left(ref, unit, now, OperationKind.REPLACE, BACK, facts))
                continue
            halfway = bool(unit.operation) and not unit.running() and unit.exit_code is None
            if unit.off or (unit.id in counted and not halfway):
                continue
            stage = STOP if unit.draining else REMOVE if halfway else BEGIN
            found.append(_left(ref, unit, now, OperationKind.REMOVE, stage, {}))
        return found


def _left(
    ref: WorkloadRef, unit: Unit, now: float, kind: OperationKind, stage: str, facts: dict[str, str]
) -> Operation:
    return Operation(
        id=f"left-{unit.id}",
        kind=kind,
        ref=ref,
        started=now,
        deadline=now + LEFTOVER_S,
        stage=stage,
        instance=unit.id,
        reason="leftover",
        facts=facts,
    )


def _by_number(unit: Unit) -> tuple[int, float]:
    return unit.number, unit.created

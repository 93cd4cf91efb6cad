"""Operations on simulated units, one call per stage. Each may be done twice: what is done already is found done.

CREATE   begin → start → wait
REMOVE   begin (marked as draining) → stop → remove
REPLACE  begin → start → wait → drain → stop → remove, or where two cannot run side by side
         begin (marked as leaving) → halt → make → start → wait → take; where it is never ready discard → back
"""

from __future__ import annotations

import contextlib

import msgspec

from autoscaler.errors import Conflict, Gone, Refused, TargetError, Unreachable
from autoscaler.model.operation import BEGIN, Advanced, Operation, OperationKind, Outcome, OutcomeKind, Split
from autoscaler.targets.simulated.fleet import Fleet
from autoscaler.targets.turns import first, to

START, WAIT, DRAIN, STOP, REMOVE, DISCARD = "start", "wait", "drain", "stop", "remove", "discard"
HALT, MAKE, TAKE, BACK = "halt", "make", "take", "back"
LOOK_S = 1.0
MARGIN_S = 60.0

_ENDS = {Conflict: OutcomeKind.CONFLICT, Gone: OutcomeKind.GONE, Refused: OutcomeKind.REFUSED}


class Stages:
    """Carries out stages on a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def advance(self, operation: Operation, now: float) -> Advanced:
        """Do the operation's stage. A platform that does not answer is asked again until the deadline."""
        try:
            return self._stage(operation, now)
        except Unreachable as error:
            if now < operation.deadline or first(operation):
                return msgspec.structs.replace(operation, wait_until=now + LOOK_S)
            return Outcome(operation, OutcomeKind.FAILED, now, error.message)
        except TargetError as error:
            end = _ENDS[type(error)]
            if "new" in operation.facts and operation.stage in (START, WAIT):
                return to(operation, DISCARD, why=error.message, end=end.value)
            if operation.stage in (HALT, MAKE) and not isinstance(error, Gone):
                return to(operation, BACK, why=error.message, end=end.value)
            return Outcome(operation, end, now, error.message)

    def _stage(self, operation: Operation, now: float) -> Advanced:
        if operation.kind is OperationKind.SCALE:
            return self._split(operation, now)
        if operation.kind is OperationKind.REMOVE:
            return self._remove(operation, now)
        match operation.stage:
            case "begin":
                return self._room(operation, now) or self._create(operation, now)
            case "halt":
                self._fleet.end(operation.ref, operation.instance)
                return to(operation, MAKE)
            case "make":
                return self._create(operation, now)
            case "take":
                self._fleet.take_away(operation.ref, operation.instance)
                return Outcome(operation, OutcomeKind.APPLIED, now, "the old one stopped first")
            case "back":
                self._fleet.back(operation.ref, operation.instance)
                return _given_up(operation, now)
            case "start":
                self._fleet.start(operation.ref, operation.facts["new"])
                return to(operation, WAIT, ready_by=repr(now + operation.ready_within_s))
            case "wait":
                return self._wait(operation, now)
            case "discard":
                self._fleet.take_away(operation.ref, operation.facts["new"])
                return to(operation, BACK) if first(operation) else _given_up(operation, now)
            case "drain":
                return self._take_place(operation, now)
            case _:
                return self._leave(operation, now)

    # a count

    def _split(self, operation: Operation, now: float) -> Advanced:
        workload = self._fleet.look(operation.ref)
        if operation.version and operation.version != str(workload.version):
            detail = f"{workload.writer} set another count in the meantime; nothing changed"
            return Outcome(operation, OutcomeKind.CONFLICT, now, detail)
        more = operation.count - len(workload.counted())
        if more == 0:
            return Outcome(operation, OutcomeKind.APPLIED, now, count=operation.count)
        if more > 0:
            facts = [{"number": str(number)} for number in workload.free(more)]
            return Split(tuple(_part(operation, OperationKind.CREATE, each["number"], facts=each) for each in facts))
        leaving = workload.leaving(-more, operation.sick, self._fleet.now())
        return Split(tuple(_part(operation, OperationKind.REMOVE, each.id, instance=each.id) for each in leaving))

    # making room

    def _room(self, operation: Operation, now: float) -> Advanced | None:
        """What to do first where the old one has to stop before the new one is made; None where it has not."""
        workload = self._fleet.workload(operation.ref)
        old = workload.units.get(operation.instance)
        if operation.kind is not OperationKind.REPLACE or not workload.alone or old is None or old.draining:
            return None
        if operation.surge:
            said = f"how: surge, but two cannot run side by side: {workload.alone}"
            return Outcome(operation, OutcomeKind.REFUSED, now, said)
        if operation.unless_ready and old.ready(self._fleet.now()):
            self._fleet.back(operation.ref, operation.instance)
            return Outcome(operation, OutcomeKind.CONFLICT, now, "the sick one is well again")
        self._fleet.leave(operation.ref, operation.instance)
        return to(operation, HALT, first="yes")

    # up

    def _create(self, operation: Operation, now: float) -> Advanced:
        fleet, ref = self._fleet, operation.ref
        if operation.kind is OperationKind.CREATE:
            new = fleet.create(ref, int(operation.facts["number"]), operation=operation.id)
        else:
            new = fleet.create_beside(ref, operation.instance, operation=operation.id)
        return to(operation, START, new=new.id)

    def _wait(self, operation: Operation, now: float) -> Advanced:
        new = self._fleet.inspect(operation.ref, operation.facts["new"])
        if new.ready(self._fleet.now()):
            if operation.kind is OperationKind.REPLACE:
                return to(operation, TAKE if first(operation) else DRAIN)
            return Outcome(operation, OutcomeKind.APPLIED, now)
        failed = OutcomeKind.FAILED.value
        if not new.running():
            return to(operation, DISCARD, why=f"it ended with exit code {new.exit_code}", end=failed)
        if now >= float(operation.facts["ready_by"]):
            return to(operation, DISCARD, why=f"not ready within {operation.ready_within_s:g} s", end=failed)
        return msgspec.structs.replace(operation, wait_until=now + LOOK_S)

    # down

    def _take_place(self, operation: Operation, now: float) -> Advanced:
        """Mark the old one as leaving: from here on the new one counts. Unless the old one is well again."""
        units = self._fleet.workload(operation.ref).units
        old = units.get(operation.instance)
        well = old is not None and not old.draining and old.ready(self._fleet.now())
        if well and operation.unless_ready:
            return to(operation, DISCARD, why="the sick one is well again", end=OutcomeKind.CONFLICT.value)
        with contextlib.suppress(Gone):
            self._fleet.drain(operation.ref, operation.instance)
        return msgspec.structs.replace(to(operation, STOP), wait_until=now + operation.drain_s)

    def _remove(self, operation: Operation, now: float) -> Advanced:
        try:
            if operation.stage == BEGIN:
                self._fleet.drain(operation.ref, operation.instance)
                return msgspec.structs.replace(to(operation, STOP), wait_until=now + operation.drain_s)
            return self._leave(operation, now)
        except Gone:
            return Outcome(operation, OutcomeKind.APPLIED, now, "it was gone already")

    def _leave(self, operation: Operation, now: float) -> Advanced:
        """Stop, then remove; one that is gone already is fine."""
        if operation.stage == STOP:
            with contextlib.suppress(Gone):
                self._fleet.end(operation.ref, operation.instance)
            return to(operation, REMOVE)
        self._fleet.take_away(operation.ref, operation.instance)
        return Outcome(operation, OutcomeKind.APPLIED, now)


def _given_up(operation: Operation, now: float) -> Outcome:
    what = "the old one is back" if first(operation) else "the new one was removed"
    return Outcome(operation, OutcomeKind(operation.facts["end"]), now, f"{what}: {operation.facts['why']}")


def _part(
    whole: Operation, kind: OperationKind, mark: str, *, instance: str = "", facts: dict[str, str] | None = None
) -> Operation:
    lasts = whole.ready_within_s + whole.drain_s + (whole.stop_within_s or MARGIN_S) + MARGIN_S
    return msgspec.structs.replace(
        whole,
        id=f"{whole.id}-{mark}",
        kind=kind,
        stage=BEGIN,
        instance=instance,
        deadline=whole.started + lasts,
        facts=facts or {},
    )

"""Operations on workers, one stage at a time. Each may be done twice: what is done already is found done."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from autoscaler.errors import Conflict, Refused
from autoscaler.model.operation import BEGIN, Advanced, Operation, OperationKind, Outcome, OutcomeKind, Split
from autoscaler.model.policy import ProcessTarget as Spec
from autoscaler.targets.process.roster import Duty, Roster, Worker, fingerprint
from autoscaler.targets.turns import to

STOP_WITHIN_S = 10.0
LOOK_S = 0.1
LONGEST_S = 60.0  # between two starts of workers that keep failing
BRAKE_LOOK_S = 0.5  # a policy may change meanwhile, and its command with it
FORGET_S = 300.0  # without a failure, and the next one is the first again
START, WAIT, DRAIN, TELL, STOP, END, DISCARD = "start", "wait", "drain", "tell", "stop", "end", "discard"


class Stages:
    """Knows what each stage does; `spec` is None for a workload no policy names any more."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._brake = Brake()

    def advance(self, operation: Operation, spec: Spec | None, now: float) -> Advanced:
        """Do the operation's stage."""
        try:
            if operation.kind is OperationKind.SCALE:
                return self._split(operation, spec, now)
            if operation.kind is OperationKind.REMOVE:
                return self._remove(operation, operation.instance, now)
            if spec is None:
                return Outcome(operation, OutcomeKind.GONE, now, "no policy names this workload any more")
            if operation.kind is OperationKind.CREATE:
                return self._create(operation, spec, now)
            return self._replace(operation, spec, now)
        except Conflict as error:
            return Outcome(operation, OutcomeKind.CONFLICT, now, error.message)
        except Refused as error:
            return self._refused(operation, spec, str(error), now)

    # scale

    def _split(self, operation: Operation, spec: Spec | None, now: float) -> Advanced:
        key = operation.ref.key
        if self._roster.sweep(key):
            self._brake.ended(_what(operation, spec), now)
        working = self._roster.serving(key)
        more = operation.count - self._roster.count(key)
        if more == 0:
            return Outcome(operation, OutcomeKind.APPLIED, now, count=operation.count)
        if more > 0:
            taken = {each.number for each in self._roster.of(key)}
            free = (number for number in range(1, len(taken) + more + 1) if number not in taken)
            parts = [self._part(operation, OperationKind.CREATE, number=next(free)) for _ in range(more)]
        else:
            leaving = victims(working, operation.sick)[:-more]
            parts = [self._part(operation, OperationKind.REMOVE, instance=each.id) for each in leaving]
        return Split(tuple(parts))

    def _part(self, whole: Operation, kind: OperationKind, *, number: int = 0, instance: str = "") -> Operation:
        return msgspec.structs.replace(
            whole,
            id=f"{whole.id}-{instance or number}",
            kind=kind,
            stage=BEGIN,
            instance=instance,
            deadline=whole.started + whole.ready_within_s + whole.drain_s + _grace(whole) + 60.0,
            facts={"number": str(number)} if number else {},
        )

    # create: begin → start → wait

    def _create(self, operation: Operation, spec: Spec, now: float) -> Advanced:
        if operation.stage == BEGIN:
            id, number = operation.id.replace("-", ""), int(operation.facts["number"])
            self._roster.add(id, operation.ref.key, spec, number=number, duty=Duty.SERVING, now=now)
            return to(operation, START, worker=id)
        return self._bring_up(operation, spec, now)

    def _bring_up(self, operation: Operation, spec: Spec, now: float) -> Advanced:
        """A new worker from its file to readiness; one that fails is put away again."""
        worker = self._roster.get(operation.facts["worker"])
        if operation.stage == DISCARD:
            return self._discard(operation, spec, worker, now)
        if worker is None:
            return Outcome(operation, OutcomeKind.GONE, now, "the new worker was taken away by somebody else")
        if operation.stage == START:
            if now < self._brake.until(_what(operation, spec)):
                return msgspec.structs.replace(operation, wait_until=now + BRAKE_LOOK_S)
            self._roster.start(worker, spec)
            return to(operation, WAIT, ready_by=repr(now + operation.ready_within_s))
        if worker.ready and self._roster.alive(worker):
            self._roster.keep(worker)  # that it was ready once must outlive the daemon
            if operation.kind is OperationKind.REPLACE:
                return to(operation, DRAIN)
            return Outcome(operation, OutcomeKind.APPLIED, now)
        if not self._roster.alive(worker):
            return to(operation, DISCARD, why=f"it ended before it was ready: {self._roster.end_of(worker)}")
        if now >= float(operation.facts["ready_by"]):
            return to(operation, DISCARD, why=f"it was not ready within {operation.ready_within_s:g} s")
        return msgspec.structs.replace(operation, wait_until=now + LOOK_S)

    def _discard(self, operation: Operation, spec: Spec, worker: Worker | None, now: float) -> Advanced:
        if worker is not None and self._roster.alive(worker):
            self._roster.end(worker, kill=True)
            return msgspec.structs.replace(operation, wait_until=now + LOOK_S)
        if worker is not None:
            self._roster.drop(worker)
        why = operation.facts.get("why", "")
        if operation.facts.get("conflict"):
            return Outcome(operation, OutcomeKind.CONFLICT, now, why)
        self._brake.failed(_what(operation, spec), now)
        return Outcome(operation, OutcomeKind.FAILED, now, f"the new worker failed: {why}")

    # remove: begin → tell → stop → end

    def _remove(self, operation: Operation, id: str, now: float) -> Advanced:
        worker = self._roster.get(id)
        if worker is None:
            return Outcome(operation, OutcomeKind.APPLIED, now, "it was gone already")
        if operation.stage in (BEGIN, DRAIN):
            worker.duty = Duty.DRAINING
            self._roster.keep(worker)
            if operation.before_stop:
                return to(operation, TELL, url=_url(worker, operation.before_stop))
            return msgspec.structs.replace(to(operation, STOP), wait_until=now + operation.drain_s)
        if operation.stage == STOP:
            self._roster.end(worker, kill=False)
            return to(operation, END, stop_by=repr(now + _grace(operation)))
        if self._roster.alive(worker):
            if now >= float(operation.facts["stop_by"]):
                self._roster.end(worker, kill=True)
            return msgspec.structs.replace(operation, wait_until=now + LOOK_S)
        self._roster.drop(worker)
        return Outcome(operation, OutcomeKind.APPLIED, now, operation.facts.get("untold", ""))

    # replace: begin → start → wait → drain → tell → stop → end

    def _replace(self, operation: Operation, spec: Spec, now: float) -> Advanced:
        old = self._roster.get(operation.instance)
        if operation.stage == BEGIN:
            if old is None or old.duty is Duty.DRAINING:
                return Outcome(operation, OutcomeKind.GONE, now, "the sick worker is gone already, or going")
            id = f"{operation.id}n".replace("-", "")
            self._roster.add(id, operation.ref.key, spec, number=old.number, duty=Duty.SURGE, now=now)
            return to(operation, START, worker=id)
        if operation.stage in (START, WAIT, DISCARD):
            return self._bring_up(operation, spec, now)
        if operation.stage == DRAIN:
            return self._take_place(operation, old, now)
        return self._remove(operation, operation.instance, now)

    def _take_place(self, operation: Operation, old: Worker | None, now: float) -> Advanced:
        """The new worker counts from here on, the old one does not; unless the old one is well again."""
        new = self._roster.get(operation.facts["worker"])
        if new is None:
            return Outcome(operation, OutcomeKind.GONE, now, "the new worker was taken away by somebody else")
        well = old is not None and old.ready and self._roster.alive(old)
        if operation.unless_ready and new.duty is Duty.SURGE and well:
            return to(operation, DISCARD, why="the sick worker is well again", conflict="yes")
        new.duty = Duty.SERVING
        self._roster.keep(new)
        return self._remove(operation, operation.instance, now)

    def _refused(self, operation: Operation, spec: Spec | None, why: str, now: float) -> Outcome:
        worker = self._roster.get(operation.facts.get("worker", ""))
        if worker is not None and not self._roster.alive(worker):
            self._roster.drop(worker)
        self._brake.failed(_what(operation, spec), now)
        return Outcome(operation, OutcomeKind.REFUSED, now, why)


class Brake:
    """Slows starts down while workers keep failing: the next one 1, 2, 4 … 60 seconds after the last failure."""

    def __init__(self) -> None:
        self._failures: dict[str, tuple[int, float]] = {}

    def failed(self, what: str, now: float) -> None:
        """A start failed. What fails within a second of a failure belongs to it."""
        count, at = self._failures.get(what, (0, -FORGET_S))
        if count == 0 or now - at >= 1.0:
            self._failures[what] = (count + 1 if now - at < FORGET_S else 1, now)

    def ended(self, what: str, now: float) -> None:
        """A worker ended that had been ready: the first time is an accident, after which it is started at once."""
        if now - self._failures.get(what, (0, -FORGET_S))[1] < FORGET_S:
            self.failed(what, now)
        else:
            self._failures[what] = (0, now)

    def until(self, what: str) -> float:
        """When the next start may be, in seconds since the epoch; 0 for at once."""
        count, at = self._failures.get(what, (0, 0.0))
        return at + min(LONGEST_S, 2.0 ** (count - 1)) if count else 0.0


def told(operation: Operation, failed: str, now: float) -> Operation:
    """The operation once the worker was told that it is about to leave; one that did not hear leaves all the same."""
    said = {"untold": f"before_stop: POST {operation.facts['url']}: {failed}"} if failed else {}
    return msgspec.structs.replace(to(operation, STOP, **said), wait_until=now + operation.drain_s)


def victims(working: Sequence[Worker], sick: Sequence[str]) -> list[Worker]:
    """Who goes first: the sick, then who is not ready, then the newest."""
    return sorted(working, key=lambda each: (each.id not in sick, each.ready, -each.number))


def _what(operation: Operation, spec: Spec | None) -> str:
    """What is slowed down while it keeps failing: a workload's command; another one is a new beginning."""
    return operation.ref.key if spec is None else f"{operation.ref.key} {fingerprint(spec)}"


def _url(worker: Worker, place: str) -> str:
    """Where a worker is told: at its own port unless the policy names another."""
    return f"http://{worker.address.partition(':')[0] if place.startswith(':') else worker.address}{place}"


def _grace(operation: Operation) -> float:
    return STOP_WITHIN_S if operation.stop_within_s is None else operation.stop_within_s

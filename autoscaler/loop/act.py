"""ACT: operations, advanced step by step, each persisted before its next call, until they have an outcome."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence

import msgspec

from autoscaler.loop.gate import Gate, rank, too_late
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.registry import Targets
from autoscaler.loop.underway import Underway
from autoscaler.model.operation import Advanced, Operation, OperationKind, Outcome, OutcomeKind, Split
from autoscaler.ports import Clock, Fact, FactKind, Lease, Target

CALL_S = 5.0  # what a call may last: less than this left of the lease, and it is not begun
FENCE_NAP_S = 1.0
MARGIN_S = 60.0  # what calls may take beside the spans of a policy
READY_BY = "ready_by"  # the fact that says until when a new instance is waited for

_encode = msgspec.json.Encoder().encode
_decode_operation = msgspec.json.Decoder(Operation).decode


class Actor:
    """Carries out operations side by side. Only the lease holder's calls leave the house.

    `term` counts how often the lease was lost: what was decided in an earlier one is not carried out any more.
    `ended` is told each outcome, of parts too; `accepted` when a SCALE was taken on by the platform; `before_call`
    each operation whose next call is about to leave (the fault point of tests that kill the daemon there).
    """

    def __init__(self, targets: Targets, store: Keeper, lease: Lease, clock: Clock) -> None:
        self.underway = Underway()
        self.term = 0
        self.ended: Callable[[Outcome], None] = lambda outcome: None
        self.accepted: Callable[[Operation, int], None] = lambda operation, count: None
        self.before_call: Callable[[Operation], None] = lambda operation: None
        self._targets = targets
        self._store = store
        self._lease = lease
        self._clock = clock
        self._tasks: dict[asyncio.Task[None], None] = {}  # in the order in which they began
        self._gates: dict[str, Gate] = {}

    async def begin(self, operations: Sequence[Operation], also: Sequence[Fact] = ()) -> None:
        """Start these, the most urgent first; returns once they, their counts and `also` are on record.

        Without the lease nothing is begun: whoever has it decides afresh.
        """
        term = self.term
        if not operations or self._lease.remaining() <= 0:
            return
        for each in operations:
            if each.kind is OperationKind.SCALE:
                self.underway.intents[each.ref.key] = each.count
        await self._store.put(
            [_intent(each.ref.key, each.count) for each in operations if each.kind is OperationKind.SCALE]
            + _facts(each for each in operations if each.kind is not OperationKind.SCALE)
            + list(also)
        )
        if term == self.term:
            self._drive(operations)

    def resume(self, facts: Sequence[Fact]) -> None:
        """Go on with what a former process left: `facts` of any kind, as the store keeps them."""
        intents, operations = on_record(facts, self._clock.now())
        self.underway.intents.update(intents)
        self._drive(operations)

    def told(self) -> list[Fact]:
        """What is under way at this moment, as facts; also what no store needs to know of."""
        return [*_facts(self.underway), *(_intent(key, count) for key, count in self.underway.intents.items())]

    async def take_over(self, operations: Sequence[Operation]) -> None:
        """Go on with operations found on a platform that no store tells of; known ones are left alone."""
        known = {word for each in self.underway for word in (each.id, each.instance, *each.facts.values())}
        fresh = [each for each in operations if each.instance not in known and each.id not in known]
        await self._store.put(_facts(fresh))
        self._drive(fresh)

    async def abandon(self) -> None:
        """Stop driving and forget: another process goes on with what is on record."""
        self.term += 1
        await self.close()
        self.underway.clear()

    async def close(self) -> None:
        """Stop driving. What is open stays on record and is resumed by the next process."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for gate in self._gates.values():
            gate.close()

    def _drive(self, operations: Iterable[Operation]) -> None:
        for each in operations:
            self.underway.put(each)
            task = asyncio.create_task(self._carry_out(each), name=f"operation {each.kind.value} {each.ref.key}")
            self._tasks[task] = None
            task.add_done_callback(self._tasks.pop)

    async def _carry_out(self, operation: Operation) -> None:
        while True:
            await self._clock.sleep(operation.wait_until - self._clock.now())
            target = self._targets.get(operation.ref.place)
            if target is None:
                fault = self._targets.faults[operation.ref.place]
                return await self._end(Outcome(operation, OutcomeKind.FAILED, self._clock.now(), fault))
            after = await self._called(target, operation)
            if isinstance(after, Outcome):
                return await self._end(after)
            if isinstance(after, Split):
                return await self._split(operation, after)
            moved = after.stage != operation.stage or after.facts != operation.facts
            if moved and after.kind is not OperationKind.SCALE:
                await self._store.put(_facts([after]))
            operation = after
            self.underway.put(operation)

    async def _called(self, target: Target, operation: Operation) -> Advanced:
        """Make the call once it is its turn, and only while the lease outlasts it: both may take long to wait for."""
        gate = self._gates.get(operation.ref.place)
        if gate is None:
            gate = self._gates[operation.ref.place] = Gate(self._clock)
        place = rank(operation, self._clock.now())
        while True:
            async with gate.turn(place) as term:
                if too_late(operation, self._clock.now()):
                    said = "there was no time for it: the next cycle decides afresh"
                    return Outcome(operation, OutcomeKind.DEFERRED, self._clock.now(), said)
                if self._lease.remaining() >= CALL_S:
                    self.before_call(operation)
                    after = await self._advanced(target, operation)
                    return self._paced(gate, term, after)
            await self._clock.sleep(FENCE_NAP_S)

    def _paced(self, gate: Gate, term: int, after: Advanced) -> Advanced:
        """What follows from a call, once its gate knows how the platform bears up."""
        told = after.operation if isinstance(after, Outcome) else after
        if isinstance(told, Split) or told.held is None:
            gate.pace.answered()
            return after
        gate.pushed_back(term, told.held.until)
        told = msgspec.structs.replace(told, held=None)
        return msgspec.structs.replace(after, operation=told) if isinstance(after, Outcome) else told

    async def _advanced(self, target: Target, operation: Operation) -> Advanced:
        """The next stage. Adapters promise never to raise; a defect in one must not leave its operation open.

        A call that is still out when the lease ends is called off, and made again once there is one.
        """
        left = self._lease.remaining()
        try:
            async with asyncio.timeout(None if math.isinf(left) else left) as lease:
                return await target.advance(operation)
        except Exception as defect:
            if isinstance(defect, TimeoutError) and lease.expired():
                return operation
            said = f"a defect of ours: {type(defect).__name__}: {defect}"
            return Outcome(operation, OutcomeKind.FAILED, self._clock.now(), said)

    async def _split(self, operation: Operation, split: Split) -> None:
        await self._store.put(_facts(split.parts))
        self.underway.drop(operation)
        self._drive(split.parts)
        self.accepted(operation, operation.count)

    async def _end(self, outcome: Outcome) -> None:
        operation = outcome.operation
        self.underway.drop(operation)
        done = outcome.kind is OutcomeKind.APPLIED
        key = operation.ref.key
        changed: list[Fact] = []
        if operation.kind is OperationKind.REMOVE:
            self.underway.taken.append(operation.instance)
        failed = operation.kind is OperationKind.CREATE and not done and not self._taken(operation)
        if failed and key in self.underway.intents:
            self.underway.intents[key] -= 1
            changed.append(Fact(FactKind.INTENT, key, str(self.underway.intents[key]).encode()))
        if operation.kind is not OperationKind.SCALE:
            changed.append(Fact(FactKind.OPERATION, operation.id, None))
        if operation.kind is OperationKind.SCALE and done:
            self.accepted(operation, operation.count if outcome.count is None else outcome.count)
        self.ended(outcome)  # before anything is waited for: a cycle in between would take our failure for other hands
        if changed:
            await self._store.put(changed)

    def _taken(self, operation: Operation) -> bool:
        """True where an order of ours took away what this operation made: the intent fell with that order already."""
        made = operation.facts.get("new", "")
        open_ones = (e.instance for e in self.underway.of(operation.ref.key) if e.kind is OperationKind.REMOVE)
        return bool(made) and (made in self.underway.taken or made in open_ones)


def _intent(key: str, count: int) -> Fact:
    return Fact(FactKind.INTENT, key, str(count).encode())


def _facts(operations: Iterable[Operation]) -> list[Fact]:
    return [Fact(FactKind.OPERATION, each.id, _encode(each)) for each in operations]


def on_record(facts: Sequence[Fact], now: float) -> tuple[dict[str, int], list[Operation]]:
    """The counts ordered last, by workload, and the operations that were open, out of what the store keeps."""
    intents = {f.key: int(f.value) for f in facts if f.kind is FactKind.INTENT and f.value is not None}
    kept = [_decode_operation(f.value) for f in facts if f.kind is FactKind.OPERATION and f.value is not None]
    return intents, [clamped(each, now) for each in kept]


def clamped(operation: Operation, now: float) -> Operation:
    """The operation with no time further ahead than its spans allow: the clock it was begun by may have been ahead.

    >>> from autoscaler.model.target import WorkloadRef
    >>> late = Operation(id="x", kind=OperationKind.CREATE, ref=WorkloadRef("simulated", "n", "k", "w"), started=7200,
    ...     deadline=7500, stage="wait", ready_within_s=60, facts={"ready_by": "7260"})
    >>> now = clamped(late, 3600)
    >>> now.started, now.deadline, now.facts
    (3600, 3780.0, {'ready_by': '3660'})
    """
    lasts = operation.ready_within_s + operation.drain_s + (operation.stop_within_s or MARGIN_S) + MARGIN_S
    ready_by = operation.facts.get(READY_BY)
    facts = operation.facts
    if ready_by is not None and float(ready_by) > now + operation.ready_within_s:
        facts = {**facts, READY_BY: repr(now + operation.ready_within_s)}
    return msgspec.structs.replace(
        operation,
        started=min(operation.started, now),
        deadline=min(operation.deadline, now + lasts),
        wait_until=min(operation.wait_until, now + max(operation.drain_s, MARGIN_S)),
        facts=facts,
    )

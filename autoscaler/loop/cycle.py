"""One turn of the loop over all due workloads: observe → decide → act → record."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Sequence

import msgspec

from autoscaler.decide import memory as remembering
from autoscaler.decide.explain import why
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Plan
from autoscaler.decide.step import applied, step
from autoscaler.loop.act import Actor, urgency
from autoscaler.loop.board import Board
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.observe import Observer
from autoscaler.model.decision import Decision, Reason
from autoscaler.model.observation import Seen
from autoscaler.model.operation import Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.target import TargetState
from autoscaler.ports import Clock, Fact, FactKind, Record, RecordKind

SLICE = 500  # workloads decided before the event loop may breathe
SCALE_S = 60.0  # a count not taken on by then has failed

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Memory).decode


class Cycle:
    """Holds the plans and their memories, and turns the wheel once when told."""

    def __init__(self, observer: Observer, actor: Actor, keeper: Keeper, board: Board, clock: Clock) -> None:
        self.plans: dict[str, Plan] = {}
        self.memories: dict[str, Memory] = {}
        self._observer = observer
        self._actor = actor
        self._keeper = keeper
        self._board = board
        self._clock = clock
        self._saved: dict[str, Memory] = {}
        self._late: list[Record] = []
        actor.accepted = self._accepted
        actor.ended = self._ended

    async def run(self, keys: Iterable[str] | None, *, cycle_s: float, wake: bool = False) -> list[Decision]:
        """Decide and act for these workloads (all for None); returns the decisions."""
        plans = [self.plans[key] for key in (self.plans if keys is None else keys) if key in self.plans]
        now = self._clock.now()
        seen = await self._observer.look(plans, self._actor.underway, now, wake=wake)
        decisions: list[Decision] = []
        for start in range(0, len(plans), SLICE):
            part, looks = plans[start : start + SLICE], seen[start : start + SLICE]
            made, after = step(part, looks, self.memories, now, cycle_s=cycle_s, wake=wake)
            self.memories.update(after)
            decisions.extend(made)
            await asyncio.sleep(0)
        records = self._shown(decisions, seen)
        await self._actor.begin(sorted(self._operations(decisions, seen, now), key=urgency))
        await self._keeper.record(records)
        return decisions

    # what follows from decisions

    def _operations(self, decisions: Sequence[Decision], seen: Sequence[Seen], now: float) -> list[Operation]:
        found: list[Operation] = []
        for decision, look in zip(decisions, seen, strict=True):
            if not decision.act or not isinstance(look.state, TargetState):
                continue
            lifecycle = self.plans[decision.ref.key].workload.policy.lifecycle
            if decision.changes:
                sick = tuple(each.id for each in look.state.instances if not each.ready)
                found.append(
                    Operation(
                        id=uuid.uuid4().hex[:12],
                        kind=OperationKind.SCALE,
                        ref=decision.ref,
                        started=now,
                        deadline=now + SCALE_S,
                        before=decision.current,
                        count=decision.desired,
                        sick=sick,
                        reason=decision.reason.value,
                        version=look.state.version,
                        ready_within_s=lifecycle.ready_within,
                        drain_s=lifecycle.drain,
                        stop_within_s=lifecycle.stop_within,
                    )
                )
            found.extend(
                Operation(
                    id=uuid.uuid4().hex[:12],
                    kind=OperationKind.REPLACE,
                    ref=decision.ref,
                    started=now,
                    deadline=now + lifecycle.ready_within + lifecycle.drain + (lifecycle.stop_within or 60.0) + 60.0,
                    instance=each.instance,
                    reason=each.reason.value,
                    ready_within_s=lifecycle.ready_within,
                    drain_s=lifecycle.drain,
                    stop_within_s=lifecycle.stop_within,
                )
                for each in decision.replace
            )
        return found

    def _accepted(self, operation: Operation, count: int) -> None:
        key = operation.ref.key
        plan, memory = self.plans.get(key), self.memories.get(key)
        if plan is not None and memory is not None and count != operation.before:
            self.memories[key] = applied(plan, memory, before=operation.before, count=count, now=self._clock.now())

    def _ended(self, outcome: Outcome) -> None:
        operation = outcome.operation
        key = operation.ref.key
        memory = self.memories.get(key)
        if memory is not None and operation.kind is OperationKind.REPLACE and outcome.kind is not OutcomeKind.CONFLICT:
            failed = outcome.kind is not OutcomeKind.APPLIED
            self.memories[key] = remembering.recycled(memory, outcome.at, failed=failed)
        if not self._board.count_outcome(outcome):
            return
        self._late.append(
            Record(
                at=outcome.at,
                kind=RecordKind.OUTCOME,
                workload=key,
                policy=self._policy(key),
                revision=self._board.revision,
                before=operation.before if operation.kind is OperationKind.SCALE else None,
                after=outcome.count,
                reason=outcome.kind.value,
                text=f"{operation.kind.value}: {outcome.detail or outcome.kind.value}",
                outcome=outcome,
            )
        )

    async def flush(self) -> None:
        """Record the outcomes that came in since the last time."""
        late, self._late = self._late, []
        await self._keeper.record(late)

    # what is written down

    def _shown(self, decisions: Sequence[Decision], seen: Sequence[Seen]) -> list[Record]:
        """Put the decisions on the board; the records of those whose count or reason changed."""
        records: list[Record] = []
        for decision, look in zip(decisions, seen, strict=True):
            key = decision.ref.key
            again = self._again(decision)
            changed = self._board.show(decision, look.state, self._actor.underway.of(key))
            if key in self._board.entries:
                self._board.entries[key].lead_s = self.memories[key].lead_s
            foreign = any(each.reason is Reason.FOREIGN_COUNT for each in decision.steps)
            if changed or foreign or ((decision.changes or decision.replace) and not again):
                records.append(
                    Record(
                        at=decision.at,
                        kind=RecordKind.DECISION,
                        workload=key,
                        policy=decision.policy,
                        revision=self._board.revision,
                        before=decision.current,
                        after=decision.desired,
                        reason=decision.reason.value,
                        text=why(decision),
                        decision=decision,
                    )
                )
        return records

    def _again(self, decision: Decision) -> bool:
        """True where the same was decided before and came to nothing: that is on record already."""
        entry = self._board.entries.get(decision.ref.key)
        before = entry.decision if entry is not None and entry.stuck is not None else None
        return before is not None and (before.current, before.desired) == (decision.current, decision.desired)

    def _policy(self, key: str) -> str:
        plan = self.plans.get(key)
        return plan.workload.policy.name if plan is not None else ""

    # memory across restarts

    def restore(self, facts: Sequence[Fact], *, clean: bool) -> None:
        """Take up the memories of a former process; after a kill they are not trusted to shrink yet."""
        for fact in facts:
            if fact.kind is FactKind.MEMORY and fact.key and fact.value is not None:
                memory = _decode(fact.value)
                self._saved[fact.key] = memory
                self.memories[fact.key] = memory if clean else remembering.after_kill(memory)

    def snapshot(self) -> list[Fact]:
        """The memories that changed since the last snapshot."""
        changed = {k: m for k, m in self.memories.items() if self._saved.get(k) is not m}
        self._saved.update(changed)
        return [Fact(FactKind.MEMORY, key, _encode(memory)) for key, memory in changed.items()]

    def forget(self, keys: set[str]) -> list[Fact]:
        """Drop workloads that no policy steers any more; they are left as they are."""
        for key in keys:
            self.memories.pop(key, None)
            self._saved.pop(key, None)
        self._observer.forget(keys)
        return [Fact(FactKind.MEMORY, key, None) for key in keys]

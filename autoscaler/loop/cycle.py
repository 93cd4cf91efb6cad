"""One turn of the loop over all due workloads: observe → decide → act → record."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from autoscaler.decide import lineage
from autoscaler.decide import memory as remembering
from autoscaler.decide.brake import Fleet
from autoscaler.decide.explain import sentence, why
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Plan
from autoscaler.decide.proof import known
from autoscaler.decide.room import shared
from autoscaler.decide.step import applied, step
from autoscaler.loop.act import Actor
from autoscaler.loop.board import Board
from autoscaler.loop.gate import urgency
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.lasting import Lasting
from autoscaler.loop.observe import Observer
from autoscaler.loop.orders import Orders
from autoscaler.loop.recollect import WORDS, Recollection, braked, plain, restored, told
from autoscaler.model.decision import SICK, STALE, Decision, Reason, Stage, Step
from autoscaler.model.observation import Seen
from autoscaler.model.operation import Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.target import TargetState
from autoscaler.ports import Clock, Fact, FactKind, Record, RecordKind

_FOREIGN = Reason.FOREIGN_COUNT  # looking it up takes longer than comparing it
SLICE = 500  # workloads decided before the event loop may breathe
SET_BACK_S = 1.0  # two beats are never this much out of order by themselves


class Cycle:
    """Holds the plans and their memories, and turns the wheel once when told."""

    def __init__(
        self, observer: Observer, actor: Actor, keeper: Keeper, board: Board, clock: Clock, *,
        orders: Orders | None = None,
    ) -> None:  # fmt: skip
        self.plans: dict[str, Plan] = {}
        self.memories: dict[str, Memory] = {}
        self.fleet = Fleet()
        self.fleet_resumed: float | None = None
        self._beats = 0
        self._at = 0.0
        self._observer = observer
        self._actor = actor
        self._keeper = keeper
        self._board = board
        self._clock = clock
        self._orders = orders or Orders()
        self._saved: dict[str, Memory] = {}
        self._lasting = Lasting()
        self._late: list[Record] = []
        actor.accepted = self._accepted
        actor.ended = self._ended

    async def run(
        self, keys: Iterable[str] | None, *, cycle_s: float, wake: bool = False, now: float | None = None
    ) -> list[Decision]:
        """Decide and act for these workloads (for None all that are due); returns the decisions.

        `now` is the time all of it happens at: the beat's own, however late it came, so that windows and rates that
        are multiples of the cycle mean what they say.
        """
        plans = self._due(cycle_s) if keys is None else [self.plans[key] for key in sorted(keys) if key in self.plans]
        now, term = self._clock.now() if now is None else now, self._actor.term
        self._follow(now)
        seen = await self._observer.look(plans, self._actor.underway, now, wake=wake)
        decisions: list[Decision] = []
        for start in range(0, len(plans), SLICE):
            part, looks = plans[start : start + SLICE], seen[start : start + SLICE]
            stepped = step(
                part,
                looks,
                self.memories,
                now,
                cycle_s=cycle_s,
                wake=wake,
                fleet=msgspec.structs.replace(self.fleet, size=len(self.plans)),
                fleet_resumed=self.fleet_resumed,
            )
            self.memories.update(stepped.memories)
            self.fleet = stepped.fleet
            decisions.extend(stepped.decisions)
            await asyncio.sleep(0)
        if term != self._actor.term or not self._keeper.ours():
            return []  # stopped for longer than the lease lasts: what was seen then is of no use now
        decisions = shared(decisions, seen)
        policies = [plan.workload.policy for plan in plans]
        orders = self._orders.following(decisions, seen, policies, now)
        operations = sorted([each for each in orders if not self._actor.underway.adopting(each)], key=urgency)
        # First: no change without its line, whoever dies now.
        await self._keeper.record(self._shown(plans, decisions, seen))
        spent = {each.ref.key for each in decisions if each.act and each.replace}
        budgets = [plain(key, self.memories[key]) for key in sorted(spent)]
        await self._actor.begin(operations, [braked(self.fleet), *budgets])
        return decisions

    def _follow(self, now: float) -> None:
        """Where the clock was set back, what is remembered must not lie in the future."""
        if now < self._at - SET_BACK_S:
            self.memories = {key: remembering.clamped(memory, now) for key, memory in self.memories.items()}
        self._at = now

    def _due(self, cycle_s: float) -> list[Plan]:
        """The plans that this beat decides, in the order of their keys; some policies ask for every nth beat only."""
        beat, self._beats = self._beats, self._beats + 1
        return [plan for plan in self.plans.values() if plan.every_s is None or beat % plan.stride(cycle_s) == 0]

    async def release(self, keys: Iterable[str]) -> None:
        """Give workloads that are steered no longer their minimum back, where an idle of ours left them below it."""
        idle = [
            plan
            for plan in (self.plans[key] for key in keys if key in self.plans)
            if self.memories.get(plan.key) is not None and self.memories[plan.key].idle is not None
        ]
        now = self._clock.now()
        for plan, look in zip(idle, await self._observer.look(idle, self._actor.underway, now, wake=True), strict=True):
            replicas, state = plan.workload.policy.replicas, look.state
            if replicas is None or not isinstance(state, TargetState) or (state.desired or 0) >= replicas.min:
                continue
            before, step = state.desired or 0, Step(Stage.BOUND, 0, replicas.min, Reason.RELEASED)
            line = Record(
                at=now,
                kind=RecordKind.DECISION,
                workload=plan.key,
                policy=plan.workload.policy.name,
                revision=self._board.revision,
                place=self._board.place(plan.key),
                before=before,
                after=replicas.min,
                reason=Reason.RELEASED.value,
                text=sentence(step),
            )
            await self._keeper.record([line])
            change = (before, replicas.min, Reason.RELEASED)
            await self._actor.begin([self._orders.count(state, *change, plan.workload.policy.lifecycle, now)])

    # what follows from decisions

    def _accepted(self, operation: Operation, count: int) -> None:
        key = operation.ref.key
        plan, memory = self.plans.get(key), self.memories.get(key)
        if plan is not None and memory is not None and count != operation.before:
            self.memories[key] = applied(
                plan, memory, before=operation.before, count=count, now=operation.started, reason=operation.reason
            )

    def _ended(self, outcome: Outcome) -> None:
        operation = outcome.operation
        key = operation.ref.key
        memory = self.memories.get(key)
        if memory is not None and operation.kind is OperationKind.REPLACE:
            self.memories[key] = _fared(memory, outcome)
        elif memory is not None and operation.kind is OperationKind.CREATE and _not_had(outcome):
            self.memories[key] = remembering.uncertain(memory)
        elif memory is not None and operation.kind is OperationKind.SCALE and outcome.kind is OutcomeKind.CONFLICT:
            self.memories[key] = remembering.conflicted(memory, outcome.at)
        if not self._board.count_outcome(outcome):
            return
        self._late.append(
            Record(
                at=outcome.at,
                kind=RecordKind.OUTCOME,
                workload=key,
                policy=self._policy(key),
                revision=self._board.revision,
                place=self._board.place(key),
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

    def _shown(self, plans: Sequence[Plan], decisions: Sequence[Decision], seen: Sequence[Seen]) -> list[Record]:
        """Put the decisions on the board; the records of those whose count or reason changed."""
        records: list[Record] = []
        board, under = self._board, self._actor.underway
        for plan, decision, look in zip(plans, decisions, seen, strict=True):
            key = plan.key
            acts = decision.replace or (decision.changes and decision.act)
            news = acts and not self._again(key, decision)
            changed = board.show(decision, look.state, under.of(key), key)
            entry, memory = board.entries.get(key), self.memories[key]
            if entry is not None:
                entry.lead_s, entry.known = memory.lead_s, known(memory)
            foreign = [each for each in decision.steps if each.reason is _FOREIGN]
            if changed or foreign or news:
                records.append(
                    Record(
                        at=decision.at,
                        kind=RecordKind.DECISION,
                        workload=key,
                        policy=decision.policy,
                        revision=self._board.revision,
                        place=self._board.place(key),
                        before=decision.current,
                        after=decision.desired,
                        reason=decision.reason.value,
                        text=_text(decision),
                        decision=decision,
                    )
                )
        return records

    def _again(self, key: str, decision: Decision) -> bool:
        """True where the same was decided before and came to nothing: that is on record already."""
        entry = self._board.entries.get(key)
        before = entry.decision if entry is not None and entry.stuck is not None else None
        return before is not None and (before.current, before.desired) == (decision.current, decision.desired)

    def _policy(self, key: str) -> str:
        plan = self.plans.get(key)
        return plan.workload.policy.name if plan is not None else ""

    # memory across restarts

    def restore(self, facts: Sequence[Fact], *, clean: bool) -> None:
        """Take up the memories of a former process; after a kill (not `clean`) they are not trusted to shrink yet."""
        before = restored(facts, self._clock.now(), clean=clean)
        self.memories, self._saved, self.fleet = before.memories, before.kept, before.fleet

    def reset(self) -> None:
        """Forget every memory, before those of another process are taken up."""
        self.memories.clear()
        self._saved.clear()
        self._lasting = Lasting()
        self.fleet = Fleet()

    def snapshot(self, *, last: bool = False) -> list[Fact]:
        """The memories that changed, the fleet's, and now and then (always as the `last`) what was learned."""
        changed = {k: m for k, m in self.memories.items() if self._saved.get(k) is not m}
        self._saved.update(changed)
        kept = [plain(key, memory) for key, memory in changed.items()]
        learned = self._lasting.due(self.memories, self._clock.now(), last=last)
        return [*kept, *learned, braked(self.fleet)]

    def steering(self) -> dict[str, str]:
        """The policy that steers each workload, where that is not in dispute."""
        return {key: plan.workload.policy.name for key, plan in self.plans.items() if not plan.claimed_by}

    async def recollect(self) -> Recollection:
        """All that the next cycle goes on from. Raises StoreError."""
        now, steering, doing = self._clock.now(), self.steering(), self._actor.told()
        memories = await told(self.memories, self.fleet)
        said = [each for each in await self._keeper.store.facts() if each.kind in WORDS]
        return Recollection(at=now, facts=(*memories, *doing, *said), running=True, steering=steering)

    def forget(self, keys: set[str]) -> list[Fact]:
        """Drop workloads that no policy steers any more; they are left as they are."""
        for key in keys:
            self.memories.pop(key, None)
            self._saved.pop(key, None)
            self._lasting.kept.pop(key, None)
        self._observer.forget(keys)
        return [
            Fact(kind, key, None)
            for kind in (FactKind.MEMORY, FactKind.LEARNED, FactKind.INTENT)
            for key in sorted(keys)
        ]


def _fared(memory: Memory, outcome: Outcome) -> Memory:
    """The memory once a replacement has ended, well or not. One that nobody needed, or had time for, was none."""
    known, place = memory.recycling, outcome.operation.lineage
    if outcome.kind in (OutcomeKind.CONFLICT, OutcomeKind.DEFERRED):
        after = lineage.taken_back(known, place)
    else:
        after = lineage.ended(known, place, outcome.at, failed=outcome.kind is not OutcomeKind.APPLIED)
    return msgspec.structs.replace(memory, recycling=after)


def _not_had(outcome: Outcome) -> bool:
    """True where we did not get an instance. One that we got, and that somebody else took away, is his doing."""
    taken = outcome.kind is OutcomeKind.GONE and "new" in outcome.operation.facts
    return outcome.kind is not OutcomeKind.APPLIED and not taken


def _text(decision: Decision) -> str:
    """Why the count is what it is, and which instance gets a successor."""
    due = [sentence(each) for each in decision.steps if each.reason in SICK | STALE]
    return "; ".join([why(decision), *due])

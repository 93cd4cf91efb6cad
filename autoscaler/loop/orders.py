"""What follows from decisions: operations, with all that the platform's side needs to know."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import TypedDict

from autoscaler.model.decision import SICK, Decision, Reason, Replacement
from autoscaler.model.observation import Seen
from autoscaler.model.operation import Operation, OperationKind
from autoscaler.model.policy import How, Lifecycle, Method, Policy, Recycle
from autoscaler.model.target import TargetState, WorkloadRef

SCALE_S = 60.0  # a count not taken on by then has failed
_ADOPTING = Reason.ADOPTING  # looking it up takes longer than all that is done for a decision with nothing to do
_UNREADY = (Reason.UNHEALTHY, Reason.NEVER_READY, Reason.EXITED)  # ready again, they need no successor
MARGIN_S = 60.0  # what calls may take beside the spans of the policy


def new_id() -> str:
    """A name for an operation that no process has given before."""
    return uuid.uuid4().hex[:12]


class Orders:
    """Makes operations. `name` gives each its own name, whichever process makes it."""

    def __init__(self, name: Callable[[], str] = new_id) -> None:
        self._name = name

    def following(
        self, decisions: Sequence[Decision], seen: Sequence[Seen], policies: Sequence[Policy], now: float
    ) -> list[Operation]:
        """The operations that carry out these decisions, made from these looks by these policies."""
        found: list[Operation] = []
        for decision, look, policy in zip(decisions, seen, policies, strict=True):
            if not decision.act or not isinstance(look.state, TargetState):
                continue
            if decision.changes:
                change = (decision.current, decision.desired, decision.reason)
                found.append(self.count(look.state, *change, policy.lifecycle, now))
            if decision.reason is _ADOPTING:
                found.append(self.adoption(decision.ref, now))
            for each in decision.replace:
                found.append(self.replacement(decision.ref, each, policy, now))  # noqa: PERF401 (mostly there is none)
        return found

    def count(
        self, state: TargetState, before: int, count: int, reason: Reason, lifecycle: Lifecycle, now: float
    ) -> Operation:
        """A new count."""
        return Operation(
            id=self._name(),
            kind=OperationKind.SCALE,
            ref=state.ref,
            started=now,
            deadline=now + SCALE_S,
            before=before,
            count=count,
            sick=tuple(each.id for each in state.instances if not each.ready),
            reason=reason.value,
            version=state.version,
            **_spans(lifecycle),
        )

    def adoption(self, ref: WorkloadRef, now: float) -> Operation:
        """Another autoscaler of a workload put away."""
        return Operation(
            id=self._name(),
            kind=OperationKind.ADOPT,
            ref=ref,
            started=now,
            deadline=now + SCALE_S,
            reason=Reason.ADOPTING.value,
        )

    def replacement(self, ref: WorkloadRef, due: Replacement, policy: Policy, now: float) -> Operation:
        """A new instance in the place of one that is due."""
        lifecycle, recycle = policy.lifecycle, policy.recycle
        lasts = lifecycle.ready_within + lifecycle.drain + (lifecycle.stop_within or MARGIN_S) + MARGIN_S
        return Operation(
            id=self._name(),
            kind=OperationKind.REPLACE,
            ref=ref,
            started=now,
            deadline=now + lasts,
            instance=due.instance,
            reason=due.reason.value,
            unless_ready=due.reason in _UNREADY,
            surge=recycle is not None and recycle.how is How.SURGE,
            method=_method(recycle, due.reason).value,
            lineage=due.lineage,
            **_spans(lifecycle),
        )


def _method(recycle: Recycle | None, reason: Reason) -> Method:
    """How this one goes: a rollout is for the old and the changed, a sick pod alone is evicted."""
    method = recycle.method if recycle is not None else Method.EVICT
    return Method.EVICT if method is Method.RESTART and reason in SICK else method


class _Spans(TypedDict):
    ready_within_s: float
    before_stop: str
    drain_s: float
    stop_within_s: float | None


def _spans(lifecycle: Lifecycle) -> _Spans:
    return {
        "ready_within_s": lifecycle.ready_within,
        "before_stop": lifecycle.before_stop.http if lifecycle.before_stop is not None else "",
        "drain_s": lifecycle.drain,
        "stop_within_s": lifecycle.stop_within,
    }

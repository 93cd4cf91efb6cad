"""Which instances are due for replacement, and what holds them back."""

from __future__ import annotations

from autoscaler.decide.memory import Memory
from autoscaler.model.decision import Reason, Replacement, Stage, Step
from autoscaler.model.observation import Seen, Workload
from autoscaler.model.target import Instance, TargetState

BACKOFF_FIRST_S = 10.0  # after the first replacement that never became ready; doubles
BACKOFF_MOST_S = 300.0


def sick(state: TargetState, unhealthy_for_s: float, now: float) -> list[Instance]:
    """Instances that were ready once and have not been for `unhealthy_for_s`, the longest sick first."""
    due = [
        each
        for each in state.instances
        if not each.ready and each.was_ready and not each.draining and now - each.since >= unhealthy_for_s
    ]
    return sorted(due, key=lambda each: (each.since, each.name))


def backoff_s(failures: int) -> float:
    """Seconds to wait after so many failed replacements in a row: 10, 20, 40 … at most 300.

    >>> [backoff_s(n) for n in (0, 1, 2, 3, 9)]
    [0.0, 10.0, 20.0, 40.0, 300.0]
    """
    return min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2.0 ** (failures - 1)) if failures else 0.0


def replacements(
    workload: Workload, seen: Seen, memory: Memory, *, desired: int, now: float
) -> tuple[tuple[Replacement, ...], tuple[Step, ...]]:
    """At most one instance to replace now, with the step that says so or says what it waits for.

    One at a time per workload; never while it shrinks or rolls out; longer and longer pauses after failures.
    """
    recycle = workload.policy.recycle
    unhealthy_for = recycle.when.unhealthy_for if recycle is not None else None
    state = seen.state
    if unhealthy_for is None or not isinstance(state, TargetState) or state.off_by_owner:
        return (), ()
    due = [each for each in sick(state, unhealthy_for, now) if each.id not in seen.replacing]
    if not due:
        return (), ()
    first = due[0]
    facts: dict[str, str | int | float | bool | None] = {
        "instance": first.name,
        "for_s": round(now - first.since, 1),
        "sick": len(due),
        "limit_s": unhealthy_for,
    }

    def waits(reason: Reason, **more: str | float) -> tuple[tuple[Replacement, ...], tuple[Step, ...]]:
        return (), (Step(Stage.RECYCLE, desired, desired, reason, {**facts, **more}),)

    if seen.replacing:
        return waits(Reason.RECYCLE_BUDGET)
    current = state.desired if state.desired is not None else state.existing
    if desired < current or seen.removing:
        return waits(Reason.RECYCLE_WAITS, on="shrinking")
    if state.rollout:
        return waits(Reason.RECYCLE_WAITS, on="a rollout")
    rest = memory.recycle_failed_at + backoff_s(memory.recycle_failures) - now
    if memory.recycle_failures and rest > 0:
        return waits(Reason.RECYCLE_BACKOFF, failures=memory.recycle_failures, rest_s=round(rest, 1))
    chosen = Replacement(first.id, first.name, Reason.UNHEALTHY, now - first.since)
    return (chosen,), (Step(Stage.RECYCLE, desired, desired, Reason.UNHEALTHY, facts),)

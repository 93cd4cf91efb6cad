"""`compare:`: what the other algorithm would have, by the same decisions from the same readings; it never acts.

The shadow begins as if the policy had been switched to it, and then goes on from its own counts: all of those serve, as
soon as raises of this workload do. Where a signal's value depends on the count (`value`, `utilization`) it is judged
from the real one each time, as nobody knows what would have been measured with another.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from autoscaler.decide import hpa
from autoscaler.decide.memory import Applied, Memory, Shadow, ordered
from autoscaler.decide.plan import Plan
from autoscaler.model.decision import Beside, Decision, Reason
from autoscaler.model.observation import Seen
from autoscaler.model.target import TargetState

Decide = Callable[[Plan, Seen, Memory], tuple[Decision, Memory]]

ADDS_UP = ("per_replica", "steps", "wake_above", "told")  # goals of loads that are the same whatever runs

# Somebody's word or a state that tells nothing settled it: there the two would not differ.
_NOT_BY_POLICY = (
    Reason.PAUSED, Reason.OVERRIDE, Reason.HELD_ZERO_BY_OWNER, Reason.STALE_STATE, Reason.STATE_MISSING,
    Reason.NO_SIGNALS,
)  # fmt: skip


def beside(
    plan: Plan, look: Seen, made: Decision, memory: Memory, decide: Decide, now: float
) -> tuple[Decision, Memory]:
    """The decision with what the other algorithm would have, and the memory with where that one stands now."""
    other, state = plan.beside, look.state
    if other is None or not isinstance(state, TargetState) or made.reason in _NOT_BY_POLICY:
        return made, memory if memory.shadow is None else msgspec.structs.replace(memory, shadow=None)
    own = all(goal.kind in ADDS_UP for goal in other.goals)
    before = memory.shadow or Shadow(made.current, msgspec.structs.replace(memory, shadow=None))
    count = before.count if own else made.current
    alike = {
        "learned": memory.learned if other.adaptive else {},
        "carries": memory.carries if other.adaptive else {},
        "lead_s": memory.lead_s,
        "covered": memory.covered,
    }
    past = msgspec.structs.replace(before.memory, **alike)
    if own:
        state = msgspec.structs.replace(
            state, desired=count, existing=count, ready=count, instances=(), rollout=False, off_by_owner=False
        )
    else:  # what happened to the count was not its doing, and nobody else's either
        past = msgspec.structs.replace(past, known=None, applied=None, raised=None, stands=None, conflicts=())
    then, after = decide(other, Seen(state, look.readings, look.vouchers), past)
    if own and then.changes:
        after = _had(other, after, then, now)
    shadow = Shadow(then.desired, msgspec.structs.replace(after, learned={}, shadow=None))
    told = Beside(other.workload.policy.algorithm.value, count, then.desired, then.reason, then.steps)
    return msgspec.structs.replace(made, beside=told), msgspec.structs.replace(memory, shadow=shadow)


def _had(plan: Plan, memory: Memory, made: Decision, now: float) -> Memory:
    """The memory as if the order had been carried out, and be ready after the time that raises take here."""
    history = hpa.record(memory.history, plan.behavior, made.current, made.desired, now)
    order = Applied(made.current, made.desired, now, now + memory.lead)
    return ordered(memory, order, history, idle=made.reason is Reason.IDLE, reversals=0)

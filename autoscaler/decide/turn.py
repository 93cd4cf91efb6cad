"""One workload's way through the stages of one decision: the count on its way, and what happened to it."""

from __future__ import annotations

from typing import Any

import msgspec

from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Plan
from autoscaler.model.decision import Fact, Reason, Stage, Step
from autoscaler.model.observation import Seen
from autoscaler.model.policy import Policy
from autoscaler.model.target import TargetState

LONGEST_GAP_S = 60.0
_NO_SIGNALS = Reason.NO_SIGNALS  # looking it up takes longer than all the rest of a beginning


def counted(state: TargetState) -> int:
    """The count decided from: what the platform was asked for last, else what exists."""
    return state.existing if state.desired is None else state.desired


class Turn:
    """What the stages hand on to one another.

    `current` is the count decided from, `count` the one on its way, `reason` the code of the step that settled it.
    `low` and `high` are the bounds in force, `missing` the voting signals without data, `by_load` says that a shrink
    comes from signals or idle and not from the owner's words. `cycle_s` is the time between this workload's decisions,
    `behavior` how fast the count may change now.
    """

    __slots__ = (
        "behavior", "by_load", "count", "current", "cycle_s", "high", "low", "memory", "missing", "now", "plan",
        "policy", "reason", "seen", "state", "steps",
    )  # fmt: skip

    def __init__(self, plan: Plan, seen: Seen, state: TargetState, memory: Memory, now: float, cycle_s: float) -> None:
        self.plan = plan
        self.policy: Policy = plan.workload.policy
        self.seen = seen
        self.state = state
        self.memory = memory
        self.now = now
        self.cycle_s = cycle_s
        self.current = self.count = counted(state)
        self.low, self.high = 0, self.current
        self.reason = _NO_SIGNALS
        self.steps: list[Step] = []
        self.missing: tuple[str, ...] = ()
        self.behavior = plan.behavior
        self.by_load = False

    @property
    def gap_s(self) -> float:
        """What was seen longer ago than this, in seconds, is not the past of what is seen now."""
        three = 3 * self.cycle_s
        return three if three > LONGEST_GAP_S else LONGEST_GAP_S

    def move(self, count: int, reason: Reason, stage: Stage, **facts: Fact) -> None:
        """The count goes on as this one, and this is why."""
        self.steps.append(Step(stage, self.count, count, reason, facts))
        self.count, self.reason = count, reason

    def hold(self, reason: Reason, stage: Stage, **facts: Fact) -> None:
        """The current count stays, and this is why."""
        self.move(self.current, reason, stage, **facts)

    def note(self, reason: Reason, stage: Stage, **facts: Fact) -> None:
        """Something worth saying that does not settle the count."""
        self.steps.append(Step(stage, self.count, self.count, reason, facts))

    def remember(self, **changes: Any) -> None:
        """Replace fields of the memory."""
        self.memory = msgspec.structs.replace(self.memory, **changes)

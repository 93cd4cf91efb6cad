"""Which changes and refusals are told on a workload itself, and in which words. Pure."""

from __future__ import annotations

import msgspec

from autoscaler.model.decision import Decision, Reason
from autoscaler.model.operation import Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.target import WorkloadRef

NORMAL = "Normal"
WARNING = "Warning"
HELD = frozenset({  # refusals to act that somebody should see to
    Reason.OTHER_AUTOSCALER, Reason.PAUSE_UNREADABLE, Reason.CONTESTED, Reason.CLAIMED_TWICE, Reason.FLEET_BRAKE,
    Reason.CAPPED_AT_QUOTA,
})  # fmt: skip
_WORSE = {OutcomeKind.CONFLICT: "Conflict", OutcomeKind.REFUSED: "Refused", OutcomeKind.FAILED: "Failed"}


class Tiding(msgspec.Struct, frozen=True):
    """What an Event says, in the words of events.k8s.io; `at` is when it happened, seconds since the epoch."""

    ref: WorkloadRef
    type: str
    action: str
    reason: str
    note: str
    at: float


def of_outcome(outcome: Outcome, because: str) -> Tiding | None:
    """What came of an operation; `because` is why the workload's count was to change. None where nobody need know."""
    operation = outcome.operation
    if outcome.kind is OutcomeKind.APPLIED:
        return Tiding(operation.ref, NORMAL, *_done(operation, outcome, because), outcome.at)
    if outcome.kind not in _WORSE or (operation.kind, outcome.kind) == (OperationKind.REPLACE, OutcomeKind.CONFLICT):
        return None
    action = operation.kind.value.capitalize()
    tried = f"{operation.before} → {operation.count}: " if operation.kind is OperationKind.SCALE else ""
    return Tiding(operation.ref, WARNING, action, f"{action}{_WORSE[outcome.kind]}", tried + outcome.detail, outcome.at)


def _done(operation: Operation, outcome: Outcome, because: str) -> tuple[str, str, str]:
    if operation.kind is not OperationKind.SCALE:
        adopted = operation.kind is OperationKind.ADOPT
        action, reason = ("Adopt", "Adopted") if adopted else ("Replace", "Replaced")
        return action, reason, f"{outcome.detail} ({operation.reason})"
    reason = "ScaledUp" if operation.count > operation.before else "ScaledDown"
    return "Scale", reason, f"{operation.before} → {operation.count}: {because or operation.reason}"


def of_decision(decision: Decision, text: str) -> Tiding | None:
    """A refusal to act; None where the decision is none that anybody need see to.

    >>> _camel("other_autoscaler")
    'OtherAutoscaler'
    """
    if not decision.act or decision.reason not in HELD:
        return None
    return Tiding(decision.ref, WARNING, "Hold", _camel(decision.reason.value), text, decision.at)


def _camel(code: str) -> str:
    return "".join(word.capitalize() for word in code.split("_"))

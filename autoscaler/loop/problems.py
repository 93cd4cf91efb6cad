"""What needs a person, as the board shows it: the dashboard and notifications go by the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from autoscaler.errors import parted
from autoscaler.loop.board import Board, Entry
from autoscaler.model.decision import Decision, Reason
from autoscaler.model.notice import Kind, Problem
from autoscaler.model.signal import Missing

WEIGHTS = {Kind.STATE_MISSING: 5, Kind.STUCK: 4, Kind.DATA_MISSING: 2, Kind.NEVER_READY: 2}  # the others: 3
FLAPS = 3  # so often may the lease not be lost within
FLAPS_S = 600.0

WAITS = {  # these reasons wait for a person
    Reason.CONTESTED: Kind.CONTESTED,
    Reason.CLAIMED_TWICE: Kind.CONTESTED,
    Reason.FLEET_BRAKE: Kind.FLEET_BRAKE,
    Reason.OTHER_AUTOSCALER: Kind.CONTESTED,
    Reason.PAUSE_UNREADABLE: Kind.PAUSE_UNREADABLE,
    Reason.CAPPED_AT_QUOTA: Kind.CAPPED_AT_QUOTA,
}
SICK = {
    Reason.RECYCLE_GIVEN_UP: (Kind.GIVEN_UP, "replacements did not last, given up"),
    Reason.RECYCLE_BREAKER: (Kind.BREAKER_OPEN, "too many are sick at once, one is replaced first"),
    Reason.RECYCLE_BACKOFF: (Kind.NEVER_READY, "replacements never become ready"),
}
TELLING = frozenset({Reason.CAPPED_AT_MAXIMUM, *WAITS, *SICK})


def weight(kind: Kind) -> int:
    """How much a person is needed."""
    return WEIGHTS.get(kind, 3)


def of_workload(entry: Entry) -> Iterator[tuple[Kind, str]]:
    """Everything about a workload that needs a person, in a few words each."""
    if isinstance(entry.state, Missing):
        yield Kind.STATE_MISSING, "its state is not known, nothing is done"
        return
    stuck = entry.stuck
    if stuck is not None:
        yield Kind.STUCK, f"{stuck.operation.kind.value} {stuck.kind.value}"
    decision = entry.decision
    if decision is not None:
        yield from _of_decision(entry, decision)


def _of_decision(entry: Entry, decision: Decision) -> Iterator[tuple[Kind, str]]:
    reasons = {step.reason: step for step in decision.steps if step.reason in TELLING}
    capped, replicas = reasons.get(Reason.CAPPED_AT_MAXIMUM), entry.workload.policy.replicas
    if capped is not None and replicas is not None and decision.desired >= replicas.max:
        yield Kind.SHORT_AT_MAX, f"short at max {capped.after}, asks for {capped.before}"
    for reason, kind in WAITS.items() if reasons else ():
        if reason in reasons:
            yield kind, reason.value.replace("_", " ")
    silent = [name for name, reading in decision.readings if isinstance(reading, Missing)]
    if silent:
        yield Kind.DATA_MISSING, f"no data for {', '.join(silent)}"
    for reason, (kind, text) in SICK.items() if reasons else ():
        if reason in reasons:
            yield kind, text


def told(entry: Entry) -> Iterator[Problem]:
    """The same as problems that somebody may be notified of; what the fleet's brake holds is one of the fleet's."""
    policy = entry.workload.policy
    for kind, text in of_workload(entry):
        if kind is not Kind.FLEET_BRAKE:
            detail = f": {entry.stuck.detail}" if kind is Kind.STUCK and entry.stuck and entry.stuck.detail else ""
            yield Problem(
                kind=kind, text=text + detail, workload=entry.workload.ref.key, policy=policy.name, labels=policy.labels
            )


def braked(entry: Entry) -> bool:
    """Whether the fleet's brake holds it."""
    return entry.decision is not None and any(step.reason is Reason.FLEET_BRAKE for step in entry.decision.steps)


def of_daemon(board: Board, *, held: int, losses: int, store: str) -> Iterator[Problem]:
    """What is the daemon's own: `held` workloads that its brake holds, `losses` of the lease lately, and what its store
    says where it fails.
    """
    if held:
        text = f"too many want to shrink at once: {held} held; look at the data, then `autoscaler resume fleet`"
        yield Problem(kind=Kind.FLEET_BRAKE, text=text)
    if board.rejected_revision:
        first = parted(board.problems[0])[0] if board.problems else "it does not load"
        more = f" and {len(board.problems) - 1} more" if len(board.problems) > 1 else ""
        text = f"a newer policy set is rejected, the last good one stays: {first}{more}"
        yield Problem(kind=Kind.POLICIES_REJECTED, text=text)
    if losses >= FLAPS:
        text = f"the lease was lost {losses} times within {FLAPS_S / 60:.0f} minutes"
        yield Problem(kind=Kind.LEADER_FLAPPING, text=text)
    if store:
        yield Problem(kind=Kind.STORE_FAILING, text=store)


def first(entry: Entry) -> tuple[int, str]:
    """How much a person is needed for a workload (0: not), and why in a few words."""
    found = [(weight(kind), text) for kind, text in of_workload(entry)]
    return max(found, key=lambda each: each[0], default=(0, ""))


def counted(board: Board) -> Counter[str]:
    """How many workloads have a problem, by its kind."""
    return Counter(kind.value for entry in board.entries.values() for kind, _ in of_workload(entry))

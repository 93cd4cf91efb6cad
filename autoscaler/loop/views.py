"""The board and the store's records, turned into answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoscaler import __version__
from autoscaler.decide.explain import explain, why
from autoscaler.decide.proof import Known, told
from autoscaler.loop.answers import (
    Compared,
    CycleStatus,
    Doing,
    Explanation,
    FaultLine,
    History,
    Line,
    LoadKnown,
    PolicyStatus,
    Status,
    WorkloadDetail,
    WorkloadStatus,
)
from autoscaler.loop.board import Board, Entry
from autoscaler.model.decision import Beside, Decision
from autoscaler.model.observation import Override, Pause
from autoscaler.model.operation import Operation, OperationKind
from autoscaler.model.signal import Missing
from autoscaler.model.target import TargetState
from autoscaler.ports import Record


def status(
    board: Board, now: float, *, pauses: Mapping[str, Pause], overrides: Mapping[str, Override], fleet: str, store: str
) -> Status:
    """Everything at a glance, as of `now`."""
    everywhere = pauses.get(fleet)
    return Status(
        at=now,
        started=board.started,
        build=__version__,
        cycle=CycleStatus(
            every_s=board.cycle_s,
            count=board.cycles,
            at=board.cycle_at,
            duration_s=board.durations.last,
            lateness_s=board.latenesses.last,
        ),
        policies=PolicyStatus(revision=board.revision, rejected=board.rejected_revision, problems=board.problems),
        workloads=tuple(
            line(entry, everywhere or pauses.get(key), overrides.get(key))
            for key, entry in sorted(board.entries.items())
        ),
        pause=everywhere,
        faults=tuple(FaultLine(fault.at, fault.sentence) for fault in reversed(board.faults)),
        store=store,
    )


def line(entry: Entry, pause: Pause | None, override: Override | None) -> WorkloadStatus:
    """One workload in one line."""
    policy, decision, state = entry.workload.policy, entry.decision, entry.state
    seen = state if isinstance(state, TargetState) else None
    known = decision is not None and seen is not None
    return WorkloadStatus(
        key=entry.workload.ref.key,
        policy=policy.name,
        file=entry.file,
        line=entry.line,
        mode=policy.mode.value,
        min=policy.replicas.min if policy.replicas else None,
        max=policy.replicas.max if policy.replicas else None,
        at=decision.at if decision else None,
        current=decision.current if decision and known else None,
        desired=decision.desired if decision and known else None,
        existing=seen.existing if seen else None,
        ready=seen.ready if seen else None,
        reason=decision.reason.value if decision else "",
        because=why(decision) if decision else "",
        since=entry.since if decision else None,
        changed=entry.change.at if entry.change else None,
        missing=tuple(name for name, reading in decision.readings if isinstance(reading, Missing)) if decision else (),
        trouble=_trouble(entry),
        lead_s=entry.lead_s,
        pause=pause,
        override=override,
        doing=tuple(map(doing, entry.operations)),
        learned=tuple(map(load_known, entry.known)),
        history=entry.history,
        compared=_compared(decision.beside) if decision is not None and decision.beside is not None else None,
    )


def _compared(other: Beside) -> Compared:
    return Compared(algorithm=other.algorithm, current=other.current, desired=other.desired, reason=other.reason.value)


def load_known(each: Known) -> LoadKnown:
    """What is known of a load, with its words."""
    return LoadKnown(
        signal=each.signal,
        known_s=each.seconds,
        taught_s=each.taught_s,
        rest_s=each.rest_s,
        coverage=each.coverage,
        error=each.error,
        text=told(each),
    )


def lines_known(entry: Entry) -> tuple[str, ...]:
    """A sentence for each load that is learned, and one for the reading of history while it is under way."""
    return (*map(told, entry.known), *([entry.history] if entry.history else ()))


def _trouble(entry: Entry) -> str:
    """Why the state is not known, else why the last operation came to nothing; empty where all is well."""
    if isinstance(entry.state, Missing):
        return f"{entry.state.why.value}: {entry.state.detail}"
    ended = entry.stuck
    return f"{ended.operation.kind.value} {ended.kind.value}: {ended.detail}" if ended is not None else ""


def detail(entry: Entry, pause: Pause | None, override: Override | None) -> WorkloadDetail:
    """One workload with its instances and steps."""
    return WorkloadDetail(
        workload=line(entry, pause, override),
        instances=entry.state.instances if isinstance(entry.state, TargetState) else (),
        lines=(*(explain(entry.decision) if entry.decision else ()), *lines_known(entry)),
    )


def doing(operation: Operation) -> Doing:
    """An operation under way."""
    return Doing(
        id=operation.id,
        kind=operation.kind.value,
        stage=operation.stage,
        started=operation.started,
        deadline=operation.deadline,
        count=operation.count if operation.kind is OperationKind.SCALE else None,
        instance=operation.instance,
    )


def explanation(decision: Decision, *, since_change: bool = False, note: str = "") -> Explanation:
    """A decision in words."""
    return Explanation(
        key=decision.ref.key,
        decided=decision.at,
        lines=tuple(explain(decision)),
        decision=decision,
        since_change=since_change,
        note=note,
    )


def history(records: Sequence[Record]) -> History:
    """Records as lines, in the same order."""
    return History(
        lines=tuple(
            Line(
                at=record.at,
                kind=record.kind.value,
                workload=record.workload,
                policy=record.policy,
                revision=record.revision,
                before=record.before,
                after=record.after,
                reason=record.reason,
                text=record.text,
                by=record.by,
            )
            for record in records
        )
    )

"""The board and the store's records, turned into answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from autoscaler import __version__
from autoscaler.decide.calendar import spans
from autoscaler.decide.explain import asked_for, explain, sentence, why
from autoscaler.decide.proof import Known, told
from autoscaler.loop.answers import (
    CleanupStatus,
    Compared,
    CycleStatus,
    Doing,
    Explanation,
    FaultLine,
    Head,
    History,
    Line,
    LoadKnown,
    PolicyStatus,
    RecycleStatus,
    Status,
    StepLine,
    WindowStatus,
    WorkloadDetail,
    WorkloadStatus,
)
from autoscaler.loop.board import Board, Cleaned, Entry
from autoscaler.loop.cleaner import key_of
from autoscaler.loop.cleaner import told as swept
from autoscaler.loop.signal_views import signals
from autoscaler.model.decision import Beside, Decision, Stage
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
    lines = [
        line(each, everywhere or pauses.get(key), overrides.get(key)) for key, each in sorted(board.entries.items())
    ]
    return Status(
        **msgspec.structs.asdict(head(board, now, pause=everywhere, store=store)),
        workloads=tuple(lines),
        cleanups=tuple(cleanup(board.cleanups[name]) for name in sorted(board.cleanups)),
    )


def head(board: Board, now: float, *, pause: Pause | None, store: str) -> Head:
    """The daemon itself, as of `now`."""
    return Head(
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
        policies=PolicyStatus(
            revision=board.revision,
            rejected=board.rejected_revision,
            problems=board.problems,
            origin=board.origin,
        ),
        pause=pause,
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


def cleanup(entry: Cleaned) -> CleanupStatus:
    """One clean-up at a glance."""
    gone = [each for each in entry.freed if not each.trouble]
    return CleanupStatus(
        key=key_of(entry.cleanup),
        policy=entry.cleanup.name,
        file=entry.file,
        line=entry.line,
        mode=entry.cleanup.mode.value,
        project=entry.cleanup.project,
        next=entry.next,
        at=entry.at,
        removed=len(gone),
        freed_bytes=sum(each.size for each in gone),
        held=len(entry.sweep.stays),
        trouble=entry.trouble,
        lines=tuple(swept(entry)),
    )


def _trouble(entry: Entry) -> str:
    """Why the state is not known, else why the last operation came to nothing; empty where all is well."""
    if isinstance(entry.state, Missing):
        return f"{entry.state.why.value}: {entry.state.detail}"
    ended = entry.stuck
    return f"{ended.operation.kind.value} {ended.kind.value}: {ended.detail}" if ended is not None else ""


def detail(entry: Entry, pause: Pause | None, override: Override | None, now: float) -> WorkloadDetail:
    """One workload with its instances, signals and steps."""
    decision = entry.decision
    return WorkloadDetail(
        workload=line(entry, pause, override),
        instances=entry.state.instances if isinstance(entry.state, TargetState) else (),
        lines=(*(explain(decision) if decision else ()), *lines_known(entry)),
        steps=steps(decision) if decision else (),
        signals=signals(entry),
        windows=tuple(windows(entry, now, now)),
        recycle=_recycle(entry),
        algorithm=entry.workload.policy.algorithm.value,
        asked=asked_for(decision) if decision else None,
    )


def steps(decision: Decision) -> tuple[StepLine, ...]:
    """The chain of a decision, one line per step."""
    return tuple(
        StepLine(
            stage=each.stage.value,
            before=each.before,
            after=each.after,
            reason=each.reason.value,
            sentence=sentence(each),
        )
        for each in decision.steps
    )


def windows(entry: Entry, since: float, until: float) -> Iterator[WindowStatus]:
    """The openings of a workload's schedule that are open at any moment between two times."""
    for window in entry.workload.policy.schedule:
        for start, end in spans(window, since - window.lasts, until):
            if end > since:
                yield WindowStatus(
                    workload=entry.workload.ref.key,
                    policy=entry.workload.policy.name,
                    name=window.name,
                    start=start,
                    end=end,
                    min=window.min,
                    max=window.max,
                )


def _recycle(entry: Entry) -> RecycleStatus | None:
    recycle = entry.workload.policy.recycle
    if recycle is None:
        return None
    steps_ = [each for each in (entry.decision.steps if entry.decision else ()) if each.stage is Stage.RECYCLE]
    instances = entry.state.instances if isinstance(entry.state, TargetState) else ()
    return RecycleStatus(
        unhealthy_for_s=recycle.when.unhealthy_for,
        sick=sum(each.sick for each in instances),
        replacing=sum(each.kind is OperationKind.REPLACE for each in entry.operations),
        sentence=sentence(steps_[-1]) if steps_ else "",
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
        steps=steps(decision),
        since_change=since_change,
        note=note,
    )


def explained(entry: Cleaned, now: float) -> Explanation:
    """A clean-up in words, as its last run left it."""
    at = now if entry.at is None else entry.at
    return Explanation(key=key_of(entry.cleanup), decided=at, lines=tuple(swept(entry)))


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
                place=record.place,
                repository=record.repository,
                before=record.before,
                after=record.after,
                reason=record.reason,
                text=record.text,
                by=record.by,
            )
            for record in records
        )
    )

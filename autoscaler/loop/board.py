"""The board: what the daemon knows right now. The loop writes it, people and metrics read it.

One mutable object on the loop's own thread; nothing on it outlives the process.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence

import msgspec

from autoscaler.decide.proof import Known
from autoscaler.loop.trail import Trail
from autoscaler.model.cleanup import Freed, Sweep
from autoscaler.model.commits import Origin
from autoscaler.model.decision import Decision, Reason, Stage
from autoscaler.model.observation import Workload
from autoscaler.model.operation import Operation, Outcome, OutcomeKind
from autoscaler.model.policy import Cleanup, PolicySet
from autoscaler.model.signal import Missing
from autoscaler.model.target import TargetState

FAULTS_KEPT = 50
RECENT = 10  # cycles whose decisions are remembered whole
SPANS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # bounds of what one cycle may take

_BAD_ENDS = (OutcomeKind.REFUSED, OutcomeKind.FAILED)

# Decisions of a wake repeat the readings of the cycle before: they are not counted as read twice.
_OF_WAKES = (Reason.AWAITING_CYCLE, Reason.LAST_WISH)
_AWAITING = Reason.AWAITING_CYCLE


class Entry(msgspec.Struct):
    """One workload as the last cycle left it.

    `since` is when the count or reason shown now came up; `change` the last decision that changed the count, `ended`
    how the last operation ended, and `lead_s` how long a raise took to become ready, once measured. `recent` are the
    decisions of the last cycles, the newest last; `by` is the policy set that `decision` was made by, and where in it.
    `known` is what is known of its loads, `history` how the reading of their past goes.
    """

    workload: Workload
    file: str = ""
    line: int = 0
    decision: Decision | None = None
    by: tuple[str, str] = ("", "")
    state: TargetState | Missing | None = None
    operations: tuple[Operation, ...] = ()
    since: float = 0.0
    change: Decision | None = None
    ended: Outcome | None = None
    lead_s: float | None = None
    recent: tuple[Decision, ...] = ()
    known: tuple[Known, ...] = ()
    history: str = ""

    @property
    def stuck(self) -> Outcome | None:
        """The last operation's end where it was a bad one: what is wanted is not being had."""
        return self.ended if self.ended is not None and self.ended.kind in _BAD_ENDS else None


class Cleaned(msgspec.Struct):
    """One clean-up as its last run left it: what it decided, what came of it, or why there was none (`trouble`).

    `next` is when it is due, `at` when it ran last.
    """

    cleanup: Cleanup
    file: str
    line: int
    next: float | None = None
    at: float | None = None
    sweep: Sweep = Sweep()
    freed: tuple[Freed, ...] = ()
    trouble: str = ""


class Fault(msgspec.Struct, frozen=True):
    """Something that went wrong and was survived."""

    at: float
    sentence: str


class Spread:
    """How spans in seconds are spread: `counts` per bound of SPANS_S and one for what is above the last."""

    def __init__(self) -> None:
        self.counts = [0] * (len(SPANS_S) + 1)
        self.sum = 0.0
        self.last = 0.0

    def add(self, seconds: float) -> None:
        """Count one span."""
        self.last = seconds
        self.sum += seconds
        self.counts[sum(bound < seconds for bound in SPANS_S)] += 1


class Board:
    """Plain fields by workload key, and counters since the start."""

    def __init__(self, *, started: float = 0.0, cycle_s: float = 15.0) -> None:
        self.started = started
        self.cycle_s = cycle_s
        self.entries: dict[str, Entry] = {}
        self.revision = ""
        self.rejected_revision = ""  # a newer policy set that did not load; empty when the newest is the one in force
        self.problems: tuple[str, ...] = ()
        self.origin: Origin | None = None  # the repository that policies come from
        self.pulls: dict[str, int] = {}  # the pull requests that brought its commits, as far as they are known
        self.texts: tuple[tuple[str, str], ...] = ()  # names and texts of the newest set's files
        self.trails: dict[str, Trail] = {}
        self.news = 0  # rises with everything that is put up
        self.turn_ended: list[Callable[[], None]] = []
        self.faults: deque[Fault] = deque(maxlen=FAULTS_KEPT)
        self.cycles = 0
        self.cycle_at: float | None = None
        self.durations = Spread()
        self.latenesses = Spread()
        self.decisions: Counter[str] = Counter()  # by reason
        self.changes: Counter[str] = Counter()  # by direction: up, down
        self.outcomes: Counter[tuple[str, str]] = Counter()  # by kind of operation and how it ended
        self.missing: Counter[tuple[str, str]] = Counter()  # by source and why
        self.fault_count = 0
        self.cleanups: dict[str, Cleaned] = {}  # by name
        self.removed: Counter[tuple[str, str]] = Counter()  # by clean-up and what was removed
        self.freed: Counter[str] = Counter()  # bytes, by clean-up

    # what the loop writes

    def activated(
        self, loaded: PolicySet, workloads: Sequence[Workload], texts: Sequence[tuple[str, str]] = ()
    ) -> None:
        """A policy set, read from these texts, is in force for these workloads.

        What is known of those that stay is kept.
        """
        self.steers(loaded, workloads)
        self.texts = tuple(texts)
        self.revision, self.rejected_revision, self.problems = loaded.revision, "", ()

    def steers(self, loaded: PolicySet, workloads: Sequence[Workload]) -> None:
        """The set in force is for these workloads from now on: its selectors found others, or some are gone."""
        places = {each.policy.name: (each.file, each.line) for each in loaded.placed}
        entries: dict[str, Entry] = {}
        for workload in workloads:
            entry = self.entries.get(workload.ref.key) or Entry(workload)
            entry.workload = workload
            entry.file, entry.line = places.get(workload.policy.name, ("", 0))
            entries[workload.ref.key] = entry
        self.entries = entries
        self.trails = {key: self.trails.get(key) or Trail(self.cycle_s) for key in entries}
        self.news += 1

    def rejected(self, revision: str, problems: tuple[str, ...], texts: Sequence[tuple[str, str]] = ()) -> None:
        """A newer policy set did not load; the last good one stays in force."""
        self.rejected_revision, self.problems, self.texts = revision, problems, tuple(texts)
        self.news += 1

    def show(
        self, decision: Decision, state: TargetState | Missing, operations: Sequence[Operation], key: str = ""
    ) -> bool:
        """Put up one decision; True when its count or reason is not what was shown before. `key` is its workload's.

        A wake that only waits for the next cycle says nothing new: it leaves the decision before it in place.
        """
        key = key or decision.ref.key
        entry = self.entries.get(key)
        if entry is None:
            return True
        self.news += 1
        self._count(entry, decision)
        if decision.reason not in _OF_WAKES:
            self.trails[key].note(decision, state)
        entry.state, entry.operations = state, tuple(operations)
        if entry.ended is not None and not _wanted(decision, operations):
            entry.ended = None  # what could not be had is not wanted any more
        before = entry.decision
        if before is not None and decision.reason is _AWAITING and not decision.replace:
            return False
        entry.decision, entry.by = decision, (self.revision, self.place(key))
        entry.recent = (*entry.recent[1 - RECENT :], decision)
        if decision.changes and decision.act:
            entry.change = decision
        if before is not None and _shown(before) == _shown(decision):
            return False
        entry.since = decision.at
        return True

    def place(self, key: str) -> str:
        """File and line of the policy that steers a workload; empty for one that none does."""
        entry = self.entries.get(key)
        return f"{entry.file}:{entry.line}" if entry is not None and entry.file else ""

    def comes_from(self, origin: Origin) -> None:
        """What is known of the repository that policies come from."""
        self.origin = origin
        self.news += 1

    def remembered(self, key: str, at: float) -> Decision | None:
        """The decision that was in force at a time, where that is among the last cycles."""
        entry = self.entries.get(key)
        recent = entry.recent if entry is not None else ()
        return next((each for each in reversed(recent) if each.at <= at), None)

    def turned(self, at: float, *, duration_s: float, lateness_s: float) -> None:
        """One cycle over all workloads has ended."""
        self.cycles += 1
        self.cycle_at = at
        self.durations.add(duration_s)
        self.latenesses.add(lateness_s)
        for tell in self.turn_ended:
            tell()

    def count_outcome(self, outcome: Outcome) -> bool:
        """An operation has ended; False where that is no news: the same bad end again, in the same words."""
        self.news += 1
        self.outcomes[outcome.operation.kind.value, outcome.kind.value] += 1
        entry = self.entries.get(outcome.operation.ref.key)
        if entry is None:
            return True
        before, entry.ended = entry.stuck, outcome
        return before is None or (before.kind, before.detail) != (outcome.kind, outcome.detail)

    def fault(self, at: float, sentence: str) -> None:
        """Something went wrong and was survived; the newest are kept."""
        self.fault_count += 1
        self.faults.append(Fault(at, sentence))

    def count_freed(self, name: str, freed: Sequence[Freed]) -> None:
        """A clean-up has taken things away, or tried to."""
        for each in freed:
            if not each.trouble:
                self.removed[name, each.item.what.value] += 1
                self.freed[name] += each.size

    def _count(self, entry: Entry, decision: Decision) -> None:
        self.decisions[decision.reason.value] += 1
        if decision.changes and decision.act:
            self.changes["up" if decision.desired > decision.current else "down"] += 1
        if decision.reason not in _OF_WAKES:
            for name, reading in decision.readings:
                if isinstance(reading, Missing):
                    self.missing[_source(entry.workload, name), reading.why.value] += 1


def _source(workload: Workload, signal: str) -> str:
    found = (each.source for each in workload.policy.signals if each.name == signal)
    return next(found, "unknown")


def _wanted(decision: Decision, operations: Sequence[Operation]) -> bool:
    """Whether what could not be had is wanted still: a wake says nothing of that."""
    sick = any(step.stage is Stage.RECYCLE for step in decision.steps)  # to be replaced, now or after a pause
    adopts = decision.reason is Reason.ADOPTING
    return decision.changes or sick or bool(operations) or adopts or decision.reason in _OF_WAKES


def _shown(decision: Decision) -> tuple[object, ...]:
    return decision.desired, decision.reason, decision.act, decision.replace != ()

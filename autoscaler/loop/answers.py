"""What the desk answers: the documented, versioned shapes behind `status`, `explain`, `history` and the controls.

The API sends them as JSON, the commands read them back. Times are seconds since the epoch, UTC; spans end in `_s`.
`version` rises when a field changes its meaning or goes away; new fields may appear at any time.
"""

from __future__ import annotations

import msgspec

from autoscaler.model.commits import Origin, Rollback
from autoscaler.model.decision import Decision
from autoscaler.model.observation import Override, Pause
from autoscaler.model.target import Instance

VERSION = 1


class Doing(msgspec.Struct, frozen=True, kw_only=True):
    """An operation under way: what, at which stage, since when, and the instance or count it is about."""

    id: str
    kind: str
    stage: str
    started: float
    deadline: float
    count: int | None = None
    instance: str = ""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What the other algorithm would have, reckoned in the shadow and never acted on."""

    algorithm: str
    current: int
    desired: int
    reason: str


class LoadKnown(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one signal's load, and how well what was expected of it came true.

    It is known for `known_s`, of which `taught_s` were told by history; in another `rest_s` it may decide. `coverage`
    is the share of bins of 15 s of the last day in which the load stayed within what was expected, `error` how far the
    forecast was off, as a share of the load (None: not told before it may decide). `text` says it in words.
    """

    signal: str
    known_s: float
    taught_s: float
    rest_s: float
    coverage: float | None
    error: float | None
    text: str


class WorkloadStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One workload in one line.

    `current` is the count it was decided from, `desired` the count to have, `existing` and `ready` what was seen (None:
    not known). `since` is when `reason` and count came up, `changed` when the count was changed last since the start.
    `missing` names the signals without data, `trouble` says why the state is not known, or why what is wanted was
    refused or failed. `learned` is what adaptive knows of its loads, `history` how the reading of their past goes
    (empty: none is under way), `compared` what the other algorithm would have.
    """

    key: str
    policy: str
    file: str
    line: int
    mode: str
    min: int | None = None
    max: int | None = None
    at: float | None = None
    current: int | None = None
    desired: int | None = None
    existing: int | None = None
    ready: int | None = None
    reason: str = ""
    because: str = ""
    since: float | None = None
    changed: float | None = None
    missing: tuple[str, ...] = ()
    trouble: str = ""
    lead_s: float | None = None
    pause: Pause | None = None
    override: Override | None = None
    doing: tuple[Doing, ...] = ()
    learned: tuple[LoadKnown, ...] = ()
    history: str = ""
    compared: Compared | None = None


class StepLine(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a decision: the count before and after it, its reason code, and the same in words."""

    stage: str
    before: int
    after: int
    reason: str
    sentence: str


class SignalStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One signal against its goal.

    `goal` is the policy's key for it (`per_replica`, `value`, `utilization`, `steps`, `wake_above`), `load` what was
    read (percent for `utilization`), `age_s` how old its newest sample was. `asks` is the count it asked for, `missing`
    why it has no data, `expected` the load that adaptive sized for.
    """

    name: str
    source: str
    query: str = ""
    goal: str = ""
    target: float | None = None
    capacity: float | None = None
    load: float | None = None
    expected: float | None = None
    age_s: float | None = None
    asks: int | None = None
    reason: str = ""
    sentence: str = ""
    missing: str = ""


class WindowStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An opening of a schedule window: its bounds hold between two times."""

    workload: str
    policy: str
    name: str
    start: float
    end: float
    min: int | None = None
    max: int | None = None


class RecycleStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Replacement of instances: after how long a sick one is due, where it is, and what is done or waited for."""

    unhealthy_for_s: float | None = None
    sick: int = 0
    replacing: int = 0
    sentence: str = ""


class WorkloadDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One workload with its instances, its signals and the chain of steps, in `lines` as the commands print it."""

    workload: WorkloadStatus
    instances: tuple[Instance, ...] = ()
    lines: tuple[str, ...] = ()
    steps: tuple[StepLine, ...] = ()
    signals: tuple[SignalStatus, ...] = ()
    windows: tuple[WindowStatus, ...] = ()  # open now
    recycle: RecycleStatus | None = None
    algorithm: str = ""
    asked: int | None = None  # by the signals, before speed, guards and bounds
    version: int = VERSION


class CleanupStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One clean-up: when it runs `next`, when it ran last (`at`), and what that did and left, in words.

    `removed` and `freed_bytes` are those of the last run, `held` how many things it left that look like going,
    `trouble` says why it could not run.
    """

    key: str
    policy: str
    file: str
    line: int
    mode: str
    project: str
    next: float | None = None
    at: float | None = None
    removed: int = 0
    freed_bytes: int = 0
    held: int = 0
    trouble: str = ""
    lines: tuple[str, ...] = ()


class CycleStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the loop turns: cycles over all workloads since the start, and the last one."""

    every_s: float
    count: int
    at: float | None = None
    duration_s: float = 0.0
    lateness_s: float = 0.0


class PolicyStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The policy set in force, and the problems of a newer one that was rejected.

    `origin` is the repository it comes from; None for files and folders.
    """

    revision: str
    rejected: str = ""
    problems: tuple[str, ...] = ()
    origin: Origin | None = None


class FaultLine(msgspec.Struct, frozen=True):
    """Something that went wrong and was survived."""

    at: float
    sentence: str


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon itself: how it turns, what is in force, and what it survived."""

    at: float
    started: float
    build: str
    cycle: CycleStatus
    policies: PolicyStatus
    pause: Pause | None = None
    faults: tuple[FaultLine, ...] = ()
    store: str = ""  # why the store fails; empty while it works
    version: int = VERSION


class Status(Head, frozen=True, kw_only=True):
    """Everything at a glance; workloads in the order of their keys."""

    workloads: tuple[WorkloadStatus, ...] = ()
    cleanups: tuple[CleanupStatus, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """How a count came about: `lines` in words, `decision` with every number.

    `decided` is when the decision was made. `since_change` says that it is on record and held from then until the next
    change of count or reason; `reconstructed` that the cycle was decided once more from what the source tells of that
    time. `note` says what is to be known about either. `asked` says of each query whether it is asked together with
    others, and why not; `learned` what adaptive knows of its loads; both only for the present. `place` is the file and
    line of the policy in the `revision` that was in force; `repository` the URL that is of, `pull` the number of the
    pull request that brought it, where known. A clean-up has lines only.
    """

    key: str
    decided: float
    lines: tuple[str, ...]
    decision: Decision | None = None
    steps: tuple[StepLine, ...] = ()
    since_change: bool = False
    reconstructed: bool = False
    note: str = ""
    asked: tuple[str, ...] = ()
    learned: tuple[str, ...] = ()
    revision: str = ""
    place: str = ""
    repository: str = ""
    pull: int | None = None
    version: int = VERSION


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of history."""

    at: float
    kind: str
    workload: str = ""
    policy: str = ""
    revision: str = ""
    place: str = ""
    repository: str = ""
    before: int | None = None
    after: int | None = None
    reason: str = ""
    text: str = ""
    by: str = ""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of history, newest first."""

    lines: tuple[Line, ...]
    version: int = VERSION


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word is on record and in force: `text` says what holds now."""

    workload: str
    text: str
    pause: Pause | None = None
    override: Override | None = None
    rollback: Rollback | None = None
    version: int = VERSION


class Problem(msgspec.Struct, frozen=True):
    """What went wrong, and what to do about it."""

    error: str
    hint: str = ""

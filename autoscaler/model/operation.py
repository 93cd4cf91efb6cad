"""What is being done: operations with stages, and what became of them."""

from __future__ import annotations

import enum

import msgspec

from autoscaler.model.target import WorkloadRef


class OperationKind(enum.Enum):
    """SCALE sets a count and ADOPT puts another autoscaler away; the others carry one instance each and may last
    minutes.
    """

    SCALE = "scale"
    CREATE = "create"
    REMOVE = "remove"
    REPLACE = "replace"
    ADOPT = "adopt"


BEGIN = "begin"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A small state machine whose stages are plain data.

    `stage` is what the next `advance` will do (an adapter's own word; every operation starts at `begin`); doing it
    twice does no harm. `wait_until` says not to advance before (0: at once), `deadline` when it is given up.
    `before` and `count` are the counts of a SCALE, `sick` the instances that go first when it shrinks; `instance` is
    the one acted on by REMOVE and REPLACE. The spans come from the policy's lifecycle. `facts` hold what later stages
    need (ids, names), as text, so that another process can go on from here.

    Of a REPLACE: `unless_ready` leaves one alone that is well again; `surge` says that the new one must come first;
    `method` is how a pod is taken away; `lineage` names whose place it is, over all who had it.
    """

    id: str
    kind: OperationKind
    ref: WorkloadRef
    started: float
    deadline: float
    stage: str = BEGIN
    wait_until: float = 0.0
    before: int = 0
    count: int = 0
    instance: str = ""
    sick: tuple[str, ...] = ()
    reason: str = ""
    version: str = ""
    ready_within_s: float = 120.0
    before_stop: str = ""  # port and path told to an instance before it drains; empty where nothing is
    drain_s: float = 0.0
    stop_within_s: float | None = None
    unless_ready: bool = True
    surge: bool = False
    method: str = "evict"
    lineage: str = ""
    facts: dict[str, str] = {}


class Split(msgspec.Struct, frozen=True):
    """An operation that goes on as these; together they do what it asked for (compose: one per container)."""

    parts: tuple[Operation, ...]


class OutcomeKind(enum.Enum):
    """How an operation ended."""

    APPLIED = "applied"
    CONFLICT = "conflict"
    REFUSED = "refused"
    FAILED = "failed"
    GONE = "gone"
    WITHHELD = "withheld"  # not done, because nothing may be changed here


class Outcome(msgspec.Struct, frozen=True):
    """What became of an operation: the count reached by a SCALE, and a sentence for people."""

    operation: Operation
    kind: OutcomeKind
    at: float
    detail: str = ""
    count: int | None = None


Advanced = Operation | Split | Outcome

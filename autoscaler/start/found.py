"""What was found for a first policy: workloads, counters that fit them, and what a closer look at one told. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from autoscaler.errors import UsageError
from autoscaler.model.target import WorkloadRef
from autoscaler.start.fit import Fit, Shape
from autoscaler.start.past import Carried

DEPLOYMENT = "Deployment"


class Workload(msgspec.Struct, frozen=True):
    """A workload and how many replicas it has; None where that cannot be told, with the reason."""

    ref: WorkloadRef
    count: int | None
    why: str = ""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is there. `ready` are queries of the counts that a cluster tells, by the workload's key; `server`
    is where Prometheus was asked, without secrets.
    """

    workloads: tuple[Workload, ...]
    fits: Mapping[str, tuple[Fit, ...]]
    ready: Mapping[str, str]
    server: str
    notes: tuple[str, ...] = ()


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """How a counter moves, the window its rate needs, and what the past says one replica carries.

    None: nothing, or `why` it could not be had.
    """

    shape: Shape
    window: str
    carried: Carried | None
    why: str = ""


def parsed(target: str, found: Sequence[Workload]) -> WorkloadRef:
    """The workload that is meant by PROJECT/SERVICE, NAMESPACE/NAME, or one of them behind its platform.

    Raises UsageError.
    """
    platform, _, rest = target.partition("/")
    if platform in ("compose", "kubernetes") and rest.count("/") in (1, 2):
        namespace, _, named = rest.partition("/")
        kind, _, name = named.rpartition("/")
        if all((namespace, name)):
            usual = "service" if platform == "compose" else DEPLOYMENT
            return WorkloadRef(platform, namespace, kind or usual, name)
    mine = [each.ref for each in found if f"{each.ref.namespace}/{each.ref.name}" == target]
    if len(mine) == 1:
        return mine[0]
    there = ", ".join(shown(each.ref) for each in found) or "nothing"
    said = "is on both platforms" if mine else "is not there"
    raise UsageError(
        f"--target: {target} {said}; found: {there}", hint="compose/PROJECT/SERVICE, kubernetes/NAMESPACE/NAME"
    )


def shown(ref: WorkloadRef) -> str:
    """A workload as `--target` takes it."""
    kind = "" if ref.kind in ("service", DEPLOYMENT) else f"{ref.kind}/"
    return f"{ref.platform}/{ref.namespace}/{kind}{ref.name}"

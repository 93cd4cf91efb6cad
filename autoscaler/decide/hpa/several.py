"""Several metrics of one workload: each proposes, the largest wins, and doubt blocks only the way down."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from autoscaler.decide.hpa.metric import Proposal, external_average, object_average, object_value, per_pod, total
from autoscaler.decide.hpa.pods import Failure, Pod, Sample, Timing
from autoscaler.decide.hpa.quantity import Tolerance


class Kind(enum.Enum):
    """Where a metric comes from, in the HPA's words; the value names its reason of failure too."""

    RESOURCE = "Resource"
    CONTAINER_RESOURCE = "ContainerResource"
    PODS = "Pods"
    OBJECT = "Object"
    EXTERNAL = "External"
    UNSUPPORTED = "Unsupported"

    @property
    def failed(self) -> str:
        """The reason that conditions and events give when it fails."""
        return "InvalidMetricSourceType" if self is Kind.UNSUPPORTED else f"FailedGet{self.value}Metric"

    @property
    def works_without_pods(self) -> bool:
        """It can say something at 0 replicas."""
        return self in (Kind.OBJECT, Kind.EXTERNAL)


class Goal(enum.Enum):
    """What the target is compared with."""

    UTILIZATION = "utilization"
    AVERAGE_VALUE = "average_value"
    VALUE = "value"
    NONE = "none"


_PER_POD = (Goal.UTILIZATION, Goal.AVERAGE_VALUE)
_GOALS: Mapping[Kind, tuple[Goal, ...]] = {
    Kind.RESOURCE: _PER_POD,
    Kind.CONTAINER_RESOURCE: _PER_POD,
    Kind.PODS: (Goal.AVERAGE_VALUE,),
    Kind.OBJECT: (Goal.VALUE, Goal.AVERAGE_VALUE),
    Kind.EXTERNAL: (Goal.VALUE, Goal.AVERAGE_VALUE),
    Kind.UNSUPPORTED: (),
}


class Metric(msgspec.Struct, frozen=True):
    """One metric as written; `target` in milli, for a utilization in percent."""

    kind: Kind
    goal: Goal
    target: int = 0
    resource: str = ""
    container: str = ""


class Reading(msgspec.Struct, frozen=True):
    """What its source gave: samples by pod, or values by series. Neither: it failed."""

    samples: Mapping[str, Sample] | None = None
    values: tuple[int, ...] | None = None


class Scene(msgspec.Struct, frozen=True):
    """What every metric of one pass is held against: counts asked for and existing, pods, tolerance, time."""

    current: int
    status: int
    pods: Sequence[Pod]
    tolerance: Tolerance
    now: float
    timing: Timing = Timing()
    pod_level: bool = True


class Reported(msgspec.Struct, frozen=True):
    """A metric's reading as the status shows it: percent, average per pod, total; milli but for the percent."""

    utilization: int | None = None
    average_value: int | None = None
    value: int | None = None


class Combined(msgspec.Struct, frozen=True):
    """The outcome: `desired` None gives the pass up; `winner` is the metric's place in the list."""

    desired: int | None
    winner: int | None
    failed: bool


def propose(metric: Metric, reading: Reading, at: Scene) -> Proposal | Failure:
    """One metric's proposal, or why there is none."""
    if metric.goal not in _GOALS[metric.kind]:
        return Failure.INVALID_METRIC
    if not metric.kind.works_without_pods:
        return per_pod(
            reading.samples,
            at.pods,
            metric.target,
            at.current,
            at.tolerance,
            at.now,
            resource=metric.resource,
            container=metric.container,
            utilization=metric.goal is Goal.UTILIZATION,
            timing=at.timing,
            pod_level=at.pod_level,
        )
    if not reading.values:
        return Failure.FETCH_FAILED
    external = metric.kind is Kind.EXTERNAL
    if metric.goal is Goal.VALUE:
        usage = total(reading.values) if external else reading.values[0]
        return object_value(usage, metric.target, at.current, at.pods, at.tolerance)
    if external:
        return external_average(reading.values, metric.target, at.status, at.tolerance)
    return object_average(reading.values[0], metric.target, at.status, at.tolerance)


def reported(metric: Metric, proposal: Proposal | Failure) -> Reported | None:
    """How the status shows it; nothing for a metric that failed."""
    if isinstance(proposal, Failure):
        return None
    if metric.goal is Goal.VALUE:
        return Reported(value=proposal.usage)
    return Reported(proposal.utilization, proposal.usage)


def winner(counts: Iterable[int | None]) -> int | None:
    """The place of the largest count, the first on ties; None where nobody has one.

    While the best is 0 every later one replaces it, even a negative one.
    """
    best, place = 0, None
    for index, count in enumerate(counts):
        if count is not None and (best == 0 or count > best):
            best, place = count, index
    return place


def largest(proposals: Sequence[Proposal | Failure], current: int) -> Combined:
    """The largest proposal, never below 0.

    Given up when all failed, or some failed and the best is below the current count: no shrinking on half the truth.
    """
    counts = [None if isinstance(each, Failure) else each.replicas for each in proposals]
    place = winner(counts)
    best = None if place is None else counts[place]
    failed = None in counts
    if best is None or (failed and best < current):
        return Combined(None, None, failed)
    return Combined(max(0, best), place, failed)

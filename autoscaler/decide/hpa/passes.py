"""A whole pass of the HPA over one workload: what it decides, which conditions and events it leaves.

In two halves, because writing the count lies between them: `evaluate` decides, `conclude` says what follows from the
write. The last scale time is information only; there is no cooldown from it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from autoscaler.decide.hpa.history import History, record, seeded
from autoscaler.decide.hpa.metric import Proposal
from autoscaler.decide.hpa.pods import Failure, Pod, Timing
from autoscaler.decide.hpa.rules import Behavior, Legacy
from autoscaler.decide.hpa.several import Metric, Reading, Reported, Scene, largest, propose, reported
from autoscaler.decide.hpa.smooth import Result, hpa

ABLE, ACTIVE, LIMITED, ZERO = "AbleToScale", "ScalingActive", "ScalingLimited", "ScaledToZero"


class Cause(enum.Enum):
    """Why the count is to change. Fixed before smoothing: a change by smoothing alone has no cause."""

    METRIC_ABOVE = "metric_above"
    ALL_BELOW = "all_below"
    ABOVE_MAX = "above_max"
    BELOW_MIN = "below_min"
    NONE = "none"


class Problem(enum.Enum):
    """What went wrong in a pass."""

    GET_SCALE = "get_scale"
    COMPUTE = "compute"
    UPDATE_SCALE = "update_scale"
    PARTIAL_METRICS = "partial_metrics"


class Selector(enum.Enum):
    """Whether the pods can be told."""

    FINE = "fine"
    MISSING = "missing"
    INVALID = "invalid"
    AMBIGUOUS = "ambiguous"  # somebody else's autoscaler selects the same pods


_SELECTOR_EVENTS = {
    Selector.MISSING: ("InvalidSelector", "SelectorRequired"),
    Selector.INVALID: ("InvalidSelector", "InvalidSelector"),
    Selector.AMBIGUOUS: ("AmbiguousSelector", "AmbiguousSelector"),
}  # reason of the condition, reason of the event


class Settings(msgspec.Struct, frozen=True):
    """Of the whole controller; tolerance and downscale window are in the behavior already."""

    timing: Timing = Timing()
    scale_to_zero: bool = False
    pod_level_resources: bool = True


class Spec(msgspec.Struct, frozen=True):
    """The autoscaler as written, with its defaults."""

    low: int
    high: int
    behavior: Behavior | Legacy
    metrics: tuple[Metric, ...]


class Look(msgspec.Struct, frozen=True):
    """What one pass sees: counts asked for and existing (None: the read failed), pods, readings in metric order."""

    counts: tuple[int, int] | None
    pods: tuple[Pod, ...] = ()
    readings: tuple[Reading, ...] = ()
    selector: Selector = Selector.FINE


class Condition(msgspec.Struct, frozen=True):
    """`since` changes only with the status, not with the reason."""

    status: bool
    reason: str
    since: float


class Status(msgspec.Struct, frozen=True):
    """What is persisted from pass to pass, beside the history."""

    current: int = 0
    desired: int = 0
    conditions: Mapping[str, Condition] = {}
    metrics: tuple[Reported | None, ...] | None = None
    last_scale: float | None = None


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """One pass. After `evaluate`, `desired` is the count to write, or None where there is nothing to write."""

    status: Status
    history: History
    events: tuple[str, ...] = ()
    desired: int | None = None
    problem: Problem | None = None
    cause: Cause = Cause.NONE
    proposals: tuple[Proposal | Failure, ...] | None = None
    winner: int | None = None


def _told(
    conditions: Mapping[str, Condition], kind: str, now: float, status: bool, reason: str
) -> dict[str, Condition]:
    before = conditions.get(kind)
    since = before.since if before is not None and before.status == status else now
    return {**conditions, kind: Condition(status, reason, since)}


def evaluate(spec: Spec, look: Look, status: Status, history: History, settings: Settings, now: float) -> Pass:
    """Decide: read, seed, then zero, bounds or metrics."""
    if look.counts is None:
        conditions = _told(status.conditions, ABLE, now, False, "FailedGetScale")
        told = msgspec.structs.replace(status, conditions=conditions)
        return Pass(status=told, history=history, events=("FailedGetScale",), problem=Problem.GET_SCALE)
    current = look.counts[0]
    history = seeded(history, current, now)
    conditions = _told(status.conditions, ABLE, now, True, "SucceededGetScale")
    if current == 0 and not settings.scale_to_zero:
        conditions.pop(ZERO, None)
    status = msgspec.structs.replace(status, current=current, metrics=None, conditions=conditions)
    if current == 0 and not _wakes(spec, status, settings):
        conditions = _told(conditions, ACTIVE, now, False, "ScalingDisabled")
        return Pass(status=msgspec.structs.replace(status, desired=0, conditions=conditions), history=history)
    if current > spec.high:
        return Pass(status=status, history=history, desired=spec.high, cause=Cause.ABOVE_MAX)
    if 0 < current < spec.low:
        return Pass(status=status, history=history, desired=spec.low, cause=Cause.BELOW_MIN)
    return _by_metrics(spec, look, status, history, settings, now)


def _zeroed(status: Status) -> bool:
    condition = status.conditions.get(ZERO)
    return condition is not None and condition.status


def _zero_allowed(spec: Spec) -> bool:
    return spec.low == 0 and any(metric.kind.works_without_pods for metric in spec.metrics)


def _wakes(spec: Spec, status: Status, settings: Settings) -> bool:
    """A zero of ours, with something that can end it; any other zero means switched off by hand."""
    return settings.scale_to_zero and _zeroed(status) and (spec.low != 0 or _zero_allowed(spec))


def _failed(made: Pass, conditions: Mapping[str, Condition], events: tuple[str, ...]) -> Pass:
    status = msgspec.structs.replace(made.status, conditions=conditions)
    events = (*events, "FailedComputeMetricsReplicas")
    return msgspec.structs.replace(made, status=status, events=events, problem=Problem.COMPUTE)


def _by_metrics(spec: Spec, look: Look, status: Status, history: History, settings: Settings, now: float) -> Pass:
    made = Pass(status=status, history=history)
    selector = look.selector
    if selector is not Selector.FINE and (selector is not Selector.AMBIGUOUS or look.pods):
        reason, event = _SELECTOR_EVENTS[selector]
        return _failed(made, _told(status.conditions, ACTIVE, now, False, reason), (event,))
    current, existing = look.counts or (0, 0)
    behavior = spec.behavior
    at = Scene(current, existing, look.pods, behavior.tolerance, now, settings.timing, settings.pod_level_resources)
    proposals = tuple(propose(m, r, at) for m, r in zip(spec.metrics, look.readings, strict=True))
    combined = largest(proposals, current)
    events = tuple(m.kind.failed for m, p in zip(spec.metrics, proposals, strict=True) if isinstance(p, Failure))
    made = Pass(
        status=msgspec.structs.replace(status, metrics=tuple(map(reported, spec.metrics, proposals))),
        history=history,
        events=events,
        proposals=proposals,
        winner=combined.winner,
        problem=Problem.PARTIAL_METRICS if combined.failed else None,
    )
    wish = combined.desired
    if wish is None:
        return _failed(made, _told(status.conditions, ACTIVE, now, False, events[0]), events)
    result = hpa(wish, current, spec.low, spec.high, behavior, history, now)
    cause = Cause.METRIC_ABOVE if wish > current else Cause.ALL_BELOW if wish < current else Cause.NONE
    desired = result.replicas
    if current == 0 and desired < spec.low and _zeroed(status):
        desired = spec.low
        cause = Cause.BELOW_MIN if cause is Cause.NONE else cause
    conditions = _told(status.conditions, ACTIVE, now, True, "ValidMetricFound")
    conditions = _told(conditions, ABLE, now, True, able_reason(wish, current, behavior, result))
    conditions = _told(conditions, LIMITED, now, result.replicas != result.stabilized, result.limit.value)
    return msgspec.structs.replace(
        made,
        status=msgspec.structs.replace(made.status, conditions=conditions),
        history=result.history,
        desired=desired,
        cause=cause,
    )


def able_reason(wish: int, current: int, behavior: Behavior | Legacy, result: Result) -> str:
    """What smoothing did, in the words of the AbleToScale condition."""
    if result.stabilized == wish:
        return "ReadyForNewScale"
    return "ScaleUpStabilized" if wish >= current and not isinstance(behavior, Legacy) else "ScaleDownStabilized"


def conclude(made: Pass, spec: Spec, settings: Settings, now: float, *, accepted: bool) -> Pass:
    """After the write, where there was one to make: its conditions and events, and its change in the history."""
    if made.desired is None:
        return made
    status, before, count = made.status, made.status.current, made.desired
    if count == before:
        return msgspec.structs.replace(made, status=msgspec.structs.replace(status, desired=count), desired=None)
    if not accepted:
        conditions = _told(status.conditions, ABLE, now, False, "FailedUpdateScale")
        return msgspec.structs.replace(
            made,
            status=msgspec.structs.replace(status, conditions=conditions),
            events=(*made.events, "FailedRescale"),
            problem=Problem.UPDATE_SCALE,
        )
    conditions = _told(status.conditions, ABLE, now, True, "SucceededRescale")
    if settings.scale_to_zero:
        zero = count == 0 and _zero_allowed(spec)
        conditions = _told(conditions, ZERO, now, zero, "ScaledToZero" if zero else "NotScaledToZero")
    else:
        conditions.pop(ZERO, None)
    return msgspec.structs.replace(
        made,
        status=msgspec.structs.replace(status, desired=count, conditions=conditions, last_scale=now),
        events=(*made.events, "SuccessfulRescale"),
        history=record(made.history, spec.behavior, before, count, now),
    )

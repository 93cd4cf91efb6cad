"""One metric becomes a proposal: a count before smoothing and limits, with the reading it was made from.

Values, targets and requests are milli; a utilization target is in percent. A metric that cannot propose says why
(`Failure`); it is never taken for zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from autoscaler.decide.hpa.pods import Failure, Groups, Pod, Sample, Timing, groups, requests
from autoscaler.decide.hpa.quantity import MOST_MILLI, Tolerance, cut, quotient, within
from autoscaler.decide.hpa.quantity import up as ceiling


class Proposal(msgspec.Struct, frozen=True):
    """The count asked for; `usage` the average per pod or the total in milli, `utilization` percent where it is one.

    `usage` is None where it would be a division by no replicas.
    """

    replicas: int
    usage: int | None
    utilization: int | None = None


class Ratio(msgspec.Struct, frozen=True):
    """Usage to target over some samples, with the average and, against requests, the percentage."""

    ratio: float
    average: int
    utilization: int | None = None


# object and external: one value for all replicas


def value(usage: int, target: int, current: int, ready: int, tolerance: Tolerance) -> int:
    """A total against a target for the total: the ratio times the *ready* count.

    From 0 the ratio itself is the count. With pods and none of them ready the answer is 0, so the minimum.
    """
    ratio = quotient(usage, target)
    if current == 0:
        return ceiling(ratio)
    return current if within(ratio, tolerance) else ceiling(ratio * ready)


def average_value(usage: int, target: int, status: int, tolerance: Tolerance) -> int:
    """A total against a target per replica: the quotient, or the count that *exists* (status) within tolerance."""
    load = float(usage)
    carried = float(target) * float(status)
    if carried and within(load / carried, tolerance):
        return status
    return ceiling(load / float(target) if target else quotient(usage, target))


def object_value(
    usage: int, target: int, current: int, pods: Sequence[Pod], tolerance: Tolerance
) -> Proposal | Failure:
    """`value` with the ready pods counted; pods are only looked at where the ratio is out of tolerance."""
    if current != 0 and not pods and not within(quotient(usage, target), tolerance):
        return Failure.NO_PODS
    ready = sum(pod.serves for pod in pods)
    return Proposal(value(usage, target, current, ready, tolerance), usage)


def object_average(usage: int, target: int, status: int, tolerance: Tolerance) -> Proposal:
    """`average_value` with the average that is reported."""
    share = math.ceil(quotient(usage, status)) if status else None
    return Proposal(average_value(usage, target, status, tolerance), share)


def external_average(values: Iterable[int], target: int, status: int, tolerance: Tolerance) -> Proposal:
    """The same for all series together; a sum that is the most there is, is reported undivided."""
    usage = total_for_average(values)
    made = object_average(usage, target, status, tolerance)
    return Proposal(made.replicas, MOST_MILLI) if float(usage) >= float(MOST_MILLI) else made


def total(values: Iterable[int]) -> int:
    """The sum of all series for a total-value target; an addition past 64 bits makes it the most there is and stops."""
    usage = 0
    for each in values:
        if each > 0 and usage > MOST_MILLI - each:
            return MOST_MILLI
        usage += each
    return usage


def total_for_average(values: Iterable[int]) -> int:
    """The sum for an average-value target: once below zero it counts as an overflow, so it asks for the maximum."""
    usage = 0
    for each in values:
        usage += each
        if usage < 0 or usage > MOST_MILLI:
            return MOST_MILLI
    return usage


# per pod


def utilization_ratio(usage: Mapping[str, int], requested: Mapping[str, int], target: int) -> Ratio | Failure:
    """Whole percent of what the sampled pods request, against the target; samples of strangers are left out."""
    used = asked = count = 0
    for name, amount in usage.items():
        request = requested.get(name)
        if request is not None:
            used += amount
            asked += request
            count += 1
    if asked == 0:
        return Failure.NO_MATCHING_REQUESTS
    percent = cut(used * 100, asked)
    return Ratio(quotient(percent, target), cut(used, count), percent)


def usage_ratio(usage: Mapping[str, int], target: int) -> Ratio:
    """The average of all samples, strangers included, against the target."""
    average = cut(sum(usage.values()), len(usage))
    return Ratio(quotient(average, target), average)


def per_pod(
    samples: Mapping[str, Sample] | None,
    pods: Sequence[Pod],
    target: int,
    current: int,
    tolerance: Tolerance,
    now: float,
    *,
    resource: str = "",
    container: str = "",
    utilization: bool = False,
    timing: Timing = Timing(),  # noqa: B008 (frozen)
    pod_level: bool = True,
) -> Proposal | Failure:
    """A resource, container or pods metric. `samples` None: the source failed, or answered with nothing."""
    if samples is None:
        return Failure.FETCH_FAILED
    if not pods:
        return Failure.NO_PODS
    grouped = groups(pods, samples, resource, timing, now)
    dropped = {*grouped.ignored, *grouped.unready}
    usage = {name: sample.value for name, sample in samples.items() if name not in dropped}
    if not usage:
        return Failure.NO_USABLE_SAMPLES
    requested = requests(pods, resource, container, pod_level=pod_level) if utilization else None
    if isinstance(requested, Failure):
        return requested
    first = _ratio(usage, requested, target)
    if isinstance(first, Failure):
        return first
    count = _count(first.ratio, usage, grouped, requested, target, current, tolerance)
    return Proposal(count, first.average, first.utilization)


def _ratio(usage: Mapping[str, int], requested: Mapping[str, int] | None, target: int) -> Ratio | Failure:
    return usage_ratio(usage, target) if requested is None else utilization_ratio(usage, requested, target)


def _count(
    ratio: float,
    usage: dict[str, int],
    grouped: Groups,
    requested: Mapping[str, int] | None,
    target: int,
    current: int,
    tolerance: Tolerance,
) -> int:
    """The ratio times the ready pods; where pods are missing or start, the cautious answer of both directions."""
    starting = bool(grouped.unready) and ratio > 1.0
    if not starting and not grouped.missing:
        return current if within(ratio, tolerance) else ceiling(ratio * grouped.ready_count)
    filled = dict(usage)
    if ratio < 1.0:
        filled.update((name, _loaded(name, requested, target)) for name in grouped.missing)
    elif ratio > 1.0:
        filled.update((name, 0) for name in grouped.missing)
    if starting:
        filled.update((name, 0) for name in grouped.unready)
    again = _ratio(filled, requested, target)
    if isinstance(again, Failure) or within(again.ratio, tolerance):
        return current
    if (ratio < 1.0 < again.ratio) or (again.ratio < 1.0 < ratio):
        return current
    count = ceiling(again.ratio * len(filled))
    if (again.ratio < 1.0 and count > current) or (again.ratio > 1.0 and count < current):
        return current
    return count


def _loaded(name: str, requested: Mapping[str, int] | None, target: int) -> int:
    """What a pod without a sample is taken to use while the others are below target: the target, or its request."""
    return target if requested is None else cut(requested[name] * max(100, target), 100)

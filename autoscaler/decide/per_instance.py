"""What is read from each instance, as the HPA reads it from pods: on Kubernetes, and elsewhere for `parity: strict`."""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.decide.hpa.metric import Proposal, per_pod
from autoscaler.decide.hpa.pods import Failure, Pod, Sample, Timing, requests
from autoscaler.decide.hpa.quantity import Tolerance, milli
from autoscaler.decide.plan import Goal
from autoscaler.model.pod import Container
from autoscaler.model.signal import Series
from autoscaler.model.target import Instance, TargetState

WHOLE = 1000  # what an instance may use, in thousandths of it: a utilization is read as a share of that
TIMING = Timing()


def proposed(
    goal: Goal, reading: Series, state: TargetState, current: int, tolerance: Tolerance, now: float, window_s: float,
    timing: Timing = TIMING, *, pod_level: bool = True,
) -> Proposal | Failure:  # fmt: skip
    """The HPA's proposal, or why it has none.

    `window_s` is how long a rate of CPU was measured over, where the reading does not say it of each point.
    """
    resource = goal.asked.resource.value if goal.asked.resource is not None else ""
    container, utilization = goal.asked.container or "", goal.kind == "utilization"
    pods = [_pod(each, resource, container) for each in state.instances]
    requested = requests(pods, resource, container, pod_level=pod_level) if utilization else {}
    return per_pod(
        _samples(reading, {} if isinstance(requested, Failure) else requested, now, window_s) or None,
        pods, goal.milli, current, tolerance, now, resource=resource, container=container, utilization=utilization,
        timing=timing, pod_level=pod_level,
    )  # fmt: skip


def _samples(reading: Series, requested: Mapping[str, int], now: float, window_s: float) -> dict[str, Sample]:
    """What each instance used, in thousandths of a core or byte; shares are made amounts of what it requests."""
    one = (now - (reading.age_s or 0.0), window_s)
    whens = reading.samples or (one,) * len(reading.points)
    return {
        point.instance: Sample(
            round(point.value * requested[point.instance]) if point.instance in requested else milli(point.value), *when
        )
        for point, when in zip(reading.points, whens, strict=True)
    }


def as_pod(instance: Instance) -> Pod | None:
    """An instance as the HPA sees a pod, under its id; None where it is none."""
    facts = instance.pod
    if facts is None:
        return None
    return Pod(
        name=instance.id,
        phase=facts.phase,
        deleting=instance.draining,
        ready=facts.ready,
        ready_since=instance.since,
        started=facts.started,
        containers=facts.containers,
        init_containers=facts.init_containers,
        pod_requests=facts.requests,
        overhead=facts.overhead,
    )


def _pod(instance: Instance, resource: str, container: str) -> Pod:
    """One that has never been ready is still starting, which is Pending; one that ended by itself is Failed."""
    pod = as_pod(instance)
    if pod is not None:
        return pod
    phase = "Running"
    if not instance.running:
        phase = "Failed"
    elif not (instance.ready or instance.was_ready):
        phase = "Pending"
    return Pod(
        name=instance.id,
        phase=phase,
        deleting=instance.draining,
        ready="True" if instance.ready else "False",
        ready_since=instance.since,
        started=instance.created,
        containers=(Container(container, {resource: WHOLE}),),
    )

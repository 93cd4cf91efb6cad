"""What is read from each instance, as the HPA reads it from pods: for `parity: strict`."""

from __future__ import annotations

from autoscaler.decide.hpa.metric import Proposal, per_pod
from autoscaler.decide.hpa.pods import Container, Failure, Pod, Sample, Timing
from autoscaler.decide.hpa.quantity import Tolerance, milli
from autoscaler.decide.plan import Goal
from autoscaler.model.signal import Series
from autoscaler.model.target import Instance, TargetState

WHOLE = 1000  # what an instance may use, in thousandths of it: a utilization is read as a share of that
TIMING = Timing()


def proposed(
    goal: Goal, reading: Series, state: TargetState, current: int, tolerance: Tolerance, now: float, window_s: float,
    timing: Timing = TIMING,
) -> Proposal | Failure:  # fmt: skip
    """The HPA's proposal, or why it has none. `window_s` is how long a rate of CPU was measured over."""
    resource = goal.asked.resource.value if goal.asked.resource is not None else ""
    at = now - (reading.age_s or 0.0)
    samples = {point.instance: Sample(milli(point.value), at, window_s) for point in reading.points}
    pods = [_pod(each, resource) for each in state.instances]
    return per_pod(
        samples or None, pods, goal.milli, current, tolerance, now,
        resource=resource, utilization=goal.kind == "utilization", timing=timing,
    )  # fmt: skip


def _pod(instance: Instance, resource: str) -> Pod:
    """One that has never been ready is still starting, which is Pending; one that ended by itself is Failed."""
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
        containers=(Container("", {resource: WHOLE}),),
    )

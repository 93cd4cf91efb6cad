"""Pods as a per-pod metric sees them: which of them count, and what they request. Times in seconds, requests in milli.

`now` and the instants in pods and samples are on the same clock.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

import msgspec

from autoscaler.model.pod import Container

CPU = "cpu"  # the one resource whose samples depend on readiness


class Failure(enum.Enum):
    """Why a metric has no proposal."""

    FETCH_FAILED = "fetch_failed"
    NO_PODS = "no_pods"
    NO_USABLE_SAMPLES = "no_usable_samples"
    MISSING_REQUEST = "missing_request"
    CONTAINER_NOT_FOUND = "container_not_found"
    NO_MATCHING_REQUESTS = "no_matching_requests"
    INVALID_METRIC = "invalid_metric"


class Pod(msgspec.Struct, frozen=True, kw_only=True):
    """What of a pod matters to a metric; `ready` None where there is no such condition, `started` None before."""

    name: str
    phase: str = "Running"
    deleting: bool = False
    ready: str | None = "True"
    ready_since: float = 0.0
    started: float | None = None
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    pod_requests: Mapping[str, int] = {}
    overhead: Mapping[str, int] = {}

    @property
    def serves(self) -> bool:
        """Counted by total-value metrics, even while it is being deleted."""
        return self.phase == "Running" and self.ready == "True"


class Sample(msgspec.Struct, frozen=True):
    """One pod's reading: milli, when, and over how many seconds."""

    value: int
    at: float = 0.0
    window_s: float = 60.0


class Timing(msgspec.Struct, frozen=True):
    """Settings of the whole controller, in seconds."""

    cpu_initialization_s: float = 300.0
    initial_readiness_s: float = 30.0


class Groups(msgspec.Struct, frozen=True):
    """Names by group; whoever is in none of them is ready."""

    ready_count: int
    unready: tuple[str, ...]
    missing: tuple[str, ...]
    ignored: tuple[str, ...]


def groups(pods: Sequence[Pod], samples: Mapping[str, Sample], resource: str, timing: Timing, now: float) -> Groups:
    """Each pod in the first group that fits; readiness plays a part for CPU only."""
    ready = 0
    unready: list[str] = []
    missing: list[str] = []
    ignored: list[str] = []
    for pod in pods:
        if pod.deleting or pod.phase == "Failed":
            ignored.append(pod.name)
        elif pod.phase == "Pending":
            unready.append(pod.name)
        elif (sample := samples.get(pod.name)) is None:
            missing.append(pod.name)
        elif resource == CPU and _unready(pod, sample, timing, now):
            unready.append(pod.name)
        else:
            ready += 1
    return Groups(ready, tuple(unready), tuple(missing), tuple(ignored))


def _unready(pod: Pod, sample: Sample, timing: Timing, now: float) -> bool:
    """Its CPU says nothing about load yet. Ready = Unknown is not False: such a pod counts as ready here."""
    if pod.ready is None or pod.started is None:
        return True
    if pod.started + timing.cpu_initialization_s > now:
        return pod.ready == "False" or sample.at < pod.ready_since + sample.window_s
    return pod.ready == "False" and pod.started + timing.initial_readiness_s > pod.ready_since


def requests(
    pods: Sequence[Pod], resource: str, container: str = "", *, pod_level: bool = True
) -> dict[str, int] | Failure:
    """What each pod requests, in milli. All pods, dying and pending ones too: one without a request fails the metric.

    `container` empty means the whole pod; `pod_level` is the switch for requests written at the pod.
    """
    found: dict[str, int] = {}
    for pod in pods:
        if container:
            request = _of_container(pod, resource, container)
        elif pod_level and any(_pod_level(name) for name in pod.pod_requests):
            request = _of_pod(pod, resource)
        else:
            request = _of_containers(pod, resource)
        if isinstance(request, Failure):
            return request
        found[pod.name] = request
    return found


def _lasting(pod: Pod) -> list[Container]:
    """Containers that run as long as the pod: its own and the sidecars."""
    return [*pod.containers, *(each for each in pod.init_containers if each.restart_always)]


def _of_container(pod: Pod, resource: str, container: str) -> int | Failure:
    for each in _lasting(pod):
        if each.name == container:
            request = each.requests.get(resource)
            return Failure.MISSING_REQUEST if request is None else request
    return Failure.CONTAINER_NOT_FOUND


def _of_containers(pod: Pod, resource: str) -> int | Failure:
    total = 0
    for each in _lasting(pod):
        request = each.requests.get(resource)
        if request is None:
            return Failure.MISSING_REQUEST
        total += request
    return total


def _pod_level(resource: str) -> bool:
    return resource in (CPU, "memory") or resource.startswith("hugepages-")


def _of_pod(pod: Pod, resource: str) -> int | Failure:
    """The pod's own figure, else containers raised to the peak of starting; plus overhead. Somebody must name it."""
    overhead = pod.overhead.get(resource)
    request = pod.pod_requests.get(resource) if _pod_level(resource) else None
    if request is None:
        request = _peak(pod, resource)
    if request is None and overhead is None:
        return Failure.MISSING_REQUEST
    return (request or 0) + (overhead or 0)


def _peak(pod: Pod, resource: str) -> int | None:
    """Containers and sidecars together, or any plain init container beside the sidecars before it, if that is more."""
    named = [each.requests[resource] for each in (*pod.containers, *pod.init_containers) if resource in each.requests]
    if not named:
        return None
    sidecars = peak = 0
    for each in pod.init_containers:
        request = each.requests.get(resource, 0)
        if each.restart_always:
            sidecars += request
        else:
            peak = max(peak, sidecars + request)
    return max(peak, sidecars + sum(each.requests.get(resource, 0) for each in pod.containers))

"""Kubernetes records → instances and states. Pure: what it says depends on nothing but the records and `now`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from autoscaler.clients import kubernetes_wire as wire
from autoscaler.clients.kubernetes_quantity import milli
from autoscaler.clients.kubernetes_wire import PAUSED_UNTIL, Pod, Terminated, Workload
from autoscaler.model.pod import Container, PodFacts
from autoscaler.model.target import Instance, Pool, TargetState, WorkloadRef
from autoscaler.targets.kubernetes.writers import remedy, writer

FIRST_REPORT_S = 5.0  # a node reports "not ready" of a new pod within this after the pod's start
FINISHED = ("Succeeded", "Failed")


def instance(pod: Pod, *, seen_ready: bool, now: float) -> Instance | None:
    """A pod as an instance; None for one that has finished and will not run again.

    A pod has been ready once where we saw it so, or where its node turned it "not ready" well after its start: a new
    pod is reported "not ready" at its start, so a later turn must have been one from ready.
    """
    status = pod.status
    if status.phase in FINISHED:
        return None
    created = _seconds(pod.metadata.creation_timestamp, now)
    condition = next((each for each in status.conditions if each.type == "Ready"), None)
    ready = condition is not None and condition.status == "True"
    since = _seconds(condition.last_transition_time, created) if condition is not None else created
    started = _seconds(status.start_time, since)
    ended = _last_end(pod)
    labels = pod.metadata.labels
    return Instance(
        id=pod.metadata.uid,
        name=pod.metadata.name,
        created=created,
        ready=ready,
        since=min(since, now),  # a node's clock may be ahead of ours
        was_ready=ready or seen_ready or since > started + FIRST_REPORT_S,
        draining=pod.metadata.deletion_timestamp is not None,
        running=status.phase == "Running",
        restarts=sum(each.restart_count for each in status.container_statuses),
        exit_code=ended.exit_code if ended is not None else None,
        ooms=_ooms(pod),
        image=pod.spec.containers[0].image if pod.spec.containers else "",
        image_id=_image_id(pod),
        config_hash=labels.get("pod-template-hash") or labels.get("controller-revision-hash", ""),
        node=pod.spec.node_name,
        address=status.pod_ip,
        pod=_facts(pod, condition),
    )


def state(
    ref: WorkloadRef,
    workload: Workload,
    instances: Iterable[Instance],
    *,
    ready: int,
    zero_is_ours: bool,
    at: float,
    steered_by: str = "",
    pools: tuple[Pool, ...] = (),
) -> TargetState:
    """How a workload stood at `at`, with so many pods `ready`.

    `zero_is_ours` says that a count of 0 was ordered by us: the API does not record who wrote a zero through /scale.
    """
    spec, status = workload.spec, workload.status
    until, fault = paused(workload.metadata.annotations.paused_until)
    return TargetState(
        ref=ref,
        desired=spec.replicas,
        existing=status.replicas,
        ready=ready,
        at=at,
        instances=_told(sorted(instances, key=lambda each: (each.created, each.name))),
        rollout=rolling_out(ref.kind, workload),
        version=workload.metadata.resource_version,
        writer=writer(workload),
        remedy=remedy(workload, ref.kind),
        off_by_owner=spec.replicas == 0 and not zero_is_ours,
        steered_by=steered_by,
        pools=pools,
        paused_until=until,
        pause_fault=fault,
    )


def paused(written: str | None) -> tuple[float | None, str]:
    """Until when an annotation pauses its workload, and what is wrong with it where that cannot be told.

    >>> paused("2026-12-24T18:00:00+01:00")
    (1798131600.0, '')
    >>> paused(None)
    (None, '')
    """
    if written is None:
        return None, ""
    try:
        until = msgspec.convert(written.strip(), datetime, strict=False)
    except msgspec.ValidationError:
        until = None
    if until is None or until.tzinfo is None:
        return None, f"the annotation {PAUSED_UNTIL}: {written!r} is no time with its zone, like 2026-12-24T18:00:00Z"
    return until.timestamp(), ""


def _told(pods: Sequence[Instance]) -> tuple[Instance, ...]:
    """The pods, oldest first, with what the newest of the same template runs, where that is another image."""
    newest = {each.config_hash: each.image_id for each in pods if each.image_id}
    return tuple(
        msgspec.structs.replace(each, newer_image=newest[each.config_hash])
        if each.image_id and each.image_id != newest[each.config_hash]
        else each
        for each in pods
    )


def _facts(pod: Pod, ready: wire.Condition | None) -> PodFacts:
    spec, started = pod.spec, pod.status.start_time
    return PodFacts(
        phase=pod.status.phase,
        ready=ready.status if ready is not None else None,
        started=started.timestamp() if started is not None else None,
        containers=_containers(spec.containers or ()),
        init_containers=_containers(spec.init_containers),
        requests=_amounts(spec.resources.requests),
        overhead=_amounts(spec.overhead),
    )


def _containers(asked: Sequence[wire.Container]) -> tuple[Container, ...]:
    return tuple(
        Container(each.name, _amounts(each.resources.requests), each.restart_policy == "Always") for each in asked
    )


def _amounts(written: Mapping[str, str]) -> dict[str, int]:
    return {resource: milli(amount) for resource, amount in written.items()}


def _image_id(pod: Pod) -> str:
    """The images its containers run; empty as long as not all are known."""
    ids = sorted(each.image_id for each in pod.status.container_statuses)
    return " ".join(ids) if ids and all(ids) else ""


def rolling_out(kind: str, workload: Workload) -> bool:
    """True while pods of an older template are to be replaced, or the controller has not seen the latest wish.

    Pods that are merely missing (quota, no room) are no rollout: that would forbid shrinking for as long as they are.
    A ReplicaSet knows one template only, a StatefulSet may be told to leave some pods as they are, and a custom kind
    does not say.
    """
    spec, status = workload.spec, workload.status
    if kind == "Deployment" and spec.paused:
        return status.replicas > (spec.replicas or 0)  # nothing moves on, but surplus of a half-done one may stand
    if status.observed_generation < workload.metadata.generation:
        return True
    if kind == "Deployment":
        return status.updated_replicas < status.replicas
    if (
        kind != "StatefulSet"
        or status.current_revision == status.update_revision
        or spec.update_strategy.type == "OnDelete"
    ):
        return False
    rolling = spec.update_strategy.rolling_update
    return status.updated_replicas < status.replicas - (rolling.partition if rolling is not None else 0)


def _last_end(pod: Pod) -> Terminated | None:
    ends = list(_ends(pod))
    return max(ends, key=lambda each: _seconds(each.finished_at, 0.0)) if ends else None


def _ooms(pod: Pod) -> tuple[float, ...]:
    # The API keeps the last two ends of each container: these are the latest, not all.
    ends = {_seconds(each.finished_at, 0.0) for each in _ends(pod) if each.reason == "OOMKilled"}
    return tuple(sorted(at for at in ends if at))


def _ends(pod: Pod) -> Iterable[Terminated]:
    for each in pod.status.container_statuses:
        for kept in (each.state.terminated, each.last_state.terminated):
            if kept is not None:
                yield kept


def _seconds(when: datetime | None, otherwise: float) -> float:
    return when.timestamp() if when is not None else otherwise

"""Records → instances and states: pure functions over what an API server writes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from autoscaler.clients.kubernetes_wire import Pod, Workload
from autoscaler.model.pod import Container, PodFacts
from autoscaler.model.target import Instance, TargetState, WorkloadRef
from autoscaler.targets.kubernetes.state import instance, rolling_out, state
from autoscaler.targets.kubernetes.writers import owner, remedy, writer
from tests.unit.targets.kubernetes.records import CREATED, deployment, pod, stamp, written

REF = WorkloadRef("kubernetes", "shop", "Deployment", "web")
NOW = CREATED + 1000


def seen(record: dict[str, Any], *, seen_ready: bool = False, now: float = NOW) -> Instance | None:
    return instance(msgspec.convert(record, Pod), seen_ready=seen_ready, now=now)


def workload(**fields: Any) -> Workload:
    return msgspec.convert(deployment(**fields), Workload)


def state_of(record: Workload, *, zero_is_ours: bool = False) -> TargetState:
    return state(REF, record, [], ready=record.status.ready_replicas, zero_is_ours=zero_is_ours, at=NOW)


def test_a_ready_pod_tells_since_when_where_and_from_what() -> None:
    assert seen(pod("web-a")) == Instance(
        id="uid-web-a",
        name="web-a",
        created=CREATED,
        ready=True,
        since=CREATED + 3,
        was_ready=True,
        image="shop/web:1",
        config_hash="abc",
        node="n1",
        address="10.0.0.9",
        pod=PodFacts(phase="Running", ready="True", started=CREATED, containers=(Container("c"),)),
    )


def test_what_a_pod_requests_is_told_by_container_at_the_pod_and_for_its_runtime() -> None:
    record = pod("web-a", ready=None)
    asked = {"resources": {"requests": {"cpu": "250m", "memory": "64Mi"}}}
    record["spec"] = {
        "containers": [{"name": "app", **asked}, {"name": "bare"}],
        "initContainers": [{"name": "side", "restartPolicy": "Always", **asked}],
        "resources": {"requests": {"cpu": "1"}},
        "overhead": {"cpu": "5m"},
    }
    found = seen(record)
    assert found is not None
    assert found.pod is not None
    requests = {"cpu": 250, "memory": 64 * 1024**2 * 1000}
    assert found.pod.containers == (Container("app", requests), Container("bare"))
    assert found.pod.init_containers == (Container("side", requests, restart_always=True),)
    assert (found.pod.requests, found.pod.overhead, found.pod.ready) == ({"cpu": 1000}, {"cpu": 5}, None)


def test_a_pod_unready_since_its_start_was_never_ready() -> None:
    found = seen(pod("web-a", ready=False, turned=CREATED + 1))
    assert found is not None
    assert (found.ready, found.was_ready, found.since) == (False, False, CREATED + 1)


def test_a_pod_that_turned_unready_long_after_its_start_was_ready_once() -> None:
    """A daemon that starts when the pod is sick already must see that it is not just slow to start."""
    found = seen(pod("web-a", ready=False, turned=CREATED + 300))
    assert found is not None
    assert (found.ready, found.was_ready, found.since) == (False, True, CREATED + 300)


def test_a_pod_seen_ready_before_keeps_that_even_where_its_turn_came_soon() -> None:
    found = seen(pod("web-a", ready=False, turned=CREATED + 2), seen_ready=True)
    assert found is not None
    assert found.was_ready


def test_a_pod_that_waited_long_for_a_node_was_not_ready_in_that_time() -> None:
    late = pod("web-a", ready=False, turned=CREATED + 301, startTime=stamp(CREATED + 300))
    found = seen(late)
    assert found is not None
    assert not found.was_ready


def test_a_pod_no_node_has_reported_on_is_unready_since_its_creation() -> None:
    found = seen(pod("web-a", ready=None, startTime=None, phase="Pending"))
    assert found is not None
    assert (found.ready, found.was_ready, found.since, found.running) == (False, False, CREATED, False)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_finished_pod_is_no_instance(phase: str) -> None:
    assert seen(pod("web-a", phase=phase)) is None


def test_a_terminating_pod_is_draining() -> None:
    record = pod("web-a")
    record["metadata"]["deletionTimestamp"] = stamp(NOW)
    found = seen(record)
    assert found is not None
    assert found.draining


def test_a_clock_ahead_on_the_node_never_makes_an_age_negative() -> None:
    found = seen(pod("web-a", turned=NOW + 50))
    assert found is not None
    assert found.since == NOW


def test_restarts_and_the_last_end_come_from_all_containers() -> None:
    def ended(code: int, reason: str, at: float) -> dict[str, Any]:
        return {"terminated": {"exitCode": code, "reason": reason, "finishedAt": stamp(at)}}

    statuses = [
        {"ready": True, "restartCount": 2, "lastState": ended(137, "OOMKilled", CREATED + 50)},
        {"ready": False, "restartCount": 3, "state": ended(1, "Error", CREATED + 90)},
    ]
    found = seen(pod("web-a", containerStatuses=statuses))
    assert found is not None
    assert (found.restarts, found.exit_code, len(found.ooms)) == (5, 1, 1)


def test_counts_come_from_spec_and_status_and_what_is_absent_is_none_or_zero() -> None:
    found = state_of(workload(desired=5, replicas=4, updatedReplicas=4, readyReplicas=3))
    assert (found.desired, found.existing, found.ready, found.rollout) == (5, 4, 3, False)
    bare = msgspec.convert({"metadata": {"name": "web", "uid": "u"}}, Workload)
    found = state_of(bare)
    assert (found.desired, found.existing, found.ready, found.off_by_owner) == (None, 0, 0, False)


def test_pods_of_an_older_template_are_a_rollout_and_so_is_a_wish_not_yet_seen() -> None:
    assert rolling_out("Deployment", workload(desired=4, replicas=5, updatedReplicas=2))
    assert rolling_out("Deployment", workload(desired=4, observedGeneration=0))
    assert not rolling_out("Deployment", workload(desired=4))


def test_pods_that_are_merely_missing_are_no_rollout() -> None:
    """Asked for 8, stuck at 5 (quota): were that a rollout, it could never shrink out of it."""
    assert not rolling_out("Deployment", workload(desired=8, replicas=5, updatedReplicas=5, readyReplicas=5))


def test_a_paused_deployment_rolls_out_only_while_surplus_pods_stand() -> None:
    def paused(**fields: Any) -> Workload:
        record = deployment(**fields)
        record["spec"]["paused"] = True
        return msgspec.convert(record, Workload)

    assert not rolling_out("Deployment", paused(desired=4, updatedReplicas=0))
    assert rolling_out("Deployment", paused(desired=4, replicas=5, updatedReplicas=1))


def test_a_stateful_set_rolls_out_while_pods_are_to_be_brought_to_the_new_template() -> None:
    def stateful(strategy: dict[str, Any], **fields: Any) -> Workload:
        record = deployment(**fields)
        record["spec"]["updateStrategy"] = strategy
        return msgspec.convert(record, Workload)

    rolling: dict[str, Any] = {"type": "RollingUpdate"}
    moving: dict[str, Any] = {"desired": 4, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"}
    assert rolling_out("StatefulSet", stateful(rolling, **moving))
    assert not rolling_out("StatefulSet", stateful(rolling, **{**moving, "currentRevision": "b"}))
    assert not rolling_out("StatefulSet", stateful({"type": "OnDelete"}, **moving)), "nothing replaces its pods"
    held = {**rolling, "rollingUpdate": {"partition": 3}}
    assert not rolling_out("StatefulSet", stateful(held, **moving)), "three are to stay as they are"
    assert rolling_out("StatefulSet", stateful(held, **{**moving, "updatedReplicas": 0}))


def test_a_replica_set_and_a_custom_kind_roll_out_only_while_a_wish_is_not_yet_seen() -> None:
    for kind in ("ReplicaSet", "Stall.v1.example.com"):
        assert not rolling_out(kind, workload(desired=4, updatedReplicas=0))
        assert rolling_out(kind, workload(desired=4, observedGeneration=0))


def test_the_writer_is_who_owns_the_count_and_never_us() -> None:
    assert writer(workload(managed=[written("kubectl", at=5.0)])) == "kubectl"
    assert writer(workload(managed=[written("argocd-controller", at=5.0), written("autoscaler")])) == ""
    assert owner(workload(managed=[written("autoscaler")])) == "autoscaler"
    assert writer(workload(managed=[{"manager": "controller-manager", "fieldsV1": {"f:status": {}}}])) == ""
    flux = [written("helm", at=5.0, operation="Apply"), written("flux", at=9.0, operation="Apply")]
    assert writer(workload(managed=flux)) == "flux"


@pytest.mark.parametrize(("entry", "named", "said"), [
    (written("kustomize-controller", operation="Apply", at=5.0), "Flux as kustomize-controller", "reconciles"),
    (written("helm", at=5.0), "helm", "the chart renders"),
    (written("kube-controller-manager"), "a HorizontalPodAutoscaler as kube-controller-manager", "delete the Ho"),
    (written("kubectl-client-side-apply", at=5.0), "kubectl-client-side-apply", "out of what it applies"),
    (written("kubectl", operation="Apply", at=5.0), "kubectl", "out of what it applies"),
    (written("kubectl", at=5.0), "kubectl", ""),
    (written("somebody-else", at=5.0), "somebody-else", ""),
    (written("autoscaler"), "", ""),
])  # fmt: skip
def test_a_writer_is_known_by_the_name_people_use_with_what_keeps_it_from_writing(
    entry: dict[str, Any], named: str, said: str
) -> None:
    record = workload(managed=[entry])
    assert writer(record) == named
    told = remedy(record, "Deployment")
    assert said in told if said else told == ""


def test_argo_cd_is_told_the_kind_whose_count_it_should_ignore() -> None:
    record = workload(managed=[written("argocd-controller", operation="Apply", at=5.0)])
    assert "[{group: apps, kind: Deployment, jsonPointers" in remedy(record, "Deployment")
    assert "[{group: argoproj.io, kind: Rollout, jsonPointers" in remedy(record, "Rollout.v1alpha1.argoproj.io")


def test_a_zero_not_ours_is_the_owners() -> None:
    zero = workload(desired=0)
    assert state_of(zero).off_by_owner
    assert not state_of(zero, zero_is_ours=True).off_by_owner
    assert not state_of(workload(desired=1)).off_by_owner


def test_a_pod_that_runs_another_image_than_the_newest_of_its_template_is_told_what_that_one_runs() -> None:
    def running(name: str, at: float, image: str) -> Instance:
        found = seen(pod(name, containerStatuses=[{"ready": True, "imageID": image}]))
        assert found is not None
        return msgspec.structs.replace(found, created=at)

    pods = [running("web-a", 1.0, "web@sha256:a"), running("web-b", 2.0, "web@sha256:b"), running("web-c", 3.0, "")]
    told = state(REF, workload(), pods, zero_is_ours=False, at=NOW, ready=2)
    assert [each.newer_image for each in told.instances] == ["web@sha256:b", "", ""]

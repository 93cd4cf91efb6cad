"""How many more pods fit, by what quotas and limit ranges say."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from autoscaler.clients.kubernetes_wire import LimitRange, PodSpec, Quota
from autoscaler.targets.kubernetes.quotas import Room, cost, room


def container(
    cpu: str | None = None, memory: str | None = None, *, limits: dict[str, str] | None = None
) -> dict[str, Any]:
    asked = {name: value for name, value in (("cpu", cpu), ("memory", memory)) if value is not None}
    return {"resources": {"requests": asked, "limits": limits or {}}}


def pod(*containers: dict[str, Any], **more: Any) -> PodSpec:
    return msgspec.convert({"containers": list(containers) or [{}], **more}, PodSpec)


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> Quota:
    told = {"metadata": {"name": "team"}, "spec": spec, "status": {"hard": hard, "used": used or {}}}
    return msgspec.convert(told, Quota)


def limit_range(**item: Any) -> LimitRange:
    return msgspec.convert(
        {"metadata": {"name": "usual"}, "spec": {"limits": [{"type": "Container", **item}]}}, LimitRange
    )


SMALL = pod(container("100m", "64Mi"))


@pytest.mark.parametrize(("of", "hard", "used", "more"), [
    (pod(), {"pods": "10"}, {"pods": "7"}, 3),
    (pod(), {"count/pods": "10"}, {"count/pods": "12"}, 0),
    (SMALL, {"requests.cpu": "1"}, {"requests.cpu": "650m"}, 3),
    (SMALL, {"cpu": "1"}, {"cpu": "700m"}, 3),
    (SMALL, {"requests.memory": "1Gi"}, {}, 16),
    (SMALL, {"requests.cpu": "1e3"}, {}, 10_000),
    (pod(container("100m"), container("200m")), {"requests.cpu": "1"}, {}, 3),
    (pod(container(limits={"cpu": "500m"})), {"requests.cpu": "1", "limits.cpu": "4"}, {}, 2),
    (SMALL, {"requests.cpu": "1", "pods": "4"}, {"pods": "3"}, 1),
    (SMALL, {"services": "1", "requests.nvidia.com/gpu": "1"}, {}, None),
    (pod({"resources": {"requests": {"nvidia.com/gpu": "2"}}}), {"requests.nvidia.com/gpu": "8"}, {}, 4),
])  # fmt: skip
def test_what_is_left_is_divided_by_what_one_pod_takes(
    of: PodSpec, hard: dict[str, str], used: dict[str, str], more: int | None
) -> None:
    found = room(of, [quota(hard, used)], [])
    assert (found and found.more) == more


def test_the_tightest_quota_is_named_with_how_full_it_is() -> None:
    found = room(SMALL, [quota({"pods": "10"}, {"pods": "2"}), quota({"requests.cpu": "1"}, {"requests.cpu": "1"})], [])
    assert found == Room(0, "ResourceQuota team (requests.cpu: 1 of 1 used)")


def test_a_pod_that_does_not_say_what_a_quota_counts_is_not_let_in_unless_a_limit_range_says_it() -> None:
    full = quota({"limits.memory": "1Gi"})
    assert room(SMALL, [full], []) == Room(0, "ResourceQuota team (pods must say their limits.memory)")
    usual = limit_range(default={"memory": "256Mi"}, defaultRequest={"memory": "128Mi"})
    found = room(SMALL, [full], [usual])
    assert found is not None
    assert found.more == 4


def test_a_limit_of_its_own_is_asked_for_before_the_default_is() -> None:
    usual = limit_range(default={"cpu": "1"}, defaultRequest={"cpu": "100m"})
    assert cost(pod(container(limits={"cpu": "500m"})), [usual]) == {"requests.cpu": 500, "limits.cpu": 500}
    assert cost(pod(), [usual]) == {"requests.cpu": 100, "limits.cpu": 1000}


def test_containers_that_run_first_count_where_they_take_more_and_those_that_stay_always() -> None:
    first = pod(container("100m"), initContainers=[container("900m"), container("300m")])
    assert cost(first, []) == {"requests.cpu": 900}
    beside = pod(container("100m"), initContainers=[{**container("50m"), "restartPolicy": "Always"}])
    assert cost(beside, []) == {"requests.cpu": 150}
    assert cost(pod(container("100m"), overhead={"cpu": "20m", "memory": "1Mi"}), []) == {"requests.cpu": 120}


@pytest.mark.parametrize(("of", "spec", "counts"), [
    (pod(), {"scopes": ["BestEffort"]}, True),
    (SMALL, {"scopes": ["BestEffort"]}, False),
    (SMALL, {"scopes": ["NotBestEffort", "NotTerminating"]}, True),
    (SMALL, {"scopes": ["Terminating"]}, False),
    (SMALL, {"scopes": ["CrossNamespacePodAffinity"]}, False),
    (pod(priorityClassName="high"), {"scopeSelector": {"matchExpressions": [
        {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}}, True),
    (pod(), {"scopeSelector": {"matchExpressions": [
        {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}}, False),
    (pod(), {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "NotIn",
                                                     "values": ["high"]}]}}, True),
])  # fmt: skip
def test_a_quota_counts_the_pods_of_its_scopes(of: PodSpec, spec: dict[str, Any], counts: bool) -> None:
    found = room(of, [quota({"pods": "3"}, **spec)], [])
    assert (found is not None) == counts


def test_as_long_as_limit_ranges_are_not_known_only_what_a_pod_says_itself_is_reckoned() -> None:
    assert room(SMALL, [quota({"limits.memory": "1Gi"})], None) is None
    assert room(pod(), [quota({"requests.cpu": "1", "pods": "3"})], None) == Room(
        3, "ResourceQuota team (pods: 0 of 3 used)"
    )
    for scope in ("BestEffort", "NotBestEffort"):
        assert room(pod(), [quota({"pods": "0"}, scopes=[scope])], None) is None, scope
    found = room(SMALL, [quota({"requests.cpu": "1"}, {"requests.cpu": "650m"})], None)
    assert found is not None
    assert found.more == 3


def test_what_cannot_be_read_checks_nothing() -> None:
    assert room(pod(container("a lot")), [quota({"requests.cpu": "1"})], []) is None
    assert room(SMALL, [quota({"requests.cpu": "?"})], []) is None

"""How many more pods fit, by what quotas and limit ranges say."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from autoscaler.clients.kubernetes_wire import LimitRange, PodSpec, Quota
from autoscaler.targets.kubernetes.quotas import cost, pools


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


def room(of: PodSpec, quotas: list[Quota], limits: list[LimitRange] | None) -> tuple[int, str] | None:
    """How many more fit, and what says so."""
    tight = min(pools(of, quotas, limits), key=lambda each: (each.more, each.by), default=None)
    return (tight.more, tight.by) if tight is not None else None


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
    assert (found and found[0]) == more


def test_the_tightest_quota_is_named_with_how_full_it_is() -> None:
    found = room(SMALL, [quota({"pods": "10"}, {"pods": "2"}), quota({"requests.cpu": "1"}, {"requests.cpu": "1"})], [])
    assert found == (0, "ResourceQuota team (requests.cpu: 1 of 1 used)")


def test_a_pod_that_does_not_say_what_a_quota_counts_is_not_let_in_unless_a_limit_range_says_it() -> None:
    full = quota({"limits.memory": "1Gi"})
    assert room(SMALL, [full], []) == (0, "ResourceQuota team (pods must say their limits.memory)")
    usual = limit_range(default={"memory": "256Mi"}, defaultRequest={"memory": "128Mi"})
    found = room(SMALL, [full], [usual])
    assert found is not None
    assert found[0] == 4


def test_a_pod_that_says_nothing_leaves_the_room_of_the_others_as_it_is() -> None:
    full = quota({"requests.cpu": "1"})
    silent, said = pools(pod(), [full], []), pools(SMALL, [full], [])
    assert {each.key for each in silent}.isdisjoint(each.key for each in said)


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
    assert room(pod(), [quota({"requests.cpu": "1", "pods": "3"})], None) == (
        3,
        "ResourceQuota team (pods: 0 of 3 used)",
    )
    for scope in ("BestEffort", "NotBestEffort"):
        assert room(pod(), [quota({"pods": "0"}, scopes=[scope])], None) is None, scope
    found = room(SMALL, [quota({"requests.cpu": "1"}, {"requests.cpu": "650m"})], None)
    assert found is not None
    assert found[0] == 3


def test_what_cannot_be_read_checks_nothing() -> None:
    assert room(pod(container("a lot")), [quota({"requests.cpu": "1"})], []) is None
    assert room(SMALL, [quota({"requests.cpu": "?"})], []) is None


def bounded(kind: str = "Container", **most: str) -> LimitRange:
    item = {"type": kind, "max": most}
    return msgspec.convert({"metadata": {"name": "usual"}, "spec": {"limits": [item]}}, LimitRange)


def named(name: str, **limits: str) -> dict[str, Any]:
    return {"name": name, **container(limits=limits)}


@pytest.mark.parametrize(("of", "limit", "said"), [
    (pod(named("app", cpu="2")), bounded(cpu="1"),
     "container app: limits.cpu 2 is above the max of 1; lower it in the pod template, or raise the max"),
    (pod(named("app", cpu="1"), initContainers=[named("setup", memory="2Gi")]), bounded(memory="1Gi"),
     "container setup: limits.memory 2Gi is above the max of 1Gi; lower it in the pod template, or raise the max"),
    (pod(named("app", memory="3Gi"), named("log", memory="2Gi")), bounded("Pod", memory="4Gi"),
     "all containers together: limits.memory 5368709120 is above the max of 4Gi; lower it in the pod template, "
     "or raise the max"),
    (pod({"name": "app"}), bounded("Pod", cpu="4"),
     "all containers together: no limits.cpu, and the max is 4; write limits.cpu into the pod template, "
     "or raise the max"),
])  # fmt: skip
def test_a_pod_above_the_max_of_a_limit_range_is_not_let_in_and_the_way_out_is_told(
    of: PodSpec, limit: LimitRange, said: str
) -> None:
    beside = limit_range(default={"memory": "1Mi"}, max={"memory": "8Gi"})
    assert [each for each in pools(of, [], [beside, limit]) if "usual" in each.by][
        -1
    ].by == f"LimitRange usual ({said})"
    assert room(of, [quota({"pods": "10"})], [beside, limit]) == (0, f"LimitRange usual ({said})")


@pytest.mark.parametrize(("of", "limit"), [
    (pod(named("app", cpu="1")), bounded(cpu="1")),
    (pod(named("app", cpu="1")), bounded(cpu="a lot")),
    (pod(named("app", cpu="1")), bounded("PersistentVolumeClaim", storage="1Gi")),
    (pod(named("app", cpu="1"), named("log", cpu="1")), bounded("Pod", cpu="2")),
])  # fmt: skip
def test_a_pod_within_the_max_of_a_limit_range_is_limited_by_nothing(of: PodSpec, limit: LimitRange) -> None:
    assert not pools(of, [], [limit])


def test_a_max_counts_what_a_limit_range_writes_into_a_container_that_says_nothing() -> None:
    usual = limit_range(default={"cpu": "3"}, max={"cpu": "2"})
    assert room(pod({"name": "app"}), [], [usual]) == (
        0,
        "LimitRange usual (container app: limits.cpu 3 is above the max of 2; lower it in the pod template, "
        "or raise the max)",
    )
    assert room(pod({"name": "app"}), [], None) is None, "limit ranges that are not known refuse nobody"

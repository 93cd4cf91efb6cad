"""Whatever has a scale subresource, and what selectors find, on a real API server."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from autoscaler.model.operation import Operation, OperationKind, OutcomeKind
from autoscaler.model.policy import Mode, Policy, Recycle, Replicas, When
from autoscaler.model.signal import Missing
from autoscaler.model.target import TargetState, WorkloadRef
from tests.contracts.harness import drive
from tests.contracts.target_kubernetes import KubernetesHarness, kubernetes_harness
from tests.parts.cluster import APPS, CORE, MERGE_PATCH, Answered
from tests.parts.kubernetes import ControlPlane
from tests.support.wait import auntil

pytestmark = pytest.mark.kubernetes

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture
async def shop(control_plane: ControlPlane) -> AsyncIterator[KubernetesHarness]:
    async with kubernetes_harness(control_plane) as harness:
        yield harness


async def seen(shop: KubernetesHarness, ref: WorkloadRef) -> TargetState | Missing:
    (state,) = await shop.target.states([ref])
    return state


async def stands(shop: KubernetesHarness, ref: WorkloadRef, count: int) -> TargetState:
    async def there() -> TargetState | None:
        state = await seen(shop, ref)
        assert isinstance(state, TargetState), state
        counts = state.desired, state.existing, state.ready, len(state.instances)
        assert counts == (count,) * 4, state
        return None if state.rollout else state

    found = await auntil(there, f"{ref.key} stands at {count}", within=60)
    assert found is not None
    return found


async def order(shop: KubernetesHarness, ref: WorkloadRef, before: int, count: int, **more: Any) -> OutcomeKind:
    now = shop.clock.now()
    wish = Operation(
        id=uuid.uuid4().hex[:12], kind=OperationKind.SCALE, ref=ref, started=now, deadline=now + 60, before=before,
        count=count, **more,
    )  # fmt: skip
    (ended,) = await drive(shop, wish)
    return ended.kind


def only(shop: KubernetesHarness, policy: Policy) -> WorkloadRef:
    ((ref, _),) = shop.target.discover([policy])
    return ref


@pytest.mark.parametrize(("kind", "plural", "spec"), [
    ("StatefulSet", "statefulsets", {"serviceName": "db", "podManagementPolicy": "Parallel"}),
    ("ReplicaSet", "replicasets", {}),
])  # fmt: skip
async def test_a_stateful_set_and_a_bare_replica_set_go_up_and_down(
    shop: KubernetesHarness, kind: str, plural: str, spec: dict[str, Any]
) -> None:
    await asyncio.to_thread(shop.cluster.deployment, shop.namespace, "db", 2, plural, **spec)
    ref = only(shop, shop.policy_of("db", kind=kind))
    assert ref.key == f"kubernetes/default/{shop.namespace}/{kind}/db"
    await stands(shop, ref, 2)
    assert await order(shop, ref, 2, 4) is OutcomeKind.APPLIED
    await stands(shop, ref, 4)
    assert await order(shop, ref, 4, 1) is OutcomeKind.APPLIED
    left = await stands(shop, ref, 1)
    assert (left.writer, left.off_by_owner) == ("", False)


async def test_a_replica_set_of_a_deployment_is_refused_and_its_owner_named(shop: KubernetesHarness) -> None:
    await shop.begin(1)
    sets = await shop.hand("GET", f"{APPS}/{shop.namespace}/replicasets")
    name = sets["items"][0]["metadata"]["name"]
    state = await seen(shop, only(shop, shop.policy_of(name, kind="ReplicaSet")))
    assert isinstance(state, Missing)
    assert state.detail.endswith("belongs to Deployment web, which sets its count: name kind: Deployment, name: web "
                                 "instead")  # fmt: skip
    several = shop.policy_of(kind="ReplicaSet", selector={"app": "web"})
    await shop.target.survey([several])  # type: ignore[attr-defined]
    assert shop.target.discover([several]) == [], "a selector does not find it either"


@pytest.fixture
async def stalls(shop: KubernetesHarness) -> AsyncIterator[str]:
    """A custom kind whose count is not where a Deployment has it, and whose pods belong to nobody; its path."""
    group = f"g{uuid.uuid4().hex[:6]}.example.com"
    scale = {
        "specReplicasPath": ".spec.tables",
        "statusReplicasPath": ".status.tables",
        "labelSelectorPath": ".status.pods",
    }
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    whole = {"type": "object", "properties": {"spec": free, "status": free}}
    served = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": whole}}
    names = {"plural": "stalls", "singular": "stall", "kind": "Stall"}
    spec: dict[str, Any] = {"group": group, "scope": "Namespaced", "names": names}
    spec["versions"] = [{**served, "subresources": {"status": {}, "scale": scale}}]
    crd = f"stalls.{group}"
    await shop.hand("POST", CRDS, {"metadata": {"name": crd}, "spec": spec})
    path = f"/apis/{group}/v1/namespaces/{shop.namespace}/stalls"
    stall = {"apiVersion": f"{group}/v1", "kind": "Stall", "metadata": {"name": "fruit"}, "spec": {"tables": 2}}
    try:
        await auntil(lambda: shop.hand("POST", path, stall), "the new kind is served")
        yield path
    finally:
        with contextlib.suppress(Answered, OSError):
            await shop.hand("DELETE", f"{CRDS}/{crd}")


async def grow(shop: KubernetesHarness, path: str, count: int) -> None:
    """What the kind's own controller would do: pods with its labels, and a status that says so."""
    for number in range(count):
        meta = {"name": f"fruit-{number}", "labels": {"stall": "fruit", "season": "summer"}}
        body = {"metadata": meta, "spec": {"containers": [{"name": "web", "image": "shop/web:1"}]}}
        with contextlib.suppress(Answered):
            await shop.hand("POST", f"{CORE}/{shop.namespace}/pods", body)
    status = {"status": {"tables": count, "pods": "stall=fruit,season in (spring, summer)"}}
    await shop.hand("PATCH", f"{path}/fruit/status", status, kind=MERGE_PATCH)


async def test_a_custom_kind_is_known_and_scaled_by_nothing_but_its_scale(shop: KubernetesHarness, stalls: str) -> None:
    group = stalls.split("/")[2]
    ref = only(shop, shop.policy_of("fruit", kind="Stall", apiVersion=f"{group}/v1"))
    assert ref.kind == f"Stall.v1.{group}"
    await grow(shop, stalls, 2)
    await stands(shop, ref, 2)
    assert await order(shop, ref, 2, 3) is OutcomeKind.APPLIED
    assert (await shop.hand("GET", f"{stalls}/fruit"))["spec"]["tables"] == 3
    await grow(shop, stalls, 3)
    await stands(shop, ref, 3)
    assert await order(shop, ref, 2, 5) is OutcomeKind.CONFLICT
    await shop.hand("PATCH", f"{stalls}/fruit", {"spec": {"tables": 1}}, kind=MERGE_PATCH)

    async def told() -> bool:
        state = await seen(shop, ref)
        return isinstance(state, TargetState) and state.desired == 1

    await auntil(told, "another's count is seen")


async def test_what_cannot_be_scaled_is_said_with_a_way_out(shop: KubernetesHarness, stalls: str) -> None:
    group = stalls.split("/")[2]
    wrong = {
        ("Stal", f"{group}/v1"): "did you mean Stall?",
        ("Stall", f"{group}/v2"): "is its CustomResourceDefinition installed",
        ("DaemonSet", "apps/v1"): "has no scale subresource",
    }
    for (kind, version), words in wrong.items():
        state = await seen(shop, only(shop, shop.policy_of("x", kind=kind, apiVersion=version)))
        assert isinstance(state, Missing)
        assert words in state.detail


async def test_one_policy_for_all_namespaces_picks_up_what_comes(shop: KubernetesHarness) -> None:
    tier = uuid.uuid4().hex[:8]
    other = f"{shop.namespace}-b"
    await asyncio.to_thread(shop.cluster.namespace, other)
    everywhere = shop.policy_of(namespace="*", selector={"tier": tier})
    listed = shop.policy_of(namespace=(shop.namespace, other), selector={"tier": tier})
    named = shop.policy_of("web", namespace=(shop.namespace, other))

    async def found(policy: Policy) -> list[str]:
        await shop.target.survey([policy])  # type: ignore[attr-defined]
        return [f"{ref.namespace}/{ref.name}" for ref, _ in shop.target.discover([policy])]

    async def finds(policy: Policy, *there: str) -> None:
        async def same() -> bool:
            return set(await found(policy)) == set(there)

        await auntil(same, f"found: {there}", within=30)

    async def label(namespace: str, name: str) -> None:
        path = f"{APPS}/{namespace}/deployments/{name}"
        await shop.hand("PATCH", path, {"metadata": {"labels": {"tier": tier}}}, kind=MERGE_PATCH)

    await shop.begin(1)
    assert await found(everywhere) == []
    await label(shop.namespace, "web")
    await finds(everywhere, f"{shop.namespace}/web")
    await asyncio.to_thread(shop.cluster.deployment, other, "web", 1)
    await label(other, "web")
    await finds(everywhere, f"{shop.namespace}/web", f"{other}/web")
    ref = WorkloadRef("kubernetes", other, "Deployment", "web")
    await stands(shop, ref, 1)
    assert await order(shop, ref, 1, 2) is OutcomeKind.APPLIED
    await finds(listed, f"{shop.namespace}/web", f"{other}/web")
    await finds(named, f"{shop.namespace}/web", f"{other}/web")
    await shop.hand("DELETE", f"{CORE}/{other}")


async def test_without_the_right_to_see_all_namespaces_the_rule_to_add_is_printed(shop: KubernetesHarness) -> None:
    rules = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list", "watch"]}]
    config = await asyncio.to_thread(shop.cluster.service_account, shop.namespace, "narrow", rules)
    target = shop.another(config)
    everywhere = shop.policy_of("web", namespace="*")
    assert not await target.survey([everywhere])
    (state,) = await target.states([WorkloadRef("kubernetes", shop.namespace, "Deployment", "web")])
    assert isinstance(state, Missing)
    assert "add this rule to the ClusterRole" in state.detail


async def test_rights_that_acting_takes_are_known_before_and_the_rule_to_add_is_told(shop: KubernetesHarness) -> None:
    rules = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch"]}]
    config = await asyncio.to_thread(shop.cluster.service_account, shop.namespace, "looker", rules)
    acting = msgspec.structs.replace(
        shop.policy, replicas=Replicas(min=1, max=3), recycle=Recycle(when=When(unhealthy_for=60.0))
    )
    looking = msgspec.structs.replace(acting, mode=Mode.OBSERVE)
    target = shop.another(config)
    assert await target.lacking([(shop.ref, looking)]) == []
    scaling, evicting = await target.lacking([(shop.ref, acting)])
    assert scaling[0] == f"we may not patch deployments/scale in namespace {shop.namespace}"
    assert 'resources: ["pods/eviction"]' in evicting[1]
    assert await shop.another(shop.cluster.kubeconfig()).lacking([(shop.ref, acting)]) == []

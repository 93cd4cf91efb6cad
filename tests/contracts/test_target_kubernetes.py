"""What only Kubernetes has, on a real API server: whose count it is, compare-and-set, and watches that break."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_wire import Resource, Scale
from autoscaler.errors import Conflict
from autoscaler.model.operation import Operation, OperationKind, OutcomeKind
from autoscaler.model.signal import Missing
from autoscaler.model.target import TargetState, WorkloadRef
from tests.contracts.harness import drive, operation, scale, state
from tests.contracts.target_kubernetes import KubernetesHarness, kubernetes_harness
from tests.parts.cluster import CORE, MERGE_PATCH
from tests.parts.kubernetes import ControlPlane
from tests.support.wait import auntil, until

pytestmark = pytest.mark.kubernetes

DEPLOYMENTS = Resource("apps/v1", "deployments")
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
STALLS = "/apis/example.com/v1/namespaces"
MANY = 30


@pytest.fixture
async def web(control_plane: ControlPlane) -> AsyncIterator[KubernetesHarness]:
    async with kubernetes_harness(control_plane) as harness:
        yield harness


@contextlib.asynccontextmanager
async def wire(web: KubernetesHarness) -> AsyncIterator[KubernetesApi]:
    api = KubernetesApi(web.clock, kubeconfig=str(web.cluster.kubeconfig()))
    yield api
    await api.close()


async def count(web: KubernetesHarness) -> int:
    return int((await web.deployment())["spec"]["replicas"])


async def owners(web: KubernetesHarness) -> list[tuple[str, str]]:
    """Who is on record as the owner of the count, with the subresource it was written through."""
    fields = (await web.deployment())["metadata"]["managedFields"]
    return [
        (each["manager"], each.get("subresource", ""))
        for each in fields
        if "f:replicas" in each.get("fieldsV1", {}).get("f:spec", {})
    ]


async def scaled(web: KubernetesHarness, before: int, wanted: int, **fields: Any) -> OutcomeKind:
    (ended,) = await drive(web, operation(web, OperationKind.SCALE, before=before, count=wanted, **fields))
    return ended.kind


async def test_a_count_of_ours_is_on_record_as_ours_and_nobody_elses(web: KubernetesHarness) -> None:
    await web.begin(1)
    assert await owners(web) == [("kubectl", "")]
    assert await scaled(web, 1, 3) is OutcomeKind.APPLIED
    assert await owners(web) == [("autoscaler", "scale")]
    await web.set_count(2, manager="argocd-controller")
    assert await owners(web) == [("argocd-controller", "")]
    assert await scaled(web, 2, 3) is OutcomeKind.APPLIED
    assert await owners(web) == [("autoscaler", "scale")]


async def test_a_moved_version_is_no_conflict_while_the_count_is_the_one_decided_from(web: KubernetesHarness) -> None:
    await web.begin(2)
    old = (await state(web)).version
    await web.make_sick((await web.names())[0])

    async def moved() -> bool:
        return bool((await web.deployment())["metadata"]["resourceVersion"] != old)

    await auntil(moved, "the status has moved the version")
    assert await scaled(web, 2, 3, version=old) is OutcomeKind.APPLIED
    assert await count(web) == 3


async def test_another_count_is_a_conflict_and_nothing_changes(web: KubernetesHarness) -> None:
    await web.begin(2)
    await web.set_count(3)
    async with wire(web) as api:
        with pytest.raises(Conflict, match="the count is not what it was"):
            await api.set_scale(DEPLOYMENTS, web.namespace, "web", count=6, before=2)
    assert await count(web) == 3


async def test_from_zero_a_stale_version_is_a_conflict_and_nothing_changes(web: KubernetesHarness) -> None:
    await web.begin(1)
    old = (await web.deployment())["metadata"]["resourceVersion"]
    await web.set_count(0)
    await web.ready(0)
    async with wire(web) as api:
        with pytest.raises(Conflict):
            await api.set_scale(DEPLOYMENTS, web.namespace, "web", count=6, before=0, version=old)
        assert await count(web) == 0
        fresh = (await api.get_scale(DEPLOYMENTS, web.namespace, "web")).metadata.resource_version
        made = await api.set_scale(DEPLOYMENTS, web.namespace, "web", count=2, before=0, version=fresh)
    assert (made.spec.replicas, await count(web)) == (2, 2)


async def test_a_custom_resource_at_zero_or_without_a_count_is_scaled_through_its_version(
    web: KubernetesHarness,
) -> None:
    """Its /scale has no count a patch could test, and neither has that of a Deployment at 0."""
    stalls, group = Resource("example.com/v1", "stalls"), "example.com"
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    whole = {"type": "object", "properties": {"spec": schema, "status": schema}}
    served = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": whole}}
    names = {"plural": "stalls", "singular": "stall", "kind": "Stall"}
    spec = {"group": group, "scope": "Namespaced", "names": names}
    spec["versions"] = [{**served, "subresources": {"status": {}, "scale": scale}}]  # type: ignore[assignment]
    crd = f"stalls.{group}"
    await web.hand("POST", CRDS, {"metadata": {"name": crd}, "spec": spec})
    stall = {"apiVersion": "example.com/v1", "kind": "Stall", "metadata": {"name": "fruit"}, "spec": {"replicas": 0}}
    never_counted = {**stall, "metadata": {"name": "bread"}, "spec": {}}
    try:
        await auntil(lambda: web.hand("POST", f"{STALLS}/{web.namespace}/stalls", stall), "the new kind is served")
        async with wire(web) as api:
            made = await web.hand("POST", f"{STALLS}/{web.namespace}/stalls", never_counted)
            version = made["metadata"]["resourceVersion"]
            bread = await api.set_scale(stalls, web.namespace, "bread", count=2, before=0, version=version)
            assert bread.spec.replicas == 2
            with pytest.raises(Conflict):
                await api.set_scale(stalls, web.namespace, "bread", count=4, before=0, version=version)
            seen = await api.get_scale(stalls, web.namespace, "fruit")
            assert seen.spec.replicas == 0

            async def order(wanted: int, before: int, version: str = "") -> Scale:
                return await api.set_scale(stalls, web.namespace, "fruit", count=wanted, before=before, version=version)

            with pytest.raises(Conflict):
                await order(3, 0, "1")
            assert (await order(3, 0, seen.metadata.resource_version)).spec.replicas == 3
            with pytest.raises(Conflict):
                await order(5, 2)
            assert (await order(5, 3)).spec.replicas == 5
    finally:
        await web.hand("DELETE", f"{CRDS}/{crd}")


async def test_a_zero_by_the_owner_is_the_owners_even_where_we_had_scaled_before(web: KubernetesHarness) -> None:
    await web.begin(1)
    assert not (await state(web)).off_by_owner
    assert await scaled(web, 1, 2) is OutcomeKind.APPLIED
    path = f"/apis/apps/v1/namespaces/{web.namespace}/deployments/web/scale"
    await web.hand("PATCH", path, {"spec": {"replicas": 0}}, kind=MERGE_PATCH)

    async def off() -> bool:
        return (await state(web)).off_by_owner

    await auntil(off, "the zero is known as the owner's")
    await web.set_count(1)

    async def on() -> bool:
        seen = await state(web)
        return not seen.off_by_owner and seen.desired == 1

    await auntil(on, "the count is steered again once it rises")


async def test_a_watch_whose_place_is_forgotten_begins_anew_and_what_went_unseen_is_forgotten(
    web: KubernetesHarness,
) -> None:
    await web.begin(2)
    await state(web)
    pods = f"{CORE}/{web.namespace}/pods"
    place = web.cluster.hand("GET", pods)["metadata"]["resourceVersion"]
    lost = (await web.names())[0]
    # The test holds the event loop meanwhile, so the target can neither see nor reconnect. A server that has started
    # again knows no place before its start; something else must have happened since, or the place is still the newest.
    web.cluster.hand("POST", f"{CORE}/{web.namespace}/serviceaccounts", {"metadata": {"name": "somebody"}})
    web.cluster.restart_api()
    web.cluster.hand("DELETE", f"{pods}/{lost}")
    until(lambda: web.cluster.ready(web.namespace, "web") == 2, "a new pod is ready")
    with contextlib.closing(web.cluster.hand.watch(pods, resourceVersion=place)) as events:
        event = next(events)
    assert (event["type"], event["object"].get("code")) == ("ERROR", 410), "the server does not know this place"

    async def renewed() -> bool:
        (seen,) = await web.target.states([web.ref])
        there = sorted(each.name for each in seen.instances) if isinstance(seen, TargetState) else []
        return there == sorted(await web.names()) and len(there) == 2

    await auntil(renewed, "the target sees exactly the pods there are")
    assert await scaled(web, 2, 3) is OutcomeKind.APPLIED
    await web.ready(3)


async def test_many_deployments_are_steered_by_one_target(web: KubernetesHarness) -> None:
    names = [f"web-{number}" for number in range(MANY)]
    for name in names:
        await asyncio.to_thread(web.cluster.deployment, web.namespace, name, 1)
    refs = [ref for ref, _ in web.target.discover([web.policy_of(name) for name in names])]

    async def stand(each: int) -> Sequence[TargetState] | None:
        seen = [found for found in await web.target.states(refs) if isinstance(found, TargetState)]
        good = [found for found in seen if (found.desired, found.ready, len(found.instances)) == (each, each, each)]
        return good if len(good) == MANY else None

    await auntil(lambda: stand(1), "one pod each", within=60)
    ends = await asyncio.gather(*(drive(web, order(web, ref)) for ref in refs))
    assert {end.kind for (end,) in ends} == {OutcomeKind.APPLIED}
    seen = await auntil(lambda: stand(2), "two pods each", within=60)
    assert seen is not None
    assert all(each.name.startswith(f"{found.ref.name}-") for found in seen for each in found.instances)


def order(web: KubernetesHarness, ref: WorkloadRef) -> Operation:
    """From one to two."""
    now = web.clock.now()
    kind = OperationKind.SCALE
    return Operation(id=ref.name, kind=kind, ref=ref, started=now, deadline=now + 60, before=1, count=2)


async def test_a_namespace_deleted_while_an_order_is_on_its_way_takes_it_along_and_nothing_else(
    web: KubernetesHarness,
) -> None:
    await web.begin(2)
    begun = await scale(web, 3)
    await web.hand("DELETE", f"{CORE}/{web.namespace}")

    async def gone() -> bool:
        (seen,) = await web.target.states([web.ref])
        return isinstance(seen, Missing)

    await auntil(gone, "the workload is missing", within=30.0)
    (ended,) = await drive(web, begun)
    assert ended.kind is OutcomeKind.GONE
    async with kubernetes_harness(web.cluster) as other:  # the same cluster, another namespace
        await other.begin(1)
        (ended,) = await drive(other, await scale(other, 2))
        assert ended.kind is OutcomeKind.APPLIED

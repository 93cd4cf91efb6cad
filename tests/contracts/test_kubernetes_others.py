"""Other autoscalers and the owner's annotation, on a real API server."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.model.operation import OperationKind, Outcome, OutcomeKind
from autoscaler.model.target import TargetState
from autoscaler.targets.kubernetes import KubernetesTarget
from tests.contracts.harness import drive, operation, state
from tests.contracts.target_kubernetes import KubernetesHarness, kubernetes_harness
from tests.e2e.shop import documented
from tests.parts.cluster import APPS, CORE, MERGE_PATCH
from tests.parts.kubernetes import ControlPlane
from tests.support.wait import auntil

pytestmark = pytest.mark.kubernetes

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
HPAS = "/apis/autoscaling/v2/namespaces"
KEDA = "/apis/keda.sh/v1alpha1/namespaces"
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


@pytest.fixture
async def web(control_plane: ControlPlane) -> AsyncIterator[KubernetesHarness]:
    async with kubernetes_harness(control_plane) as harness:
        yield harness


def hpa(called: str = "web", **target: str) -> dict[str, Any]:
    return {"metadata": {"name": called}, "spec": {"scaleTargetRef": {**TARGET, **target}, "maxReplicas": 9}}


async def steered_by(web: KubernetesHarness, wanted: str) -> None:
    async def named() -> bool:
        return (await state(web)).steered_by == wanted

    await auntil(named, f"steered by {wanted or 'nobody else'}")


async def test_an_hpa_of_the_same_workload_is_named_at_the_first_look_until_it_is_gone(web: KubernetesHarness) -> None:
    path = f"{HPAS}/{web.namespace}/horizontalpodautoscalers"
    await web.hand("POST", path, hpa())
    await web.hand("POST", path, hpa("other", name="api"))
    await web.hand("POST", path, hpa("same-name", kind="StatefulSet"))
    await web.begin(1)
    assert (await state(web)).steered_by == "HorizontalPodAutoscaler web"
    await web.hand("DELETE", f"{path}/web")
    await steered_by(web, "")
    moved = {"spec": {"scaleTargetRef": {**TARGET}}}
    await web.hand("PATCH", f"{path}/other", moved, kind=MERGE_PATCH)
    await steered_by(web, "HorizontalPodAutoscaler other")


@pytest.fixture
async def keda(web: KubernetesHarness) -> AsyncIterator[str]:
    """KEDA's kind, and the path of its objects."""
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    whole = {"type": "object", "properties": {"spec": free, "status": free}}
    names = {"plural": "scaledobjects", "singular": "scaledobject", "kind": "ScaledObject"}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": whole}}
    spec = {"group": "keda.sh", "scope": "Namespaced", "names": names, "versions": [version]}
    crd = "scaledobjects.keda.sh"
    await web.hand("POST", CRDS, {"metadata": {"name": crd}, "spec": spec})
    path = f"{KEDA}/{web.namespace}/scaledobjects"
    await auntil(lambda: web.hand("GET", path), "the new kind is served")
    yield path
    await web.hand("DELETE", f"{CRDS}/{crd}")


async def test_a_scaled_object_is_named_instead_of_its_hpa_and_a_paused_one_is_not(
    web: KubernetesHarness, keda: str
) -> None:
    kind = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject"}
    spec = {"scaleTargetRef": {"name": "web"}}
    made = await web.hand("POST", keda, {**kind, "metadata": {"name": "queue"}, "spec": spec})
    owned = {**kind, "name": "queue", "uid": made["metadata"]["uid"], "controller": True}
    its = hpa("keda-hpa-queue")
    its["metadata"]["ownerReferences"] = [owned]
    await web.hand("POST", f"{HPAS}/{web.namespace}/horizontalpodautoscalers", its)
    await web.begin(1)
    assert (await state(web)).steered_by == "ScaledObject queue"
    paused = {"metadata": {"annotations": {"autoscaling.keda.sh/paused": "true"}}}
    await web.hand("PATCH", f"{keda}/queue", paused, kind=MERGE_PATCH)
    await steered_by(web, "HorizontalPodAutoscaler keda-hpa-queue of ScaledObject queue")
    await web.hand("DELETE", f"{HPAS}/{web.namespace}/horizontalpodautoscalers/keda-hpa-queue")
    await steered_by(web, "")


async def test_a_missing_right_is_said_once_and_the_state_is_known_all_the_same(web: KubernetesHarness) -> None:
    extra = {"horizontalpodautoscalers", "scaledobjects", "resourcequotas"}
    rules = [rule for rule in documented() if not extra & set(rule["resources"])]
    name = f"few-{uuid.uuid4().hex[:6]}"
    kubeconfig = await asyncio.to_thread(web.cluster.service_account, web.namespace, name, rules)
    await web.begin(1)
    few = KubernetesTarget(KubernetesApi(web.clock, kubeconfig=str(kubeconfig)), web.clock)
    try:
        few.discover([web.policy])
        (seen,) = await few.states([web.ref])
        assert isinstance(seen, TargetState), seen
        said = few.notices()
        sentences = sorted([await anext(said) for _ in range(4)])
        assert [each.partition(":")[0] for each in sentences] == [
            "what a LimitRange makes of a pod cannot be told",
            "whether a HorizontalPodAutoscaler sets the same counts cannot be told",
            "whether a ScaledObject sets the same counts cannot be told",
            "whether a growth fits a ResourceQuota cannot be told",
        ]
        assert 'apiGroups: ["autoscaling"]\n    resources: ["horizontalpodautoscalers"]' in sentences[1]
        waits = asyncio.ensure_future(anext(said))  # type: ignore[arg-type]
        done, _ = await asyncio.wait([waits], timeout=1.5)
        assert not done, "said once"
        waits.cancel()
    finally:
        await few.close()


async def test_an_annotation_pauses_its_workload_and_a_bad_one_is_told(web: KubernetesHarness) -> None:
    await web.begin(1)
    assert (await state(web)).paused_until is None
    path = f"{APPS}/{web.namespace}/deployments/web"

    async def annotated(value: str | None) -> None:
        change = {"metadata": {"annotations": {"autoscaler/paused-until": value}}}
        await web.hand("PATCH", path, change, kind=MERGE_PATCH)

    await annotated("2030-01-01T00:00:00Z")

    async def until() -> bool:
        return (await state(web)).paused_until == 1893456000.0

    await auntil(until, "the pause is known")
    await annotated("tomorrow")

    async def fault() -> bool:
        return "'tomorrow' is no time with its zone" in (await state(web)).pause_fault

    await auntil(fault, "what is wrong is told")
    await annotated(None)

    async def free() -> bool:
        seen = await state(web)
        return seen.paused_until is None and not seen.pause_fault

    await auntil(free, "it is over")


def fits(seen: TargetState) -> tuple[int | None, str]:
    """The count that there is room for, and what says so."""
    tight = seen.tightest
    return (seen.existing + tight.more, tight.by) if tight is not None else (None, "")


async def test_a_quota_tells_how_many_more_fit_and_its_admission_agrees(web: KubernetesHarness) -> None:
    quotas = f"{CORE}/{web.namespace}/resourcequotas"
    hard = {"pods": "4", "requests.cpu": "10"}
    usual = {"type": "Container", "defaultRequest": {"cpu": "100m"}, "default": {"cpu": "1"}}
    await web.hand(
        "POST", f"{CORE}/{web.namespace}/limitranges", {"metadata": {"name": "u"}, "spec": {"limits": [usual]}}
    )
    await web.hand("POST", quotas, {"metadata": {"name": "team"}, "spec": {"hard": hard}})
    # What the quota controller does at first; from then on the API server itself keeps count of pods that are made.
    known = {"status": {"hard": hard, "used": {"pods": "0", "requests.cpu": "0"}}}
    await web.hand("PATCH", f"{quotas}/team/status", known, kind=MERGE_PATCH)
    await web.begin(2)

    async def told() -> bool:
        seen = await state(web)
        return fits(seen) == (4, "ResourceQuota team (pods: 2 of 4 used)")

    await auntil(told, "there is room for four")
    tight = {"status": {"hard": {**hard, "requests.cpu": "300m"}}}
    await web.hand("PATCH", f"{quotas}/team/status", tight, kind=MERGE_PATCH)

    async def tighter() -> bool:
        seen = await state(web)
        return fits(seen) == (3, "ResourceQuota team (requests.cpu: 200m of 300m used)")

    await auntil(tighter, "cpu leaves room for one more, by the default of the limit range")
    await web.set_count(5)

    async def full() -> bool:
        seen = await state(web)
        return (seen.desired, seen.existing, fits(seen)[0]) == (5, 3, 3)

    await auntil(full, "the platform makes no more than fit")


async def adopted(web: KubernetesHarness) -> Outcome:
    (ended,) = await drive(web, operation(web, OperationKind.ADOPT, reason="adopting"))
    return ended


async def test_an_adopted_hpa_is_deleted_with_what_it_was_on_record_and_one_that_comes_back_is_left(
    web: KubernetesHarness,
) -> None:
    path = f"{HPAS}/{web.namespace}/horizontalpodautoscalers"
    await web.hand("POST", path, hpa())
    await web.begin(1)
    assert (await state(web)).steered_by
    ended = await adopted(web)
    assert ended.kind is OutcomeKind.APPLIED, ended
    assert (await state(web)).steered_by == "", "known at once"
    was = json.loads(ended.detail.partition("it was ")[2])
    assert (was["kind"], was["metadata"]["name"], was["spec"]["maxReplicas"]) == ("HorizontalPodAutoscaler", "web", 9)
    assert (await web.hand("GET", path))["items"] == []
    assert (await adopted(web)).kind is OutcomeKind.GONE
    await web.hand("POST", path, was)
    await steered_by(web, "HorizontalPodAutoscaler web")
    again = await adopted(web)
    assert (again.kind, "came back" in again.detail) == (OutcomeKind.REFUSED, True)
    assert len((await web.hand("GET", path))["items"]) == 1


async def test_an_adopted_scaled_object_is_paused_and_stays(web: KubernetesHarness, keda: str) -> None:
    made = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "queue"}}
    await web.hand("POST", keda, {**made, "spec": {"scaleTargetRef": {"name": "web"}}})
    await web.begin(1)
    await steered_by(web, "ScaledObject queue")
    assert (await adopted(web)).kind is OutcomeKind.APPLIED
    await steered_by(web, "")
    kept = await web.hand("GET", f"{keda}/queue")
    assert kept["metadata"]["annotations"] == {"autoscaling.keda.sh/paused": "true"}


async def test_without_the_right_to_adopt_the_hpa_stays_and_the_rule_is_told(web: KubernetesHarness) -> None:
    await web.hand("POST", f"{HPAS}/{web.namespace}/horizontalpodautoscalers", hpa())
    await web.begin(1)
    kubeconfig = await asyncio.to_thread(web.cluster.service_account, web.namespace, "few", documented())
    await web.target.close()
    web.target = web.another(kubeconfig)
    assert (await state(web)).steered_by
    ended = await adopted(web)
    assert ended.kind is OutcomeKind.REFUSED
    assert 'resources: ["horizontalpodautoscalers"]\n    verbs: ["get"]' in ended.detail

"""The target on a real API server and controller manager; the node is played by the harness."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.model.operation import Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.signal import Missing
from autoscaler.model.target import Instance
from autoscaler.targets.kubernetes import KubernetesTarget
from tests.contracts.harness import drive, operation, state
from tests.contracts.target_kubernetes import KubernetesHarness, kubernetes_harness
from tests.parts.cluster import APPS
from tests.parts.kubernetes import ControlPlane
from tests.support.wait import auntil

pytestmark = pytest.mark.kubernetes

DOCS = Path(__file__).parents[4] / "docs" / "kubernetes-rbac.md"


@pytest.fixture
async def web(control_plane: ControlPlane) -> AsyncIterator[KubernetesHarness]:
    async with kubernetes_harness(control_plane) as harness:
        yield harness


async def scale(web: KubernetesHarness, before: int, count: int, **fields: Any) -> Outcome:
    (ended,) = await drive(web, operation(web, OperationKind.SCALE, before=before, count=count, **fields))
    return ended


async def all_ready(web: KubernetesHarness) -> bool:
    seen = await state(web)
    return bool(seen.instances) and all(each.ready for each in seen.instances)


async def sick_one(web: KubernetesHarness) -> Instance:
    """Make the first pod sick, which the target has seen ready, and wait until it sees that too."""
    await auntil(lambda: all_ready(web), "the target sees all pods ready")
    await web.make_sick((await web.names())[0])

    async def seen() -> Instance | None:
        return next((each for each in (await state(web)).instances if not each.ready), None)

    found = await auntil(seen, "the target sees the sick pod")
    assert found is not None
    return found


async def test_a_count_goes_up_and_down_and_the_state_follows(web: KubernetesHarness) -> None:
    await web.begin(2)
    assert (await scale(web, 2, 4)).kind is OutcomeKind.APPLIED
    assert (await state(web)).desired == 4, "an order of ours is known at once"
    await web.ready(4)

    async def stands(count: int) -> bool:
        seen = await state(web)
        return (seen.desired, seen.existing, seen.ready) == (count, count, count) and not seen.rollout

    await auntil(lambda: stands(4), "the state follows up")
    assert (await state(web)).writer == ""
    assert (await scale(web, 4, 1)).kind is OutcomeKind.APPLIED
    await web.ready(1)
    await auntil(lambda: stands(1), "the state follows down")
    assert [each.name for each in (await state(web)).instances] == list(await web.names())


async def test_another_writer_is_a_conflict_with_a_name_and_nothing_changes(web: KubernetesHarness) -> None:
    await web.begin(2)
    await web.set_count(3, manager="argocd-controller")
    ended = await scale(web, 2, 6)
    assert ended.kind is OutcomeKind.CONFLICT
    assert ended.detail == "Argo CD as argocd-controller set 3 while 2 → 6 was on its way; nothing changed"
    assert (await web.deployment())["spec"]["replicas"] == 3

    async def named() -> bool:
        seen = await state(web)
        mended = "ignoreDifferences: [{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}]" in seen.remedy
        return seen.writer == "Argo CD as argocd-controller" and mended

    await auntil(named, "the state names the writer")


async def test_to_zero_and_back_although_the_version_has_moved(web: KubernetesHarness) -> None:
    await web.begin(2)
    assert (await scale(web, 2, 0)).kind is OutcomeKind.APPLIED
    assert not (await state(web)).off_by_owner
    old = (await state(web)).version
    await web.ready(0)  # the version moves with the status
    assert (await scale(web, 0, 2, version=old)).kind is OutcomeKind.APPLIED
    await web.ready(2)
    await web.set_count(0)

    async def off() -> bool:
        return (await state(web)).off_by_owner

    await auntil(off, "a zero of somebody else is the owner's")
    await web.set_count(1)
    ended = await scale(web, 0, 5, version=old)
    assert (ended.kind, (await web.deployment())["spec"]["replicas"]) == (OutcomeKind.CONFLICT, 1)


async def test_a_deleted_deployment_is_missing_and_scaling_it_is_gone(web: KubernetesHarness) -> None:
    await web.begin(1)
    await state(web)
    await web.hand("DELETE", f"{APPS}/{web.namespace}/deployments/web")

    async def missing() -> Missing | None:
        (seen,) = await web.target.states([web.ref])
        return seen if isinstance(seen, Missing) else None

    said = await auntil(missing, "the state is missing")
    assert said is not None
    assert f"Deployment {web.namespace}/web does not exist" in said.detail
    assert (await scale(web, 1, 2)).kind is OutcomeKind.GONE


async def test_a_restart_of_the_api_server_is_survived_and_nothing_is_missed(web: KubernetesHarness) -> None:
    await web.begin(2)
    await state(web)
    with web.cluster.api_away():
        begun = operation(web, OperationKind.SCALE, before=2, count=3)
        after = await web.target.advance(begun)
        assert isinstance(after, Operation), "asked again later"
    (ended,) = await drive(web, after)
    assert ended.kind is OutcomeKind.APPLIED
    await web.ready(3)

    async def stands() -> bool:
        seen = await state(web)
        return (seen.desired, seen.ready) == (3, 3)

    await auntil(stands, "the state has recovered")


async def test_a_sick_pod_is_evicted_and_its_owner_puts_a_new_one(web: KubernetesHarness) -> None:
    await web.begin(2)
    sick = await sick_one(web)
    assert sick.was_ready
    (ended,) = await drive(web, operation(web, OperationKind.REPLACE, instance=sick.id))
    assert ended.kind is OutcomeKind.APPLIED, ended.detail
    await web.ready(2)
    assert sick.name not in await web.names()
    (again,) = await drive(web, operation(web, OperationKind.REPLACE, instance=sick.id))
    assert again.kind is OutcomeKind.GONE


async def test_a_replacement_found_at_its_second_stage_by_a_new_process_goes_on(
    web: KubernetesHarness,
) -> None:
    """The daemon died after the eviction had landed and before the next stage was on record."""
    await web.begin(2)
    sick = await sick_one(web)
    begun = await web.target.advance(operation(web, OperationKind.REPLACE, instance=sick.id))
    assert isinstance(begun, Operation)
    assert begun.stage == "evict"
    await web.target.advance(begun)
    await web.target.close()
    web.target = web.another(web.cluster.kubeconfig())
    (ended,) = await drive(web, begun)
    assert ended.kind is OutcomeKind.APPLIED, ended.detail
    assert len(await web.names()) == 2, "one pod was replaced, not two"


async def test_one_that_serves_is_deleted_where_the_policy_says_so_whatever_a_disruption_budget_says(
    web: KubernetesHarness,
) -> None:
    await web.begin(1)
    path = f"/apis/policy/v1/namespaces/{web.namespace}/poddisruptionbudgets"
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    await web.hand("POST", path, {"metadata": {"name": "all"}, "spec": spec})
    (old,) = (await state(web)).instances
    asked = operation(web, OperationKind.REPLACE, instance=old.id, unless_ready=False, method="delete")
    (ended,) = await drive(web, asked)
    assert ended.kind is OutcomeKind.APPLIED, ended.detail
    await web.ready(1)
    assert old.name not in await web.names()


async def test_a_pod_that_is_ready_again_is_left_alone(web: KubernetesHarness) -> None:
    await web.begin(1)
    (healthy,) = (await state(web)).instances
    (ended,) = await drive(web, operation(web, OperationKind.REPLACE, instance=healthy.id))
    assert ended.kind is OutcomeKind.CONFLICT
    assert await web.names() == [healthy.name]


@pytest.mark.parametrize(
    ("unhealthy", "kind"), [("IfHealthyBudget", OutcomeKind.REFUSED), ("AlwaysAllow", OutcomeKind.APPLIED)]
)
async def test_a_disruption_budget_is_obeyed_and_named(
    web: KubernetesHarness, unhealthy: str, kind: OutcomeKind
) -> None:
    await web.begin(2)
    path = f"/apis/policy/v1/namespaces/{web.namespace}/poddisruptionbudgets"
    selector = {"matchLabels": {"app": "web"}}
    spec = {"minAvailable": 2, "selector": selector, "unhealthyPodEvictionPolicy": unhealthy}
    await web.hand("POST", path, {"metadata": {"name": "both"}, "spec": spec})
    sick = await sick_one(web)

    async def counted() -> bool:
        return bool((await web.hand("GET", f"{path}/both")).get("status", {}).get("currentHealthy") == 1)

    await auntil(counted, "the budget counts one healthy pod")
    (ended,) = await drive(web, operation(web, OperationKind.REPLACE, instance=sick.id))
    assert ended.kind is kind, ended.detail
    if kind is OutcomeKind.REFUSED:
        assert f"pdb_blocks_unhealthy: PodDisruptionBudget {web.namespace}/both" in ended.detail
        assert "AlwaysAllow" in ended.detail


async def limited(web: KubernetesHarness, rules: list[Any]) -> KubernetesTarget:
    """A target with a ServiceAccount's token and exactly these rights."""
    return web.another(await asyncio.to_thread(web.cluster.service_account, web.namespace, "scaler", rules))


def documented() -> list[Any]:
    text = DOCS.read_text().split("```yaml\n")[1].split("```")[0]
    rules: list[Any] = yaml.safe_load(text)["rules"]
    return rules


async def test_the_documented_rights_suffice_for_all_we_do(web: KubernetesHarness) -> None:
    await web.begin(2)
    await web.target.close()
    web.target = await limited(web, documented())

    async def seen() -> bool:
        (found,) = await web.target.states([web.ref])
        return not isinstance(found, Missing)

    await auntil(seen, "the rights are in force")
    assert (await scale(web, 2, 3)).kind is OutcomeKind.APPLIED
    await web.ready(3)
    assert (await scale(web, 2, 6)).kind is OutcomeKind.CONFLICT, "which takes a look at the Deployment"
    sick = await sick_one(web)
    (ended,) = await drive(web, operation(web, OperationKind.REPLACE, instance=sick.id))
    assert ended.kind is OutcomeKind.APPLIED, ended.detail


@pytest.mark.parametrize(
    ("resource", "verb", "group"), [("deployments/scale", "patch", "apps"), ("pods/eviction", "create", "")]
)
async def test_a_missing_right_is_refused_with_the_rule_to_add(
    web: KubernetesHarness, resource: str, verb: str, group: str
) -> None:
    await web.begin(1)
    sick = await sick_one(web)
    await web.target.close()
    rules = [rule for rule in documented() if resource not in rule["resources"]]
    web.target = await limited(web, rules)

    async def seen() -> bool:
        (found,) = await web.target.states([web.ref])
        return not isinstance(found, Missing)

    await auntil(seen, "the rights are in force")
    kind = OperationKind.SCALE if verb == "patch" else OperationKind.REPLACE
    (ended,) = await drive(web, operation(web, kind, before=1, count=2, instance=sick.id))
    assert ended.kind is OutcomeKind.REFUSED
    rule = f'- apiGroups: ["{group}"]\n    resources: ["{resource}"]\n    verbs: ["{verb}"]'
    assert rule in ended.detail


async def test_a_state_without_rights_says_which_are_missing(web: KubernetesHarness) -> None:
    await web.begin(1)
    await web.target.close()
    web.target = await limited(web, [])
    (found,) = await web.target.states([web.ref])
    assert isinstance(found, Missing)
    assert 'verbs: ["list", "watch"]' in found.detail


async def test_the_target_needs_nothing_before_its_first_look(web: KubernetesHarness) -> None:
    target = KubernetesTarget(KubernetesApi(web.clock, kubeconfig="/nowhere"), web.clock)
    assert [ref for ref, _ in target.discover([web.policy])] == [web.ref]
    await target.close()

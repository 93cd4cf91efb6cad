"""Wrong words and missing rights against a real API server: what people are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.model.signal import Missing
from autoscaler.targets.kubernetes import KubernetesTarget
from tests.contracts.target_kubernetes import KubernetesHarness, kubernetes_harness
from tests.e2e.shop import documented
from tests.parts.kubernetes import ControlPlane

pytestmark = pytest.mark.kubernetes


@pytest.fixture
async def web(control_plane: ControlPlane) -> AsyncIterator[KubernetesHarness]:
    async with kubernetes_harness(control_plane) as harness:
        await harness.begin(1)
        yield harness


async def said(web: KubernetesHarness, kubeconfig: Path, context: str | None = None, **aim: Any) -> str:
    """What is told of a workload that a policy names so."""
    target = KubernetesTarget(KubernetesApi(web.clock, kubeconfig=str(kubeconfig), context=context), web.clock)
    try:
        policies = [web.policy, web.policy_of(**{"name": "web", **aim})]
        refs = [ref for ref, _ in target.discover(policies)]
        *_, state = await target.states(refs)
        assert isinstance(state, Missing), state
        return state.detail
    finally:
        await target.close()


async def few_rights(web: KubernetesHarness) -> Path:
    return await asyncio.to_thread(web.cluster.service_account, web.namespace, "few", documented())


async def test_a_misspelt_namespace_is_told_with_the_one_that_was_meant(web: KubernetesHarness) -> None:
    near = web.namespace + "x"
    admin = await said(web, web.cluster.kubeconfig(), namespace=near)
    assert admin.endswith(f"there is no namespace {near}: did you mean {web.namespace}?"), admin
    few = await said(web, await few_rights(web), namespace=near)
    assert few.startswith(f"is the namespace {near} right? did you mean {web.namespace}? watch deployments"), few
    assert f'add this rule to the Role in namespace {near}:\n  - apiGroups: ["apps"]' in few
    assert 'verbs: ["list", "watch"]' in few


async def test_a_namespace_without_the_kind_is_not_called_misspelt_where_it_is_there(web: KubernetesHarness) -> None:
    detail = await said(web, web.cluster.kubeconfig(), namespace="default")
    assert detail == "Deployment default/web does not exist; default has no Deployment at all"


@pytest.mark.parametrize(("aim", "words"), [
    ({"name": "wep"}, "did you mean web?"),
    ({"kind": "Rollout", "apiVersion": "argoproj.io/v1"}, "the cluster serves no argoproj.io/v1"),
    ({"kind": "Deploymentt", "apiVersion": "apps/v1"}, "did you mean Deployment?"),
    ({"kind": "DaemonSet", "apiVersion": "apps/v1"}, "DaemonSet of apps/v1 has no scale subresource"),
])  # fmt: skip
async def test_a_wrong_name_or_kind_is_told(web: KubernetesHarness, aim: dict[str, str], words: str) -> None:
    assert words in await said(web, web.cluster.kubeconfig(), **aim)


async def test_a_token_that_is_not_accepted_is_told_with_its_own_end(web: KubernetesHarness, tmp_path: Path) -> None:
    config = yaml.safe_load((await few_rights(web)).read_text())
    (user,) = config["users"]
    user["user"]["token"] = user["user"]["token"][:-6] + "AAAAAA"
    bad = tmp_path / "kubeconfig"
    bad.write_text(yaml.safe_dump(config))
    detail = await said(web, bad)
    assert "does not accept our credentials (401)" in detail
    assert "its token is good until 20" in detail
    assert user["user"]["token"] not in detail

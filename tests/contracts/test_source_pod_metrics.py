"""CPU and memory of pods through a real API server: what it passes on, and what it says where there is nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clock import SystemClock
from autoscaler.model.observation import Ask
from autoscaler.model.policy import Resource, Signal
from autoscaler.model.signal import Missing, MissingWhy, Reading, Series
from autoscaler.model.target import TargetState
from autoscaler.sources.pod_metrics import PodMetricsSource
from tests.contracts.target_kubernetes import KubernetesHarness, kubernetes_harness
from tests.parts.kubernetes import ControlPlane
from tests.parts.podmetrics import PodMetricsApi
from tests.support.wait import auntil

pytestmark = pytest.mark.kubernetes

CPU = Signal(name="cpu", resource=Resource.CPU, utilization=0.5)
BYTES = Signal(name="bytes", resource=Resource.MEMORY, per_replica=1e8)
WEB = {"name": "web", "image": "shop/web:1"}


@pytest.fixture
def metrics(control_plane: ControlPlane, tmp_path: Path) -> Iterator[PodMetricsApi]:
    served = PodMetricsApi(control_plane, tmp_path / "metrics")
    try:
        served.start()
        yield served
    finally:
        served.remove()
        served.go_away()


@pytest.fixture
async def web(control_plane: ControlPlane) -> AsyncIterator[KubernetesHarness]:
    async with kubernetes_harness(control_plane) as harness:
        yield harness


async def deploy(web: KubernetesHarness, name: str, **container: Any) -> None:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{**WEB, **container}]}}
    await asyncio.to_thread(web.cluster.deployment, web.namespace, name, 2, template=template)


async def asks(web: KubernetesHarness, name: str, *signals: Signal) -> list[Ask]:
    """Asks for a Deployment with its two pods, once both are there."""
    policy = web.policy_of(name)
    ((ref, _),) = web.target.discover([policy])

    async def both() -> TargetState | None:
        (seen,) = await web.target.states([ref])
        there = isinstance(seen, TargetState) and len(seen.instances) == seen.ready == 2
        return seen if there and isinstance(seen, TargetState) else None

    seen = await auntil(both, f"both pods of {name} are ready")
    return [Ask(ref, signal, instances=seen.instances) for signal in signals]


async def read(kubeconfig: Path, *asked: Ask) -> list[Reading]:
    clock = SystemClock()
    source = PodMetricsSource(lambda: KubernetesApi(clock, kubeconfig=str(kubeconfig)))
    try:
        return list(await source.read(asked, clock.now()))
    finally:
        await source.close()


async def test_pods_are_read_by_one_list_for_all_workloads_of_a_namespace(
    web: KubernetesHarness, metrics: PodMetricsApi
) -> None:
    asking = {"resources": {"requests": {"cpu": "200m", "memory": "64Mi"}}}
    for name in ("web", "api"):
        await deploy(web, name, **asking)
    asked = [ask for name in ("web", "api") for ask in await asks(web, name, CPU, BYTES)]
    for ask in asked:
        for pod in ask.instances:
            metrics.use(web.namespace, pod.name, web={"cpu": "150000000n", "memory": "32Mi"})
    share, held, *_, other = made = await read(web.cluster.kubeconfig(), *asked)
    assert metrics.asked == [web.namespace]
    assert len(made) == 4
    assert isinstance(share, Series)
    assert isinstance(held, Series)
    assert isinstance(other, Series)
    assert [point.value for point in (*share.points, *held.points)] == [0.75, 0.75, 32 * 1024**2, 32 * 1024**2]
    assert share.age_s is not None
    assert share.age_s < 30
    assert {window for _, window in share.samples} == {10.062}


async def test_without_requests_rights_or_a_server_each_is_missing_for_its_own_reason(
    web: KubernetesHarness, metrics: PodMetricsApi
) -> None:
    await deploy(web, "web")
    (bare,) = await asks(web, "web", CPU)
    (plain,) = await asks(web, "web", BYTES)
    everyone, nobody = web.cluster.kubeconfig(), web.cluster.kubeconfig("nobody")
    (unasked,) = await read(everyone, bare)
    (empty,) = await read(everyone, plain)
    (forbidden,) = await read(nobody, plain)
    await asyncio.to_thread(metrics.go_away)

    async def down() -> Missing | None:
        (made,) = await read(everyone, plain)
        return made if isinstance(made, Missing) and made.why is MissingWhy.FAILED else None

    away = await auntil(down, "the API server says that it does not answer")
    await asyncio.to_thread(metrics.remove)

    async def gone() -> Missing | None:
        (made,) = await read(everyone, plain)
        return made if isinstance(made, Missing) and made.why is MissingWhy.UNSERVED else None

    unserved = await auntil(gone, "the API server does not know it any more")
    told = [made for made in (unasked, empty, forbidden, away, unserved) if isinstance(made, Missing)]
    assert [each.why.value for each in told] == ["no_request", "empty", "forbidden", "failed", "unserved"]
    said = (
        "has no CPU request for container web: set resources.requests.cpu, or write per_replica in cores: 500m",
        "has no memory of any of 2 pods yet",
        'apiGroups: ["metrics.k8s.io"]\n    resources: ["pods"]\n    verbs: ["list"]',
        "metrics.k8s.io does not answer, is metrics-server well?",
        "install metrics-server, or ask prometheus",
    )
    for words, each in zip(said, told, strict=True):
        assert words in each.detail, each.detail

"""Which rights acting takes: asked of the API server before anything is done."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clock import SystemClock
from autoscaler.model.policy import KubernetesTarget as Named
from autoscaler.model.policy import Method, Mode, Policy, Recycle, Replicas, TargetSpec, When
from autoscaler.targets.kubernetes.kinds import KINDS
from autoscaler.targets.kubernetes.rights import lacking
from tests.unit.targets.kubernetes.fake_api import FakeApi
from tests.unit.targets.kubernetes.records import REF


async def told(tmp_path: Path, policy: Policy) -> list[tuple[str, str]]:
    """What is lacking where nothing is allowed."""
    api = FakeApi()

    async def no(_: web.Request) -> web.StreamResponse:
        api.once("POST", "/selfsubjectaccessreviews", no)
        return web.json_response({"status": {"allowed": False}}, status=201)

    await api.start()
    api.once("POST", "/selfsubjectaccessreviews", no)
    wire = KubernetesApi(SystemClock(), kubeconfig=str(api.kubeconfig(tmp_path)))
    try:
        return await lacking(wire, KINDS, [(REF, policy)])
    finally:
        await wire.close()
        await api.stop()


def policy(*, mode: Mode = Mode.ACT, adopt: bool) -> Policy:
    target = TargetSpec(kubernetes=Named(namespace="shop", name="web", adopt=adopt))
    return Policy(name="web", target=target, mode=mode, replicas=Replicas(min=1, max=9))


async def test_adopting_takes_reading_hpas_and_scaled_objects_and_putting_them_away(tmp_path: Path) -> None:
    made = await told(tmp_path, policy(adopt=True))
    assert [said for said, _ in made] == [
        "we may not patch deployments/scale in namespace shop",
        "we may not get horizontalpodautoscalers in namespace shop",
        "we may not delete horizontalpodautoscalers in namespace shop",
        "we may not get scaledobjects in namespace shop",
        "we may not patch scaledobjects in namespace shop",
    ]
    assert 'apiGroups: ["keda.sh"]\n    resources: ["scaledobjects"]\n    verbs: ["patch"]' in made[4][1]


async def test_without_adopting_or_acting_no_such_right_is_asked_for(tmp_path: Path) -> None:
    ((said, _),) = await told(tmp_path, policy(adopt=False))
    assert said == "we may not patch deployments/scale in namespace shop"
    assert await told(tmp_path, policy(mode=Mode.OBSERVE, adopt=True)) == []


async def test_a_rollout_takes_changing_the_workload_itself_and_the_sick_are_evicted_all_the_same(
    tmp_path: Path,
) -> None:
    recycle = Recycle(when=When(older_than=60.0), method=Method.RESTART)
    target = TargetSpec(kubernetes=Named(namespace="shop", name="web"))
    made = await told(tmp_path, Policy(name="web", target=target, recycle=recycle))
    assert [said for said, _ in made] == [
        "we may not patch deployments in namespace shop",
        "we may not create pods/eviction in namespace shop",
    ]

"""What is worth knowing and not needed: HPAs, ScaledObjects, quotas and limit ranges, where the API server falters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.model.signal import Missing
from autoscaler.model.target import TargetState
from autoscaler.targets.kubernetes import KubernetesTarget
from tests.support.wait import auntil
from tests.unit.targets.kubernetes.fake_api import FakeApi, status
from tests.unit.targets.kubernetes.test_faults import POLICY, REF, Skipping, look, saying

HPAS = "horizontalpodautoscalers"
DENIED = f'User "u" cannot watch resource "{HPAS}" in API group "autoscaling"'


def hpa() -> dict[str, Any]:
    meta = {"name": "web", "namespace": "shop", "uid": "uid-hpa", "resourceVersion": "8"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": meta,
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 9},
    }


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    fake = FakeApi()
    fake.objects[HPAS] = [hpa()]
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
def clock() -> Skipping:
    return Skipping()


@pytest.fixture
async def target(api: FakeApi, clock: Skipping, tmp_path: Path) -> AsyncIterator[KubernetesTarget]:
    made = KubernetesTarget(KubernetesApi(clock, kubeconfig=str(api.kubeconfig(tmp_path))), clock)
    made.discover([POLICY])
    yield made
    await made.close()


def said(target: KubernetesTarget) -> int:
    return target._notices.qsize()


async def test_what_one_refusal_made_unknown_is_told_again_and_the_next_one_is_said_anew(
    api: FakeApi, target: KubernetesTarget
) -> None:
    assert (await look(target)).steered_by == "HorizontalPodAutoscaler web"
    for times in (1, 2):
        api.once("GET", f"/{HPAS}", saying(403, DENIED, "Forbidden"))
        api.cut()
        await auntil(lambda times=times: said(target) == times, "the refusal is said")  # type: ignore[misc]

        async def known() -> bool:
            return (await look(target)).steered_by == "HorizontalPodAutoscaler web"

        await auntil(known, "the HPA, of which nothing has changed, is known again")


async def test_a_right_to_list_without_one_to_watch_is_said_once_and_tried_ever_more_seldom(
    api: FakeApi, target: KubernetesTarget, clock: Skipping
) -> None:
    async def unless_listed(request: web.Request) -> web.StreamResponse:
        api.once("GET", f"/{HPAS}", unless_listed)
        if request.query.get("watch") == "1":
            return status(403, DENIED, "Forbidden")
        api.lists.append(HPAS)
        return web.json_response({"metadata": {"resourceVersion": "10"}, "items": api.objects[HPAS]})

    api.once("GET", f"/{HPAS}", unless_listed)
    await look(target)
    await auntil(lambda: sum(clock.naps) > 100, "it is tried more and more seldom")
    assert len(api.lists) < 15
    assert said(target) == 1

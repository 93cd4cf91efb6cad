"""Events on a workload of a real API server, read as `kubectl describe` does: by the object they are about."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.model.decision import Decision, Reason, Stage, Step
from autoscaler.model.operation import OperationKind, OutcomeKind
from autoscaler.ports import Record, RecordKind
from autoscaler.targets.kubernetes import KubernetesTarget
from tests.contracts.harness import operation, state
from tests.contracts.target_kubernetes import KubernetesHarness, kubernetes_harness
from tests.e2e.shop import documented
from tests.parts.cluster import CORE
from tests.parts.kubernetes import ControlPlane
from tests.support.wait import auntil

pytestmark = pytest.mark.kubernetes


@pytest.fixture
async def web(control_plane: ControlPlane) -> AsyncIterator[KubernetesHarness]:
    async with kubernetes_harness(control_plane) as harness:
        name = f"few-{uuid.uuid4().hex[:6]}"
        few = await asyncio.to_thread(control_plane.service_account, harness.namespace, name, documented())
        await harness.target.close()
        harness.target = harness.another(few)
        await harness.begin(2)
        await state(harness)
        yield harness


async def described(web: KubernetesHarness) -> list[tuple[str, str, str]]:
    """What `kubectl describe deployment web` lists that is ours: type, reason and message."""
    uid = (await web.deployment())["metadata"]["uid"]
    about = f"involvedObject.name=web,involvedObject.kind=Deployment,involvedObject.uid={uid}"
    found = await web.hand("GET", f"{CORE}/{web.namespace}/events?{urlencode({'fieldSelector': about})}")
    ours = [each for each in found["items"] if each.get("reportingComponent") == "autoscaler"]
    return sorted((each["type"], each["reason"], each["message"]) for each in ours)


def target(web: KubernetesHarness) -> KubernetesTarget:
    assert isinstance(web.target, KubernetesTarget)
    return web.target


def decided(web: KubernetesHarness, desired: int, reason: Reason, text: str) -> Record:
    steps = (Step(Stage.SIGNAL, 2, desired, reason),)
    made = Decision(
        ref=web.ref, policy="web", at=web.clock.now(), current=2, desired=desired, reason=reason, steps=steps
    )
    return Record(at=made.at, kind=RecordKind.DECISION, workload=web.ref.key, text=text, decision=made)


async def test_a_change_and_a_refusal_stand_on_the_workload_with_the_documented_rights(web: KubernetesHarness) -> None:
    target(web).accept([decided(web, 4, Reason.ABOVE_TARGET, "requests ask for 4")])
    await target(web).advance(operation(web, OperationKind.SCALE, before=2, count=4))
    target(web).accept([decided(web, 2, Reason.OTHER_AUTOSCALER, "HorizontalPodAutoscaler web sets this count")])
    wanted = [
        ("Normal", "ScaledUp", "2 → 4: requests ask for 4"),
        ("Warning", "OtherAutoscaler", "HorizontalPodAutoscaler web sets this count"),
    ]

    async def told() -> list[Any]:
        assert await described(web) == wanted
        return wanted

    await auntil(told, "both are told")
    assert target(web).events == {"written": 2}


async def test_a_refusal_that_comes_again_is_one_event_with_a_series(web: KubernetesHarness) -> None:
    await web.refuse()
    for _ in range(3):
        after = await target(web).advance(operation(web, OperationKind.SCALE, before=2, count=4))
        assert getattr(after, "kind", None) is OutcomeKind.REFUSED

    async def told() -> bool:
        found = await described(web)
        return len(found) == 1 and found[0][1] == "ScaleRefused" and "the shop is full" in found[0][2]

    await auntil(told, "it is told once")


async def test_without_the_right_scaling_goes_on_and_it_is_said_once(web: KubernetesHarness) -> None:
    rules = [rule for rule in documented() if rule["apiGroups"] != ["events.k8s.io"]]
    name = f"none-{uuid.uuid4().hex[:6]}"
    kubeconfig = await asyncio.to_thread(web.cluster.service_account, web.namespace, name, rules)
    few = KubernetesTarget(KubernetesApi(web.clock, kubeconfig=str(kubeconfig)), web.clock)
    try:
        few.discover([web.policy])
        await few.states([web.ref])
        for before, count in ((2, 3), (3, 4)):
            after = await few.advance(operation(web, OperationKind.SCALE, before=before, count=count))
            assert getattr(after, "kind", None) is OutcomeKind.APPLIED
        sentence = await asyncio.wait_for(anext(few.notices()), 10)  # type: ignore[arg-type]
        assert "no Events are written on workloads" in sentence
        assert 'apiGroups: ["events.k8s.io"]\n    resources: ["events"]\n    verbs: ["create"]' in sentence
        assert await described(web) == []
    finally:
        await few.close()

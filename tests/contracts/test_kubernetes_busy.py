"""A real API server that gives us few seats and sends the rest away (429, priority and fairness)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator

import pytest

from autoscaler.loop.act import Actor
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.registry import Targets
from autoscaler.model.operation import Advanced, Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.target import WorkloadRef
from autoscaler.ports import Target
from autoscaler.store.memory import MemoryStore
from tests.contracts.target_kubernetes import KubernetesHarness, kubernetes_harness
from tests.e2e.shop import documented
from tests.parts.cluster import APPS
from tests.parts.kubernetes import ControlPlane
from tests.support.wait import auntil

pytestmark = pytest.mark.kubernetes

FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"
MANY = 24


@pytest.fixture
async def narrow(control_plane: ControlPlane) -> AsyncIterator[KubernetesHarness]:
    """A harness whose target has the fewest seats there can be, and no queue before them."""
    async with kubernetes_harness(control_plane) as harness:
        config = await asyncio.to_thread(control_plane.service_account, harness.namespace, "few", documented())
        meta = {"metadata": {"name": harness.namespace}}
        limited = {"nominalConcurrencyShares": 1, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}}
        level = {**meta, "spec": {"type": "Limited", "limited": limited}}
        account = {"kind": "ServiceAccount", "serviceAccount": {"name": "few", "namespace": harness.namespace}}
        writes = {"verbs": ["patch"], "apiGroups": ["apps"], "resources": ["*"], "namespaces": ["*"]}
        schema = {
            "priorityLevelConfiguration": {"name": harness.namespace},
            "matchingPrecedence": 10,
            "rules": [{"subjects": [account], "resourceRules": [writes]}],
        }
        await harness.hand("POST", f"{FLOW}/prioritylevelconfigurations", level)
        await harness.hand("POST", f"{FLOW}/flowschemas", {**meta, "spec": schema})
        await harness.target.close()
        harness.target = harness.another(config)
        yield harness
        await harness.hand("DELETE", f"{FLOW}/flowschemas/{harness.namespace}")
        await harness.hand("DELETE", f"{FLOW}/prioritylevelconfigurations/{harness.namespace}")


class Counting:
    """A target whose answers are counted on their way."""

    def __init__(self, target: Target) -> None:
        self.busy: list[float] = []  # how long each call that was sent away is to wait, seconds
        self._target = target

    async def advance(self, operation: Operation) -> Advanced:
        after = await self._target.advance(operation)
        if isinstance(after, Operation) and after.held is not None and after.held.busy:
            self.busy.append(after.held.until)
        return after


class Always:
    """A lease that is ours."""

    def remaining(self) -> float:
        return math.inf


async def test_a_server_that_sends_calls_away_takes_on_every_order_in_the_end(narrow: KubernetesHarness) -> None:
    names = [f"web-{number}" for number in range(MANY)]
    for name in names:
        await asyncio.to_thread(narrow.cluster.deployment, narrow.namespace, name, 0)
    narrow.target.discover([narrow.policy_of(name) for name in names])
    await narrow.target.states([ref(narrow, name) for name in names])
    counting = Counting(narrow.target)
    targets = Targets({"kubernetes": lambda: counting})  # type: ignore[dict-item,return-value]
    actor = Actor(targets, Keeper(MemoryStore(), []), Always(), narrow.clock)  # type: ignore[arg-type]
    ended: list[Outcome] = []
    actor.ended = ended.append
    now = narrow.clock.now()
    versions = {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in await listed(narrow)}
    await actor.begin(
        [
            Operation(
                id=name, kind=OperationKind.SCALE, ref=ref(narrow, name), started=now, deadline=now + 60,
                before=0, count=1, version=versions[name],
            )
            for name in names
        ]
    )  # fmt: skip

    async def done() -> bool:
        return len(ended) == MANY

    await auntil(done, "every order has ended", within=60.0)
    await actor.close()
    assert {each.kind for each in ended} == {OutcomeKind.APPLIED}
    assert {each["spec"]["replicas"] for each in await listed(narrow)} == {1}
    assert counting.busy, "nothing was sent away: the test shows nothing"
    assert min(counting.busy) > now  # the server said when to come back


def ref(narrow: KubernetesHarness, name: str) -> WorkloadRef:
    return WorkloadRef("kubernetes", narrow.namespace, "Deployment", name)


async def listed(narrow: KubernetesHarness) -> list[dict[str, dict[str, int | str]]]:
    found: list[dict[str, dict[str, int | str]]] = (await narrow.hand("GET", f"{APPS}/{narrow.namespace}/deployments"))[
        "items"
    ]
    return found

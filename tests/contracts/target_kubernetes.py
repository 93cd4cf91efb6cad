"""The contract suite's surroundings for Kubernetes: a Deployment on a real API server, its node played by hand."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clock import SystemClock
from autoscaler.model.policy import KubernetesTarget as Named
from autoscaler.model.policy import Policy, TargetSpec
from autoscaler.model.target import WorkloadRef
from autoscaler.ports import Target
from autoscaler.targets.kubernetes import KubernetesTarget
from tests.contracts.harness import DRAIN, FENCE, ORDER, SURGE
from tests.parts.cluster import APPS, CORE, MERGE_PATCH, Answered
from tests.parts.kubernetes import ControlPlane
from tests.support.wait import auntil

ADMISSION = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"  # …ies, …ybindings


class KubernetesHarness:
    """One Deployment `web` in a namespace of its own."""

    cannot: Mapping[str, str] = {
        SURGE: "a pod belongs to its ReplicaSet, which puts a new one in the place of one that goes",
        DRAIN: "pods are removed by their owner, with the grace they were made with",
        ORDER: "which pods go first is for their owner to say",
        FENCE: "pods have no numbers, and the count is compared before it is set",
    }
    absent = "missing"
    greets = False

    def __init__(self, cluster: ControlPlane, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.clock = SystemClock()
        self._made: list[KubernetesTarget] = []
        self._rules: list[str] = []
        self.target: Target = self.another(cluster.kubeconfig())
        self.policy = self.policy_of("web")
        self.ref = WorkloadRef("kubernetes", namespace, "Deployment", "web")
        self.selecting = self.policy_of(selector={"app": "web"})

    def another(self, kubeconfig: Path) -> KubernetesTarget:
        """One more target on the same cluster, with the rights of this kubeconfig."""
        self._made.append(KubernetesTarget(KubernetesApi(self.clock, kubeconfig=str(kubeconfig)), self.clock))
        return self._made[-1]

    def policy_of(self, name: str | None = None, **more: Any) -> Policy:
        """A policy for a Deployment of this name, or for what else is said."""
        aim = Named(**{"namespace": self.namespace, "name": name, **more})
        return Policy(name=name or "found", target=TargetSpec(kubernetes=aim))

    async def hand(self, method: str, path: str, body: Any = None, **more: str) -> dict[str, Any]:
        """Somebody else's hand on the cluster: one request, sharing nothing with the target."""
        return await asyncio.to_thread(self.cluster.hand, method, path, body, **more)

    async def begin(self, count: int) -> None:
        self.target.discover([self.policy])
        await asyncio.to_thread(self.cluster.deployment, self.namespace, "web", count)
        await self.ready(count)

    async def ready(self, count: int) -> None:
        """Wait until the Deployment's controller counts this many ready pods, and no others."""

        async def stands() -> bool:
            status = (await self.deployment())["status"]
            return bool(status.get("replicas", 0) == status.get("readyReplicas", 0) == count)

        await auntil(stands, f"{count} pods are ready")

    async def deployment(self) -> dict[str, Any]:
        return await self.hand("GET", f"{APPS}/{self.namespace}/deployments/web")

    async def set_count(self, count: int, *, manager: str = "kubectl") -> None:
        """From outside: somebody else writes the count, as `kubectl apply` and its like do."""
        path = f"{APPS}/{self.namespace}/deployments/web"
        await self.hand("PATCH", path, {"spec": {"replicas": count}}, kind=MERGE_PATCH, manager=manager)

    async def instances(self) -> Mapping[str, str]:
        pods = await asyncio.to_thread(self.cluster.pods, self.namespace, "web")
        return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods}

    async def names(self) -> Sequence[str]:
        return list(await self.instances())

    async def make_sick(self, name: str) -> None:
        await asyncio.to_thread(self.cluster.make_sick, self.namespace, name)

    async def remove(self, name: str) -> None:
        await self.hand("DELETE", f"{CORE}/{self.namespace}/pods/{name}")

    async def hold(self) -> None:
        self.cluster.node.hold()

    async def another_writer(self, count: int) -> None:
        await self.set_count(count)

    async def refuse(self) -> None:
        """An admission policy that takes no greater count; it is in force when this comes back."""
        name = {"metadata": {"name": self.namespace}}
        operation = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"]}
        rules = {"resourceRules": [{**operation, "resources": ["deployments/scale"]}]}
        check = {"expression": "object.spec.replicas <= oldObject.spec.replicas", "message": "the shop is full"}
        here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}}
        binding = {"policyName": self.namespace, "validationActions": ["Deny"], "matchResources": here}
        for kind, spec in (("ies", {"matchConstraints": rules, "validations": [check]}), ("ybindings", binding)):
            path = f"{ADMISSION}{kind}"
            await self.hand("POST", path, {**name, "spec": spec})
            self._rules.append(f"{path}/{self.namespace}")
        scale = f"{APPS}/{self.namespace}/deployments/web/scale?dryRun=All"

        async def in_force() -> bool:
            try:
                await self.hand("PATCH", scale, {"spec": {"replicas": 99}}, kind=MERGE_PATCH)
            except Answered as answered:
                return answered.code == 422
            return False

        await auntil(in_force, "a greater count is refused")

    async def again(self) -> Target:
        return self.another(self.cluster.kubeconfig())

    async def away(self) -> Target:
        return self.another(self.cluster.kubeconfig_of_nobody_there())

    async def close(self) -> None:
        self.cluster.node.go_on()
        for each in self._made:
            await each.close()
        for path in (*self._rules, f"{CORE}/{self.namespace}"):
            with contextlib.suppress(Answered, OSError):
                await self.hand("DELETE", path)


@contextlib.asynccontextmanager
async def kubernetes_harness(control_plane: ControlPlane) -> AsyncIterator[KubernetesHarness]:
    """A namespace of its own on this API server, with everything put away afterwards."""
    namespace = f"shop-{uuid.uuid4().hex[:8]}"
    await asyncio.to_thread(control_plane.namespace, namespace)
    harness = KubernetesHarness(control_plane, namespace)
    try:
        yield harness
    finally:
        await harness.close()

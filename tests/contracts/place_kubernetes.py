"""What the contract suite needs of a Deployment on a real API server, beyond what the target's own tests use."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from autoscaler.ports import Target
from autoscaler.targets.kubernetes import KubernetesTarget
from tests.contracts.harness import DRAIN, FENCE, ORDER, SURGE
from tests.contracts.target_kubernetes import KubernetesHarness
from tests.parts.kubernetes import ControlPlane
from tests.parts.process import free_port

LOOKER = [
    {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
]


class KubernetesPlace(KubernetesHarness):
    """One Deployment `web` in a namespace of its own."""

    cannot: Mapping[str, str] = {
        SURGE: "a pod's owner puts the new one in its place, and only once the old one is going",
        DRAIN: "the kubelet drains a pod, by the pod's own grace period",
        ORDER: "the ReplicaSet's controller chooses among pods that are equally ready",
        FENCE: "pods have no numbers: their owner makes them",
    }
    absent = "missing"
    greets = False

    def __init__(self, cluster: ControlPlane, namespace: str, folder: Path) -> None:
        super().__init__(cluster, namespace)
        self._folder = folder
        self._made: list[KubernetesTarget] = []
        self._held = contextlib.ExitStack()

    async def instances(self) -> Mapping[str, str]:
        pods = await asyncio.to_thread(self.cluster.pods, self.namespace, "web")
        return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods}

    async def hold(self) -> None:
        self._held.enter_context(self.cluster.node.away())

    async def another_writer(self, count: int) -> None:
        await self.set_count(count)

    async def refuse(self) -> None:
        looker = await asyncio.to_thread(self.cluster.service_account, self.namespace, "looker", LOOKER)
        self.target = self._keep(looker)
        self.target.discover([self.policy])

    async def again(self) -> Target:
        return self._keep(self.cluster.kubeconfig())

    async def away(self) -> Target:
        config = json.loads(self.cluster.kubeconfig().read_text())
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_port()}"
        nowhere = self._folder / "nowhere.kubeconfig"
        nowhere.write_text(json.dumps(config))
        return self._keep(nowhere)

    async def close(self) -> None:
        self._held.close()
        for each in self._made:
            await each.close()
        await super().close()

    def _keep(self, kubeconfig: Path) -> KubernetesTarget:
        self._made.append(self.another(kubeconfig))
        return self._made[-1]


@contextlib.asynccontextmanager
async def kubernetes_place(control_plane: ControlPlane, folder: Path) -> AsyncIterator[KubernetesPlace]:
    """A namespace of its own on this API server, with everything put away afterwards."""
    namespace = f"shop-{uuid.uuid4().hex[:8]}"
    await asyncio.to_thread(control_plane.namespace, namespace)
    place = KubernetesPlace(control_plane, namespace, folder)
    first = place.target
    try:
        yield place
    finally:
        await place.close()
        await first.close()

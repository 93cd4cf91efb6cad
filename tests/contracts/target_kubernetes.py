"""The contract suite's surroundings for Kubernetes: a Deployment on a real API server, its node played by hand.

No scheduler and no kubelet run: the stand-in for a node turns new pods Ready by writing their status. Pods without a
node are deleted at once, as the API server does.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clock import SystemClock
from autoscaler.model.policy import KubernetesTarget as Named
from autoscaler.model.policy import Policy, TargetSpec
from autoscaler.model.target import WorkloadRef
from autoscaler.targets.kubernetes import KubernetesTarget
from tests.support.wait import auntil

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPS = "/apis/apps/v1/namespaces"
CORE = "/api/v1/namespaces"


class Hand:
    """Somebody else's hand on the cluster: plain requests, sharing nothing with the target."""

    def __init__(self, url: str, ca: Path | str, token: str) -> None:
        self._url = url
        self._tls = ssl.create_default_context(cafile=str(ca))
        self._headers = {"Authorization": f"Bearer {token}"}
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/json", manager: str = "kubectl"
    ) -> dict[str, Any]:
        """The answer's JSON. Raises ClientResponseError for anything but success."""
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self._tls)
            self._session = aiohttp.ClientSession(connector=connector, headers=self._headers)
        query = {"fieldManager": manager} if method in ("POST", "PATCH") else {}
        async with self._session.request(
            method, self._url + path, params=query, json=body, headers={"Content-Type": kind}
        ) as answer:
            said: dict[str, Any] = await answer.json(content_type=None)
            if answer.status >= 300:
                raise aiohttp.ClientResponseError(
                    answer.request_info, (), status=answer.status, message=said.get("message", "")
                )
            return said

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class KubernetesHarness:
    """One Deployment `web` in a namespace of its own."""

    can_replace = False

    def __init__(self, hand: Hand, kubeconfig: Path | str, namespace: str) -> None:
        self.hand = hand
        self.namespace = namespace
        self.clock = SystemClock()
        self.target = self.another(kubeconfig)
        named = Named(namespace=namespace, name="web")
        self.policy = Policy(name="web", target=TargetSpec(kubernetes=named))
        self.ref = WorkloadRef("kubernetes", namespace, "Deployment", "web")
        self._sick: set[str] = set()
        self._node: asyncio.Task[None] | None = None

    def another(self, kubeconfig: Path | str) -> KubernetesTarget:
        """One more target on the same cluster, with the rights of this kubeconfig."""
        return KubernetesTarget(KubernetesApi(self.clock, kubeconfig=str(kubeconfig)), self.clock)

    async def begin(self, count: int) -> None:
        self.target.discover([self.policy])
        if self._node is None:
            self._node = asyncio.create_task(self._play_node())
        container = {"name": "web", "image": "shop/web:1"}
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
        spec = {"replicas": count, "selector": {"matchLabels": {"app": "web"}}, "template": template}
        await self.hand("POST", f"{APPS}/{self.namespace}/deployments", {"metadata": {"name": "web"}, "spec": spec})
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
        """From outside: somebody else writes the count."""
        path = f"{APPS}/{self.namespace}/deployments/web"
        await self.hand("PATCH", path, {"spec": {"replicas": count}}, kind=MERGE_PATCH, manager=manager)

    async def pods(self) -> list[dict[str, Any]]:
        pods: list[dict[str, Any]] = (await self.hand("GET", f"{CORE}/{self.namespace}/pods"))["items"]
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    async def names(self) -> Sequence[str]:
        return [pod["metadata"]["name"] for pod in await self.pods()]

    async def make_sick(self, name: str) -> None:
        self._sick.add(name)
        await self._report(name, ready=False)

    async def remove(self, name: str) -> None:
        await self.hand("DELETE", f"{CORE}/{self.namespace}/pods/{name}")

    async def close(self) -> None:
        if self._node is not None:
            self._node.cancel()
            await asyncio.gather(self._node, return_exceptions=True)
        await self.target.close()
        with contextlib.suppress(aiohttp.ClientError):
            await self.hand("DELETE", f"{CORE}/{self.namespace}")

    async def _play_node(self) -> None:
        done: set[str] = set()
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                for name in await self.names():
                    if name not in done | self._sick:
                        await self._report(name, ready=True)
                        done.add(name)
            await asyncio.sleep(0.05)

    async def _report(self, name: str, *, ready: bool) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": now}
        container = {"name": "web", "ready": ready, "restartCount": 0, "image": "shop/web:1", "imageID": ""}
        status = {
            "phase": "Running",
            "podIP": "10.1.2.3",
            "podIPs": [{"ip": "10.1.2.3"}],
            "conditions": [condition],
            "containerStatuses": [{**container, "state": {"running": {"startedAt": now}}}],
        }
        path = f"{CORE}/{self.namespace}/pods/{name}/status"
        await self.hand("PATCH", path, {"status": status}, kind=MERGE_PATCH, manager="kubelet")


class ControlPlane(Protocol):
    """What is needed of the real API server."""

    url: str
    ca: Path
    token: str  # of somebody who may do everything

    def kubeconfig(self) -> Path: ...


@contextlib.asynccontextmanager
async def kubernetes_harness(control_plane: ControlPlane) -> AsyncIterator[KubernetesHarness]:
    """A namespace of its own on this API server, with everything put away afterwards."""
    hand = Hand(control_plane.url, control_plane.ca, control_plane.token)
    namespace = f"shop-{uuid.uuid4().hex[:8]}"
    await hand("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    harness = KubernetesHarness(hand, control_plane.kubeconfig(), namespace)
    try:
        yield harness
    finally:
        await harness.close()
        await hand.close()

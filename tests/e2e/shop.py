"""A Deployment on a real API server, a real Prometheus beside it, and daemons with few rights.

The count is watched from outside: `changes` is how often anybody has changed it, by the Deployment's generation.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscaler.store.cluster_memory import names
from tests.e2e.daemon import ROOT, DaemonProcess
from tests.parts.gauges import GaugeServer
from tests.parts.kubernetes import ControlPlane
from tests.parts.process import free_port
from tests.parts.prometheus import PrometheusMaker
from tests.support.wait import until

POLICY = """
name: web
target: {{kubernetes: {{namespace: {namespace}, name: web}}}}
replicas: {{min: {minimum}, max: 6}}
signals:
  - {{name: requests, prometheus: sum(load), per_replica: 100, max_age: 10s}}
behavior: {{down: {{stabilization: 2s}}}}
recycle: {{when: {{unhealthy_for: 2s}}}}
"""


class Shop:
    """A namespace with the Deployment `web`, a load that Prometheus scrapes, and the daemons started beside them."""

    def __init__(self, cluster: ControlPlane, gauges: GaugeServer, make: PrometheusMaker, folder: Path) -> None:
        self.cluster = cluster
        self.namespace = f"shop-{uuid.uuid4().hex[:8]}"
        self.gauges = gauges
        self.daemons: list[DaemonProcess] = []
        self._folder = folder
        cluster.namespace(self.namespace)
        gauges.set("load", 100)
        self.prometheus = make(scrape={"load": [gauges.address]})

    def open(self, replicas: int = 1) -> None:
        """Deploy `web`, every replica at its target, and wait until it stands and the load is scraped."""
        self.load(100 * replicas)
        self.cluster.deployment(self.namespace, "web", replicas)
        until(lambda: self.ready == replicas, f"{replicas} ready pods")
        until(lambda: self.prometheus.value("sum(load)") == 100 * replicas, "the load is scraped")

    def load(self, value: float) -> None:
        """From the next scrape on the load is this."""
        self.gauges.set("load", value)

    def daemon(
        self, kubeconfig: Path | None = None, *, minimum: int = 1, folder: str = "", **words: Any
    ) -> DaemonProcess:
        """A daemon not started yet, with exactly the documented rights or with this kubeconfig; `words` are for it."""
        if kubeconfig is None:
            kubeconfig = self.cluster.service_account(self.namespace, "autoscaler", documented())
        told = {
            "cycle": "500ms",
            "prometheus": {"url": self.prometheus.url},
            "kubernetes": {"kubeconfig": str(kubeconfig)},
        }
        policy = words.pop("policy", None) or POLICY.format(namespace=self.namespace, minimum=minimum)
        made = DaemonProcess(self._folder / folder, policy, **{**told, **words})
        self.daemons.append(made)
        return made

    def pair(
        self, *, reachable: bool = False, env: Mapping[str, str] | None = None
    ) -> tuple[DaemonProcess, DaemonProcess]:
        """Two daemons not started yet, each in a folder of its own as in two pods, that share a lease.

        Where they are `reachable` they know each other's address, and share a secret; `env` is the second one's.
        """
        rules = [*documented(), *documented("autoscaler-memory")]
        rules[-1]["resourceNames"] = names("web-autoscaler")
        kubeconfig = self.cluster.service_account(self.namespace, "autoscaler", rules)
        shared = {"kubeconfig": str(kubeconfig), "lease": f"{self.namespace}/web-autoscaler"}
        told: dict[str, Any] = {"kubernetes": shared}
        if reachable:
            tokens = self._folder / "tokens"
            tokens.write_text("pods peer what-only-these-two-know\n")
            told = {"kubernetes": {**shared, "address": "127.0.0.1"}, "web": {"tokens": str(tokens)}}
        ports = [{"listen": f"127.0.0.1:{free_port()}"} if reachable else {} for _ in range(2)]
        one = self.daemon(kubeconfig, folder="one", **told, **ports[0])
        return one, self.daemon(kubeconfig, folder="other", env=env, **told, **ports[1])

    def holders(self) -> int:
        """How many processes have had the lease so far."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/web-autoscaler"
        return int(self.cluster.hand("GET", path)["spec"]["leaseTransitions"]) + 1

    def scaled(self, count: int, within: float = 30.0) -> None:
        """Wait until so many are asked for and all of them are ready."""
        until(lambda: (self.replicas, self.ready) == (count, count), f"{count} replicas, all ready", within=within)

    @property
    def replicas(self) -> int:
        return self.cluster.replicas(self.namespace, "web")

    @property
    def ready(self) -> int:
        return self.cluster.ready(self.namespace, "web")

    @property
    def changes(self) -> int:
        return int(self.cluster.deployed(self.namespace, "web")["metadata"]["generation"]) - 1

    def pods(self) -> list[str]:
        return sorted(pod["metadata"]["name"] for pod in self.cluster.pods(self.namespace, "web"))

    def close(self) -> None:
        for daemon in self.daemons:
            if daemon.alive:
                daemon.stop()
            print(daemon.text())


@pytest.fixture
def shop(
    control_plane: ControlPlane, gauge_server: GaugeServer, prometheus_server: PrometheusMaker, tmp_path: Path
) -> Iterator[Shop]:
    made = Shop(control_plane, gauge_server, prometheus_server, tmp_path)
    yield made
    made.close()
    there = f"/api/v1/namespaces?fieldSelector=metadata.name%3D{made.namespace},status.phase%3DActive"
    if not control_plane.hand("GET", there)["items"]:
        return  # its rights are gone with it
    refused = control_plane.refused(made.namespace, "autoscaler")
    assert not refused, f"asked for more than the documented rights: {refused}"


def documented(name: str = "autoscaler") -> list[dict[str, Any]]:
    """The rules of one Role on the page that tells owners which rights to give."""
    texts = (ROOT / "docs" / "kubernetes-rbac.md").read_text().split("```yaml\n")[1:]
    roles = [yaml.safe_load(text.split("```")[0]) for text in texts]
    rules: list[dict[str, Any]] = next(role["rules"] for role in roles if role["metadata"]["name"] == name)
    return rules


def lines(daemon: DaemonProcess) -> list[dict[str, Any]]:
    """The history of `web`, newest first."""
    found: list[dict[str, Any]] = json.loads(daemon.cli("history", "web", "--format", "json"))["lines"]
    return found

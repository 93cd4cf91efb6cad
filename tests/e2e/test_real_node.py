"""The proof that counts: our own image by our own chart as two real pods on a real node steers other real pods.

Everything runs in a network without a way out. Pods are counted from outside by a watch of the API server.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_helm import CHART, run, values
from tests.parts import node_images
from tests.parts.cluster import APPS, CORE, Answered
from tests.parts.node import ADDRESS
from tests.parts.prometheus import PrometheusMaker
from tests.parts.real_cluster import RealCluster
from tests.support.load import SteadyLoad
from tests.support.wait import until

pytestmark = [pytest.mark.node, pytest.mark.timeout(480)]

POLICY = """\
name: web
target: {kubernetes: {namespace: shop, name: web}}
replicas: {min: 1, max: 5}
signals:
  - name: requests
    prometheus: sum(rate(http_requests_total{job="web"}[10s]))
    per_replica: 10
    max_age: 10s
behavior: {down: {stabilization: 15s}}
"""
HOT = """\
name: hot
target: {kubernetes: {namespace: shop, name: hot}}
replicas: {min: 1, max: 2}
signals: [{name: cpu, resource: cpu, utilization: 60%}]
behavior: {down: {stabilization: 5s}}
"""
LOOK_S = 0.2  # how old the balancer's knowledge of ready pods may be
GONE = (OSError, ValueError, http.client.HTTPException, Answered)  # what a request meets while the cluster ends


class Outside:
    """What anybody sees of a Deployment of `shop`: its pods, the ready ones, and every count that was ever asked for.

    `targets` is a file of the pods for a Prometheus that has no Kubernetes discovery built in, as Debian's.
    """

    def __init__(self, cluster: RealCluster, name: str, folder: Path) -> None:
        self.cluster = cluster
        self.name = name
        self.counts: list[int] = []
        self.targets = folder / f"{name}.json"
        self._turn = itertools.count()
        self._urls: list[str] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._watch, self._look)]

    def __enter__(self) -> Outside:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def url(self) -> str:
        """A ready pod, each in its turn, as a Service would choose."""
        urls = self._urls
        assert urls, "no pod is ready"
        return urls[next(self._turn) % len(urls)]

    def ready(self) -> int:
        """How many pods the Deployment's controller counts as ready."""
        return self.cluster.ready("shop", self.name)

    def pods(self) -> int:
        """How many pods there are, those on their way out too."""
        return len(self.cluster.pods("shop", self.name))

    def _watch(self) -> None:
        with contextlib.suppress(*GONE):
            for event in self.cluster.hand.watch(
                f"{APPS}/shop/deployments", fieldSelector=f"metadata.name={self.name}"
            ):
                count = event["object"]["spec"]["replicas"]
                if self.counts[-1:] != [count]:
                    self.counts.append(count)

    def _look(self) -> None:
        known = ""
        while not self._ended.wait(LOOK_S):
            with contextlib.suppress(*GONE):
                pods = [each for each in self.cluster.pods("shop", self.name) if "podIP" in each["status"]]
                self._urls = [f"http://{each['status']['podIP']}:8000/" for each in pods if is_ready(each)]
                targets = [
                    {"targets": [f"{each['status']['podIP']}:8000"], "labels": {"pod": each["metadata"]["name"]}}
                    for each in pods
                ]
                if known != (known := json.dumps(targets)):
                    written = self.targets.with_suffix(".new")
                    written.write_text(known)
                    written.rename(self.targets)


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod serves and is not on its way out."""
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def deploy(cluster: RealCluster, name: str, cpu: str) -> None:
    """One pod of the tests' application, which ends in good order and requests so much CPU."""
    probe = {"httpGet": {"path": "/healthz", "port": 8000}, "periodSeconds": 1}
    container = {
        "name": "web",
        "image": cluster.images.app,
        "env": [{"name": "DRAIN", "value": "2"}],
        "readinessProbe": probe,
        "resources": {"requests": {"cpu": cpu, "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 10}
    cluster.deployment("shop", name, 1, template={"metadata": {"labels": {"app": name}}, "spec": spec})


def scraping(outside: Outside) -> str:
    """The configuration of a Prometheus beside those pods."""
    found = {"files": [str(outside.targets)]}
    job = {"job_name": "web", "file_sd_configs": [found]}
    return json.dumps({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]})


def install(cluster: RealCluster, prometheus: str, folder: Path) -> None:
    """Our chart with our image, where only pods under restricted security are let in."""
    label = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.hand("POST", "/api/v1/namespaces", {"metadata": {"name": "ops", "labels": label}})
    repository, tag = cluster.images.daemon.split(":")
    told = values(
        folder,
        image={"repository": repository, "tag": tag, "pullPolicy": "Never"},
        prometheus={"url": prometheus},
        namespaces=["shop"],
        cycle="1s",
        policies={"web.yaml": POLICY, "hot.yaml": HOT},
    )
    access = ["--kubeconfig", cluster.kubeconfig(), "--namespace", "ops"]
    run("install", "web", CHART, *access, "-f", told)


def daemons(cluster: RealCluster) -> list[str]:
    """The names of the daemon's ready pods."""
    found = cluster.hand("GET", f"{CORE}/ops/pods")["items"]
    return [each["metadata"]["name"] for each in found if is_ready(each)]


def holder(cluster: RealCluster) -> str:
    """The pod that acts."""
    path = "/apis/coordination.k8s.io/v1/namespaces/ops/leases/web-autoscaler"
    return str(cluster.hand("GET", path)["spec"]["holderIdentity"]).rpartition("_")[0]


def timed(what: str, fn: Callable[[], object], within: float = 60.0) -> None:
    """Wait, and print how long it took."""
    began = time.monotonic()
    until(fn, what, within=within)
    print(f"{time.monotonic() - began:5.1f} s: {what}")


def test_two_pods_of_our_image_steer_real_pods_under_load_and_the_death_of_the_leader_shrinks_nothing(
    real_cluster: RealCluster, prometheus_server: PrometheusMaker, tmp_path: Path
) -> None:
    real_cluster.namespace("shop")
    deploy(real_cluster, "web", "20m")
    deploy(real_cluster, "hot", "50m")
    with Outside(real_cluster, "web", tmp_path) as web, Outside(real_cluster, "hot", tmp_path) as hot:
        prometheus = prometheus_server(config=scraping(web), address=ADDRESS)
        install(real_cluster, prometheus.url, tmp_path)
        timed("a pod of each application serves", lambda: web.url() and hot.url())
        timed("both daemons are ready", lambda: len(daemons(real_cluster)) == 2, within=90)
        leader = until(lambda: holder(real_cluster), "one of them acts")
        (other,) = set(daemons(real_cluster)) - {leader}
        with SteadyLoad(web.url, clients=4) as load:
            timed("more pods serve", lambda: web.ready() >= 3)
            real_cluster.hand("DELETE", f"{CORE}/ops/pods/{leader}")
            timed("the other acts", lambda: holder(real_cluster) == other, within=6)
            with SteadyLoad(web.url, clients=8) as more:
                timed("it gives more load more pods", lambda: web.ready() == 5)
            grown = list(web.counts)
        # answers that cost no wait but some CPU
        with SteadyLoad(lambda: f"{hot.url()}metrics", every=0.005) as burning:
            timed("metrics.k8s.io tells of the CPU, and a second pod serves", lambda: hot.ready() == 2)
        timed("one pod is left once the load has ended", lambda: web.pods() == 1, within=90)
        timed("and one where CPU was used", lambda: hot.pods() == 1, within=90)
    print(f"counts {web.counts} and {hot.counts}, {load.sent + more.sent + burning.sent} requests")
    assert grown == sorted(grown), "nothing shrank while the load lasted"
    assert holder(real_cluster) == other
    assert hot.counts == [1, 2, 1]
    assert (load.failed, more.failed, burning.failed) == ({}, {}, {})


def test_the_image_has_no_pip_is_compiled_before_and_runs_as_nobody_in_particular() -> None:
    images = node_images.node_images()
    config, files = node_images.of(images.archive, images.daemon)
    assert config["User"] == "65532:65532"
    package = next(each for each in files if each.endswith("/site-packages/autoscaler/__init__.py"))
    folder = package.rpartition("/autoscaler/")[0]
    assert f"{folder}/pip" not in files
    assert [each for each in files if each.startswith(f"{folder}/autoscaler/__pycache__/errors.")]
    assert not [each for each in files if each.startswith("wheels")]

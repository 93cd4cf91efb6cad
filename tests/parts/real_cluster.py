"""A real Kubernetes cluster of one node in a network of its own: pods really run, and what they use is measured."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path

from tests.parts import node
from tests.parts.catalogue import metrics_server
from tests.parts.certificates import Authority
from tests.parts.cluster import CORE
from tests.parts.kubernetes import CONTROLLERS, SERVICE, START_S, ControlPlane
from tests.parts.namespace import ip
from tests.parts.node_images import NodeImages
from tests.parts.process import Process, free_port, tail
from tests.support.wait import until

OF_REAL_PODS = (  # what they mount, and the counting of what became of them
    "root-ca-certificate-publisher-controller",
    "node-lifecycle-controller",
    "pod-garbage-collector-controller",
)


class RealCluster(ControlPlane):
    """The control plane with a scheduler and one real node, for a network of its own: pods run for real.

    No proxy of services runs; the API server's own service address is on the bridge, where pods look for it.
    """

    address = node.ADDRESS
    controllers = (*CONTROLLERS, *OF_REAL_PODS)

    def __init__(self, folder: Path, images: NodeImages) -> None:
        super().__init__(folder, port=443)
        self.images = images
        self._machine = node.Node()
        settings = folder / "scheduler.json"
        told = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "leaderElection": {"leaderElect": False},
            "clientConnection": {"kubeconfig": str(self.kubeconfig("scheduler"))},
        }
        settings.write_text(json.dumps(told))
        self._scheduler = self._process("scheduler", [f"--config={settings}", "--secure-port=0"])
        self._metrics_port = free_port()
        self._metrics = Process("metrics-server", self._metrics_command(), log=folder / "metrics-server.log")

    def start(self) -> None:
        """Start all and wait until the node is Ready."""
        self._machine.prepare()
        ip("addr", "add", f"{SERVICE}/32", "dev", node.BRIDGE)
        self._etcd.start()
        self._machine.start_containerd(self.images)
        self.start_api()
        self._manager.start()
        self._scheduler.start()
        self._machine.start_kubelet(self.kubeconfig("node"), self._folder)
        until(self._stands, "the node is Ready", within=START_S)
        self._metrics.start()
        self._serve_metrics()

    def stop(self) -> None:
        """Pods first, the store last; the others end even where one will not."""
        with contextlib.ExitStack() as left:
            for stop in (super().stop, self._scheduler.stop, self._metrics.stop, self._machine.clean):
                left.callback(stop)

    def logs(self) -> dict[str, str]:
        return {
            **super().logs(),
            **{each.name: tail(each.log) for each in (self._scheduler, self._metrics)},
            **self._machine.logs(),
        }

    def _more(self) -> list[str]:
        return [
            "--bind-address=0.0.0.0",
            f"--advertise-address={node.ADDRESS}",
            "--kubelet-preferred-address-types=InternalIP",  # or it asks for the node's name
            f"--kubelet-client-certificate={self._folder}/kubelet-client.crt",
            f"--kubelet-client-key={self._folder}/kubelet-client.key",
            "--enable-aggregator-routing=true",  # to the pods of a service: there is no proxy of services
            f"--requestheader-client-ca-file={self._folder}/front-ca.crt",
            "--requestheader-allowed-names=front",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={self._folder}/front.crt",
            f"--proxy-client-key-file={self._folder}/front.key",
        ]

    def _certify(self) -> Authority:
        ca = super()._certify()
        ca.sign("kubelet", f"system:node:{node.NAME}", organization="system:nodes", names=(node.NAME, node.ADDRESS))
        ca.sign("kubelet-client", "kube-apiserver-kubelet-client", organization="system:masters")
        ca.sign("metrics", "metrics-server", names=("metrics-server.kube-system.svc",))
        Authority(self._folder, "front-ca").sign("front", "front")
        return ca

    def _metrics_command(self) -> list[str | Path]:
        access = self.kubeconfig()
        return [
            metrics_server(),
            *(f"--{which}kubeconfig={access}" for which in ("", "authentication-", "authorization-")),
            f"--bind-address={node.ADDRESS}",
            f"--secure-port={self._metrics_port}",
            f"--tls-cert-file={self._folder}/metrics.crt",
            f"--tls-private-key-file={self._folder}/metrics.key",
            f"--kubelet-certificate-authority={self.ca}",
            "--kubelet-preferred-address-types=InternalIP",
            "--kubelet-use-node-status-port",
            "--kubelet-request-timeout=5s",
            "--metric-resolution=10s",
        ]

    def _serve_metrics(self) -> None:
        """Tell the API server who answers for metrics.k8s.io; it does so once a pod has been measured."""
        port = {"name": "https", "port": self._metrics_port, "protocol": "TCP"}
        service = {"name": "metrics-server", "namespace": "kube-system"}
        self.hand(
            "POST", f"{CORE}/kube-system/services", {"metadata": service, "spec": {"ports": [{**port, "port": 443}]}}
        )
        self.hand(
            "POST",
            "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices",
            {
                "metadata": {"name": "metrics-server", "labels": {"kubernetes.io/service-name": "metrics-server"}},
                "addressType": "IPv4",
                "ports": [port],
                "endpoints": [{"addresses": [node.ADDRESS], "conditions": {"ready": True}}],
            },
        )
        spec = {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": {**service, "port": 443},
            "caBundle": base64.b64encode(self.ca.read_bytes()).decode(),
        }
        services = "/apis/apiregistration.k8s.io/v1/apiservices"
        self.hand("POST", services, {"metadata": {"name": "v1beta1.metrics.k8s.io"}, "spec": spec})

    def _stands(self) -> bool:
        found = self.hand("GET", "/api/v1/nodes")["items"]
        return any(
            (each["type"], each["status"]) == ("Ready", "True") for one in found for each in one["status"]["conditions"]
        )

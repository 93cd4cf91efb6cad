"""A resource metrics API whose readings a test lays out, behind an APIService of a real API server.

The API server proxies to it over TLS, as it does to metrics-server, and finds out itself whether it answers.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.parts.certificates import Authority
from tests.parts.cluster import CORE, Answered
from tests.parts.kubernetes import ControlPlane
from tests.support.wait import until

GROUP_VERSION = "metrics.k8s.io/v1beta1"
ROOT = f"/apis/{GROUP_VERSION}"
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = "v1beta1.metrics.k8s.io"
PLACE = "kube-system"
SERVICE = "metrics-server"


class PodMetricsApi:
    """`use` lays out what a pod uses; `asked` are the namespaces that were listed, in order."""

    def __init__(self, cluster: ControlPlane, folder: Path) -> None:
        self.asked: list[str] = []
        self._cluster = cluster
        self._pods: dict[str, dict[str, dict[str, Any]]] = {}
        folder.mkdir()
        authority = Authority(folder, "metrics-ca")
        authority.sign("metrics", SERVICE, names=[f"{SERVICE}.{PLACE}.svc"])
        self._ca = base64.b64encode(authority.certificate.read_bytes()).decode()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "metrics.crt", folder / "metrics.key")
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                api._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, name="resource metrics", daemon=True)

    def use(self, namespace: str, pod: str, **containers: dict[str, str]) -> None:
        """From now on this pod uses so much, measured now."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        parts = [{"name": name, "usage": usage} for name, usage in containers.items()]
        meta = {"name": pod, "namespace": namespace}
        told = {"metadata": meta, "timestamp": now, "window": "10.062s", "containers": parts}
        self._pods.setdefault(namespace, {})[pod] = told

    def start(self) -> None:
        """Serve, and come back once the API server passes requests on."""
        self._thread.start()
        hand, port = self._cluster.hand, self._server.server_address[1]
        spec = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}
        hand("POST", f"{CORE}/{PLACE}/services", {"metadata": {"name": SERVICE}, "spec": spec})
        behind = {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "caBundle": self._ca,
            "service": {"name": SERVICE, "namespace": PLACE, "port": port},
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        }
        hand("POST", SERVICES, {"metadata": {"name": NAME}, "spec": behind})
        until(lambda: hand("GET", f"{ROOT}/namespaces/default/pods"), "the resource metrics API is served", within=30)
        self.asked.clear()

    def go_away(self) -> None:
        """Stop serving; the API server still knows of it."""
        self._server.shutdown()
        self._server.server_close()

    def remove(self) -> None:
        """Take it away from the API server too."""
        for path in (f"{SERVICES}/{NAME}", f"{CORE}/{PLACE}/services/{SERVICE}"):
            try:
                self._cluster.hand("DELETE", path)
            except Answered as answered:
                if answered.code != 404:
                    raise

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0].split("/")
        if request.path.startswith(ROOT) and len(path) == 7:
            self.asked.append(path[5])
            items = list(self._pods.get(path[5], {}).values())
            said: dict[str, Any] = {"kind": "PodMetricsList", "apiVersion": GROUP_VERSION, "metadata": {}}
            body, code = json.dumps({**said, "items": items}).encode(), 200
        elif request.path.startswith(ROOT):
            resources = [{"name": "pods", "kind": "PodMetrics", "namespaced": True, "verbs": ["get", "list"]}]
            said = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP_VERSION}
            body, code = json.dumps({**said, "resources": resources}).encode(), 200
        else:
            body, code = b"{}", 404
        request.send_response(code)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

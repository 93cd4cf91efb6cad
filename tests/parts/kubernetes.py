"""A real Kubernetes control plane on this machine: etcd, API server and controller manager, on free loopback ports."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.parts import node
from tests.parts.catalogue import control_plane
from tests.parts.certificates import Authority, key_pair
from tests.parts.cluster import BREATH_S, Cluster
from tests.parts.process import Process, free_port, tail
from tests.support.wait import until

START_S = 90.0  # seconds; three when nothing else runs
USERS = {  # who has a token: name and group for the API server
    "admin": ("admin", "system:masters"),
    "manager": ("system:kube-controller-manager", ""),
    "nobody": ("nobody", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "node": (f"system:node:{node.NAME}", "system:nodes"),
}
CONTROLLERS = (
    "deployment-controller",
    "statefulset-controller",
    "replicaset-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "disruption-controller",
)
SERVICE = "10.43.0.1"  # where pods find the API server
AUDIT = {  # who asked for what: of ServiceAccounts that are not the cluster's own
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}


class ControlPlane(Cluster):
    """The three programs with data, certificates and tokens of their own, and a node played by hand."""

    address = "127.0.0.1"
    controllers: tuple[str, ...] = CONTROLLERS

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self._folder = folder
        self._tokens = {user: secrets.token_hex(16) for user in USERS}
        self._certify()
        (folder / "audit.yaml").write_text(json.dumps(AUDIT))
        port = port or free_port()
        super().__init__(f"https://{self.address}:{port}", folder / "ca.crt", self._tokens["admin"])
        store = free_port()
        self._etcd = self._process("etcd", _etcd(folder / "etcd", store, free_port()))
        self._api = self._process("apiserver", [*_apiserver(folder, port, store), *self._more()])
        manager = _manager(folder, self.kubeconfig("manager"), self.controllers)
        self._manager = self._process("controller-manager", manager)
        self._store_url = f"http://127.0.0.1:{store}"

    def start(self) -> None:
        """Start all and wait until the API server answers."""
        self._etcd.start()
        self.start_api()
        self._manager.start()
        self.node.start()

    def stop(self) -> None:
        """Stop in reverse order, one at a time: an API server without etcd takes long to end."""
        self._manager.stop()
        self._api.kill()  # it would wait for watches to end
        self.node.stop()
        self._etcd.stop()

    def stop_api(self) -> None:
        """End the API server; its objects stay."""
        self._api.kill()

    def start_api(self) -> None:
        """Start the API server and wait until it is ready.

        Not in a passing thread: the kernel ends the server with the thread that started it.
        """
        self._api.start()
        until(self._answers, f"the API server is ready at {self.url}", within=START_S, every=BREATH_S)

    @contextlib.contextmanager
    def api_away(self) -> Iterator[None]:
        """Inside, nobody answers; at its end the API server does again."""
        self.stop_api()
        try:
            yield
        finally:
            self.start_api()

    def restart_api(self) -> None:
        """A crash of the API server that is noticed at once."""
        with self.api_away():
            pass

    @property
    def accounts_key(self) -> Path:
        """The key by which tokens of ServiceAccounts are signed."""
        return self._folder / "accounts.key"

    def kubeconfig(self, user: str = "admin") -> Path:
        """The kubeconfig of one of USERS."""
        return self._written(user, self._tokens[user])

    def kubeconfig_of_nobody_there(self) -> Path:
        """A kubeconfig of a place where nobody listens."""
        return self._written("nobody-there", self._tokens["admin"], server=f"https://127.0.0.1:{free_port()}")

    def service_account(self, namespace: str, name: str, rules: list[dict[str, Any]]) -> Path:
        """The kubeconfig of a new ServiceAccount with exactly these rules in its namespace, once they are in force."""
        return self._written(f"{namespace}-{name}", self.granted(namespace, name, rules))

    def kubeconfig_of(self, namespace: str, name: str) -> Path:
        """The kubeconfig of a ServiceAccount that is there, with whatever rights it has."""
        return self._written(f"{namespace}-{name}", self.token_of(namespace, name))

    def refused(self, namespace: str, name: str) -> list[str]:
        """What this ServiceAccount has asked for and has no right to: method and path, sorted.

        An API server that has only just started refuses for a moment what is allowed: so it is asked again.
        """
        user, found = f"system:serviceaccount:{namespace}:{name}", {}
        for line in (self._folder / "audit.log").read_text().splitlines():
            event = json.loads(line) if user in line else {}
            if event and event["user"]["username"] == user and event.get("responseStatus", {}).get("code") == 403:
                found[f"{event['verb']} {event['requestURI'].partition('?')[0]}"] = event
        return sorted(said for said, event in found.items() if not self._may(event))

    def _may(self, event: dict[str, Any]) -> bool:
        """Whether the user of an audited request has the right to it."""
        about = event.get("objectRef", {})
        what = {key: about.get(key, "") for key in ("namespace", "resource", "subresource", "name")}
        asked = {**what, "group": about.get("apiGroup", ""), "verb": event["verb"]}
        spec = {"user": event["user"]["username"], "groups": event["user"]["groups"], "resourceAttributes": asked}
        answer = self.hand("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": spec})
        return bool(answer["status"]["allowed"])

    def logs(self) -> dict[str, str]:
        """What the programs said last."""
        return {each.name: tail(each.log) for each in (self._etcd, self._api, self._manager)}

    def _more(self) -> list[str]:
        """Flags of the API server that replace those given before."""
        return []

    def _process(self, part: str, flags: list[str]) -> Process:
        return Process(part, [control_plane(), part, *flags], log=self._folder / f"{part}.log")

    def _answers(self) -> bool:
        self._etcd.check()
        self._api.check()
        return self.hand.text("/readyz") == "ok"

    def _certify(self) -> Authority:
        ca = Authority(self._folder, "ca")
        names = ("127.0.0.1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
        ca.sign("apiserver", "kube-apiserver", names=(*names, self.address, SERVICE))
        key_pair(self._folder, "accounts")
        lines = []
        for user, token in self._tokens.items():
            name, group = USERS[user]
            lines.append(f'{token},{name},{user},"{group}"' if group else f"{token},{name},{user}")
        (self._folder / "tokens.csv").write_text("\n".join(lines))
        return ca

    def _written(self, name: str, token: str, *, server: str = "") -> Path:
        path = self._folder / f"{name}.kubeconfig"
        cluster = {"server": server or self.url, "certificate-authority": str(self.ca)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
        }
        path.write_text(json.dumps(config))  # JSON is YAML
        path.chmod(0o600)
        return path


def _etcd(data: Path, clients: int, peers: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{clients}", f"http://127.0.0.1:{peers}"
    return [
        "--name=test",
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=test={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _apiserver(folder: Path, port: int, store: int) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{store}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={folder}/apiserver.crt",
        f"--tls-private-key-file={folder}/apiserver.key",
        f"--client-ca-file={folder}/ca.crt",
        f"--token-auth-file={folder}/tokens.csv",
        f"--audit-policy-file={folder}/audit.yaml",
        f"--audit-log-path={folder}/audit.log",
        "--authorization-mode=Node,RBAC",
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.43.0.0/16",
        f"--service-account-key-file={folder}/accounts.pub",
        f"--service-account-signing-key-file={folder}/accounts.key",
        "--service-account-issuer=https://kubernetes.default.svc",
    ]


def _manager(folder: Path, kubeconfig: Path, controllers: tuple[str, ...]) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        f"--controllers={','.join(controllers)}",
        "--secure-port=0",
        f"--service-account-private-key-file={folder}/accounts.key",
        f"--root-ca-file={folder}/ca.crt",
        "--use-service-account-credentials=true",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]

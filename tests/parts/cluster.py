"""A cluster seen and disturbed from outside, and its node played by hand: plain requests that share nothing with us."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.wait import until

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPS = "/apis/apps/v1/namespaces"
CORE = "/api/v1/namespaces"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
CALL_S = 10.0
QUIET_S = 300.0  # a watch may say nothing for so long
BREATH_S = 0.05


class Answered(Exception):
    """The API server said something other than success."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Hand:
    """Requests to an API server by the owner of a token, as kubectl would make them."""

    def __init__(self, url: str, ca: Path, token: str) -> None:
        self._url = url
        self._token = token
        tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(ca)))
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({}), tls).open

    def __call__(
        self, method: str, path: str, body: Any = None, *, kind: str = JSON, manager: str = "kubectl"
    ) -> dict[str, Any]:
        """The answer's JSON; `manager` is who managedFields name for a write. Raises Answered, or OSError."""
        query = {"fieldManager": manager} if method in ("POST", "PATCH") else {}
        with self._ask(method, path, query, body, kind, CALL_S) as answer:
            said: dict[str, Any] = json.load(answer)
            return said

    def text(self, path: str) -> str:
        """What a GET answers, as text."""
        with self._ask("GET", path, {}, None, JSON, CALL_S) as answer:
            return str(answer.read().decode())

    def watch(self, path: str, **query: str) -> Generator[dict[str, Any], None, None]:
        """Events until the server ends it: every object there is, then every change (or from `resourceVersion`)."""
        with self._ask("GET", path, {"watch": "1", **query}, None, JSON, QUIET_S) as answer:
            for line in answer:
                yield json.loads(line)

    def _ask(self, method: str, path: str, query: dict[str, str], body: Any, kind: str, within: float) -> Any:
        url = self._url + path
        if query:
            url += ("&" if "?" in path else "?") + urllib.parse.urlencode(query)
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind, "User-Agent": "kubectl/v1.37.2"}
        try:
            return self._open(urllib.request.Request(url, data=data, headers=headers, method=method), timeout=within)
        except urllib.error.HTTPError as error:
            with error:
                raise Answered(error.code, error.read().decode(errors="replace")) from None


class Node:
    """Stands in for every node: a new pod is turned Ready by writing its status; what was reported once stays so.

    No scheduler runs, so pods have no node's name, and the API server deletes such pods at once.
    """

    def __init__(self, hand: Hand) -> None:
        self._hand = hand
        self._here = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._play, name="node played by hand", daemon=True)

    def start(self) -> None:
        """Begin to look after pods, in a thread."""
        self._here.set()
        self._thread.start()

    def stop(self) -> None:
        """End; the API server has ended before, and with it the watch."""
        self._ended.set()
        self._here.set()
        if self._thread.is_alive():
            self._thread.join(CALL_S)

    def hold(self) -> None:
        """From now on new pods do not become Ready."""
        self._here.clear()

    def go_on(self) -> None:
        """New pods become Ready again, those held back too."""
        self._here.set()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Inside, new pods do not become Ready; they do at its end."""
        self.hold()
        try:
            yield
        finally:
            self.go_on()

    def report(self, namespace: str, name: str, *, ready: bool) -> None:
        """Write a pod's status as a kubelet would."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": now}
        container = {"name": "web", "ready": ready, "restartCount": 0, "image": "shop/web:1", "imageID": ""}
        status = {
            "phase": "Running",
            "podIP": "10.1.2.3",
            "podIPs": [{"ip": "10.1.2.3"}],
            "conditions": [condition],
            "containerStatuses": [{**container, "state": {"running": {"startedAt": now}}}],
            **({"startTime": now} if ready else {}),
        }
        path = f"{CORE}/{namespace}/pods/{name}/status"
        self._hand("PATCH", path, {"status": status}, kind=MERGE_PATCH, manager="kubelet")

    def _play(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException, Answered):
                for event in self._hand.watch("/api/v1/pods"):
                    self._here.wait()
                    if event["type"] in ("ADDED", "MODIFIED"):
                        self._look_at(event["object"])
            self._ended.wait(BREATH_S)

    def _look_at(self, pod: dict[str, Any]) -> None:
        meta = pod["metadata"]
        reported = any(each["type"] == "Ready" for each in pod["status"].get("conditions", []))
        if not reported and "deletionTimestamp" not in meta and not self._ended.is_set():
            with contextlib.suppress(Answered):  # it may be gone again
                self.report(meta["namespace"], meta["name"], ready=True)


class Cluster:
    """What an owner or anybody else does to a cluster, and what they see of it."""

    def __init__(self, url: str, ca: Path, token: str) -> None:
        self.url = url
        self.ca = ca
        self.token = token  # of somebody who may do everything
        self.hand = Hand(url, ca, token)
        self.node = Node(self.hand)

    def namespace(self, name: str) -> None:
        """Make a namespace, and wait until pods can be made in it."""
        self.hand("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        until(lambda: self.hand("GET", f"{CORE}/{name}/serviceaccounts/default"), f"{name} is ready", every=BREATH_S)

    def deployment(self, namespace: str, name: str, replicas: int, kind: str = "deployments", **spec: Any) -> None:
        """Make a Deployment (or another kind of apps/v1) of this many pods; they are Ready soon."""
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "web", "image": "shop/web:1"}]},
        }
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template, **spec}
        meta = {"name": name, "labels": {"app": name, "tier": "shop"}}
        self.hand("POST", f"{APPS}/{namespace}/{kind}", {"metadata": meta, "spec": spec})

    def scale(self, namespace: str, name: str, count: int, *, manager: str = "kubectl") -> None:
        """Set the count as `kubectl scale` does."""
        path = f"{APPS}/{namespace}/deployments/{name}/scale"
        self.hand("PATCH", path, {"spec": {"replicas": count}}, kind=MERGE_PATCH, manager=manager)

    def deployed(self, namespace: str, name: str) -> dict[str, Any]:
        """A Deployment as it is."""
        return self.hand("GET", f"{APPS}/{namespace}/deployments/{name}")

    def replicas(self, namespace: str, name: str) -> int:
        """The count asked for."""
        return int(self.deployed(namespace, name)["spec"]["replicas"])

    def ready(self, namespace: str, name: str) -> int:
        """How many pods its controller counts as ready."""
        return int(self.deployed(namespace, name)["status"].get("readyReplicas", 0))

    def pods(self, namespace: str, name: str) -> list[dict[str, Any]]:
        """The pods of a Deployment, those on their way out too."""
        return list(self.hand("GET", f"{CORE}/{namespace}/pods?labelSelector=app%3D{name}")["items"])

    def make_sick(self, namespace: str, pod: str) -> None:
        """This pod is not ready any more, and goes on running."""
        self.node.report(namespace, pod, ready=False)

    def token_of(self, namespace: str, name: str) -> str:
        """A token of a ServiceAccount that is there."""
        path = f"{CORE}/{namespace}/serviceaccounts/{name}/token"
        return str(self.hand("POST", path, {"spec": {"expirationSeconds": 3600}})["status"]["token"])

    def granted(self, namespace: str, name: str, rules: list[dict[str, Any]]) -> str:
        """The token of a new ServiceAccount with exactly these rights in its namespace, once they are in force."""
        self.hand("POST", f"{CORE}/{namespace}/serviceaccounts", {"metadata": {"name": name}})
        self.hand("POST", f"{RBAC}/{namespace}/roles", {"metadata": {"name": name}, "rules": rules})
        binding = {
            "metadata": {"name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        }
        self.hand("POST", f"{RBAC}/{namespace}/rolebindings", binding)
        token = self.token_of(namespace, name)
        asked = Hand(self.url, self.ca, token)

        def in_force() -> bool:
            review = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
            have = asked("POST", review, {"spec": {"namespace": namespace}})["status"]["resourceRules"]
            return all(
                any((each["verbs"], each.get("resources")) == (rule["verbs"], rule["resources"]) for each in have)
                for rule in rules
            )

        until(in_force, f"the rights of {name} are in force", every=BREATH_S)
        return token

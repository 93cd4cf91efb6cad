"""Tokens of a real API server at the daemon's door: who is let in to do what, by which name, and for how long."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_reviews import AUDIENCE, Reviews
from autoscaler.clock import SystemClock
from autoscaler.settings import WebSettings
from autoscaler.store.audit import Audit
from autoscaler.web.cluster_callers import Callers
from autoscaler.web.server import serve
from tests.e2e.shop import documented
from tests.parts.kubernetes import ControlPlane
from tests.parts.process import free_port
from tests.support.wait import auntil
from tests.unit.web.test_doors import House

pytestmark = pytest.mark.kubernetes

LEASE = "autoscaler"


class Door:
    """A daemon's door over TCP that asks this cluster, by the rights of the documentation and no others."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self.namespace = f"ops-{uuid.uuid4().hex[:8]}"
        plane.namespace(self.namespace)
        self.folder = folder
        self.audit = Audit(folder / "audit.jsonl", size=1_000_000, keep=1)
        self.told: list[str] = []
        self.now = 0.0
        self.url = ""

    def people(self, verbs: list[str], name: str) -> None:
        """A ServiceAccount that may do this to the daemon's controls."""
        rule = {"apiGroups": ["autoscaler"], "resources": ["controls"], "resourceNames": [LEASE], "verbs": verbs}
        self.plane.granted(self.namespace, name, [rule] if verbs else [])

    def token(self, name: str, audience: str = AUDIENCE) -> str:
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{name}/token"
        return str(self.plane.hand("POST", path, {"spec": {"audiences": [audience]}})["status"]["token"])

    def daemon(self) -> Path:
        """The kubeconfig of the daemon's own ServiceAccount."""
        rights, hand = "/apis/rbac.authorization.k8s.io/v1", self.plane.hand
        who = {"kind": "ServiceAccount", "name": "daemon", "namespace": self.namespace}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": self.namespace}
        meta = {"metadata": {"name": self.namespace}}
        hand("POST", f"{rights}/clusterroles", {**meta, "rules": documented("autoscaler-callers")})
        hand("POST", f"{rights}/clusterrolebindings", {**meta, "subjects": [who], "roleRef": role})
        return self.plane.service_account(self.namespace, "daemon", [])

    def callers(self, config: Path) -> tuple[Reviews, Callers]:
        reviews = Reviews(KubernetesApi(SystemClock(), kubeconfig=str(config)), self.namespace, LEASE)
        return reviews, Callers(reviews, lambda: self.now, self.told.append)

    async def asks(self, token: str, *, write: bool = True) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with aiohttp.ClientSession(headers=headers) as session:
            if write:
                async with session.post(f"{self.url}/api/v1/pause/web", json={"by": "mallory"}) as answer:
                    return answer.status, await answer.json()
            async with session.get(f"{self.url}/api/v1/whoami") as answer:
                return answer.status, await answer.json()


@pytest.fixture
async def door(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Door]:
    door = await asyncio.to_thread(Door, control_plane, tmp_path)
    reviews, callers = door.callers(await asyncio.to_thread(door.daemon))
    house, port = House(tmp_path, door.audit), free_port()
    door.url = f"http://127.0.0.1:{port}"
    door.audit.start()
    settings = WebSettings(open=False, cluster=True)
    async with serve(house.rooms, house.vitals, house.socket, ("127.0.0.1", port), settings, callers=callers):
        yield door
    await reviews.close()
    assert not control_plane.refused(door.namespace, "daemon")


async def test_a_token_of_the_cluster_may_what_rbac_says_and_its_name_is_in_the_audit(door: Door) -> None:
    rights = {"alice": ["get", "update"], "writer": ["update"], "bob": ["get"], "carol": []}
    for name, verbs in rights.items():
        await asyncio.to_thread(door.people, verbs, name)
    tokens = {name: await asyncio.to_thread(door.token, name) for name in rights}
    tokens |= {
        "none": "",
        "wrong": tokens["alice"][:-6] + "AAAAAA",
        "expired": await asyncio.to_thread(expired, door.plane, tokens["alice"]),
        "of another audience": await asyncio.to_thread(door.plane.token_of, door.namespace, "alice"),
    }
    await auntil(lambda: rights_are_in_force(door, tokens["writer"]), "the rights are in force")
    found = {
        name: ((await door.asks(token, write=False))[0], (await door.asks(token))[0]) for name, token in tokens.items()
    }
    assert found == {
        "alice": (200, 200),
        "writer": (200, 200),
        "bob": (200, 403),
        "carol": (403, 403),
        "none": (401, 401),
        "wrong": (401, 401),
        "expired": (401, 401),
        "of another audience": (401, 401),
    }
    _, refused = await door.asks(tokens["bob"])
    assert "update of controls in API group autoscaler" in refused["hint"]
    await asyncio.to_thread(door.audit.close)
    lines = [json.loads(line) for line in (door.folder / "audit.jsonl").read_text().splitlines()]
    names = {f"system:serviceaccount:{door.namespace}:{name}" for name in ("alice", "writer")}
    assert {line["caller"] for line in lines} == names, "not the name that the caller says"


async def rights_are_in_force(door: Door, token: str) -> bool:
    door.now += 100.0  # what was said before they were does not hold any more
    return (await door.asks(token))[0] == 200


async def test_without_an_answer_of_the_api_server_nobody_is_let_in_and_the_missing_rule_is_told(door: Door) -> None:
    await asyncio.to_thread(door.people, ["update"], "alice")
    token = await asyncio.to_thread(door.token, "alice")
    few = await asyncio.to_thread(door.plane.service_account, door.namespace, "few", [])
    nowhere = await asyncio.to_thread(door.plane.kubeconfig_of_nobody_there)
    for config, said in ((few, 'cannot create resource "tokenreviews"'), (nowhere, "did not answer")):
        reviews, callers = door.callers(config)
        try:
            answer = await callers.judge(token, write=True)
        finally:
            await reviews.close()
        assert getattr(answer, "status", None) == 503
        assert said in door.told[-1]
        assert token not in door.told[-1]


def expired(plane: ControlPlane, token: str) -> str:
    """The same token, made by the cluster's own key an hour ago for ten minutes."""
    head, body, _ = token.split(".")
    told = json.loads(base64.urlsafe_b64decode(body + "=="))
    told |= {key: told[key] - 3600 for key in ("iat", "nbf")} | {"exp": told["iat"] - 3000}
    said = f"{head}.{_encoded(json.dumps(told).encode())}"
    key = load_pem_private_key(plane.accounts_key.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return f"{said}.{_encoded(key.sign(said.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

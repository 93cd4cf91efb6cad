"""Who a bearer token is of in a cluster, and what its owner may: TokenReview, then SubjectAccessReview."""

from __future__ import annotations

from typing import Any

import msgspec

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_wire import Resource, Wire

AUDIENCE = "autoscaler"  # a token made for it opens nothing else: not even the API server takes it
GROUP, CONTROLS = "autoscaler", "controls"  # in rules; the cluster serves no such kind and needs none
READ, WRITE = "get", "update"

_TOKENS = Resource("authentication.k8s.io/v1", "tokenreviews")
_ACCESS = Resource("authorization.k8s.io/v1", "subjectaccessreviews")


class Person(msgspec.Struct, frozen=True):
    """Who shows a token, as the cluster names them, and what they may."""

    name: str
    read: bool
    write: bool


class _User(Wire, frozen=True):
    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)


class _Authenticated(Wire, frozen=True):
    authenticated: bool = False
    user: _User = _User()
    audiences: tuple[str, ...] = ()


class _TokenReview(Wire, frozen=True):
    status: _Authenticated = _Authenticated()


class _Access(Wire, frozen=True):
    allowed: bool = False


class _AccessReview(Wire, frozen=True):
    status: _Access = _Access()


class Reviews:
    """Asks one API server; the rights are those to the controls NAME in a namespace."""

    def __init__(self, api: KubernetesApi, namespace: str, name: str) -> None:
        self._api = api
        self._place = {"namespace": namespace, "name": name, "group": GROUP, "resource": CONTROLS}

    async def __call__(self, token: str) -> Person | None:
        """Whose token this is; None where it is nobody's, has expired or was made for something else.

        Raises TargetError where the API server does not say.
        """
        spec: dict[str, Any] = {"token": token, "audiences": [AUDIENCE]}
        said = (await self._api.create(_TOKENS, "", {"spec": spec}, _TokenReview)).status
        # A server that knows no audiences names none: then the token may be for anybody.
        if not (said.authenticated and said.user.username and AUDIENCE in said.audiences):
            return None
        write = await self._may(said.user, WRITE)
        return Person(said.user.username, write or await self._may(said.user, READ), write)

    async def _may(self, user: _User, verb: str) -> bool:
        who = {"user": user.username, "uid": user.uid, "groups": user.groups, "extra": user.extra}
        spec = {**who, "resourceAttributes": {**self._place, "verb": verb}}
        return (await self._api.create(_ACCESS, "", {"spec": spec}, _AccessReview)).status.allowed

    async def close(self) -> None:
        """Let go of the connection."""
        await self._api.close()

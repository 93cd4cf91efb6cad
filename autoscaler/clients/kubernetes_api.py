"""Requests to a Kubernetes API server in, typed records and our own errors out.

Of the official client only what is hard to get right is used: finding the cluster and its credentials (kubeconfig,
service account, exec plugins) and the connection. Its typed models cost ten times the parsing, so answers are
decoded by msgspec into the few fields we read.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

import aiohttp
import msgspec

from autoscaler.clients.kubernetes_credentials import refused_credentials, unusable
from autoscaler.clients.kubernetes_refusals import Asked, refusal
from autoscaler.clients.kubernetes_wire import Page, PodMetrics, Resource, Scale, Served, ServedList, Workload
from autoscaler.errors import SettingsError, TargetError, Unreachable

R = TypeVar("R")

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"  # kubectl's own annotation of a rollout restart
MANAGER = "autoscaler"  # who we are in managedFields
CALL_S = 4.0  # less than what the fence demands to be left of the lease
LIST_S = 30.0
PAGE = 500
REREAD_S = 60.0  # exec plugins and token files are asked again this often, as the official client does
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"

PODS = Resource("v1", "pods")
POD_METRICS = Resource("metrics.k8s.io/v1beta1", "pods")


class Time(Protocol):
    """What the wire needs of a clock."""

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class KubernetesApi:
    """One API server, found on first use: by `kubeconfig` (and `context`), else as a pod, else as kubectl does.

    Raises SettingsError at once where the official client is not installed; every call raises only TargetErrors.
    """

    def __init__(self, clock: Time, *, kubeconfig: str | None = None, context: str | None = None) -> None:
        try:
            import kubernetes.aio.client
            import kubernetes.aio.config
        except ModuleNotFoundError as error:
            raise SettingsError(
                "Kubernetes needs the official client, which is not installed", hint="install autoscaler[kubernetes]"
            ) from error
        self._client: Any = kubernetes.aio.client
        self._config: Any = kubernetes.aio.config
        self._clock = clock
        self._kubeconfig = kubeconfig
        self._context = context
        self._opening = asyncio.Lock()
        self._api: Any = None
        self._loader: Any = None
        self._read_at = 0.0

    async def served(self, group_version: str) -> tuple[Served, ...]:
        """What the version of an API group has, subresources included; Gone where there is no such version."""
        group = Resource(group_version, "")
        path = group.path("").rstrip("/")
        return _decode(await self._call("GET", path, Asked("list", group, "")), ServedList).resources

    async def get(self, resource: Resource, namespace: str, name: str, of: type[R]) -> R:
        """One object."""
        asked = Asked("get", resource, namespace, name)
        return _decode(await self._call("GET", resource.path(namespace, name), asked), of)

    async def get_scale(self, resource: Resource, namespace: str, name: str) -> Scale:
        """An object's scale subresource."""
        asked = Asked("get", resource, namespace, name, "scale")
        return _decode(await self._call("GET", resource.path(namespace, name, "scale"), asked), Scale)

    async def set_scale(
        self, resource: Resource, namespace: str, name: str, *, count: int, before: int, version: str = ""
    ) -> Scale:
        """Set the count where it is still `before`; Conflict where it is not, and nothing is changed.

        A count of 0 has no path in a /scale that a patch could test, so there `version` must still be the object's.
        """
        asked = Asked("patch", resource, namespace, name, "scale")
        patch: Any
        if before > 0:
            kind = JSON_PATCH
            patch = [
                {"op": "test", "path": "/spec/replicas", "value": before},
                {"op": "replace", "path": "/spec/replicas", "value": count},
            ]
        else:
            kind = MERGE_PATCH
            patch = {"metadata": {"resourceVersion": version}, "spec": {"replicas": count}}
        path = resource.path(namespace, name, "scale")
        answer = await self._call("PATCH", path, asked, query={"fieldManager": MANAGER}, body=(kind, patch))
        return _decode(answer, Scale)

    async def create(self, resource: Resource, namespace: str, body: Mapping[str, Any], of: type[R]) -> R:
        """A new object; Conflict where there is one of its name."""
        asked = Asked("create", resource, namespace)
        query = {"fieldManager": MANAGER}
        return _decode(await self._call("POST", resource.path(namespace), asked, query=query, body=(JSON, body)), of)

    async def merge(self, resource: Resource, namespace: str, name: str, change: Mapping[str, Any], of: type[R]) -> R:
        """Change parts of an object; Conflict where the change names another resourceVersion than it has."""
        asked = Asked("patch", resource, namespace, name)
        path, query = resource.path(namespace, name), {"fieldManager": MANAGER}
        return _decode(await self._call("PATCH", path, asked, query=query, body=(MERGE_PATCH, change)), of)

    async def evict(self, namespace: str, name: str, *, uid: str) -> None:
        """Ask for this very pod to be evicted; a pod of the same name but another uid is a Conflict."""
        asked = Asked("create", PODS, namespace, name, "eviction")
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        await self._call("POST", PODS.path(namespace, name, "eviction"), asked, body=(JSON, body))

    async def restart(self, resource: Resource, namespace: str, name: str, *, at: str) -> int:
        """Have a workload replace all its pods, as `kubectl rollout restart` does; its generation from then on.

        The same `at` again changes nothing.
        """
        asked = Asked("patch", resource, namespace, name)
        patch = {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: at}}}}}
        path = resource.path(namespace, name)
        answer = await self._call("PATCH", path, asked, query={"fieldManager": MANAGER}, body=(MERGE_PATCH, patch))
        return _decode(answer, Workload).metadata.generation

    async def delete(self, namespace: str, name: str, *, uid: str, resource: Resource = PODS) -> None:
        """Delete this very object; another uid is a Conflict. A pod goes whatever disruption budgets say."""
        asked, body = Asked("delete", resource, namespace, name), {"preconditions": {"uid": uid}}
        await self._call("DELETE", resource.path(namespace, name), asked, body=(JSON, body))

    async def pages(
        self, resource: Resource, namespace: str, of: type[R], *, selectors: Mapping[str, str], partial: bool = False
    ) -> AsyncIterator[Page[R]]:
        """All objects of a namespace, a page at a time; all pages are of one moment. Gone when that took too long."""
        asked = Asked("list", resource, namespace)
        query = {**selectors, "limit": str(PAGE)}
        accept = METADATA_LIST if partial else JSON
        while True:
            answer = await self._call(
                "GET", resource.path(namespace), asked, query=query, accept=accept, total_s=LIST_S
            )
            page: Page[R] = _decode(answer, Page[of])  # type: ignore[valid-type]
            yield page
            if not page.metadata.next_page:
                return
            query["continue"] = page.metadata.next_page

    async def usage(self, namespace: str) -> tuple[PodMetrics, ...]:
        """What all pods of a namespace use, by the cluster's resource metrics API, which knows no pages."""
        answer = await self._call("GET", POD_METRICS.path(namespace), Asked("list", POD_METRICS, namespace))
        return _decode(answer, Page[PodMetrics]).items

    async def watch(
        self, resource: Resource, namespace: str, *, query: Mapping[str, str], silence_s: float, partial: bool = False
    ) -> AsyncIterator[bytes]:
        """The chunks of a watch as they arrive, the first (empty) one when the server has agreed to it.

        Ends when the server ends it; Unreachable after `silence_s` seconds without a byte.
        """
        asked = Asked("watch", resource, namespace)
        timeout = aiohttp.ClientTimeout(total=None, connect=CALL_S, sock_read=silence_s)
        accept = METADATA_ONLY if partial else JSON
        full = {**query, "watch": "1", "allowWatchBookmarks": "true"}
        try:
            answer = await self._send("GET", resource.path(namespace), query=full, accept=accept, timeout=timeout)
            try:
                if answer.status == 401:
                    await self._open(again=True)
                if answer.status != 200:
                    raise await self._refusal(asked, answer)
                yield b""
                async for chunk in answer.content.iter_any():
                    yield chunk
            finally:
                answer.close()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(asked, error) from None

    async def close(self) -> None:
        """Let go of all connections; a later call opens them again."""
        api, self._api = self._api, None
        if api is not None:
            await api.close()

    async def _call(
        self,
        method: str,
        path: str,
        asked: Asked,
        *,
        query: Mapping[str, str] | None = None,
        body: tuple[str, Any] = ("", None),
        accept: str = JSON,
        total_s: float = CALL_S,
    ) -> bytes:
        timeout = aiohttp.ClientTimeout(total=total_s)
        try:
            answer = await self._send(method, path, query=query or {}, body=body, accept=accept, timeout=timeout)
            if answer.status == 401:
                # The token may have been replaced since it was read. A fresh one has one more try.
                answer.release()
                await self._open(again=True)
                answer = await self._send(method, path, query=query or {}, body=body, accept=accept, timeout=timeout)
            if answer.status >= 300:
                raise await self._refusal(asked, answer)
            return bytes(await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(asked, error) from None

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,
        body: tuple[str, Any] = ("", None),
        accept: str = JSON,
    ) -> aiohttp.ClientResponse:
        await self._open()
        kind, content = body
        headers = {"Accept": accept, "User-Agent": MANAGER, "Content-Type": kind or JSON}
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
        url = self._api.configuration.host + path + ("?" + urlencode(query) if query else "")
        sent = await self._api.rest_client.request(method, url, headers=headers, body=content, _request_timeout=timeout)
        answer: aiohttp.ClientResponse = sent.response
        return answer

    async def _open(self, *, again: bool = False) -> None:
        async with self._opening:
            now = self._clock.monotonic()
            old = self._loader is not None and now - self._read_at >= REREAD_S
            if self._api is not None and not again and not old:
                return
            try:
                await self._configure(again=again)
            except Exception as error:  # whatever a broken file, or the program it names, makes of the loader
                raise unusable(self._kubeconfig, self._context, error, self._contexts()) from None
            self._read_at = now

    def _contexts(self) -> list[str]:
        """The contexts in the kubeconfig; none where that cannot be told."""
        try:
            found, _ = self._config.list_kube_config_contexts(self._kubeconfig)
            return [str(each["name"]) for each in found]
        except Exception:  # the same file has failed already
            return []

    async def _configure(self, *, again: bool) -> None:
        configuration = self._api.configuration if self._api is not None else self._client.Configuration()
        # With trust_env the session looks up proxies and netrc for each request: 0.65 ms of CPU each time.
        configuration.client_session_kwargs = {"trust_env": False}
        configuration.connection_pool_maxsize = 0  # watches stay open: a limit would starve the calls
        in_cluster = self._kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ
        if in_cluster:
            self._config.load_incluster_config(configuration)  # sets a hook that rereads the token every minute
        elif self._loader is None or again:
            if self._kubeconfig is None and not any(Path(each).expanduser().is_file() for each in _places()):
                raise ValueError("there is no such file")  # the library prints instead, and goes on
            self._loader = await self._config.load_kube_config(
                self._kubeconfig, self._context, configuration, persist_config=False
            )
        else:
            await self._loader.load_and_set(configuration)
        if self._api is None:
            self._api = self._client.ApiClient(configuration)

    async def _refusal(self, asked: Asked, answer: aiohttp.ClientResponse) -> TargetError:
        content = await answer.read()
        answer.release()
        if answer.status == 401:
            return refused_credentials(asked.words, self._tokens())
        return refusal(asked, answer.status, self._redact(content), answer.headers.get("Retry-After"))

    def _unreachable(self, asked: Asked, error: Exception) -> Unreachable:
        host = self._api.configuration.host if self._api is not None else "the API server"
        what = "timed out" if isinstance(error, TimeoutError) else _words(error)
        return Unreachable(f"{host} did not answer ({asked.words}): {what}")

    def _tokens(self) -> list[str]:
        found = (str(secret).rpartition(" ")[2].strip() for secret in self._api.configuration.api_key.values())
        return [token for token in found if token]

    def _redact(self, content: bytes) -> bytes:
        for token in self._tokens():
            content = content.replace(token.encode(), b"***")
        return content


def named(kubeconfig: str | None) -> bool:
    """Whether anything says which cluster there is: a pod's own environment, or a kubeconfig."""
    inside = kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ
    return inside or any(Path(each).expanduser().is_file() for each in ([kubeconfig] if kubeconfig else _places()))


def _places() -> list[str]:
    return (os.environ.get("KUBECONFIG") or "~/.kube/config").split(os.pathsep)


def _decode(content: bytes, of: type[R]) -> R:
    try:
        return msgspec.json.decode(content, type=of)
    except msgspec.DecodeError as error:
        raise Unreachable(f"the answer is not one of a Kubernetes API server: {error}") from None


def _words(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__

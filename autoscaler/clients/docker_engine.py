"""A Docker engine through its SDK. The SDK blocks, so it runs in small pools here; its exceptions end here too.

Calls that wait for a container's end have a pool of their own: creating one never queues behind stopping another.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import tarfile
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import docker
import docker.errors
import docker.utils
import requests

from autoscaler.errors import Conflict, Gone, Refused, TargetError, Unreachable
from autoscaler.log import redact

QUICK, SLOW = 4, 8  # threads; more than four buy nothing at the engine
TIMEOUT_S = 20.0
STOP_MARGIN_S = 15.0
PULLS = 2  # at once: nothing else waits for a registry
PULL_S = 60.0  # how long a registry may say nothing while an image is pulled
ARCHIVE_BYTES = 4 * 1024 * 1024

T = TypeVar("T")
Record = dict[str, Any]


class DockerEngine:
    """The engine at `host`, or at DOCKER_HOST or the usual socket. Connected by the first call."""

    def __init__(self, host: str | None = None) -> None:
        self._host = host
        self._quick = ThreadPoolExecutor(QUICK, thread_name_prefix="docker")
        self._pulls = ThreadPoolExecutor(PULLS, thread_name_prefix="docker-pull")
        self._slow = ThreadPoolExecutor(SLOW, thread_name_prefix="docker-stop")
        self._lock = threading.Lock()
        self._client: docker.APIClient | None = None
        self._streams: set[Any] = set()
        self._closed = False

    async def containers(self, labels: Sequence[str]) -> list[Record]:
        """Every container with all these labels, in any state, as the engine lists them."""
        return await self._call(lambda api: api.containers(all=True, filters={"label": list(labels)}))

    async def inspect(self, id: str) -> Record:
        """Everything about one container, by id or name. Raises Gone."""
        return await self._call(lambda api: api.inspect_container(id))

    async def image(self, name: str) -> Record | None:
        """Everything about the image that a name or id stands for now; None where it stands for nothing."""

        def ask(api: Any) -> Record | None:
            try:
                return dict(api.inspect_image(name))
            except docker.errors.NotFound:
                return None

        return await self._call(ask)

    async def image_id(self, name: str) -> str | None:
        """The id an image name stands for now; None where it stands for nothing."""
        found = await self.image(name)
        return None if found is None else str(found["Id"])

    async def pull(self, name: str) -> None:
        """Have the engine pull an image by its name and tag, by the credentials of this user's `docker login`.

        Raises Refused with the registry's own words. May take minutes.
        """
        repository, tag = docker.utils.parse_repository_tag(name)

        def call(api: Any) -> None:
            patient = self._connect(timeout=PULL_S)
            try:
                for line in patient.pull(repository, tag=tag or "latest", stream=True, decode=True):
                    if self._closed:
                        raise Unreachable("the connection to the Docker engine is closed")
                    if line.get("error"):
                        raise Refused(f"{name} cannot be pulled: {' '.join(redact(str(line['error'])).split())[:300]}")
            except docker.errors.APIError as error:
                raise Refused(f"{name} cannot be pulled: {_spoken(error).message}") from None
            finally:
                patient.close()

        await self._call(call, pool=self._pulls)

    async def create(self, name: str, body: Mapping[str, Any]) -> str:
        """A new container's id. Raises Conflict when the name is taken."""
        return await self._call(lambda api: str(api.create_container_from_config(dict(body), name)["Id"]))

    async def connect(self, id: str, network: str, endpoint: Mapping[str, Any]) -> None:
        """Connect a container to a network by id; being connected already is fine."""

        def call(api: docker.APIClient) -> None:
            try:
                api.connect_container_to_network(
                    id,
                    network,
                    aliases=endpoint.get("Aliases"),
                    links=[tuple(each.split(":", 1)) for each in endpoint.get("Links") or ()],
                    driver_opt=endpoint.get("DriverOpts"),
                )
            except docker.errors.APIError as error:
                if "already exists" not in str(error.explanation):
                    raise

        await self._call(call)

    async def networks(self, names: Sequence[str]) -> list[Record]:
        """Every network with one of these names; the engine allows several of one name."""

        def ask(api: Any) -> list[Record]:
            found: list[Record] = api.networks(names=list(names)) if names else []
            return [each for each in found if each["Name"] in names]  # the engine finds parts of names too

        return await self._call(ask)

    async def archive(self, id: str, path: str) -> bytes | None:
        """What a container has at `path`, as a tar of paths from the root; None where it has nothing. Raises Gone."""

        def call(api: Any) -> bytes | None:
            try:
                chunks, _ = api.get_archive(id, path)
            except docker.errors.NotFound as error:
                if "No such container" in str(error.explanation):
                    raise Gone(f"{id[:12]} is gone, and with it what was to be copied from it") from None
                return None
            content = b"".join(chunks)
            if len(content) > ARCHIVE_BYTES:
                raise Refused(f"{path} of {id[:12]} is larger than {ARCHIVE_BYTES >> 20} MiB")
            return _rooted(content, path.rpartition("/")[0].strip("/"))

        return await self._call(call)

    async def put(self, id: str, content: bytes) -> None:
        """Unpack such a tar in a container."""
        await self._call(lambda api: api.put_archive(id, "/", content))

    async def start(self, id: str) -> None:
        """Start a container; one that runs already stays as it is."""
        await self._call(lambda api: api.start(id))

    async def stop(self, id: str, within_s: int) -> None:
        """Stop a container with its own signal, kill it after `within_s` seconds. Returns when it has ended."""
        await self._call(lambda api: api.stop(id, timeout=within_s), pool=self._slow)

    async def remove(self, id: str) -> None:
        """Remove a container, running or not, with its anonymous volumes. One that is gone already is fine."""

        def call(api: docker.APIClient) -> None:
            try:
                api.remove_container(id, v=True, force=True)
            except docker.errors.NotFound:
                return
            except docker.errors.APIError as error:
                if "already in progress" not in str(error.explanation):
                    raise

        await self._call(call, pool=self._slow)

    async def rename(self, id: str, name: str) -> None:
        """Give a container another name; having it already is fine. Raises Conflict when another one has it."""

        def call(api: docker.APIClient) -> None:
            try:
                api.rename(id, name)
            except docker.errors.APIError as error:
                if "same name as its current name" not in str(error.explanation):
                    raise

        await self._call(call)

    async def events(self, kinds: Sequence[str], since: float | None = None) -> AsyncGenerator[Record, None]:
        """Events about containers of these kinds, all from when this returns; they end when the engine goes away.

        With `since` those after that time come first, as far as the engine remembers: 256 events of all kinds, and
        each health probe is three. Raises Unreachable.
        """
        stream = await self._call(lambda api: self._connect(timeout=None).events(
            since=None if since is None else int(since),
            decode=True,
            filters={"type": "container", "event": list(kinds)},
        ))  # fmt: skip
        self._streams.add(stream)
        return self._told(stream)

    async def _told(self, stream: Any) -> AsyncGenerator[Record, None]:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Record | None] = asyncio.Queue()

        def follow() -> None:
            try:
                for event in stream:
                    loop.call_soon_threadsafe(queue.put_nowait, event)
            except Exception:  # whatever ends the stream: it is over, and opened again by who needs it
                pass
            finally:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(queue.put_nowait, None)

        threading.Thread(target=follow, name="docker-events", daemon=True).start()
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._streams.discard(stream)
            await asyncio.to_thread(_close, stream)

    async def ask(self, work: Callable[[Any], T]) -> T:
        """What a call of the SDK that takes its time gives, its errors as ours."""
        return await self._call(work, pool=self._slow)

    async def close(self) -> None:
        """Let go of the engine."""
        self._closed = True
        for stream in list(self._streams):
            await asyncio.to_thread(_close, stream)
        self._quick.shutdown(wait=False, cancel_futures=True)
        self._slow.shutdown(wait=False, cancel_futures=True)
        self._pulls.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    async def _call(self, work: Callable[[Any], T], *, pool: ThreadPoolExecutor | None = None) -> T:
        if self._closed:
            raise Unreachable("the connection to the Docker engine is closed")

        def run() -> T:
            try:
                return work(self._api())
            except TargetError:
                raise
            except docker.errors.APIError as error:
                raise _spoken(error) from None
            except (docker.errors.DockerException, requests.RequestException, OSError, ValueError) as error:
                raise self._away(error) from None

        return await asyncio.get_running_loop().run_in_executor(pool or self._quick, run)

    def _api(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._connect(timeout=TIMEOUT_S + STOP_MARGIN_S)
            return self._client

    def _connect(self, *, timeout: float | None) -> Any:
        told: dict[str, Any] = dict(docker.utils.kwargs_from_env())
        if self._host is not None:
            told = {"base_url": self._host}
        return docker.APIClient(**{"version": "auto", "timeout": timeout, "num_pools": QUICK + SLOW, **told})

    def _away(self, error: Exception) -> Unreachable:
        where = self._host or "the usual socket"
        text = " ".join(redact(str(error)).split())
        for known in ("FileNotFoundError", "ConnectionRefusedError", "PermissionError", "timed out"):
            if known in text or known in type(error).__name__:
                text = {"FileNotFoundError": "no such socket", "timed out": "no answer in time"}.get(known, known)
        return Unreachable(
            f"the Docker engine at {where} does not answer: {text[:200]}", hint="see docker.host, and who may open it"
        )


def _spoken(error: docker.errors.APIError) -> TargetError:
    said = " ".join(redact(str(error.explanation or error)).split())[:300]
    status = error.response.status_code if error.response is not None else 500
    if status == 404:
        return Gone(said)
    if status == 409:
        return Conflict(said)
    if status == 503:
        return Unreachable(said)
    return Refused(said)


def _rooted(content: bytes, folder: str) -> bytes:
    """A tar whose names are below `folder` instead: unpacked at the root it makes the folders that are not there."""
    made = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(content)) as read,
        tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as written,
    ):
        for member in read:
            member.name = f"{folder}/{member.name}" if folder else member.name
            # Told there, they would come before the fields.
            member.pax_headers = {k: v for k, v in member.pax_headers.items() if k not in ("path", "linkpath")}
            if member.islnk() and folder:
                member.linkname = f"{folder}/{member.linkname}"
            written.addfile(member, read.extractfile(member) if member.isreg() else None)
    return made.getvalue()


def _close(stream: Any) -> None:
    with contextlib.suppress(Exception):  # a stream that is closed while it is read complains in many ways
        stream.close()

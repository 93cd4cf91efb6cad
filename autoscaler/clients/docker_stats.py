"""What a Docker engine measures of its containers: one-shot stats, all at once. The library's exceptions end here.

The SDK would ask one container after another, or hold a thread for each: with 200 containers that is the difference
between two seconds and fourteen.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

import aiohttp
import msgspec

from autoscaler.errors import SourceError
from autoscaler.log import redact

TIMEOUT_S = 4.5
IN_FLIGHT = 200
USUAL = "unix:///var/run/docker.sock"
UNLIMITED = 1 << 60  # engines tell "no memory limit" by a huge number, or by all the memory of the host


class Usage(msgspec.Struct, frozen=True):
    """One container's use: CPU seconds since its start, bytes of memory it cannot give back, and its limits.

    `cpu_limit` is in cores and `memory_limit` in bytes; None where it has none. `at` is when the engine measured it, in
    seconds on its own clock; None where it does not say.
    """

    cpu_s: float
    memory: float
    cpu_limit: float | None = None
    memory_limit: float | None = None
    at: float | None = None


class _Cpu(msgspec.Struct, frozen=True):
    total_usage: int = 0


class _CpuStats(msgspec.Struct, frozen=True):
    cpu_usage: _Cpu = _Cpu()


class _Memory(msgspec.Struct, frozen=True):
    usage: int | None = None
    limit: int | None = None
    stats: dict[str, float] = {}


class _Stats(msgspec.Struct, frozen=True):
    read: datetime | None = None
    cpu_stats: _CpuStats = _CpuStats()
    memory_stats: _Memory = _Memory()


class _Host(msgspec.Struct, frozen=True, rename="pascal"):
    nano_cpus: int = 0
    cpu_quota: int = 0
    cpu_period: int = 0
    memory: int = 0


class _Inspected(msgspec.Struct, frozen=True, rename="pascal"):
    host_config: _Host = _Host()


class _Info(msgspec.Struct, frozen=True):
    message: str = ""


_stats = msgspec.json.Decoder(_Stats).decode
_inspected = msgspec.json.Decoder(_Inspected).decode
_info = msgspec.json.Decoder(_Info).decode


class DockerStats:
    """The engine at `host` (DOCKER_HOST or the usual socket by default); the session is opened by the first call."""

    def __init__(self, host: str | None = None) -> None:
        self._host = host or os.environ.get("DOCKER_HOST") or USUAL
        self._session: aiohttp.ClientSession | None = None
        self._limits: dict[str, tuple[float | None, float | None]] = {}

    async def measure(self, ids: Sequence[str]) -> Mapping[str, Usage | SourceError]:
        """The use of each of these containers, or why it cannot be told."""
        found = await asyncio.gather(*map(self._one, ids))
        wanted = set(ids)
        self._limits = {id: limits for id, limits in self._limits.items() if id in wanted}
        return dict(zip(ids, found, strict=True))

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    async def _one(self, id: str) -> Usage | SourceError:
        try:
            if id not in self._limits:
                self._limits[id] = _limited(_inspected(await self._get(f"/containers/{id}/json")).host_config)
            stats = _stats(await self._get(f"/containers/{id}/stats?stream=false&one-shot=true"))
        except SourceError as error:
            return error
        except msgspec.DecodeError:
            return SourceError(f"the engine at {self._host} gave something that is not an answer about {id[:12]}")
        memory = stats.memory_stats
        if memory.usage is None:
            return SourceError(f"the engine tells nothing of {id[:12]}: it does not run")
        idle = memory.stats.get("total_inactive_file", memory.stats.get("inactive_file", 0.0))
        cores, limit = self._limits[id]
        spent_s, held = stats.cpu_stats.cpu_usage.total_usage / 1e9, max(0.0, memory.usage - idle)
        at = stats.read.timestamp() if stats.read is not None else None
        return Usage(spent_s, held, cores, limit, at)

    async def _get(self, path: str) -> bytes:
        base, session = self._opened()
        try:
            async with session.get(base + path) as answer:
                content = await answer.read()
                if answer.status != 200:
                    raise SourceError(f"the engine at {self._host}: {_said(content, answer.status)}")
                return content
        except TimeoutError:
            raise SourceError(f"the engine at {self._host}: no answer within {TIMEOUT_S:g} s") from None
        except aiohttp.ClientError as error:
            raise SourceError(f"the engine at {self._host} does not answer: {redact(str(error))[:200]}") from None

    def _opened(self) -> tuple[str, aiohttp.ClientSession]:
        parts = urlsplit(self._host)
        base = "http://docker" if parts.scheme == "unix" else f"http://{parts.netloc}"
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            connector: aiohttp.BaseConnector
            if parts.scheme == "unix":
                connector = aiohttp.UnixConnector(parts.path, limit=IN_FLIGHT)
            else:
                connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
            self._session = aiohttp.ClientSession(timeout=timeout, connector=connector)
        return base, self._session


def _limited(host: _Host) -> tuple[float | None, float | None]:
    """Cores and bytes a container may use; None for no limit."""
    cores = host.nano_cpus / 1e9 if host.nano_cpus else None
    if cores is None and host.cpu_quota > 0:
        cores = host.cpu_quota / (host.cpu_period or 100_000)
    memory = float(host.memory) if 0 < host.memory < UNLIMITED else None
    return cores, memory


def _said(content: bytes, status: int) -> str:
    try:
        return f"HTTP {status}: {redact(_info(content).message)}"
    except msgspec.DecodeError:
        return f"HTTP {status}"

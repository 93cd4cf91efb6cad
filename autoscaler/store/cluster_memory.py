"""What outlives the process, in ConfigMaps: facts, compressed, so that the next daemon in the cluster has them.

History stays with the pod, in a store of its own, and so does what adaptive has learned: it is large, and is learned
again from Prometheus.
"""

from __future__ import annotations

import asyncio
import base64
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_wire import ConfigMap, Resource
from autoscaler.errors import Conflict, Gone, StoreError, TargetError
from autoscaler.ports import Fact, FactKind, Record, Store

CONFIG_MAPS = Resource("v1", "configmaps")
SHARDS = 16  # of memories: a ConfigMap holds 1 MiB, and what changed is written as whole shards
WORDS = SHARDS  # the last ConfigMap holds what people said and what is under way: few, and written at once
KEY = "facts"

_Row = tuple[str, str, bytes]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Row]).decode


def names(name: str) -> list[str]:
    """The ConfigMaps of a daemon whose lease has this name."""
    return [f"{name}-memory-{number}" for number in range(SHARDS + 1)]


class ClusterMemory:
    """Facts in ConfigMaps, the rest in `local`. Raises StoreError, also where another daemon has written meanwhile."""

    def __init__(self, local: Store, api: KubernetesApi, namespace: str, name: str) -> None:
        self._local = local
        self._api = api
        self._namespace = namespace
        self._names = names(name)
        self._facts: list[dict[tuple[FactKind, str], bytes]] = []
        self._versions: list[str] = []
        self._one = (
            asyncio.Lock()
        )  # a ConfigMap is written as a whole: two writers at once would be in each other's way

    async def append(self, records: Sequence[Record]) -> None:
        """Add lines of history, in the pod."""
        await self._local.append(records)

    async def history(self, workload: str | None, *, until: float, limit: int) -> Sequence[Record]:
        """The newest `limit` lines not after `until`, newest first, of what this pod has done."""
        return await self._local.history(workload, until=until, limit=limit)

    async def put(self, facts: Sequence[Fact]) -> None:
        """Keep these facts: what people said and orders first. Durable when it returns."""
        async with self._one:
            await self._put(facts)

    async def facts(self) -> Sequence[Fact]:
        """Everything kept, read again: another daemon may have written."""
        async with self._one:
            await self._look()
        there = [Fact(kind, key, value) for facts in self._facts for (kind, key), value in facts.items()]
        learned = [fact for fact in await self._local.facts() if fact.kind is FactKind.LEARNED]
        return sorted([*there, *learned], key=lambda fact: (fact.kind.value, fact.key))

    async def close(self) -> None:
        """Let go of connections and of the pod's own store."""
        await self._api.close()
        await self._local.close()

    async def _look(self) -> None:
        found = [await self._read(name) for name in self._names]
        self._facts = [facts for facts, _ in found]
        self._versions = [version for _, version in found]

    async def _put(self, facts: Sequence[Fact]) -> None:
        if not self._facts:
            await self._look()
        await self._local.put([fact for fact in facts if fact.kind is FactKind.LEARNED])
        changed: dict[int, dict[tuple[FactKind, str], bytes | None]] = {}
        for fact in facts:
            if fact.kind is not FactKind.LEARNED:
                changed.setdefault(_shard(fact), {})[fact.kind, fact.key] = fact.value
        for shard in sorted(changed, reverse=True):
            told = {**self._facts[shard], **changed[shard]}
            kept = {key: value for key, value in told.items() if value is not None}
            if kept != self._facts[shard]:
                await self._write(shard, kept)

    async def _read(self, name: str) -> tuple[dict[tuple[FactKind, str], bytes], str]:
        try:
            found = await self._api.get(CONFIG_MAPS, self._namespace, name, ConfigMap)
            facts = _unpacked(found.binary_data[KEY]) if KEY in found.binary_data else {}
        except Gone:
            return {}, ""
        except TargetError as error:
            raise StoreError(f"ConfigMap {self._namespace}/{name}: {error}") from None
        except (zlib.error, msgspec.MsgspecError, ValueError) as error:
            raise StoreError(
                f"ConfigMap {self._namespace}/{name}: its {KEY} cannot be read: {error}",
                hint="delete it: what it knew is then held up for one down window",
            ) from None
        return facts, found.metadata.resource_version

    async def _write(self, shard: int, facts: dict[tuple[FactKind, str], bytes]) -> None:
        name, version = self._names[shard], self._versions[shard]
        packed = _packed(facts)
        body: dict[str, Any] = {"binaryData": {KEY: packed}}
        try:
            if version:
                body["metadata"] = {"resourceVersion": version}
                made = await self._api.merge(CONFIG_MAPS, self._namespace, name, body, ConfigMap)
            else:
                body["metadata"] = {"name": name}
                made = await self._api.create(CONFIG_MAPS, self._namespace, body, ConfigMap)
        except (Conflict, Gone):
            self._facts = []  # read again before the next write
            raise StoreError(
                f"ConfigMap {self._namespace}/{name}: somebody else has written it meanwhile",
                hint="another daemon may have taken over; nothing of its was overwritten",
            ) from None
        except TargetError as error:
            raise StoreError(f"ConfigMap {self._namespace}/{name}: {error}") from None
        self._facts[shard], self._versions[shard] = facts, made.metadata.resource_version


def _shard(fact: Fact) -> int:
    return zlib.crc32(fact.key.encode()) % SHARDS if fact.kind is FactKind.MEMORY else WORDS


def _packed(facts: dict[tuple[FactKind, str], bytes]) -> str:
    rows: Iterable[_Row] = [(kind.value, key, value) for (kind, key), value in sorted(facts.items(), key=_order)]
    return base64.b64encode(zlib.compress(_encode(list(rows)), 1)).decode()


def _unpacked(value: bytes) -> dict[tuple[FactKind, str], bytes]:
    return {(FactKind(kind), key): fact for kind, key, fact in _decode(zlib.decompress(value))}


def _order(item: tuple[tuple[FactKind, str], bytes]) -> tuple[str, str]:
    (kind, key), _ = item
    return kind.value, key

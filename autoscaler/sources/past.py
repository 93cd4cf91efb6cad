"""What a policy's queries gave at past times, each asked of the server its signal names.

The library for it is loaded with the first question: a daemon may never be asked one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from autoscaler.clients.access import Access
from autoscaler.errors import SourceError
from autoscaler.model.observation import Ask
from autoscaler.model.signal import Reading
from autoscaler.sources.intervals import Intervals


class Server(msgspec.Struct, frozen=True):
    """How to get in at a server, and the intervals at which its samples came."""

    access: Access
    intervals: Intervals


class PastSource:
    """Servers by the name of their source; sessions live as long as one call."""

    def __init__(self, servers: Mapping[str, Server], every_s: float) -> None:
        self._servers = servers
        self._every_s = every_s

    def apart(self) -> PastSource:
        """The same servers with intervals of their own: those of the past say nothing of the present."""
        return PastSource(
            {name: Server(each.access, Intervals()) for name, each in self._servers.items()}, self._every_s
        )

    async def read(self, asks: Sequence[Ask], times: Sequence[float]) -> list[Sequence[Reading] | SourceError]:
        """For each ask its readings, one per time, or why they cannot be had; servers are asked beside each other."""
        from autoscaler.clients.prometheus_range import RangeClient
        from autoscaler.sources.window import window

        found: list[Sequence[Reading] | SourceError] = [SourceError("no such server")] * len(asks)
        places: dict[str, list[int]] = {}
        for index, ask in enumerate(asks):
            if ask.signal.source in self._servers:
                places.setdefault(ask.signal.source, []).append(index)

        async def one(server: Server, indices: Sequence[int]) -> None:
            client = RangeClient(server.access)
            for index in indices:
                try:
                    found[index] = await window(client, asks[index], times, self._every_s, server.intervals)
                except SourceError as error:
                    found[index] = error
            await client.close()

        await asyncio.gather(*(one(self._servers[name], indices) for name, indices in places.items()))
        return found

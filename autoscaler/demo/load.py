"""Users, and the balancer between them and the workers: each user asks again as soon as it was answered."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Sequence

import aiohttp

from autoscaler.ports import Clock

TIMEOUT_S = 10.0
NAP_S = 0.05
RATE_OVER_S = 3.0


class Load:
    """So many `users` at once, spread over `workers` in turn; a request that finds nobody is offered to the next."""

    def __init__(self, clock: Clock) -> None:
        self.workers: Sequence[str] = ()
        self.served = 0
        self.failed = 0
        self._clock = clock
        self._times: deque[float] = deque()
        self._turns = itertools.count()
        self._users: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None

    async def set_users(self, count: int) -> None:
        """From now on this many users; those that leave finish their request first."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            self._session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        while len(self._users) < count:
            self._users.append(asyncio.create_task(self._user(len(self._users))))
        leaving, self._users = self._users[count:], self._users[:count]
        for each in leaving:
            each.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)

    @property
    def users(self) -> int:
        """How many there are now."""
        return len(self._users)

    @property
    def rate(self) -> float:
        """Requests served per second, lately."""
        since = self._clock.monotonic() - RATE_OVER_S
        while self._times and self._times[0] < since:
            self._times.popleft()
        return len(self._times) / RATE_OVER_S

    async def close(self) -> None:
        """Send everybody home."""
        await self.set_users(0)
        if self._session is not None:
            await self._session.close()

    async def _user(self, number: int) -> None:
        while True:
            if not self.workers:
                await self._clock.sleep(NAP_S)
            elif await self._served():
                self.served += 1
                self._times.append(self._clock.monotonic())
            else:
                self.failed += 1
                await self._clock.sleep(NAP_S)

    async def _served(self) -> bool:
        assert self._session is not None
        workers = self.workers
        first = next(self._turns)
        for turn in range(min(2, len(workers))):  # a balancer with one retry, as HAProxy's redispatch
            address = workers[(first + turn) % len(workers)]
            try:
                async with self._session.get(f"http://{address}/work") as answer:
                    await answer.read()
                    if answer.status == 200:
                        return True
            except (aiohttp.ClientError, TimeoutError):
                continue
        return False

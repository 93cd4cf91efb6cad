"""Users, and the balancer between them and the workers: each user asks again as soon as it was answered.

Where there is a real balancer, its address is the only door, and answers say by a header who gave them.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import Sequence

import aiohttp

from autoscaler.ports import Clock

TIMEOUT_S = 10.0
NAP_S = 0.05
WHO = "X-Replica"
RATE_OVER_S = 2.0


class Load:
    """So many `users` at once, spread over `doors` in turn; a request that finds nobody is offered to the next."""

    def __init__(self, clock: Clock) -> None:
        self.doors: Sequence[str] = ()
        self.served = 0
        self.failed = 0
        self._clock = clock
        self._answers: deque[tuple[float, str]] = deque()  # when, and by whom
        self._turns = itertools.count()
        self._users: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None

    async def set_users(self, count: int) -> None:
        """From now on this many users; the others leave at once."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            self._session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        while len(self._users) < count:
            self._users.append(asyncio.create_task(self._user()))
        leaving, self._users = self._users[count:], self._users[:count]
        for each in leaving:
            each.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)

    @property
    def users(self) -> int:
        """How many there are now."""
        return len(self._users)

    @property
    def rates(self) -> dict[str, float]:
        """Requests served per second, lately, by the name, or else the address, of who answered."""
        since = self._clock.monotonic() - RATE_OVER_S
        while self._answers and self._answers[0][0] < since:
            self._answers.popleft()
        return {who: count / RATE_OVER_S for who, count in Counter(who for _, who in self._answers).items()}

    async def close(self) -> None:
        """Send everybody home."""
        if self._session is not None:
            await self.set_users(0)
            await self._session.close()

    async def _user(self) -> None:
        while True:
            if not self.doors:
                await self._clock.sleep(NAP_S)
                continue
            who = await self._served()
            if who is None:
                self.failed += 1
                await self._clock.sleep(NAP_S)
            else:
                self.served += 1
                self._answers.append((self._clock.monotonic(), who))

    async def _served(self) -> str | None:
        """Who answered; None where nobody did."""
        assert self._session is not None
        doors = self.doors
        first = next(self._turns)
        for turn in range(min(2, len(doors))):  # a balancer with one retry, as HAProxy's redispatch
            address = doors[(first + turn) % len(doors)]
            try:
                async with self._session.get(f"http://{address}/work") as answer:
                    await answer.read()
                    if answer.status == 200:
                        return answer.headers.get(WHO, address)
            except (aiohttp.ClientError, TimeoutError):
                continue
        return None

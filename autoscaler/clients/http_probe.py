"""Readiness by HTTP: does a GET answer 2xx?"""

from __future__ import annotations

import aiohttp

TIMEOUT_S = 1.0


class HttpProbe:
    """Asks; one session for all, opened by the first."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def ready(self, url: str) -> bool:
        """True for a 2xx answer within a second."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, force_close=True)
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), connector=connector)
        try:
            async with self._session.get(url, allow_redirects=False) as answer:
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

"""HTTP to the instances themselves: does a GET answer 2xx, and a word to one that is about to leave."""

from __future__ import annotations

import aiohttp

TIMEOUT_S = 1.0
TELL_S = 5.0


class HttpProbe:
    """Asks; one session for all, opened by the first."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def ready(self, url: str) -> bool:
        """True for a 2xx answer within a second."""
        try:
            async with self._opened().get(url, allow_redirects=False) as answer:
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def tell(self, url: str) -> str:
        """POST, and wait five seconds for the answer; what went wrong in a few words, empty for a 2xx."""
        patience = aiohttp.ClientTimeout(total=TELL_S)
        try:
            async with self._opened().post(url, allow_redirects=False, timeout=patience) as answer:
                return "" if 200 <= answer.status < 300 else f"it answered {answer.status}"
        except TimeoutError:
            return f"no answer within {TELL_S:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"no answer ({type(error).__name__})"

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, force_close=True)
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), connector=connector)
        return self._session

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

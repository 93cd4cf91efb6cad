"""A POST to a URL of the owner's, by the shared ways to say who asks."""

from __future__ import annotations

import aiohttp

from autoscaler.clients.access import Access, Way
from autoscaler.errors import NotifyError, SourceError

PATIENCE_S = 10.0


class Webhook:
    """One receiver; what goes wrong is told by its name, its URL may be a secret. Nobody is followed elsewhere."""

    def __init__(self, access: Access) -> None:
        self._way = Way(access)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, body: bytes, content_type: str) -> None:
        """Post it; within ten seconds there is a 2xx. Raises NotifyError."""
        try:
            headers, tls = {**self._way.headers(), "Content-Type": content_type}, self._way.tls()
        except SourceError as error:
            raise NotifyError(self._way.redact(error.message).replace(self._way.url, self._way.access.name)) from None
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S))
        try:
            async with self._session.post(
                self._way.url, data=body, headers=headers, ssl=True if tls is None else tls, allow_redirects=False
            ) as answer:
                if not 200 <= answer.status < 300:
                    raise NotifyError(f"it answered {answer.status}")
        except TimeoutError:
            raise NotifyError(f"no answer within {PATIENCE_S:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NotifyError(f"no answer ({type(error).__name__})") from None

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

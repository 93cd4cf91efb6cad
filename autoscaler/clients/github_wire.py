"""One exchange with GitHub's REST API over HTTP: the address, certificates, proxy, sizes, and where it may lead.

A token goes to the API's own origin and nowhere else: a redirection or a next page elsewhere is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec
from yarl import URL

from autoscaler import __version__
from autoscaler.clients.access import LEAST, Access, Way
from autoscaler.errors import GitHubError, SourceError
from autoscaler.log import HIDDEN, redact

ACCEPT = "application/vnd.github+json"
API_VERSION = "2022-11-28"
PATIENCE_S = 30.0
MOST_BYTES = 16_000_000  # of an answer
MOST_MOVES = 3  # redirections that are followed, all on the same host
_MOVED = {301, 302, 307, 308}
_SAME_METHOD = {307, 308}


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A GitHub: its web address, and how to get there. Files are paths; an empty text says nothing."""

    url: str = "https://github.com"
    api: str = ""  # where its API is, if not where it usually is
    ca: str = ""
    proxy: str = ""


class Exchange(msgspec.Struct, frozen=True):
    """What was answered: status, headers (in lower case) and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def api_of(url: str) -> str:
    """Where the API of a GitHub is, by its web address.

    >>> api_of("https://github.com"), api_of("https://acme.ghe.com/"), api_of("https://ghes.example:8443/acme")
    ('https://api.github.com', 'https://api.acme.ghe.com', 'https://ghes.example:8443/api/v3')
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if host == "github.com" or host.endswith(".ghe.com"):
        return f"{parts.scheme}://api.{host}"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}/api/v3"


class Wire:
    """The way to one API. `secrets` are taken out of whatever is said of it. Raises GitHubError."""

    def __init__(self, host: Host, now: Callable[[], float]) -> None:
        self.api = (host.api or api_of(host.url)).rstrip("/")
        self.skew_s = 0.0  # GitHub's clock beside ours, by its last answer
        self.secrets: set[str] = set()
        self._now = now
        self._proxy = host.proxy or _environments(self.api)
        self._way = Way(Access(url=self.api, name="github", ca=host.ca, proxy=self._proxy))
        self._session: aiohttp.ClientSession | None = None

    def url(self, place: str, *, status: int = 0) -> str:
        """A path of the API, or a URL that it told, as a whole. Raises GitHubError for one that leads elsewhere."""
        whole = self.api + place if place.startswith("/") and not place.startswith("//") else place
        try:
            ours = _origin(whole) == _origin(self.api)
        except ValueError:
            ours = False
        path = urlsplit(whole).path if ours else ""
        if not ours or not path.startswith(urlsplit(self.api).path):
            raise GitHubError(
                self.redact(f"{self.api} leads to {_shown(whole)}, and that is not followed"), status=status
            )
        if any(part in (".", "..") for part in unquote(path).replace("\\", "/").split("/")):
            raise GitHubError(self.redact(f"{_shown(whole)} is no path of the API"), status=status)
        return whole

    async def send(
        self,
        method: str,
        place: str,
        *,
        token: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Exchange:
        """Ask once, and follow it where the same host sends us. Without a token none is sent."""
        told = {
            "Accept": ACCEPT, "X-GitHub-Api-Version": API_VERSION, "User-Agent": f"autoscaler/{__version__}",
            **(headers or {}),
        }  # fmt: skip
        if token:
            self.secrets.add(token)
            told["Authorization"] = f"Bearer {token}"
        if body is not None:
            told["Content-Type"] = "application/json"
        url = self.url(place)
        for _ in range(MOST_MOVES + 1):
            found = await self._once(method, url, body, told)
            to = found.headers.get("location", "")
            if found.status not in _MOVED or not to:
                return found
            if method != "GET" and found.status not in _SAME_METHOD:
                raise GitHubError(self.redact(f"{_shown(url)} moved to {_shown(to)}"), status=found.status)
            url = self.url(urljoin(url, to), status=found.status)
        raise GitHubError(self.redact(f"{_shown(url)} leads from one place to another"), status=found.status)

    def redact(self, text: str) -> str:
        """The text without our tokens, without what looks like one, and without what would steer a terminal."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN) if len(secret) >= LEAST else text
        text = self._way.redact(redact(text))
        return "".join(each if each.isprintable() or each == "\n" else "?" for each in text)

    def forget(self, token: str) -> None:
        """A token that is over need not be kept."""
        self.secrets.discard(token)

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _once(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Exchange:
        try:
            tls = self._way.tls()
        except SourceError as error:
            raise GitHubError(self.redact(error.message)) from None
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S))
        extra: dict[str, Any] = {"proxy": self._proxy} if self._proxy else {}
        try:
            async with self._session.request(
                method, URL(url, encoded=True), data=body, headers=headers, allow_redirects=False,
                ssl=True if tls is None else tls, **extra,
            ) as answer:  # fmt: skip
                data = await answer.content.read(MOST_BYTES + 1)
                while len(data) <= MOST_BYTES and (more := await answer.content.read(MOST_BYTES + 1 - len(data))):
                    data += more
                if len(data) > MOST_BYTES:
                    said = f"{_shown(url)}: the answer has more than {MOST_BYTES} bytes"
                    raise GitHubError(said, status=answer.status)
                found = Exchange(answer.status, {key.lower(): value for key, value in answer.headers.items()}, data)
        except TimeoutError:
            raise GitHubError(f"{self.api}: no answer within {PATIENCE_S:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise GitHubError(self.redact(f"{self.api}: no answer ({type(error).__name__}: {error})")) from None
        self._note_time(found)
        return found

    def _note_time(self, found: Exchange) -> None:
        try:
            said = parsedate_to_datetime(found.headers.get("date", "")).timestamp()
        except ValueError:
            return
        self.skew_s = said - self._now()


def _environments(url: str) -> str:
    """The environment's proxy for a URL; aiohttp would take a `.netrc` along, whose password is not ours to send."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return ""
    return getproxies().get(parts.scheme, "")


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _shown(url: str) -> str:
    """A URL as it may be told: its query may hold a secret."""
    return url.partition("?")[0][:200]

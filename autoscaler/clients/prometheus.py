"""A Prometheus server over HTTP: instant queries by POST. Every exception of the library ends here."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import msgspec

from autoscaler.errors import SourceError
from autoscaler.log import redact

IN_FLIGHT = 16
CONNECT_S = 3.0
SHORT = 200  # characters of a strange answer worth showing


class Sample(msgspec.Struct, frozen=True):
    """One series' value at the time of evaluation, as text (`NaN`, `+Inf` and `1e3` are all possible)."""

    value: tuple[float, str]
    metric: dict[str, str] = {}


class Answer(msgspec.Struct, frozen=True):
    """What the server said: one sample per series (one without labels for a scalar), and its warnings."""

    samples: tuple[Sample, ...]
    warnings: tuple[str, ...] = ()


class _Data(msgspec.Struct, frozen=True):
    resultType: str
    result: msgspec.Raw = msgspec.Raw(b"[]")


class _Body(msgspec.Struct, frozen=True):
    status: str
    data: _Data | None = None
    error: str = ""
    errorType: str = ""
    warnings: tuple[str, ...] | None = None


_body = msgspec.json.Decoder(_Body).decode
_vector = msgspec.json.Decoder(tuple[Sample, ...]).decode
_scalar = msgspec.json.Decoder(tuple[float, str]).decode


class PrometheusClient:
    """One server at `url` (a user and password may stand in it). The session is opened by the first query."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        self.url = urlunsplit(bare).rstrip("/")
        self._auth = aiohttp.BasicAuth(parts.username, parts.password or "") if parts.username else None
        self._session: aiohttp.ClientSession | None = None

    async def instant(self, query: str, timeout_s: float) -> Answer:
        """The server's answer to a query as of now. Raises SourceError with one sentence for anything but an answer."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
            self._session = aiohttp.ClientSession(auth=self._auth, connector=connector)
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_S)
        url = f"{self.url}/api/v1/query"
        try:
            async with self._session.post(url, data={"query": query}, timeout=timeout) as answer:
                content = await answer.read()
                return _decoded(content, answer.status, self.url)
        except TimeoutError:
            raise SourceError(f"{self.url}: no answer within {timeout_s:g} s") from None
        except aiohttp.ClientError as error:
            raise SourceError(f"{self.url}: {_why(error)}") from None

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # lets the transports go


def _decoded(content: bytes, status: int, url: str) -> Answer:
    try:
        body = _body(content)
        if body.status == "success" and body.data is not None and status == 200:
            return Answer(_samples(body.data, url), body.warnings or ())
    except msgspec.DecodeError:
        shown = " ".join(redact(content[:SHORT].decode(errors="replace")).split())
        raise SourceError(f"{url}: HTTP {status}, which is not an answer of Prometheus: {shown or 'empty'}") from None
    kind = f"{body.errorType}: " if body.errorType else ""
    raise SourceError(f"{url}: HTTP {status}: {kind}{redact(body.error) or 'no reason given'}")


def _samples(data: _Data, url: str) -> tuple[Sample, ...]:
    if data.resultType == "vector":
        return _vector(data.result)
    if data.resultType == "scalar":
        return (Sample(_scalar(data.result)),)
    raise SourceError(f"{url}: the query gives a {data.resultType}, not a value now: leave the range out")


def _why(error: Any) -> str:
    """A library's exception in a few words, without addresses of objects."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.os_error.strerror or error.os_error}"
    return redact(str(error)) or type(error).__name__

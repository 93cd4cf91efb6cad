"""A Prometheus server over HTTP: instant queries by POST. Every exception of the library ends here."""

from __future__ import annotations

import asyncio
import os
from urllib.parse import unquote, urlsplit, urlunsplit

import aiohttp
import msgspec

from autoscaler.errors import SourceError
from autoscaler.log import redact

IN_FLIGHT = 16
CONNECT_S = 3.0
MOST_BYTES = 32 * 1024 * 1024
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
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        self._headers = {"Authorization": aiohttp.encode_basic_auth(user, password)} if user or password else {}
        self._session: aiohttp.ClientSession | None = None

    async def instant(self, query: str, timeout_s: float) -> Answer:
        """The server's answer to a query as of now. Raises SourceError with one sentence for anything but an answer."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
            self._session = aiohttp.ClientSession(headers=self._headers, connector=connector)
        try:
            async with asyncio.timeout(timeout_s):
                try:
                    return await self._post(self._session, query, timeout_s)
                except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                    # An idle connection the server had closed, in a restart for example. Asking twice harms nobody.
                    return await self._post(self._session, query, timeout_s)
        except aiohttp.ConnectionTimeoutError:
            raise SourceError(f"{self.url}: cannot connect within {CONNECT_S:g} s") from None
        except TimeoutError:
            raise SourceError(f"{self.url}: no answer within {timeout_s:.3g} s") from None
        except aiohttp.ClientPayloadError:
            raise SourceError(f"{self.url}: the connection was cut in the middle of the answer") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SourceError(f"{self.url}: {_why(error)}") from None

    async def _post(self, session: aiohttp.ClientSession, query: str, timeout_s: float) -> Answer:
        # The server is told the limit too, so that it does not go on with what nobody waits for.
        words = {"query": query, "timeout": f"{timeout_s:.3f}"}
        limits = aiohttp.ClientTimeout(total=None, sock_connect=min(CONNECT_S, timeout_s))
        url = f"{self.url}/api/v1/query"
        async with session.post(url, data=words, timeout=limits, allow_redirects=False) as answer:
            if 300 <= answer.status < 400:  # followed, the query would be lost on the way
                raise SourceError(f"{self.url}: sends us on to {redact(answer.headers.get('Location', '?'))}")
            content = bytearray()
            async for chunk in answer.content.iter_any():
                content += chunk
                if len(content) > MOST_BYTES:
                    answer.close()
                    raise SourceError(f"{self.url}: the answer is larger than {MOST_BYTES >> 20} MiB")
            return _decoded(bytes(content), answer.status, self.url)

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
    except (msgspec.DecodeError, UnicodeDecodeError):
        shown = " ".join(redact(content[:SHORT].decode(errors="replace")).split())
        raise SourceError(f"{url}: HTTP {status}, which is not an answer of Prometheus: {shown or 'empty'}") from None
    kind = f"{body.errorType}: " if body.errorType else ""
    raise SourceError(f"{url}: HTTP {status}: {kind}{redact(body.error[:SHORT]) or 'no reason given'}")


def _samples(data: _Data, url: str) -> tuple[Sample, ...]:
    if data.resultType == "vector":
        return _vector(data.result)
    if data.resultType == "scalar":
        return (Sample(_scalar(data.result)),)
    way_out = ": leave the range out" if data.resultType == "matrix" else ""
    raise SourceError(f"{url}: the query gives a {data.resultType}, not a value now{way_out}")


def _why(error: Exception) -> str:
    """A library's exception in a few words, without addresses of objects."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "cannot connect: no such host"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {os.strerror(error.os_error.errno) if error.os_error.errno else error.os_error}"
    return redact(str(error)) or type(error).__name__

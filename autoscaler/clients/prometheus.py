"""A Prometheus server over HTTP: instant queries by POST. Every exception of the library ends here."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from urllib.parse import urlsplit

import aiohttp
import msgspec

from autoscaler.clients.access import Access, Way
from autoscaler.errors import ServerAway, SourceError

IN_FLIGHT = 16
CONNECT_S = 3.0
MOST_BYTES = 32 * 1024 * 1024
SHORT = 200  # characters of a strange answer worth showing


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One series' value at the time of evaluation, as text (`NaN`, `+Inf` and `1e3` are all possible)."""

    value: tuple[float, str]
    metric: dict[str, str] = {}


class Answer(msgspec.Struct, frozen=True, gc=False):
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
    isPartial: bool = False  # VictoriaMetrics says it so, without a warning


_body = msgspec.json.Decoder(_Body).decode
_vector = msgspec.json.Decoder(tuple[Sample, ...]).decode
_scalar = msgspec.json.Decoder(tuple[float, str]).decode


class PrometheusClient:
    """One server. The session is opened by the first query. `outcomes` counts queries by how they ended."""

    def __init__(self, access: Access | str) -> None:
        self._way = Way(Access(url=access) if isinstance(access, str) else access)
        self.url = self._way.url
        self.outcomes: Counter[str] = Counter()
        self._session: aiohttp.ClientSession | None = None

    async def instant(self, query: str, timeout_s: float) -> Answer:
        """The server's answer to a query as of now. Raises SourceError with one sentence for anything but an answer."""
        try:
            answer = await self._instant(query, timeout_s)
        except SourceError:
            self.outcomes["failed"] += 1
            raise
        self.outcomes["answered"] += 1
        return answer

    async def _instant(self, query: str, timeout_s: float) -> Answer:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
            self._session = aiohttp.ClientSession(connector=connector, headers=_packing(self._way.access))
        try:
            async with asyncio.timeout(timeout_s):
                try:
                    return await self._post(self._session, query, timeout_s)
                except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                    # An idle connection the server had closed, in a restart for example. Asking twice harms nobody.
                    return await self._post(self._session, query, timeout_s)
        except aiohttp.ConnectionTimeoutError:
            raise ServerAway(f"{self.url}: cannot connect within {CONNECT_S:g} s") from None
        except TimeoutError:
            shown = f"{timeout_s:.0f}" if timeout_s >= 1 else f"{timeout_s:.1f}"
            raise SourceError(f"{self.url}: no answer within {shown} s") from None
        except aiohttp.ClientPayloadError:
            raise SourceError(f"{self.url}: the connection was cut in the middle of the answer") from None
        except aiohttp.ClientConnectorError as error:
            raise ServerAway(f"{self.url}: {self._way.redact(_why(error))}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SourceError(f"{self.url}: {self._way.redact(_why(error))}") from None

    async def _post(self, session: aiohttp.ClientSession, query: str, timeout_s: float) -> Answer:
        # The server is told the limit too, so that it does not go on with what nobody waits for.
        words = {"query": query, "timeout": f"{timeout_s:.3f}"}
        async with session.post(
            f"{self.url}/api/v1/query",
            data=words,
            headers=self._way.headers(),
            ssl=self._way.tls() or True,
            proxy=self._way.access.proxy or None,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(CONNECT_S, timeout_s)),
            allow_redirects=False,
        ) as answer:
            if 300 <= answer.status < 400:  # followed, the query would be lost on the way, and secrets would go along
                raise SourceError(f"{self.url}: sends us on to {self._way.redact(answer.headers.get('Location', '?'))}")
            content = bytearray()
            async for chunk in answer.content.iter_any():
                content += chunk
                if len(content) > MOST_BYTES:
                    answer.close()
                    raise SourceError(f"{self.url}: the answer is larger than {MOST_BYTES >> 20} MiB")
            return self._decoded(bytes(content), answer.status)

    def _decoded(self, content: bytes, status: int) -> Answer:
        try:
            body = _body(content)
            if body.status == "success" and body.data is not None and status == 200:
                partial = ("the server says that its answer is partial",) if body.isPartial else ()
                return Answer(_samples(body.data, self.url), (body.warnings or ()) + partial)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Secrets are taken out before it is cut: of one that is cut through, half would stay.
            text = self._way.redact(content[: 4 * SHORT].decode(errors="replace"))[:SHORT]
            shown = " ".join(text.split()) or "empty"
            said = f"{self.url}: HTTP {status}, which is not an answer of Prometheus: {shown}"
            raise SourceError(said) from None
        kind = f"{body.errorType}: " if body.errorType else ""
        shown = self._way.redact(body.error)[:SHORT] or "no reason given"
        raise SourceError(f"{self.url}: HTTP {status}: {kind}{shown}")

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # lets the transports go


def _packing(access: Access) -> dict[str, str]:
    """On this machine packing an answer costs more than carrying it; elsewhere it is left to the library."""
    host = urlsplit(access.url).hostname or ""
    here = host in ("localhost", "::1") or host.startswith("127.")
    return {"Accept-Encoding": "identity"} if here and not access.proxy else {}


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
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        told = error.certificate_error
        return f"its certificate is not trusted: {getattr(told, 'verify_message', '') or told}"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return f"cannot connect: TLS: {getattr(error.os_error, 'reason', '') or error.os_error}"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy does not let us through: HTTP {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError):
        where = " to the proxy" if isinstance(error, aiohttp.ClientProxyConnectionError) else ""
        code = error.os_error.errno
        return f"cannot connect{where}: {os.strerror(code) if code else error.os_error}"
    return str(error) or type(error).__name__

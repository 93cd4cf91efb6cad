"""Prometheus text from an HTTP endpoint: fetched and parsed. Every exception of the libraries ends here."""

from __future__ import annotations

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.errors import SourceError

TIMEOUT_S = 2.0
IN_FLIGHT = 64
MOST_BYTES = 16 * 1024 * 1024

ACCEPT = "text/plain; version=0.0.4"


class Line(msgspec.Struct, frozen=True):
    """One sample: name, labels, value."""

    name: str
    labels: dict[str, str]
    value: float


class ExpositionClient:
    """Fetches pages; one session for all, opened by the first."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, url: str, names: frozenset[str]) -> list[Line]:
        """The samples with these names. Raises SourceError with one sentence."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            connector = aiohttp.TCPConnector(limit=IN_FLIGHT, force_close=True)
            self._session = aiohttp.ClientSession(timeout=timeout, connector=connector, headers={"Accept": ACCEPT})
        try:
            async with self._session.get(url) as answer:
                if answer.status != 200:
                    raise SourceError(f"{url}: HTTP {answer.status}")
                text = await _text(answer, url)
        except TimeoutError:
            raise SourceError(f"{url}: no answer within {TIMEOUT_S:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise SourceError(f"{url}: cannot connect: {error.os_error.strerror or error.os_error}") from None
        except (aiohttp.ClientError, UnicodeDecodeError, ValueError) as error:
            raise SourceError(f"{url}: {error or type(error).__name__}") from None
        return parse(text, url, names)

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()


async def _text(answer: aiohttp.ClientResponse, url: str) -> str:
    content = bytearray()
    async for chunk in answer.content.iter_chunked(65536):
        content += chunk
        if len(content) > MOST_BYTES:
            raise SourceError(f"{url}: more than {MOST_BYTES >> 20} MiB of metrics")
    return content.decode()


def parse(text: str, url: str, names: frozenset[str]) -> list[Line]:
    """The samples with these names in Prometheus text. Raises SourceError for what is not such text."""
    wanted = "\n".join(line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] in names)
    try:
        return [
            Line(sample.name, dict(sample.labels), float(sample.value))
            for family in text_string_to_metric_families(wanted + "\n")
            for sample in family.samples
        ]
    except (ValueError, IndexError, KeyError) as error:
        raise SourceError(f"{url}: this is not Prometheus text: {error}") from None

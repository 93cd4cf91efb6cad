"""Prometheus text from an HTTP endpoint: fetched and parsed. Every exception of the libraries ends here."""

from __future__ import annotations

import os
import re

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Timestamp

from autoscaler.errors import SourceError

TIMEOUT_S = 2.0
IN_FLIGHT = 64
MOST_BYTES = 16 * 1024 * 1024
SHORT = 80  # characters of a strange page worth showing

ACCEPT = "text/plain; version=0.0.4"


_NAME = re.compile(r"[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*)")
_SAMPLE = re.compile(_NAME.pattern + r"([ \t]*\{.*\}[ \t]*|[ \t]+)[-+.0-9a-zA-Z]+([ \t]+-?[0-9]+)?[ \t\r]*$")


class Line(msgspec.Struct, frozen=True):
    """One sample: name, labels, value, and the time the exporter gave it, in seconds since the epoch, if any."""

    name: str
    labels: dict[str, str]
    value: float
    at: float | None = None


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
            number = error.os_error.errno
            why = os.strerror(number) if number and number > 0 else "no such host"
            raise SourceError(f"{url}: cannot connect: {why}") from None
        except aiohttp.ClientPayloadError:
            raise SourceError(f"{url}: the connection was cut in the middle of the page") from None
        except UnicodeDecodeError:
            raise SourceError(f"{url}: this is not Prometheus text: it is not UTF-8") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SourceError(f"{url}: {str(error) or type(error).__name__}") from None
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
    """The samples with these names in Prometheus text. Raises SourceError for what is not such text.

    >>> parse('up{job="a"} 1\\nother 2\\n', "http://web", frozenset({"up"}))
    [Line(name='up', labels={'job': 'a'}, value=1.0, at=None)]
    """
    lines = text.split("\n")  # and not at other line ends, which may stand in a label
    first = next((line for line in lines if line.strip() and not line.startswith("#")), None)
    if first is not None and not _SAMPLE.match(first):
        shown = " ".join(first.split())[:SHORT]
        raise SourceError(f"{url}: this is not Prometheus text: {shown}")
    wanted = [line for line in lines if (name := _NAME.match(line)) is not None and name[1] in names]
    try:
        return [
            Line(sample.name, dict(sample.labels), float(sample.value), _seconds(sample.timestamp))
            for family in text_string_to_metric_families("\n".join(wanted) + "\n")
            for sample in family.samples
        ]
    except (ValueError, IndexError, KeyError) as error:
        raise SourceError(f"{url}: this is not Prometheus text: {str(error)[:SHORT]}") from None


def _seconds(timestamp: float | Timestamp | None) -> float | None:
    return None if timestamp is None else float(timestamp)

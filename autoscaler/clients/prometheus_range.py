"""Ranges from Prometheus through prometheus-api-client, for runs that may block a thread: dry runs and backtests.

The library has no time limit of its own, retries for seconds and puts a long query into the address; the session given
to it here does none of that.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from requests.adapters import Retry

from autoscaler.errors import SourceError
from autoscaler.log import redact

TIMEOUT_S = 20.0

Values = dict[float, str]  # one series: the time in seconds → the value as text


class _Session(requests.Session):
    """Sends parameters in the body: a query may be longer than an address."""

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["data"] = kwargs.pop("params", None)
        return super().request(method, url, *args, **kwargs)


class RangeClient:
    """One server at `url`; a user and password may stand in it."""

    def __init__(self, url: str) -> None:
        self._session = _Session()
        self._session.trust_env = False
        self._url = url.rstrip("/")
        self._server = PrometheusConnect(
            url=self._url, session=self._session, retry=Retry(0), timeout=TIMEOUT_S, method="POST"
        )

    async def window(self, query: str, start: float, end: float, step_s: float) -> list[Values]:
        """Every series of a query between two times, `step_s` seconds apart. Raises SourceError with one sentence."""
        return await asyncio.to_thread(self._window, query, start, end, step_s)

    def _window(self, query: str, start: float, end: float, step_s: float) -> list[Values]:
        since, until = (datetime.fromtimestamp(at, UTC) for at in (start, end))
        try:
            found = self._server.custom_query_range(query, since, until, f"{step_s:g}")
            return [{float(at): str(value) for at, value in series["values"]} for series in found]
        except (requests.RequestException, PrometheusApiClientException) as error:
            raise SourceError(redact(f"the past cannot be read from Prometheus: {error}")) from None
        except (ValueError, KeyError, TypeError):
            raise SourceError("the past cannot be read: this is not an answer of Prometheus") from None

    async def close(self) -> None:
        """Close the session."""
        self._session.close()

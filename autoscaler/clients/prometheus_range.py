"""Ranges from Prometheus through prometheus-api-client, for runs that may block a thread: dry runs and backtests.

The library has no time limit of its own, retries for seconds, puts a long query into the address and drops warnings;
the session given to it here does none of that.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from requests.adapters import Retry

from autoscaler.clients.access import Access, Way
from autoscaler.errors import SourceError

TIMEOUT_S = 20.0
SHORT = 200
PAST = "the past cannot be read"
AWAY = "is that its address? prometheus.url in the settings, or AUTOSCALER_PROMETHEUS_URL"

_REASON = re.compile(r'"error":"((?:\\.|[^"\\])*)"')


class Ranged(msgspec.Struct, frozen=True):
    """One series over time: its labels, and the time in seconds → the value as text."""

    metric: dict[str, str]
    values: dict[float, str]


class Told(msgspec.Struct, frozen=True):
    """What the server said of a range, with its warnings."""

    series: tuple[Ranged, ...]
    warnings: tuple[str, ...] = ()


class _Session(requests.Session):
    """Gets in as the access says, and keeps the last answer's warnings.

    Parameters go in the body, for a query may be longer than an address. Nobody is followed elsewhere, where secrets
    would go along.
    """

    warnings: tuple[str, ...] = ()

    def __init__(self, way: Way) -> None:
        super().__init__()
        self._way = way
        access = way.access
        self.trust_env = False
        self.verify = access.ca or True
        self.cert = (access.cert, access.key) if access.cert else None
        self.proxies = {"http": access.proxy, "https": access.proxy} if access.proxy else {}

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["data"] = kwargs.pop("params", None)
        kwargs["headers"] = self._way.headers()
        answer = super().request(method, url, *args, **{**kwargs, "allow_redirects": False})
        if answer.is_redirect:
            raise SourceError(f"{PAST}: {self._way.url} sends us on to {self._way.redact(answer.headers['Location'])}")
        found = answer.json().get("warnings") if b'"warnings"' in answer.content else None
        self.warnings = tuple(map(str, found or ()))
        return answer


class RangeClient:
    """One server, asked from a thread."""

    def __init__(self, access: Access | str) -> None:
        self._way = Way(Access(url=access) if isinstance(access, str) else access)
        self._session = _Session(self._way)
        self._server = PrometheusConnect(
            url=self._way.url, session=self._session, retry=Retry(0), timeout=TIMEOUT_S, method="POST"
        )

    async def window(self, query: str, start: float, end: float, step_s: float) -> Told:
        """A query's series between two whole seconds, `step_s` seconds apart. Raises SourceError with one sentence."""
        return await asyncio.to_thread(self._window, query, start, end, step_s)

    def _window(self, query: str, start: float, end: float, step_s: float) -> Told:
        since, until = (datetime.fromtimestamp(at, UTC) for at in (start, end))
        try:
            found = self._server.custom_query_range(query, since, until, f"{step_s:g}")
            series = tuple(
                Ranged(dict(each["metric"]), {float(at): str(value) for at, value in each["values"]}) for each in found
            )
        except requests.Timeout:
            raise SourceError(f"{PAST}: {self._way.url}: no answer within {TIMEOUT_S:g} s") from None
        except requests.ConnectionError as error:
            raise SourceError(f"{PAST}: {self._way.url}: {_why(error)}", hint=AWAY) from None
        except (requests.RequestException, PrometheusApiClientException, OSError) as error:
            raise SourceError(f"{PAST}: {self._way.redact(_why(error))[:SHORT]}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SourceError(f"{PAST}: {self._way.url}: this is not an answer of Prometheus", hint=AWAY) from None
        return Told(series, self._session.warnings)

    async def close(self) -> None:
        """Close the session."""
        self._session.close()


def _why(error: Exception) -> str:
    """A library's exception in a few words: the server's own reason where there is one."""
    if isinstance(error, requests.JSONDecodeError):
        return "this is not an answer of Prometheus"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted, or ours is not"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let us through"
    if isinstance(error, requests.ConnectionError):
        return "cannot connect"
    text = str(error)
    reason = _REASON.search(text)
    return reason[1] if reason else text

"""One request to the API of another daemon, its answer handed on as it comes."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping

import aiohttp
import msgspec
from yarl import URL

from autoscaler.errors import Unreachable

CONNECT_S = 3.0


class Answer(msgspec.Struct, frozen=True):
    """The status, the headers and the body as it comes."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


@contextlib.asynccontextmanager
async def asked(
    url: str,
    method: str,
    target: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    silence_s: float,
    certificate: str | None = None,
) -> AsyncIterator[Answer]:
    """The answer of the daemon at `url` to a request of this path and query.

    Raises Unreachable, also after `silence_s` seconds without a byte.
    Over https it has to show the `certificate` in this file: all daemons of a lease have the same one.
    """
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_read=silence_s)
    try:
        tls = _only(certificate) if certificate is not None else True
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(
                method, URL(url + target, encoded=True), data=body or None, headers=headers, ssl=tls,
                allow_redirects=False,
            ) as answer,
        ):  # fmt: skip
            yield Answer(answer.status, answer.headers, answer.content.iter_any())
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        why = "it timed out" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        raise Unreachable(f"{url} does not answer: {why}") from None


def _only(certificate: str) -> ssl.SSLContext:
    """Trust in this very certificate, whichever name it was made for: daemons are asked by their addresses."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context

"""The door for what is pushed: remote write 1.0 over HTTP, for those who show the token or a certificate.

Answers are what a sender goes by: 204 taken; 4xx will never be taken, so it is not sent again; 503 come back later.
Of a request with something wrong in it the rest is taken all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator

from aiohttp import web

from autoscaler.clients.access import Kept, certify, word
from autoscaler.clients.remote_write import unpacked
from autoscaler.errors import SettingsError, SourceError
from autoscaler.servers import Receiver
from autoscaler.sources.push import PushSource
from autoscaler.web.exposition import Family
from autoscaler.web.metrics import pushed
from autoscaler.web.serving import running, tcp

PATH = "/api/v1/write"
MOST_BYTES = 4 * 1024 * 1024  # of a request as it comes
IN_FLIGHT = 16  # requests that are being read; more are told to come back
READ_S = 10.0  # a request must be here within so many seconds
AGAIN_S = 1

Tell = Callable[[str], None]


class Door:
    """What becomes of each request. `answers` counts them by status."""

    def __init__(self, receiver: Receiver, source: PushSource, now: Callable[[], float]) -> None:
        self.answers: Counter[int] = Counter()
        self._receiver = receiver
        self._source = source
        self._now = now
        self._busy = 0
        self._token = Kept[str]((receiver.bearer_file or "",))
        self._certificate = Kept[ssl.SSLContext]((receiver.cert or "", receiver.key or "", receiver.client_ca or ""))
        self.context = _context(receiver) if receiver.cert is not None else None
        if self.context is not None:
            self._renew()

    async def write(self, request: web.Request) -> web.Response:
        """Take a request."""
        answer = await self._answer(request)
        self.answers[answer.status] += 1
        return answer

    def families(self) -> Iterator[Family]:
        """What /metrics tells of it."""
        return pushed(self._source.samples, self.answers, self._source.series)

    async def _answer(self, request: web.Request) -> web.Response:
        self._renew()
        trouble = self._unknown(request)
        if trouble:
            return web.Response(status=401, text=f"{trouble}\n", headers={"WWW-Authenticate": "Bearer"})
        kind, coding = request.content_type, request.headers.get("Content-Encoding", "")
        if kind != "application/x-protobuf" or coding != "snappy" or "write.v2" in request.headers["Content-Type"]:
            return web.Response(status=415, text="remote write 1.0 is spoken here: protobuf within snappy\n")
        if self._busy >= IN_FLIGHT:
            return _later(f"{IN_FLIGHT} requests are being read already")
        self._busy += 1
        try:
            async with asyncio.timeout(READ_S):
                body = await request.read()
        except TimeoutError:
            return _later(f"the request was not here within {READ_S:g} s")
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413, text=f"the request is larger than {MOST_BYTES >> 20} MiB\n")
        finally:
            self._busy -= 1
        try:
            wrong = self._source.take(unpacked(body), self._now())
        except SourceError as error:
            wrong = error.message
        return web.Response(status=400, text=f"{wrong}\n") if wrong else web.Response(status=204)

    def _unknown(self, request: web.Request) -> str:
        """Why this sender may not push; empty where it may. Who came through TLS with a certificate was checked."""
        if self._receiver.bearer_file is None:
            return ""
        try:
            token = self._token.now(lambda: word(self._receiver.bearer_file or ""))
        except (SourceError, OSError):
            return "the token to compare with cannot be read here"
        shown = request.headers.get("Authorization", "")
        right = hmac.compare_digest(shown.encode(), f"Bearer {token}".encode())
        return "" if right else "the token is missing, or another one"

    def _renew(self) -> None:
        """Certificates that were replaced are shown from the next connection on."""
        if self.context is not None:
            context = self.context
            with contextlib.suppress(SettingsError):  # half written: the ones before stay until they are whole
                self._certificate.now(lambda: _loaded(context, self._receiver))


@contextlib.asynccontextmanager
async def receive(door: Door, address: tuple[str, int]) -> AsyncIterator[None]:
    """Keep the door open. Raises SettingsError where it cannot be opened."""
    application = web.Application(client_max_size=MOST_BYTES)
    application.add_routes([web.post(PATH, door.write)])
    async with running(application, tcp(*address, key="push.listen"), door.context):
        yield


def _later(why: str) -> web.Response:
    return web.Response(status=503, text=f"{why}\n", headers={"Retry-After": str(AGAIN_S)})


def _context(receiver: Receiver) -> ssl.SSLContext:
    """TLS as the settings want it. Raises SettingsError for files that cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if receiver.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return _loaded(context, receiver)


def _loaded(context: ssl.SSLContext, receiver: Receiver) -> ssl.SSLContext:
    """The same with its files as they are now. Raises SettingsError."""
    assert receiver.cert is not None  # the caller knows
    certify(context, "push", receiver.cert, receiver.key)
    if receiver.client_ca is not None:
        try:
            context.load_verify_locations(receiver.client_ca)
        except (OSError, ValueError):
            said = f"push.client_ca: {receiver.client_ca} holds no certificate"
            raise SettingsError(said, hint="PEM is expected") from None
    return context

"""A daemon that stands by hands what it is asked on to the one that acts.

Who asks was let in by the first; the second believes it because the request is signed by a secret that only daemons of
this lease have (a `peer` line of web.tokens). The secret itself never travels. A signature holds for one request, one
holder of the lease and a minute and a half, and is taken once. What was handed on is not handed on again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from secrets import token_hex
from urllib.parse import quote, unquote

from aiohttp import web

from autoscaler.clients import control, peer
from autoscaler.errors import SettingsError, Unreachable
from autoscaler.ports import Lease
from autoscaler.web.caller import Caller, Refusal, Refused
from autoscaler.web.guard import HEADERS, Tokens

SIGNED = "Autoscaler-Signed"  # TIME NONCE SIGNATURE
SPEAKER = "Autoscaler-For"  # whose request it is
HOLDS_S = 90.0  # clocks of two machines may be half a minute off, each to its side
ANSWER_S = control.TIMEOUT_S - 2.0  # without a byte; then there is still time to tell whoever waits
CARRIED = ("Content-Type", "Cache-Control", "X-Accel-Buffering", *HEADERS)


class Relay:
    """What a daemon that shares a lease does with requests while another one acts.

    `reachable` says whether this one has told the others its own address: then they hand on to each other.
    """

    def __init__(
        self, lease: Lease, tokens: Tokens, now: Callable[[], float], *, reachable: bool, certificate: str | None = None
    ) -> None:
        self._lease = lease
        self._tokens = tokens
        self._now = now
        self._reachable = reachable
        self._certificate = certificate
        self._taken: dict[str, float] = {}  # signatures, by when they were taken

    def check(self) -> None:
        """Raises SettingsError where it was told an address and has no secret."""
        if self._reachable and not self._tokens.peers(self._now()):
            raise SettingsError(
                "kubernetes.address: the file of web.tokens has no line NAME peer SECRET",
                hint="one secret for all daemons of the lease, such as: pods peer $(openssl rand -hex 32)",
            )

    async def answer(
        self, request: web.Request, caller: Caller, *, anyway: bool, silence_s: float = ANSWER_S
    ) -> web.StreamResponse | None:
        """What the daemon that acts answers; None where this one is to answer: it acts, or cannot ask and `anyway`.

        Raises Refused with why there is no answer.
        """
        if self._lease.remaining() > 0:
            return None
        if caller.handed_on:
            raise Refused(MOVED)
        holder = self._lease.holder()
        acts = f"this daemon stands by: {holder or 'nobody yet'} holds the lease"
        try:
            url, secret = self._way(holder, acts)
            stamp = f"{self._now():.3f} {token_hex(16)}"
            body = await request.read()
            said = _signature(secret, holder or "", stamp, request.method, request.raw_path, caller.name, body)
            headers = {SIGNED: f"{stamp} {said}", SPEAKER: quote(caller.name)}
            return await self._ask(request, url, body, headers, silence_s)
        except Refused:
            if anyway:
                return None
            raise
        except Unreachable as error:
            if anyway:
                return None
            raise Refused(Refusal(503, f"{acts}, and {error.message}", LATER)) from None

    def _way(self, holder: str | None, acts: str) -> tuple[str, bytes]:
        """The address of the one that acts, and what to sign by. Raises Refused."""
        try:
            secrets = self._tokens.peers(self._now())
        except SettingsError as error:
            raise Refused(Refusal(503, f"{acts}; {error.message}", error.hint)) from None
        url = self._lease.address()
        if holder is None:
            raise Refused(Refusal(503, acts, "ask again in a few seconds"))
        if not (url and secrets):
            raise Refused(Refusal(503, acts, f"ask {holder.partition('_')[0]}; {SHARE}"))
        return url, secrets[0]

    async def _ask(
        self, request: web.Request, url: str, body: bytes, headers: dict[str, str], silence_s: float
    ) -> web.StreamResponse:
        """Hand on the request, and its answer as it comes. Raises Unreachable where none begins."""
        if "Content-Type" in request.headers:
            headers["Content-Type"] = request.headers["Content-Type"]
        response: web.StreamResponse | None = None
        asked = peer.asked(
            url, request.method, request.raw_path, body, headers, silence_s=silence_s, certificate=self._certificate
        )
        try:
            async with asked as answer:
                carried = {key: answer.headers[key] for key in CARRIED if key in answer.headers}
                response = web.StreamResponse(status=answer.status, headers=carried)
                await response.prepare(request)
                async for chunk in answer.chunks:
                    await response.write(chunk)
                await response.write_eof()
        except Unreachable:
            if response is None:
                raise
            if request.transport is not None:  # it had begun: whoever asked sees it cut off
                request.transport.abort()
        return response

    async def judged(self, request: web.Request) -> Caller:
        """Who asks through another daemon. Raises Refused."""
        refusal = await self._doubt(request)
        if refusal is not None:
            raise Refused(refusal)
        return Caller(unquote(request.headers.get(SPEAKER, "")), write=True, handed_on=True)

    async def _doubt(self, request: web.Request) -> Refusal | None:
        holder = self._lease.holder()
        if self._lease.remaining() <= 0 or holder is None:
            return MOVED
        now, said = self._now(), request.headers[SIGNED].split(" ")
        if len(said) != 3:
            return Refusal(401, f"expected {SIGNED}: TIME NONCE SIGNATURE")
        stamp, signature, name = " ".join(said[:2]), said[2], unquote(request.headers.get(SPEAKER, ""))
        body = await request.read()
        try:
            held = self._tokens.peers(now)
            at = float(said[0])
        except SettingsError as error:
            return Refusal(503, error.message, error.hint)
        except ValueError:
            return Refusal(401, f"{SIGNED}: expected a time, got {said[0]}")
        made = [_signature(each, holder, stamp, request.method, request.raw_path, name, body) for each in held]
        if not any(hmac.compare_digest(each.encode(), signature.encode(errors="surrogateescape")) for each in made):
            hint = "all daemons of a lease need the same peer line in web.tokens"
            return Refusal(401, "this request is not signed by a daemon of this lease", hint)
        if not abs(now - at) <= HOLDS_S:
            return Refusal(401, f"this request was signed {abs(now - at):.0f} s away from now: are the clocks right?")
        self._taken = {each: when for each, when in self._taken.items() if now - when <= 2 * HOLDS_S}
        if signature in self._taken:
            return Refusal(401, "this request has come before")
        self._taken[signature] = now
        return None


LATER = "if it is gone, another one acts within 15 s: ask again then"
MOVED = Refusal(503, "this daemon does not act any more", "ask again in a few seconds")
SHARE = "to have it handed on, set kubernetes.address and a peer line in web.tokens"


def _signature(secret: bytes, holder: str, stamp: str, method: str, target: str, name: str, body: bytes) -> str:
    said = "\n".join(
        (holder, stamp, method, target, quote(name, errors="surrogateescape"), hashlib.sha256(body).hexdigest())
    )
    return hmac.new(secret, said.encode(errors="surrogateescape"), hashlib.sha256).hexdigest()

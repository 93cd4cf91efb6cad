"""Callers that a cluster knows: its answers hold for seconds, few are asked for at once.

Where it does not answer nobody is let in.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

import msgspec

from autoscaler.clients.kubernetes_reviews import CONTROLS, GROUP, READ, WRITE, Person
from autoscaler.errors import TargetError
from autoscaler.web.caller import Caller, Refusal

HOLDS_S = 10.0  # a right that is taken away is gone after so many seconds
KEPT = 1000  # answers, the oldest go first
AT_ONCE = 8  # requests to the API server that wait; strangers cannot make it more

Ask = Callable[[str], Awaitable[Person | None]]


class Answer(msgspec.Struct, frozen=True):
    """What the cluster said, and until when it is taken for true."""

    person: Person | None
    until: float


class _Crowd(Exception):
    """So many answers are waited for already. Strangers can bring that about, so it is no fault on record."""


class Callers:
    """Who asks, as the cluster tells it. `tell` hears why it could not."""

    def __init__(self, ask: Ask, monotonic: Callable[[], float], tell: Callable[[str], None]) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._tell = tell
        self._away = False  # the cluster did not answer, which was told
        self._known: dict[bytes, Answer] = {}  # by digest: no token is kept
        self._asked: dict[bytes, asyncio.Task[Person | None]] = {}

    async def judge(self, token: str, *, write: bool) -> Caller | Refusal:
        """Who shows this token, where they may read, or write; why not else."""
        try:
            person = await self._person(token)
        except _Crowd:
            return AWAY
        except TargetError as error:
            if not self._away:
                self._tell(f"the cluster does not say whose a token is: {error.message}")
            self._away = True
            return AWAY
        if person is None:
            return Refusal(401, "this token is not known", TOKEN)
        if not (person.write if write else person.read):
            verb = WRITE if write else READ
            hint = f"it takes {verb} of {CONTROLS} in API group {GROUP}, in the daemon's namespace"
            return Refusal(403, f"{person.name} may not {'write' if write else 'read'}", hint)
        return Caller(person.name, person.write)

    async def _person(self, token: str) -> Person | None:
        """Raises TargetError and _Crowd."""
        digest = hashlib.sha256(token.encode(errors="surrogateescape")).digest()
        known = self._known.get(digest)
        if known is not None and self._monotonic() < known.until:
            return known.person
        if digest not in self._asked:
            if len(self._asked) >= AT_ONCE:
                raise _Crowd
            self._asked[digest] = asyncio.create_task(self._fresh(digest, token))
        return await asyncio.shield(self._asked[digest])  # others may wait for the same answer

    async def _fresh(self, digest: bytes, token: str) -> Person | None:
        """Raises TargetError."""
        try:
            person = await self._ask(token)
            self._away = False
            self._known.pop(digest, None)  # the newest stand last
            self._known[digest] = Answer(person, self._monotonic() + HOLDS_S)
            while len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
            return person
        finally:
            del self._asked[digest]


TOKEN = "kubectl create token NAME --audience autoscaler makes one that the cluster knows"
AWAY = Refusal(503, "whose token this is cannot be asked of the cluster", "ask again in a few seconds")

"""What people say of the repository that policies come from: go back, go on, look now, take a commit held back."""

from __future__ import annotations

import math
import re

import msgspec

from autoscaler.clock import text as written
from autoscaler.errors import UsageError
from autoscaler.loop.answers import Done
from autoscaler.loop.desk import NOBODY, Desk, Word, span
from autoscaler.model.commits import Origin, Rollback
from autoscaler.ports import Fact, FactKind, RecordKind

POLICIES = "policies"  # the key of what is said about the policy set
FULL = re.compile(r"[0-9a-f]{40}")  # the whole name of a commit
SHORTEST = 7  # digits by which people name one
MOST_LINES = 10_000

_encode = msgspec.json.Encoder().encode


class Commits:
    """Words about commits, on record before they are answered. Raises UsageError, StoreError."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def roll_back(self, to: str, *, for_s: float, word: Word = NOBODY) -> Done:
        """Put the policies of a commit in force for so many seconds; of the one before today's where `to` is empty."""
        self._repository()
        span(for_s, "a rollback")
        if not word.why:
            raise UsageError("a rollback needs a reason", hint="--why TEXT")
        commit, now = await self._commit(to), self._desk.clock.now()
        said = Rollback(commit=commit, since=now, until=now + for_s, by=word.by, why=word.why)
        async with self._desk.one_word:
            await self._keep_commits(rollback=said)
        return await self._desk.done(
            POLICIES, f"policies go back to {commit} until {written(said.until)}", "rollback", word
        )

    async def go_on(self, *, word: Word = NOBODY) -> Done:
        """End a rollback."""
        self._repository()
        async with self._desk.one_word:
            before = (await self._desk.said()).commits.rollback
            await self._keep_commits(rollback=None)
        text = "nothing was rolled back" if before is None else f"the rollback to {before.commit} is over"
        return await self._desk.done(POLICIES, f"{text}; policies follow the ref", "rollback_ended", word)

    async def sync(self, accept: str, *, word: Word = NOBODY) -> Done:
        """Look at the repository now; with a commit, take it although the ref was forced there."""
        held = self._repository().held
        if not accept:
            async with self._desk.one_word:
                await self._keep_commits(asked=self._desk.clock.now())
            return Done(workload=POLICIES, text="the repository is looked at now")
        if not held or not held.startswith(accept) or len(accept) < SHORTEST:
            raise UsageError(f"{accept} is not held back", hint=f"held back: {held or 'nothing'}")
        async with self._desk.one_word:
            await self._keep_commits(accepted=held)
        return await self._desk.done(POLICIES, f"{held} is accepted", "accepted", word)

    def _repository(self) -> Origin:
        if self._desk.board.origin is None:
            raise UsageError("policies come from files here, not from git", hint="set git.url in the settings")
        return self._desk.board.origin

    async def _keep_commits(self, **changes: object) -> None:
        words = await self._desk.said()
        said = msgspec.structs.replace(words.commits, **changes)
        await self._desk.keep(
            [Fact(FactKind.COMMITS, POLICIES, _encode(said))], msgspec.structs.replace(words, commits=said)
        )

    async def _commit(self, to: str) -> str:
        """The whole name of a commit that was in force; of the one before today's for an empty text.

        No other is taken, also by its whole name: a server hands out commits that nobody reviewed, such as a fork's.
        """
        if not to and self._desk.shared:
            said = "which commit was in force before is not known for sure: another pod may have acted meanwhile"
            raise UsageError(said, hint="--to COMMIT")
        lines = await self._desk.keeper.store.history("", until=math.inf, limit=MOST_LINES)
        past = [each.revision for each in lines if each.kind is RecordKind.POLICIES and each.reason == "activated"]
        known = [each for each in dict.fromkeys(past) if FULL.fullmatch(each)]
        found = [each for each in known if (each.startswith(to) if to else each != self._desk.board.revision)]
        if not found:
            said = f"no commit {to} is on record as having been in force" if to else "no other commit was in force yet"
            said += " by what this pod did itself" if self._desk.shared else ""
            raise UsageError(said, hint="set git.pin in the settings, or revert in the repository")
        if to and (len(to) < SHORTEST or len(found) > 1):
            raise UsageError(f"{to} may mean several commits", hint=f"name it with more digits: --to {found[0]}")
        return found[0]

"""Policies from a ref of a git repository: each commit as a whole, and the last good ones while it is away.

What is in force last stands on the disk, so that a daemon starts without the repository. Nothing here is waited for
by a cycle.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from autoscaler.clients.git_remote import Place, Remote, Token
from autoscaler.errors import AutoscalerError, SourceError, StoreError
from autoscaler.model.commits import Origin, Said, rollback_now
from autoscaler.ports import Clock, Revision
from autoscaler.store import last_good
from autoscaler.store.activation import Known, course
from autoscaler.store.last_good import LastGood
from autoscaler.store.policy_commit import revision_of

JITTER = 0.1  # of the time between two looks: daemons that were started together do not stay together
LONGEST_S = 900.0  # between two looks while the repository is away
FIRST_LOOK_S = 10.0  # a daemon that starts waits so long for it, and goes on by the last good ones then

Show = Callable[[Origin], None]


class GitSource:
    """A ref looked at every `every_s` seconds. `fault` is handed what goes wrong, `show` how things stand."""

    def __init__(
        self, place: Place, folder: Path, clock: Clock, *, path: str = "", every_s: float = 60.0, pin: str = "",
        show: Show = lambda origin: None, dice: random.Random | None = None, token: Token | None = None,
    ) -> None:  # fmt: skip
        self._place, self._path, self._every_s, self._pin = place, path.strip("/"), every_s, pin
        self._file = folder / last_good.NAME
        self._remote = Remote(place, folder / "cache.git", token)
        self._clock, self._show = clock, show
        self.fault: Callable[[str], None] = lambda sentence: None
        self._dice = dice or random.Random()
        self._said = Said()
        self._stir = asyncio.Event()
        self._kept: LastGood | None = None
        self._offered: tuple[Revision, str] | None = None  # and what `base` is once it is in force
        self._refused = ""  # the commit that was offered last and is not in force
        self._open = False  # what was offered last is not in force
        self._same = ""  # another commit with the policies that are in force
        self._sure = ""  # the commit in force, once it was asked who signed it
        self._doubt = ""  # why that is not trusted
        self._failures = 0
        self._ready = False
        self._origin = Origin(url=place.url, ref=place.ref, path=self._path, pinned=pin)

    def heed(self, said: Said) -> None:
        """What people said of its commits. News makes it look again, also at a commit that was refused before."""
        if said == self._said:
            return
        self._said = said
        self._refused = ""
        self._stir.set()

    async def keep(self, revision: str) -> None:
        """This revision is in force: it is what the next daemon starts from."""
        if self._offered is None or self._offered[0].id != revision:
            return
        offered, base = self._offered
        self._refused, self._same, self._open = "", "", False
        if self._kept is None or self._kept.commit != revision:
            self._trusts(revision)
        await self._write(
            LastGood(
                url=self._place.url,
                ref=self._place.ref,
                path=self._path,
                commit=revision,
                base=base,
                at=self._clock.now(),
                texts=offered.texts,
                tests=offered.tests,
            )
        )

    async def revisions(self) -> AsyncIterator[Revision]:
        """Each commit that should be in force; the last good revision first, where nothing newer is in force soon.

        What was left may be old: by its limits nothing is decided before the repository was asked.
        """
        self._kept = kept = await self._left()
        if kept is not None:
            found, over = await self._first_look()
            if found is not None:
                yield found
            if found is None or self._open:
                yield Revision(kept.commit, kept.texts)  # its tests have passed
                if found is not None:
                    yield found  # refused, which is told again: it is what should be in force
            if over:
                await self._pause()
        while True:
            self._stir.clear()
            found = await self._look()
            if found is not None:
                yield found
            await self._pause()

    # one look

    async def _first_look(self) -> tuple[Revision | None, bool]:
        """What the first look finds, and whether it was over in time."""
        try:
            async with asyncio.timeout(FIRST_LOOK_S):
                return await self._look(), True
        except TimeoutError:
            self._ready = False  # git was ended: what it left is put away before the next look
            return None, False

    async def _look(self) -> Revision | None:
        """What should be in force and is not; None where all is as it should be, or nothing can be done."""
        found, trouble = None, None
        try:
            head = await self._head()
            self._put(head=head, checked=self._clock.now())
        except SourceError as error:
            head, trouble = self._origin.head, error
        try:
            found = await self._due(head)  # also while nobody answers: what is in the cache can be gone back to
            if found is None and self._kept is not None and self._sure != self._kept.commit:
                await self._ask_who_signed(self._kept.commit)
        except SourceError as error:
            trouble = trouble or error
        if trouble is None:
            self._works()
        else:
            self._fails(trouble)
        return found

    async def _head(self) -> str:
        """The commit of the ref, which is fetched."""
        if not self._ready:
            await self._remote.prepare()
            self._ready = True
        base = self._kept.base if self._kept is not None else ""
        head = await self._remote.head()
        return head if head == base or await self._remote.has(head) else await self._fetched(base)

    async def _due(self, head: str) -> Revision | None:
        """The commit that should be in force, unless it is, or was refused."""
        kept = self._kept
        base = kept.base if kept is not None else ""
        descends = bool(base) and head not in ("", base) and await self._remote.descends(head, base)
        known = Known(base=base, head=head, descends=descends)
        way = course(known, self._said, self._pin, self._clock.now())
        self._hold(way.held)
        if kept is not None and way.commit in (kept.commit, self._same):
            base = way.commit if way.follows else base
            return await self._still(kept, kept.commit, base)
        if not way.commit or way.commit == self._refused:
            return None
        await self._remote.fetch_commit(way.commit)
        return await self._offer(way.commit, way.commit if way.follows else base)

    async def _fetched(self, base: str) -> str:
        """Once more into a new cache where it fails although the repository answers: the cache may be damaged."""
        try:
            return await self._remote.fetch(base)
        except SourceError:
            await self._remote.clear()
            return await self._remote.fetch(base)

    async def _offer(self, commit: str, base: str) -> Revision | None:
        """A commit as a revision, read once it is trusted; None where the same policies are in force already."""
        said = await self._distrust(commit)
        if said:
            found = Revision(commit, (), problems=(f"{said}\n  hint: see git.trust in docs/policies-from-git.md",))
        else:
            found = await revision_of(self._remote, commit, self._path)
        kept = self._kept
        if kept is not None and not found.problems and (found.texts, found.tests) == (kept.texts, kept.tests):
            self._same = commit
            self._trusts(kept.commit)  # by this commit
            return await self._still(kept, commit, base)
        return self._offers(found, base)

    async def _distrust(self, commit: str) -> str:
        """Why a commit must not be in force; empty where it may be."""
        why = await self._remote.distrust(commit) if self._place.signers or self._place.keys else ""
        return f"commit {commit} is not signed by any of the signers: {why}" if why else ""

    async def _ask_who_signed(self, commit: str) -> None:
        """Whether what was left is trusted by the settings of now. It is in force in any case: scaling never stops."""
        if self._place.signers or self._place.keys:
            try:
                await self._remote.fetch_commit(commit)
            except SourceError as error:  # it may be gone for good, and the ref is looked at as before
                self._doubt = f"who signed commit {commit} is not known: {error.message}; it is in force already"
                return
        said = await self._distrust(commit)
        self._doubt = f"{said}; it is in force since before that was asked for" if said else ""
        self._sure = commit

    def _trusts(self, commit: str) -> None:
        if self._doubt and self._origin.trouble == self._doubt:
            self._put(trouble="", since=None)
        self._sure, self._doubt = commit, ""

    async def _still(self, kept: LastGood, commit: str, base: str) -> Revision | None:
        """What is in force should be. It is offered again where another was refused meanwhile: that one is past."""
        if self._open:
            return self._offers(Revision(commit, kept.texts, kept.tests), base)
        if base != kept.base:
            await self._write(msgspec.structs.replace(kept, base=base))
        return None

    def _offers(self, found: Revision, base: str) -> Revision:
        self._offered, self._refused, self._open = (found, base), found.id, True
        return found

    # how things stand

    def _works(self) -> None:
        if self._failures:
            self.fault(f"policies from git: {self._place.url} can be read again")
        self._failures = 0
        if self._doubt:
            self._troubled(self._doubt)
        else:
            self._put(trouble="", since=None)

    def _fails(self, error: AutoscalerError) -> None:
        """Told once for each sentence: what is in force stays in force."""
        self._failures += 1
        self._troubled(self._remote.redact(str(error)))

    def _troubled(self, sentence: str) -> None:
        if sentence != self._origin.trouble:
            stays = f"the policies of {self._kept.commit} stay" if self._kept is not None else "there are none yet"
            self.fault(f"policies from git: {sentence}; {stays}")
        since = self._clock.now() if self._origin.since is None else self._origin.since
        self._put(trouble=sentence, since=since)

    def _hold(self, held: str) -> None:
        if held and held != self._origin.held:
            self.fault(
                f"policies from git: {self._place.ref} was forced to {held}, which does not go on from what is"
                f" in force; it is held back\n  hint: autoscaler sync --accept {held}"
            )
        self._put(held=held)

    def _put(self, **changes: object) -> None:
        changes["rollback"] = rollback_now(self._said, self._clock.now())
        self._origin = msgspec.structs.replace(self._origin, **changes)
        self._show(self._origin)

    # the disk, and time

    async def _left(self) -> LastGood | None:
        """What a daemon left here, of this repository, ref and path."""
        try:
            kept = await asyncio.to_thread(last_good.read, self._file)
        except StoreError as error:
            self.fault(f"policies from git: {error}")
            return None
        place = self._place
        if kept is not None and (kept.url, kept.ref, kept.path) != (place.url, place.ref, self._path):
            self.fault(f"policies from git: those of {kept.url} {kept.ref} are left aside, the settings name another")
            return None
        return kept

    async def _write(self, kept: LastGood) -> None:
        self._kept = kept
        try:
            await asyncio.to_thread(last_good.write, self._file, kept)
        except StoreError as error:
            self.fault(f"policies from git: a restart would not find those in force: {error}")

    async def _pause(self) -> None:
        """Until the next look, or somebody's word, or the end of a rollback; ever longer while nobody answers."""
        longest = max(self._every_s, LONGEST_S)
        seconds = min(longest, self._every_s * 2.0 ** min(self._failures, 10))
        seconds *= 1 + JITTER * (2 * self._dice.random() - 1)
        found = rollback_now(self._said, self._clock.now())
        if found is not None:
            seconds = min(seconds, max(0.0, found.until - self._clock.now()))
        waits = [asyncio.ensure_future(self._clock.sleep(seconds)), asyncio.ensure_future(self._stir.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*waits, return_exceptions=True)

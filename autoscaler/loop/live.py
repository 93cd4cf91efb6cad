"""Which commit is live here, told where the repository lives. Beside the cycle: nothing waits for it.

A sink of records: what became of a commit is taken in at once, and told by a task of its own, the newest of each commit
only. While that fails it is tried again ever later; scaling never knows of it.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Sequence

from autoscaler.errors import AutoscalerError, GitHubBusy, GitHubError
from autoscaler.loop.board import Board
from autoscaler.loop.keeper import Keeper
from autoscaler.ports import Clock, Forge, Live, Record, RecordKind
from autoscaler.unseen import visible

WAITING = 20  # commits that may wait to be told; the newest
PULLS_KEPT = 200
AGAIN_S = (10.0, 60.0, 300.0, 900.0)  # after so many failures in a row
STANDBY_S = 5.0  # between two looks at a lease that somebody else has
REFUSED = (404, 409, 410, 422)  # a commit that is not there, or of which this cannot be said
COMMIT = re.compile(r"[0-9a-f]{40}")
_LIVE = {"activated": Live.ACTIVE, "rejected": Live.REJECTED}


class LiveReport:
    """Tells a forge. With `told` False it only learns the numbers of pull requests."""

    def __init__(self, forge: Forge, board: Board, keeper: Keeper, clock: Clock, *, told: bool = True) -> None:
        self._forge, self._board, self._keeper, self._clock = forge, board, keeper, clock
        self._told = told
        self._due: OrderedDict[str, tuple[Live, str]] = OrderedDict()
        self._news = asyncio.Event()
        self._failures = 0

    @property
    def failing(self) -> bool:
        """Whether what was tried last failed."""
        return self._failures > 0

    @property
    def remaining(self) -> int | None:
        """How many requests are left of this hour, as far as it was told."""
        return self._forge.remaining

    def accept(self, records: Sequence[Record]) -> None:
        """Take in what became of commits."""
        for each in records:
            live = _LIVE.get(each.reason) if each.kind is RecordKind.POLICIES else None
            if live is None or not COMMIT.fullmatch(each.revision):
                continue
            if live is Live.ACTIVE:  # told after it, what was in force before would take its place
                self._due = OrderedDict(item for item in self._due.items() if item[1][0] is not Live.ACTIVE)
            self._due[each.revision] = (live, each.text)
            self._due.move_to_end(each.revision)
            while len(self._due) > WAITING:
                self._due.popitem(last=False)
            self._news.set()

    async def run(self) -> None:
        """Tell what is due, in its order; until cancelled. Nothing while another daemon holds the lease."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._due:
                if not self._keeper.ours():
                    await self._clock.sleep(STANDBY_S)
                    continue
                commit, (live, text) = next(iter(self._due.items()))
                wait = await self._tell(commit, live, text)
                if wait:
                    await self._clock.sleep(wait)
                elif self._due.get(commit) == (live, text):
                    del self._due[commit]

    async def _tell(self, commit: str, live: Live, text: str) -> float:
        """Tell one; seconds to wait where that failed. What cannot be told gives way to what waits behind it."""
        try:
            if self._told:
                await self._forge.report(commit, live, visible(text))
            await self._learn(commit)
        except GitHubBusy as busy:
            return max(1.0, busy.retry_after_s)
        except AutoscalerError as error:
            wait, gives_way = self._failed(str(error)), isinstance(error, GitHubError) and error.status in REFUSED
            return 0.0 if gives_way and len(self._due) > 1 else wait
        except Exception as defect:  # who scales must not stop because of who tells of it
            wait = self._failed(f"a defect of ours: {type(defect).__name__}: {defect}")
            return 0.0 if len(self._due) > 1 else wait
        if self._failures:
            self._keeper.fault("GitHub is told again which policies are live")
        self._failures = 0
        return 0.0

    async def _learn(self, commit: str) -> None:
        if commit in self._board.pulls:
            return
        number = await self._forge.pull_of(commit)
        if number is not None:
            self._board.pulls[commit] = number
            while len(self._board.pulls) > PULLS_KEPT:
                del self._board.pulls[next(iter(self._board.pulls))]

    def _failed(self, trouble: str) -> float:
        self._failures += 1
        if self._failures == 1:
            self._keeper.fault(f"GitHub is not told which policies are live: {trouble}")
        return AGAIN_S[min(self._failures, len(AGAIN_S)) - 1]

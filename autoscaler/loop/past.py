"""How a count came about at a past time: as remembered, as recorded, or reconstructed from what the source still tells.

Every change of count or of reason is on record. The cycles of the last minutes are remembered whole. An older cycle in
which nothing changed is decided once more, by the same `step()`, from what Prometheus tells of that time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from autoscaler.clock import text as written
from autoscaler.decide.plan import Plan, prepare
from autoscaler.errors import SourceError, UsageError
from autoscaler.loop import views
from autoscaler.loop.answers import Explanation
from autoscaler.loop.board import Board
from autoscaler.loop.keeper import Keeper
from autoscaler.model.decision import Decision
from autoscaler.model.target import TargetState
from autoscaler.ports import Record

PAGE = 50
MOST_LINES = 10_000

# The decision of a plan at a past time, from this state and what the sources tell of then. Raises SourceError.
Retell = Callable[[Plan, TargetState, float], Awaitable[Decision]]


class Past:
    """Answers for past times."""

    def __init__(self, board: Board, keeper: Keeper, retell: Retell) -> None:
        self._board = board
        self._keeper = keeper
        self._retell = retell

    async def explain(self, key: str, at: float) -> Explanation:
        """How the count of a workload came about at that time. Raises UsageError where nothing tells of it."""
        remembered = self._board.remembered(key, at)
        if remembered is not None:
            entry = self._board.entries[key]
            revision, place = entry.by if remembered is entry.decision else ("", "")
            origin, pull = self._board.origin, self._board.pulls.get(revision)
            repository = origin.url if origin is not None and revision else ""
            return msgspec.structs.replace(
                views.explanation(remembered), revision=revision, place=place, repository=repository, pull=pull
            )
        record = await self._recorded(key, at)
        answer = await self._recalled(key, at, record)
        pull = self._board.pulls.get(record.revision)
        return msgspec.structs.replace(
            answer, revision=record.revision, place=record.place, repository=record.repository, pull=pull
        )

    async def _recalled(self, key: str, at: float, record: Record) -> Explanation:
        """What was decided by what is on record, or decided once more."""
        assert record.decision is not None
        entry = self._board.entries.get(key)
        if entry is None or at - record.decision.at < self._board.cycle_s:
            return views.explanation(record.decision, since_change=at - record.decision.at >= self._board.cycle_s)
        plan = prepare(entry.workload.ref, entry.workload.policy)
        count = record.decision.desired if record.decision.act else record.decision.current
        state = TargetState(ref=plan.ref, desired=count, existing=count, ready=count, at=at)
        try:
            retold = await self._retell(plan, state, at)
        except SourceError as error:
            note = f"what the signals were at {written(at)} cannot be had any more: {error.message}"
            return views.explanation(record.decision, since_change=True, note=note)
        because = f"reconstructed: nothing changed between {written(record.decision.at)} and {written(at)}, so this"
        note = f"{because} cycle was decided once more from what the source tells of then, all {count} taken as ready"
        if record.revision != self._board.revision:
            note += "; by the policy of today, which is not the one of then"
        answer = views.explanation(retold, note=note)
        return msgspec.structs.replace(answer, reconstructed=True)

    async def _recorded(self, key: str, at: float) -> Record:
        """The newest decision on record at or before a time. Raises UsageError."""
        limit = PAGE
        while True:
            records = await self._keeper.store.history(key, until=at, limit=limit)
            found = next((each for each in records if each.decision is not None), None)
            if found is not None:
                return found
            if len(records) < limit or limit >= MOST_LINES:
                raise UsageError(
                    f"no decision about {key} is on record at or before {written(at)}",
                    hint="the history may not reach back that far: see `autoscaler history`",
                )
            limit *= 4

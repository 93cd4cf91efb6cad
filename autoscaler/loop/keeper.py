"""The store as the loop uses it: a store that fails is a fault to report, never a reason to stop scaling.

Facts belong to whoever holds the lease: another process starts from them, so one that has lost it leaves them alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from autoscaler.errors import StoreError
from autoscaler.ports import Fact, FactKind, Record, Sink, Store

LINES_OWED = 1000  # of history, while the store fails; the newest


class Keeper:
    """Writes through to the store and to every sink; tells `fault` once when writing begins or ceases to fail.

    Facts that could not be kept are owed, and kept with the next ones. `ours` says whether facts are this process's to
    write. `era` counts how often what another process left was taken up: what was read before is old then.
    `repository` is the URL that revisions are of; each line with a revision says it.
    """

    def __init__(self, store: Store, sinks: Sequence[Sink]) -> None:
        self.store = store
        self.failing = ""
        self.fault: Callable[[str], None] = lambda sentence: None
        self.ours: Callable[[], bool] = lambda: True
        self.era = 0
        self.repository = ""
        self._lines: deque[Record] = deque(maxlen=LINES_OWED)
        self._owed: dict[tuple[FactKind, str], Fact] = {}
        self._writes = 0
        self._turn = asyncio.Lock()
        self._sinks = sinks

    async def put(self, facts: Sequence[Fact]) -> None:
        """Keep facts as far as the store can, unless they are another process's by now.

        One write at a time, each with everything that came up during the one before it: the newest of a key wins.
        """
        self._owed.update({(each.kind, each.key): each for each in facts})
        write = self._writes + 1
        async with self._turn:
            if self._writes >= write or not self._owed or not self.ours():
                return  # the write before it took them along
            self._writes = write
            taken = dict(self._owed)
            try:
                await self.store.put(list(taken.values()))
            except StoreError as error:
                self._failed(str(error))
            else:
                self._owed = {key: fact for key, fact in self._owed.items() if taken.get(key) is not fact}
                self._worked()

    async def facts(self) -> Sequence[Fact]:
        """What another process left, or an earlier one of ours: from now on that is what holds. Raises StoreError."""
        found = await self.store.facts()
        self.let_go()
        self.era += 1
        return found

    def let_go(self) -> None:
        """What is owed is not kept any more: another process may have written something newer."""
        self._owed.clear()

    async def insist(self, facts: Sequence[Fact]) -> None:
        """Keep facts, or raise StoreError."""
        if not self.ours():
            raise StoreError(
                "another autoscaler has taken over: nothing can be kept here", hint="ask the one that acts"
            )
        await self.store.put(facts)
        if not self.ours():  # whoever has taken over meanwhile may have read what was kept before
            raise StoreError(
                "another autoscaler has taken over meanwhile: it may not know of this", hint="say it again"
            )

    def tell(self, record: Record) -> None:
        """Hand a line to the sinks at once; it is added to history with the next ones."""
        [record] = self._placed([record])
        for sink in self._sinks:
            sink.accept([record])
        self._lines.append(record)

    async def record(self, records: Sequence[Record]) -> None:
        """Add lines of history and hand them to the sinks. Lines that could not be added come with the next ones."""
        records = self._placed(records)
        if records:
            for sink in self._sinks:
                sink.accept(records)
        elif not self._lines:
            return
        lines = [*self._lines, *records]
        self._lines.clear()
        try:
            await self.store.append(lines)
        except StoreError as error:
            self._lines.extend(lines)
            self._failed(str(error))
        else:
            self._worked()

    def _placed(self, records: Sequence[Record]) -> Sequence[Record]:
        if not self.repository:
            return records
        return [
            msgspec.structs.replace(each, repository=self.repository) if each.revision else each for each in records
        ]

    def _failed(self, sentence: str) -> None:
        if not self.failing:
            self.fault(sentence)
        self.failing = sentence

    def _worked(self) -> None:
        if self.failing:
            self.fault("the store works again")
        self.failing = ""

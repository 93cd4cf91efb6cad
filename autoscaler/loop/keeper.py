"""The store as the loop uses it: a store that fails is a fault to report, never a reason to stop scaling.

Facts belong to whoever holds the lease: another process starts from them, so one that has lost it leaves them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autoscaler.errors import StoreError
from autoscaler.ports import Fact, Record, Sink, Store


class Keeper:
    """Writes through to the store and to every sink; tells `fault` once when writing begins or ceases to fail.

    `ours` says whether the facts are this process's to write. `era` counts how often what another process left was
    taken up: what was read before is old then.
    """

    def __init__(self, store: Store, sinks: Sequence[Sink]) -> None:
        self.store = store
        self.failing = ""
        self.fault: Callable[[str], None] = lambda sentence: None
        self.ours: Callable[[], bool] = lambda: True
        self.era = 0
        self._sinks = sinks

    async def put(self, facts: Sequence[Fact]) -> bool:
        """Keep facts as far as the store can; False where it could not, or where they are another process's by now."""
        if not facts:
            return True
        if not self.ours():
            return False
        try:
            await self.store.put(facts)
        except StoreError as error:
            self._failed(str(error))
            return False
        self._worked()
        return True

    async def insist(self, facts: Sequence[Fact]) -> None:
        """Keep facts, or raise StoreError."""
        if not self.ours():
            raise StoreError(
                "another autoscaler has taken over: nothing can be kept here", hint="ask the one that acts"
            )
        await self.store.put(facts)

    async def record(self, records: Sequence[Record]) -> None:
        """Add lines of history and hand them to the sinks."""
        if not records:
            return
        for sink in self._sinks:
            sink.accept(records)
        try:
            await self.store.append(records)
        except StoreError as error:
            self._failed(str(error))
        else:
            self._worked()

    def _failed(self, sentence: str) -> None:
        if not self.failing:
            self.fault(sentence)
        self.failing = sentence

    def _worked(self) -> None:
        if self.failing:
            self.fault("the store works again")
        self.failing = ""

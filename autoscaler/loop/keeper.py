"""The store as the loop uses it: a store that fails is a fault to report, never a reason to stop scaling."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autoscaler.errors import StoreError
from autoscaler.ports import Fact, Record, Sink, Store


class Keeper:
    """Writes through to the store and to every sink; tells `fault` once when writing begins or ceases to fail."""

    def __init__(self, store: Store, sinks: Sequence[Sink]) -> None:
        self.store = store
        self.failing = ""
        self.fault: Callable[[str], None] = lambda sentence: None
        self._sinks = sinks

    async def put(self, facts: Sequence[Fact]) -> None:
        """Keep facts as far as the store can."""
        if facts:
            try:
                await self.store.put(facts)
            except StoreError as error:
                self._failed(str(error))
            else:
                self._worked()

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

"""The store of runs that leave nothing behind: dry runs, replays, the simulated world."""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.ports import Fact, FactKind, Record


class MemoryStore:
    """Keeps everything for as long as the object lives; never fails. The newest `lines` of history are kept."""

    def __init__(self, *, lines: int = 100_000) -> None:
        self._lines = lines
        self._history: list[Record] = []
        self._facts: dict[tuple[FactKind, str], Fact] = {}

    async def append(self, records: Sequence[Record]) -> None:
        """Add lines of history."""
        self._history.extend(records)
        if len(self._history) > 2 * self._lines:  # seldom, so that it costs nothing in the long run
            self._history = sorted(self._history, key=lambda record: record.at)[-self._lines :]

    async def history(self, workload: str | None, *, until: float, limit: int) -> Sequence[Record]:
        """The newest `limit` lines not after `until`, newest first; of all workloads for None."""
        fitting = [
            record
            for record in self._history
            if record.at <= until and (workload is None or record.workload == workload)
        ]
        return sorted(fitting, key=lambda record: record.at)[::-1][:limit]

    async def put(self, facts: Sequence[Fact]) -> None:
        """Keep these facts."""
        for fact in facts:
            if fact.value is None:
                self._facts.pop((fact.kind, fact.key), None)
            else:
                self._facts[fact.kind, fact.key] = fact

    async def facts(self) -> Sequence[Fact]:
        """Everything kept, by kind and key."""
        return sorted(self._facts.values(), key=lambda fact: (fact.kind.value, fact.key))

    async def close(self) -> None:
        """Nothing to close: what is kept stays readable."""

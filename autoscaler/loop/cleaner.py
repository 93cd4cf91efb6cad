"""Clean-ups as they run: what is in use is looked at all the time, what lies about when a cron line says so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import msgspec

from autoscaler.clock import text as written
from autoscaler.decide.cleanup import amount, goes, remaining, sighted, stays, sweep, within
from autoscaler.errors import StoreError, TargetError
from autoscaler.loop.board import Board, Cleaned
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.timetable import Timetable
from autoscaler.model.cleanup import Freed, Item, Sightings, Sweep
from autoscaler.model.observation import Pause
from autoscaler.model.policy import Cleanup, Mode, PolicySet
from autoscaler.ports import Clock, Fact, FactKind, Record, RecordKind, Stockroom

PLACE = "compose"

Room = Callable[[str], Stockroom | None]

_encode = msgspec.json.Encoder().encode
_sightings = msgspec.json.Decoder(Sightings).decode
_times = msgspec.json.Decoder(tuple[float, ...]).decode


class Cleaner:
    """Looks, sweeps and remembers. `room` gives the stockroom of a platform by its name; without `act` it only tells.

    What was seen and what the budgets have spent is in the store before anything is taken away.
    """

    def __init__(
        self, room: Room, keeper: Keeper, board: Board, clock: Clock, *, timetable: Timetable | None = None,
        act: bool = True,
    ) -> None:  # fmt: skip
        self.paused: Pause | None = None
        self._room = room
        self._keeper = keeper
        self._board = board
        self._clock = clock
        self._timetable = timetable
        self._act = act
        self._rooms: dict[str, Stockroom] = {}
        self._cleanups: dict[str, Cleanup] = {}
        self._seen: dict[str, Sightings] = {}  # by engine
        self._spent: dict[str, tuple[float, ...]] = {}  # by the clean-up's name
        self._one = asyncio.Lock()  # two looks at one engine must not forget each other's

    def restore(self, facts: Sequence[Fact]) -> None:
        """Go on from what is on record."""
        self._seen, self._spent = remembered(facts)

    def follow(self, loaded: PolicySet) -> None:
        """From now on these clean-ups."""
        self._cleanups = {each.cleanup.name: each.cleanup for each in loaded.cleanups}
        before = self._board.cleanups
        self._board.cleanups = {
            each.cleanup.name: Cleaned(each.cleanup, each.file, each.line) for each in loaded.cleanups
        }
        for name, entry in self._board.cleanups.items():
            if name in before and before[name].cleanup == entry.cleanup:
                entry.at, entry.sweep, entry.freed, entry.trouble = (
                    before[name].at, before[name].sweep, before[name].freed, before[name].trouble,
                )  # fmt: skip
        for cleanup in self._cleanups.values():
            self._room_of(cleanup)
        if self._timetable is not None:
            self._timetable.set({n: (c.cron, c.timezone) for n, c in self._cleanups.items()}, self.sweep)
            for name, entry in self._board.cleanups.items():
                entry.next = self._timetable.next(name)

    async def run(self, every_s: float) -> None:
        """Look again and again, and sweep when it is time; until cancelled."""
        if self._timetable is not None:
            self._timetable.start()
        try:
            while True:
                for engine in {engine_of(each) for each in self._cleanups.values()}:
                    with contextlib.suppress(TargetError):  # the states say that the engine is away; a sweep would
                        await self.look(engine)
                for name, entry in self._board.cleanups.items():
                    entry.next = self._timetable.next(name) if self._timetable is not None else None
                await self._clock.sleep(every_s)
        finally:
            if self._timetable is not None:
                self._timetable.stop()

    async def look(self, engine: str) -> Sightings:
        """Take in what the containers of an engine hold on to. Raises TargetError."""
        room = self._rooms.get(engine)
        if room is None:
            raise TargetError(f"the engine {engine} cannot be had")
        async with self._one:
            before = self._seen.get(engine, Sightings())
            after = sighted(before, await room.uses())
            await self._keep_seen(engine, before, after)
            return after

    async def sweep(self, name: str) -> None:
        """Take away what is due of one clean-up, or say what would be. Never raises for an engine that is away."""
        cleanup, entry = self._cleanups.get(name), self._board.cleanups.get(name)
        if cleanup is None or entry is None or not self._keeper.ours():
            return
        now = self._clock.now()
        if self.paused is not None and self.paused.holds(now):
            entry.at, entry.trouble = now, "paused: nothing is taken away until the fleet is resumed"
            return
        acting = self._act and cleanup.mode is Mode.ACT
        try:
            found = await self._decide(cleanup, now)
            freed = await self._remove(cleanup, found, now) if acting else []
        except (TargetError, StoreError) as error:
            entry.at, entry.sweep, entry.freed, entry.trouble = now, Sweep(), (), error.message
            self._keeper.fault(f"{name}: {error.message}")
            return
        entry.at, entry.sweep, entry.trouble = now, found, ""
        entry.freed = tuple(freed)
        self._board.count_freed(name, freed)
        await self._keeper.record(self._lines(cleanup, found, freed, acting=acting))

    async def _decide(self, cleanup: Cleanup, now: float) -> Sweep:
        engine = engine_of(cleanup)
        await self.look(engine)  # who has what, right before it is decided
        stock = await self._rooms[engine].stock(cleanup.project)
        async with self._one:
            before = self._seen.get(engine, Sightings())
            after = remaining(before, stock)
            await self._keep_seen(engine, before, after)
        return sweep(cleanup, stock, after, self._spent.get(cleanup.name, ()), now)

    async def _remove(self, cleanup: Cleanup, found: Sweep, now: float) -> list[Freed]:
        """One after another; on record as spent before the first, so that a kill cannot make the budget larger."""
        name, room = cleanup.name, self._rooms[engine_of(cleanup)]
        if found.goes:
            spent = (*within(self._spent.get(name, ()), cleanup.budget.per, now), *(now for _ in found.goes))
            self._spent[name] = spent
            await self._keeper.insist([Fact(FactKind.SPENT, name, _encode(spent))])
        freed: list[Freed] = []
        for item in found.goes:
            if not self._keeper.ours():
                break  # another daemon has taken over: what is left is its business
            freed.append(await room.remove(item))
        return freed

    def _lines(self, cleanup: Cleanup, found: Sweep, freed: Sequence[Freed], *, acting: bool) -> list[Record]:
        now, key = self._clock.now(), key_of(cleanup)

        def line(reason: str, text: str) -> Record:
            return Record(
                at=now,
                kind=RecordKind.CLEANUP,
                workload=key,
                policy=cleanup.name,
                revision=self._board.revision,
                reason=reason,
                text=text,
            )

        if acting:
            return [line("failed" if each.trouble else each.item.why.value, _ended(each)) for each in freed]
        if not found.goes:
            return []
        held = "observes" if cleanup.mode is Mode.OBSERVE else "read-only"
        return [line("observed", f"{held}: {'; '.join(goes(item) for item in found.goes)}")]

    async def _keep_seen(self, engine: str, before: Sightings, after: Sightings) -> None:
        if after != before:
            self._seen[engine] = after
            await self._keeper.put([Fact(FactKind.SIGHTINGS, engine, _encode(after))])

    def _room_of(self, cleanup: Cleanup) -> None:
        engine = engine_of(cleanup)
        if engine in self._rooms:
            return
        room = self._room(place_of(cleanup))
        if room is not None:
            self._rooms[engine] = room


def place_of(cleanup: Cleanup) -> str:
    """The name of its platform among the targets."""
    return PLACE if cleanup.engine is None else f"{PLACE}/{cleanup.engine}"


def engine_of(cleanup: Cleanup) -> str:
    """The name of its engine."""
    return cleanup.engine or "default"


def key_of(cleanup: Cleanup) -> str:
    """The word for it in history, built as those of workloads are."""
    return f"{PLACE}/{engine_of(cleanup)}/{cleanup.project}/cleanup/{cleanup.name}"


def remembered(facts: Sequence[Fact]) -> tuple[dict[str, Sightings], dict[str, tuple[float, ...]]]:
    """What was seen by engine, and what the budgets have spent by the clean-up's name."""
    seen = {each.key: _sightings(each.value) for each in facts if each.kind is FactKind.SIGHTINGS and each.value}
    spent = {each.key: _times(each.value) for each in facts if each.kind is FactKind.SPENT and each.value}
    return seen, spent


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What one clean-up would do now: what `goes`, in this order, and what `stays` although it looks like going."""

    policy: str
    project: str
    mode: str
    goes: tuple[Item, ...]
    stays: tuple[Item, ...]


class Previews(msgspec.Struct, frozen=True, kw_only=True):
    """A dry run of clean-ups: when, and what of the daemon's memory could not be had (`notes`)."""

    at: float
    cleanups: tuple[Preview, ...]
    notes: tuple[str, ...] = ()


async def preview(cleanup: Cleanup, room: Stockroom, facts: Sequence[Fact], now: float) -> Preview:
    """What a daemon that remembers these facts would do now. Raises TargetError."""
    seen, spent = remembered(facts)
    after = sighted(seen.get(engine_of(cleanup), Sightings()), await room.uses())
    found = sweep(cleanup, await room.stock(cleanup.project), after, spent.get(cleanup.name, ()), now)
    return Preview(
        policy=cleanup.name,
        project=cleanup.project,
        mode=cleanup.mode.value,
        goes=found.goes,
        stays=found.stays,
    )


def told(entry: Cleaned) -> list[str]:
    """A clean-up in words: when it runs, what its last run did, and what holds back what it left."""
    cleanup = entry.cleanup
    mode = ", observes" if cleanup.mode is Mode.OBSERVE else ""
    due = "not known yet" if entry.next is None else written(entry.next)
    lines = [f"clean-up of project {cleanup.project}{mode}; runs at {cleanup.cron} ({cleanup.timezone}), next {due}"]
    if entry.at is None:
        return [*lines, "has not run since the daemon started"]
    gone = [each for each in entry.freed if not each.trouble]
    lines.append(f"ran at {written(entry.at)}: {len(gone)} removed, {amount(sum(each.size for each in gone))} freed")
    if entry.trouble:
        lines.append(entry.trouble)
    lines += [f"  {_ended(each)}" for each in entry.freed]
    if not entry.freed:
        lines += [f"  would go: {goes(item)}" for item in entry.sweep.goes]
    return lines + [f"  stays: {stays(item)}" for item in entry.sweep.stays]


def _ended(each: Freed) -> str:
    if each.trouble:
        return f"{each.item.what.value} {each.item.name} could not be removed: {each.trouble}"
    return f"removed {goes(each.item)}"

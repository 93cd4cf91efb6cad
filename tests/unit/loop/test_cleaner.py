"""Clean-ups as a daemon runs them: when, by whose word, with which budget, and what is on record."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence

from autoscaler.clock import ManualClock
from autoscaler.errors import Unreachable
from autoscaler.loop.board import Board
from autoscaler.loop.cleaner import Cleaner, preview
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.timetable import Timetable
from autoscaler.loop.views import cleanup as view
from autoscaler.model.cleanup import Ended, Freed, Item, Mounted, Stock, Use, Volume
from autoscaler.model.observation import Pause
from autoscaler.model.policy import Cleanup, Mode, Orphans, PlacedCleanup, PolicySet, Removals
from autoscaler.ports import FactKind, Store
from autoscaler.store.memory import MemoryStore
from autoscaler.web import metrics

NIGHT = Cleanup(
    name="night", project="shop", cron="0 3 * * *", exited_after=60.0, orphan_volumes=Orphans.SEEN,
    budget=Removals(count=2, per=600.0),
)  # fmt: skip


class Room:
    """An engine with rubbish that a test puts there."""

    def __init__(self) -> None:
        self.ended: dict[str, Ended] = {}
        self.used: list[Use] = []
        self.volumes: list[str] = []
        self.away = False
        self.refuses: set[str] = set()

    async def uses(self) -> Sequence[Use]:
        if self.away:
            raise Unreachable("the engine does not answer")
        return self.used

    async def stock(self, project: str) -> Stock:
        held = frozenset(each.name for use in self.used for each in use.volumes)
        volumes = tuple(Volume(name=name, plain=True, size=500) for name in self.volumes)
        return Stock(ended=tuple(self.ended.values()), volumes=volumes, used_volumes=held)

    async def remove(self, item: Item) -> Freed:
        if item.id in self.refuses:
            return Freed(item, "it is in use")
        self.ended.pop(item.id, None)
        self.volumes = [name for name in self.volumes if name != item.id]
        return Freed(item)


class Keeping:
    """A cleaner with its room, board and store."""

    def __init__(self, cleanup: Cleanup = NIGHT, *, store: Store | None = None, act: bool = True) -> None:
        self.room = Room()
        self.clock = ManualClock(10_000.0)
        self.board = Board()
        self.store = store or MemoryStore()
        self.keeper = Keeper(self.store, [])
        self.cleaner = Cleaner(lambda place: self.room, self.keeper, self.board, self.clock, act=act)
        self.cleaner.follow(PolicySet("r1", cleanups=(PlacedCleanup(cleanup, "clean.yaml", 3),)))

    def put(self, *ids: str, size: int = 1000) -> None:
        for id in ids:
            self.room.ended[id] = Ended(id=id, name=f"shop-{id}", project="shop", finished=0.0, size=size)

    async def reasons(self) -> list[str]:
        return [line.reason for line in await self.store.history(None, until=1e9, limit=100)][::-1]


def test_a_run_removes_within_the_budget_and_puts_it_on_record() -> None:
    async def story() -> None:
        one = Keeping()
        one.put("a", "b", "c")
        await one.cleaner.sweep("night")
        assert set(one.room.ended) == {"c"}
        assert await one.reasons() == ["exited", "exited"]
        shown = view(one.board.cleanups["night"])
        assert (shown.removed, shown.freed_bytes, shown.held) == (2, 2000, 1)
        assert "  stays: container shop-c (cleanup_budget): the budget is 2 removals per 10m" in shown.lines
        one.clock.advance(599)
        await one.cleaner.sweep("night")
        assert set(one.room.ended) == {"c"}
        one.clock.advance(2)
        await one.cleaner.sweep("night")
        assert not one.room.ended
        text = (await metrics.text(one.board, leading=True, store_failing=False)).decode()
        assert 'autoscaler_cleanup_removed_total{cleanup="night",what="container"} 3' in text
        assert 'autoscaler_cleanup_freed_bytes_total{cleanup="night"} 3000' in text

    asyncio.run(story())


def test_the_next_daemon_knows_what_was_seen_and_what_is_spent() -> None:
    async def story() -> None:
        one = Keeping()
        one.room.used = [Use("shop", "i", (Mounted("v", made=True),))]
        await one.cleaner.look("default")
        one.put("a")
        await one.cleaner.sweep("night")
        other = Keeping(store=one.store)
        other.room.volumes = ["v", "unseen"]
        other.put("b", "c")
        other.cleaner.restore(await other.store.facts())
        await other.cleaner.sweep("night")
        assert set(other.room.ended) == {"c"}, "one of two was spent by the daemon before"
        other.clock.advance(601)
        other.room.ended.clear()
        await other.cleaner.sweep("night")
        assert other.room.volumes == ["unseen"]
        assert (await other.reasons())[-1] == "orphan_volume"

    asyncio.run(story())


def test_what_is_spent_is_on_record_before_anything_is_removed() -> None:
    async def story() -> None:
        one = Keeping()
        one.put("a")
        taken: list[bool] = []
        remove = one.room.remove

        async def watched(item: Item) -> Freed:
            taken.append(any(fact.kind is FactKind.SPENT for fact in await one.store.facts()))
            return await remove(item)

        one.room.remove = watched  # type: ignore[method-assign]
        await one.cleaner.sweep("night")
        assert taken == [True]

    asyncio.run(story())


def test_nothing_is_removed_while_it_observes_is_paused_or_read_only_or_somebody_else_leads() -> None:
    async def story() -> None:
        observing = Cleanup(name="night", project="shop", cron="0 3 * * *", exited_after=60.0, mode=Mode.OBSERVE)
        for one in (Keeping(observing), Keeping(act=False)):
            one.put("a")
            await one.cleaner.sweep("night")
            assert set(one.room.ended) == {"a"}
            assert await one.reasons() == ["observed"]
            assert (
                "  would go: container shop-a (exited, 1.0 kB): ended 2h46m40s"
                in view(one.board.cleanups["night"]).lines[2][:90]
            )
        one = Keeping()
        one.put("a")
        one.cleaner.paused = Pause(since=0.0, until=20_000.0)
        await one.cleaner.sweep("night")
        one.cleaner.paused, one.keeper.ours = None, lambda: False
        await one.cleaner.sweep("night")
        assert set(one.room.ended) == {"a"}
        assert await one.reasons() == []

    asyncio.run(story())


def test_an_engine_that_is_away_and_one_that_refuses_are_told() -> None:
    async def story() -> None:
        one = Keeping()
        one.put("a", "b")
        one.room.away = True
        await one.cleaner.sweep("night")
        assert view(one.board.cleanups["night"]).trouble == "the engine does not answer"
        one.room.away, one.room.refuses = False, {"a"}
        await one.cleaner.sweep("night")
        shown = view(one.board.cleanups["night"])
        assert (shown.removed, shown.freed_bytes, shown.trouble) == (1, 1000, "")
        assert await one.reasons() == ["failed", "exited"]

    asyncio.run(story())


def test_a_preview_says_what_a_run_would_do_and_does_nothing() -> None:
    async def story() -> None:
        one = Keeping()
        one.put("a", "b", "c")
        told = await preview(NIGHT, one.room, await one.store.facts(), one.clock.now())
        assert [item.id for item in told.goes] == ["a", "b"]
        assert [item.why.value for item in told.stays] == ["cleanup_budget"]
        assert len(one.room.ended) == 3
        assert not await one.store.facts()

    asyncio.run(story())


def test_a_cron_line_becomes_times_of_its_own_zone_and_what_is_due_is_run_once() -> None:
    async def story() -> None:
        ran: asyncio.Queue[str] = asyncio.Queue()
        timetable = Timetable()

        async def work(name: str) -> None:
            await ran.put(name)

        timetable.set({"gone": ("0 3 * * *", "UTC"), "night": ("30 3 * * 0", "Asia/Seoul")}, work)
        timetable.set({"night": ("30 3 * * 0", "Asia/Seoul")}, work)
        timetable.start()
        at = timetable.next("night")
        assert at is not None
        local = datetime.datetime.fromtimestamp(at, datetime.timezone(datetime.timedelta(hours=9)))
        assert (local.hour, local.minute, local.isoweekday()) == (3, 30, 7), "0 is Sunday, as cron has it"
        assert timetable.next("gone") is None
        timetable._scheduler.modify_job("night", next_run_time=datetime.datetime.now(datetime.UTC))
        assert await asyncio.wait_for(ran.get(), 5) == "night"
        assert ran.empty()
        timetable.stop()

    asyncio.run(story())

"""Which commit is live where: told beside the cycle, the newest only, and never in its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from autoscaler.errors import GitHubBusy, GitHubError
from autoscaler.loop.board import Board
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.live import WAITING, LiveReport
from autoscaler.ports import Live, Record, RecordKind
from autoscaler.store.memory import MemoryStore
from tests.support.virtual import LoopClock, run

ONE, TWO = "1" * 40, "2" * 40


class Forge:
    """Takes what it is told, unless `trouble` says why not."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Live, str]] = []
        self.asked = 0
        self.trouble: Exception | None = None
        self.remaining: int | None = None

    async def report(self, commit: str, live: Live, text: str) -> None:
        self.asked += 1
        await asyncio.sleep(1)
        if self.trouble is not None:
            raise self.trouble
        self.told.append((commit, live, text))

    async def pull_of(self, commit: str) -> int | None:
        return 7 if commit == ONE else None


Tell = Callable[..., Awaitable[None]]


@asynccontextmanager
async def reporting(forge: Forge, *, told: bool = True) -> AsyncIterator[tuple[Board, Keeper, list[str], Tell]]:
    """A report over a forge, what its keeper faulted, and a way to put lines on record."""
    clock, board, faults = LoopClock(), Board(), list[str]()
    sinks: list[LiveReport] = []
    keeper = Keeper(MemoryStore(), sinks)
    keeper.fault = faults.append
    keeper.repository = "https://github.com/acme/infra.git"
    live = LiveReport(forge, board, keeper, clock, told=told)
    sinks.append(live)

    async def tell(revision: str, reason: str = "activated", text: str = "policies: 1") -> None:
        line = Record(at=clock.now(), kind=RecordKind.POLICIES, revision=revision, reason=reason, text=text)
        await keeper.record([line])

    task = asyncio.create_task(live.run())
    try:
        yield board, keeper, faults, tell
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_what_becomes_of_a_commit_is_told_and_its_pull_request_learned() -> None:
    async def story() -> None:
        forge = Forge()
        async with reporting(forge) as (board, keeper, faults, tell):
            await tell(ONE)
            await tell(TWO, "rejected", "policies rejected: web.yaml:3:1: \x1b[31mwrong")
            await tell("a folder's digest")
            await tell(ONE, "selected")
            await asyncio.sleep(10)
            assert [(commit, live) for commit, live, _ in forge.told] == [(ONE, Live.ACTIVE), (TWO, Live.REJECTED)]
            assert "\x1b" not in forge.told[1][2]
            assert board.pulls == {ONE: 7}
            assert faults == []
            lines = await keeper.store.history(None, until=float("inf"), limit=10)
            assert {each.repository for each in lines} == {"https://github.com/acme/infra.git"}

    run(story())


def test_a_github_that_is_away_is_a_fault_once_and_the_newest_is_told_at_its_return() -> None:
    async def story() -> None:
        forge = Forge()
        forge.trouble = GitHubError("no answer")
        async with reporting(forge) as (_, _keeper, faults, tell):
            await tell(ONE)
            for number in range(3 * WAITING):
                await tell(f"{number:040x}", "rejected", f"fault {number}")
            await tell(TWO)
            await asyncio.sleep(3600)
            assert faults == ["GitHub is not told which policies are live: no answer"]
            assert forge.asked <= 8
            forge.trouble = None
            await asyncio.sleep(1000)
            assert len(forge.told) <= WAITING
            assert forge.told[-1] == (TWO, Live.ACTIVE, "policies: 1")
            assert faults[1:] == ["GitHub is told again which policies are live"]

    run(story())


def test_a_limit_is_waited_for_and_a_defect_ends_nothing() -> None:
    async def story() -> None:
        forge = Forge()
        forge.trouble = GitHubBusy("limit", retry_after_s=500.0)
        async with reporting(forge) as (_, _keeper, faults, tell):
            await tell(ONE)
            await asyncio.sleep(490)
            assert (forge.asked, faults) == (1, [])
            forge.trouble = KeyError("surprise")
            await asyncio.sleep(30)
            assert faults == ["GitHub is not told which policies are live: a defect of ours: KeyError: 'surprise'"]
            forge.trouble = None
            await asyncio.sleep(100)
            assert len(forge.told) == 1

    run(story())


def test_where_nothing_is_to_be_told_only_the_pull_request_is_learned() -> None:
    async def story() -> None:
        forge = Forge()
        async with reporting(forge, told=False) as (board, _, _faults, tell):
            await tell(ONE)
            await asyncio.sleep(10)
            assert forge.asked == 0
            assert board.pulls == {ONE: 7}

    run(story())


def test_a_commit_that_cannot_be_told_gives_way_to_the_next() -> None:
    async def story() -> None:
        forge = Forge()
        forge.trouble = GitHubError("422 · No commit found", status=422)
        async with reporting(forge) as (_, _keeper, faults, tell):
            await tell(ONE)
            await asyncio.sleep(5)
            await tell(TWO, "rejected")
            await asyncio.sleep(30)
            forge.trouble = None
            await asyncio.sleep(1000)
            assert [commit for commit, *_ in forge.told] == [TWO]
            assert faults[0] == "GitHub is not told which policies are live: 422 · No commit found"

    run(story())


def test_what_was_in_force_before_is_not_told_after_what_is_now() -> None:
    async def story() -> None:
        forge = Forge()
        forge.trouble = GitHubError("no answer")
        async with reporting(forge) as (_, _keeper, _faults, tell):
            await tell(ONE)
            await asyncio.sleep(2)
            await tell(TWO)
            forge.trouble = None
            await asyncio.sleep(100)
            assert [commit for commit, *_ in forge.told] == [TWO]

    run(story())


def test_who_lost_the_lease_tells_nothing_until_it_is_theirs_again() -> None:
    async def story() -> None:
        forge, ours = Forge(), True
        forge.trouble = GitHubError("no answer")
        async with reporting(forge) as (_, keeper, _faults, tell):
            keeper.ours = lambda: ours
            await tell(ONE)
            await asyncio.sleep(2)
            ours, forge.trouble = False, None
            await asyncio.sleep(1000)
            assert forge.told == []
            ours = True
            await asyncio.sleep(10)
            assert [commit for commit, *_ in forge.told] == [ONE]

    run(story())

"""Notifications of a whole daemon on virtual time: what people are told, and that nothing waits for them."""

from __future__ import annotations

import asyncio
import math

from autoscaler.decide.notify import Route
from autoscaler.errors import NotifyError
from autoscaler.loop.board import Board
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.notifier import Notifier
from autoscaler.model.notice import Kind, Message, Status
from autoscaler.model.signal import Missing, MissingWhy
from autoscaler.ports import FactKind
from autoscaler.store.memory import MemoryStore
from tests.support.virtual import LoopClock, run
from tests.unit.loop.house import POLICY, WEB, House

ROUTE = Route(name="oncall", after_s=30.0)
LABELLED = POLICY + "labels: {team: shop}\n"


class Box:
    """A receiver: what it got, how long it takes, and why it takes nothing while `trouble` says so."""

    def __init__(self, *, takes_s: float = 0.0) -> None:
        self.got: list[Message] = []
        self.asked = 0
        self.takes_s = takes_s
        self.trouble: Exception | None = None

    async def send(self, message: Message) -> None:
        self.asked += 1
        await asyncio.sleep(self.takes_s)
        if self.trouble is not None:
            raise self.trouble
        self.got.append(message)

    async def close(self) -> None:
        pass

    def said(self) -> list[tuple[str, str]]:
        return [(each.status.value, each.kind.value) for each in self.got]


def test_short_at_max_and_missing_data_are_told_and_over() -> None:
    async def story() -> None:
        box = Box()
        house = House(LABELLED, receivers=[(ROUTE, box)])
        house.dial.values["load"] = 5000.0
        async with house.running():
            await asyncio.sleep(300)
            assert box.said() == [("problem", "short_at_max")]
            (problem,) = box.got[0].problems
            assert (problem.workload, problem.policy, problem.labels) == (WEB.key, "web", {"team": "shop"})
            assert problem.text == "short at max 10, asks for 50"
            house.dial.values["load"] = Missing(MissingWhy.FAILED, "away")
            await asyncio.sleep(300)
            assert sorted(box.said()[1:]) == [("problem", "data_missing"), ("resolved", "short_at_max")]
            house.dial.values["load"] = 900.0
            await asyncio.sleep(120)
            assert box.said()[3:] == [("resolved", "data_missing")]

    run(story())


def test_rejected_policies_and_a_leader_that_flaps_are_the_daemons_own() -> None:
    async def story() -> None:
        everything, team = Box(), Box()
        routes = [(ROUTE, everything), (Route(name="shop", labels={"team": "shop"}, after_s=0.0), team)]
        house = House(LABELLED, receivers=routes)
        house.dial.values["load"] = 50.0
        async with house.running():
            await asyncio.sleep(31)
            house.texts.write("name: web\n")
            await asyncio.sleep(120)
            assert everything.said() == [("problem", "policies_rejected")]
            assert "the last good one stays: 0.yaml:1:1: " in everything.got[0].problems[0].text
            house.texts.write(LABELLED)
            await asyncio.sleep(120)
            assert everything.said()[1:] == [("resolved", "policies_rejected")]
            for _ in range(3):
                house.lease.left = 0.0
                await asyncio.sleep(10)
                house.lease.left = math.inf
                await asyncio.sleep(40)
            await asyncio.sleep(60)
            assert everything.said()[2:] == [("problem", "leader_flapping")]
            assert "lost 3 times within 10 minutes" in everything.got[2].problems[0].text
            await asyncio.sleep(700)
            assert everything.said()[3:] == [("resolved", "leader_flapping")]
            assert team.said() == []

    run(story())


def test_a_receiver_that_hangs_holds_neither_the_cycle_nor_the_others() -> None:
    async def story() -> None:
        hangs, works = Box(takes_s=math.inf), Box()
        house = House(receivers=[(ROUTE, hangs), (Route(name="second", after_s=30.0), works)])
        house.dial.values["load"] = 5000.0
        async with house.running():
            await asyncio.sleep(600)
            assert works.said() == [("problem", "short_at_max")]
            assert house.board.cycles >= 39
            assert house.board.latenesses.sum == 0.0
            assert hangs.got == []
            assert hangs.asked <= 8, "ever later"
            said = [each.sentence for each in house.board.faults]
            assert said == ["notify.oncall cannot be told: not sent within 30 s"]
            assert house.notifier.counts["oncall", "failed"] >= 3

    run(story())


def test_what_could_not_be_told_is_told_once_it_can_and_a_defect_of_a_messenger_stops_nothing() -> None:
    async def story() -> None:
        box = Box()
        box.trouble = ZeroDivisionError("oops")
        house = House(receivers=[(ROUTE, box)])
        house.dial.values["load"] = 5000.0
        async with house.running():
            await asyncio.sleep(200)
            box.trouble = NotifyError("it answered 503")
            await asyncio.sleep(200)
            box.trouble = None
            await asyncio.sleep(600)
            assert box.said() == [("problem", "short_at_max")]
            said = [each.sentence for each in house.board.faults]
            assert said[0].startswith("notify.oncall cannot be told: a defect of ours: ZeroDivisionError")
            assert said[1:] == ["notify.oncall is told again"]

    run(story())


def test_the_next_daemon_tells_nothing_again_and_says_what_is_over() -> None:
    async def story() -> None:
        box = Box()
        house = House(receivers=[(ROUTE, box)])
        house.dial.values["load"] = 5000.0
        async with house.running():
            await asyncio.sleep(200)
        facts = [each for each in await house.store.facts() if each.kind is FactKind.NOTIFIED]
        assert [each.key for each in facts] == ["oncall"]
        again = House(fleet=house.fleet, store=house.store, receivers=[(ROUTE, box)])
        again.dial.values["load"] = 5000.0
        async with again.running():
            await asyncio.sleep(200)
            assert box.said() == [("problem", "short_at_max")]
            again.dial.values["load"] = 900.0
            await asyncio.sleep(200)
            assert box.said()[1:] == [("resolved", "short_at_max")]

    run(story())


def test_secrets_are_taken_out_before_anything_is_sent() -> None:
    async def story() -> None:
        box = Box()
        clock = LoopClock()
        board = Board(started=clock.now())
        keeper = Keeper(MemoryStore(), [])
        keeper.failing = "http://ann:s3cret@store answered: token=abcdef123456"
        notifier = Notifier([(Route(name="x", after_s=0.0), box)], board, keeper, clock, lambda: True)
        task = asyncio.create_task(notifier.run())
        board.turned(clock.now(), duration_s=0.1, lateness_s=0.0)
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        (message,) = box.got
        assert (message.kind, message.status) == (Kind.STORE_FAILING, Status.PROBLEM)
        assert "s3cret" not in message.problems[0].text
        assert "abcdef" not in message.problems[0].text

    run(story())

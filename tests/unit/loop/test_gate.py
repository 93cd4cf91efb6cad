"""Who calls a platform next, and how many at once."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.decide.lineage import Lineage, Recycling
from autoscaler.loop.act import CALL_S, Actor
from autoscaler.loop.gate import PATIENCE_S, Gate, rank
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.pace import MOST, SHUT_MOST_S, Pace
from autoscaler.loop.registry import PLATFORMS, Targets
from autoscaler.model.operation import Advanced, Held, Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.target import WorkloadRef
from autoscaler.store.memory import MemoryStore
from autoscaler.targets.simulated import Fleet, SimulatedTarget
from tests.support.virtual import START, LoopClock, run
from tests.unit.loop.house import WEB, House, OwnLease

Answer = Callable[[Operation, float], Advanced]


def scale(before: int, count: int, *, name: str = "w", deadline: float = math.inf) -> Operation:
    ref = WorkloadRef("kubernetes", "shop", "Deployment", name)
    return Operation(
        id=name, kind=OperationKind.SCALE, ref=ref, started=START, deadline=deadline, before=before, count=count
    )


def replace() -> Operation:
    return msgspec.structs.replace(scale(0, 0), kind=OperationKind.REPLACE)


WAKE, MORE, SOME, RECYCLE, SHRINK = scale(0, 1), scale(1, 4), scale(10, 12), replace(), scale(9, 1)
URGENT_FIRST = [WAKE, MORE, SOME, RECYCLE, SHRINK]


@given(st.permutations(URGENT_FIRST))
def test_those_of_one_cycle_go_by_urgency_in_whichever_order_they_come(mixed: list[Operation]) -> None:
    assert sorted(mixed, key=lambda each: rank(each, 100.0)) == URGENT_FIRST


@given(st.sampled_from(URGENT_FIRST), st.sampled_from(URGENT_FIRST), st.floats(0, 1e9))
def test_nobody_is_overtaken_by_one_who_comes_a_cycle_later(one: Operation, other: Operation, at: float) -> None:
    assert rank(one, at) < rank(other, at + 4 * PATIENCE_S)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.floats(0, 10), st.floats(0, 1000))))
def test_a_pace_keeps_within_its_bounds_whatever_is_answered(
    story: list[tuple[bool, int, float, float]],
) -> None:
    pace, now = Pace(), 0.0
    for well, late, passed, shut in story:
        now += passed
        before = pace.limit
        if well:
            pace.answered()
            assert before <= pace.limit <= before + 1
        else:
            pace.pushed_back(pace.term - late, now, now + shut)
            assert before // 2 <= pace.limit <= before if late else pace.limit == max(1, before // 2)
            assert pace.room(0, now) == 0 or now + shut == now
        assert 1 <= pace.limit <= MOST
        assert pace.room(0, now + SHUT_MOST_S) == pace.limit  # never shut for good
        assert pace.room(pace.limit, now + SHUT_MOST_S) == 0


def test_a_burst_of_refusals_halves_once_and_each_good_round_adds_one() -> None:
    pace = Pace()
    for term in [pace.term] * MOST:
        pace.pushed_back(term, START)
    assert pace.limit == 10
    for _ in range(11):  # a little more than a round: the limit grows while it goes
        pace.answered()
    assert pace.limit == 11
    for _ in range(1000):
        pace.answered()
    assert pace.limit == MOST


class Platform(SimulatedTarget):
    """A platform that answers as told, each call after a tenth of a second; `calls` tells who left when."""

    def __init__(self, clock: LoopClock, answer: Answer, lasts_s: float = 0.1) -> None:
        super().__init__(Fleet(clock), clock)
        self.calls: list[tuple[str, float]] = []
        self.under_way = self.most = 0
        self._answer = answer
        self._time = clock
        self._lasts_s = lasts_s

    async def advance(self, operation: Operation) -> Advanced:
        self.calls.append((operation.id, self._time.now() - START))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self._time.sleep(self._lasts_s)
        finally:
            self.under_way -= 1
        return self._answer(operation, self._time.now())


def applied(operation: Operation, now: float) -> Outcome:
    return Outcome(operation, OutcomeKind.APPLIED, now, count=operation.count)


class Stage:
    """An actor before a platform."""

    def __init__(self, answer: Answer, lasts_s: float = 0.1) -> None:
        self.clock = LoopClock()
        self.platform = Platform(self.clock, answer, lasts_s)
        self.lease = OwnLease()
        targets = Targets(dict.fromkeys(PLATFORMS, lambda: self.platform))
        self.actor = Actor(targets, Keeper(MemoryStore(), []), self.lease, self.clock)
        self.ended: list[Outcome] = []
        self.actor.ended = self.ended.append

    async def play(self, *batches: Sequence[Operation], within: float = 600.0) -> None:
        """Begin these, a second apart, and wait for all to end."""
        for batch in batches:
            await self.actor.begin(batch)
            await self.clock.sleep(1.0)
        left = self.clock.now() + within
        while any(True for _ in self.actor.underway):
            assert self.clock.now() < left, list(self.actor.underway)
            await self.clock.sleep(1.0)
        await self.actor.close()


def many(count: int, before: int, to: int, word: str, deadline: float = math.inf) -> list[Operation]:
    return [scale(before, to, name=f"{word}{number}", deadline=deadline) for number in range(count)]


def test_a_wake_goes_before_hundreds_of_shrinks_that_came_a_second_earlier() -> None:
    async def story() -> None:
        stage = Stage(applied)
        await stage.play(many(400, 4, 1, "shrink"), [scale(0, 1, name="wake")])
        place = [name for name, _ in stage.platform.calls].index("wake")
        assert 200 <= place <= 240  # those already on their way, and no others
        assert stage.platform.most == MOST

    run(story())


def test_a_shrink_has_its_turn_while_raises_keep_coming() -> None:
    async def story() -> None:
        stage = Stage(applied)
        rounds = [many(200, 1, 2, f"raise{number}-") for number in range(30)]
        await stage.play([*rounds[0], *many(1, 4, 1, "shrink")], *rounds[1:])
        assert dict(stage.platform.calls)["shrink0"] < 4 * PATIENCE_S

    run(story())


def test_a_server_that_sends_calls_away_is_left_alone_as_long_as_it_says_and_all_are_taken_on() -> None:
    seen: dict[str, int] = {}

    def busy(operation: Operation, now: float) -> Advanced:
        seen[operation.id] = seen.get(operation.id, 0) + 1
        if seen[operation.id] > 1:
            return applied(operation, now)
        return msgspec.structs.replace(
            operation, wait_until=now + 7.0, held=Held("too many", busy=True, until=now + 7.0)
        )

    async def story() -> None:
        stage = Stage(busy)
        await stage.play(many(MOST + 1, 1, 2, "w"))
        assert {each.kind for each in stage.ended} == {OutcomeKind.APPLIED}
        assert len(stage.ended) == MOST + 1
        times = [at for _, at in stage.platform.calls]
        assert [at for at in times if 0.05 < at < 7.05] == []
        at_once = sum(at < 7.15 for at in times if at > 7.05)
        assert at_once == MOST // 2  # half as many, once it is asked again

    run(story())


def test_a_clock_that_is_set_back_keeps_nobody_out() -> None:
    def busy_once(operation: Operation, now: float) -> Advanced:
        if operation.id == "early0":
            held = Held("too many", busy=True, until=now + 1.0)
            return Outcome(msgspec.structs.replace(operation, held=held), OutcomeKind.DEFERRED, now, held.why)
        return applied(operation, now)

    async def story() -> None:
        stage = Stage(busy_once)
        await stage.actor.begin(many(1, 1, 2, "early"))
        await stage.clock.sleep(60.0)
        stage.clock.step = -3600.0
        began = stage.clock.monotonic()
        await stage.actor.begin(many(1, 1, 2, "late"))
        while len(stage.ended) < 2:
            assert stage.clock.monotonic() - began < 5.0
            await stage.clock.sleep(1.0)
        await stage.actor.close()

    run(story())


def test_a_time_out_of_an_adapters_own_is_a_defect_and_ends_its_operation() -> None:
    def silent(operation: Operation, now: float) -> Advanced:
        raise TimeoutError("nobody answered")

    async def story() -> None:
        stage = Stage(silent)
        await stage.play(many(1, 1, 2, "w"))
        (outcome,) = stage.ended
        assert (outcome.kind, len(stage.platform.calls)) == (OutcomeKind.FAILED, 1)
        assert "TimeoutError" in outcome.detail

    run(story())


def test_a_count_whose_time_is_up_before_its_turn_is_deferred_without_a_call() -> None:
    def shut(operation: Operation, now: float) -> Advanced:
        held = Held("too many", busy=True, until=now + 120.0)
        return Outcome(msgspec.structs.replace(operation, held=held), OutcomeKind.DEFERRED, now, held.why)

    async def story() -> None:
        stage = Stage(shut)
        await stage.play(many(MOST + 5, 1, 2, "w", deadline=START + 60.0))
        assert len(stage.platform.calls) == MOST
        assert {each.kind for each in stage.ended} == {OutcomeKind.DEFERRED}
        assert stage.ended[-1].at == pytest.approx(START + 120.1)
        assert stage.ended[-1].operation.held is stage.ended[0].operation.held is None

    run(story())


def test_a_call_still_out_when_the_lease_ends_is_called_off_and_made_again() -> None:
    async def story() -> None:
        stage = Stage(applied, lasts_s=CALL_S + 4.0)
        stage.lease.left = CALL_S + 1.0
        task = asyncio.create_task(stage.play([scale(1, 2)]))
        await stage.clock.sleep(CALL_S + 0.9)
        assert stage.platform.under_way == 1
        stage.lease.left = 0.0
        await stage.clock.sleep(0.2)
        assert stage.platform.under_way == 0
        await stage.clock.sleep(60.0)
        assert len(stage.platform.calls) == 1
        stage.lease.left = math.inf
        await task
        assert [each.kind for each in stage.ended] == [OutcomeKind.APPLIED]
        assert len(stage.platform.calls) == 2

    run(story())


def test_one_who_gives_up_waiting_takes_nobodys_turn() -> None:
    async def story() -> None:
        clock = LoopClock()
        gate = Gate(clock)
        inside: list[int] = []

        async def visit(number: int, stay: float) -> None:
            async with gate.turn((float(number), 0.0)):
                inside.append(number)
                await clock.sleep(stay)

        tasks = [asyncio.create_task(visit(number, 1.0)) for number in range(MOST + 3)]
        await clock.sleep(0.5)
        tasks[MOST].cancel()  # in the queue
        tasks[0].cancel()  # inside
        await asyncio.gather(*tasks, return_exceptions=True)
        assert inside == [*range(MOST), MOST + 1, MOST + 2]
        again = [asyncio.create_task(visit(number, 1.0)) for number in range(MOST + 1)]
        await clock.sleep(0.5)
        assert len(inside) == MOST + 2 + MOST  # every place is free again, and none is there twice
        await asyncio.gather(*again)

    run(story())


@pytest.mark.parametrize(("end", "counts"), [(OutcomeKind.FAILED, True), (OutcomeKind.DEFERRED, False)])
def test_a_replacement_that_the_platform_had_no_time_for_was_not_tried(end: OutcomeKind, counts: bool) -> None:
    async def story() -> None:
        house = House()
        house.dial.values["load"] = 100.0
        async with house.running():
            await house.clock.sleep(16.0)
            memory, tried = house.cycle.memories[WEB.key], Recycling(lineages={"w": Lineage(1, house.clock.now())})
            house.cycle.memories[WEB.key] = msgspec.structs.replace(memory, recycling=tried)
            order = msgspec.structs.replace(replace(), ref=WEB, lineage="w")
            house.actor.ended(Outcome(order, end, house.clock.now()))
            assert ("w" in house.cycle.memories[WEB.key].recycling.lineages) is counts
            assert (house.board.entries[WEB.key].stuck is not None) is counts

    run(story())

"""A replay is the daemon's own step, cycle by cycle."""

from __future__ import annotations

import math

import msgspec

from autoscaler.backtest.replay import acting, replay
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import prepare
from autoscaler.decide.step import applied, step
from autoscaler.model.decision import Reason
from autoscaler.model.observation import Seen
from autoscaler.model.policy import Mode, Policy, ZeroIf
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import TargetState
from tests.support import nouns

HOLE = Missing(MissingWhy.EMPTY)


class Instant:
    """A service whose instances are ready as soon as they are ordered."""

    def __init__(self, count: int) -> None:
        self.existing = self.ready = count
        self.heard: list[tuple[float, int]] = []
        self.passed: list[float] = []

    def advance(self, now: float) -> None:
        self.passed.append(now)

    def order(self, count: int, now: float) -> None:
        self.existing = self.ready = count
        self.heard.append((now, count))


def wave(now: float) -> tuple[Reading, ...]:
    """Requests that come and go in ten minutes, with a hole now and then."""
    if now % 420 < 30:
        return (HOLE,)
    return (Series((Point(500 + 400 * math.sin(now / 95)),)),)


def steady(now: float) -> tuple[Reading, ...]:
    return (Series((Point(400.0),)),)


def hole(now: float) -> tuple[Reading, ...]:
    return (HOLE,)


def test_a_replay_decides_what_stepping_by_hand_decides() -> None:
    plan = prepare(nouns.ref(), nouns.policy(at_most=12))
    service = Instant(2)
    run = replay(plan, wave, service, start=1000.0, cycles=200)

    memories: dict[str, Memory] = {}
    count, wishes = 2, []
    for beat in range(200):
        now = 1000.0 + 15 * beat
        state = TargetState(ref=plan.ref, desired=count, existing=count, ready=count, at=now)
        stepped = step([plan], [Seen(state, wave(now))], memories, now)
        (decision,) = stepped.decisions
        memories = stepped.memories
        if decision.desired != count:
            memories[plan.ref.key] = applied(
                plan, memories[plan.ref.key], before=count, count=decision.desired, now=now,
                reason=decision.reason.value,
            )  # fmt: skip
        count = decision.desired
        wishes.append((now, count, decision.reason))
    assert list(zip(run.times, run.desired, run.reasons, strict=True)) == wishes
    assert len(set(run.desired)) > 4, "it grew and shrank"
    assert {Reason.DOUBT, Reason.STABILIZED_DOWN} & set(run.reasons)


def test_columns_tell_what_was_decided_from_and_what_was_ordered() -> None:
    service = Instant(2)
    run = replay(prepare(nouns.ref(), nouns.policy()), steady, service, start=0, cycles=3)
    assert list(run.times) == [0.0, 15.0, 30.0]
    assert (list(run.existing), list(run.ready), list(run.desired)) == ([2, 4, 4], [2, 4, 4], [4, 4, 4])
    assert list(run.load) == [400.0] * 3
    assert service.heard == [(0, 4)]
    assert service.passed == [0, 15, 30], "time passes before anything is read"


def test_changes_are_the_decisions_that_changed_the_count_or_the_reason() -> None:
    run = replay(prepare(nouns.ref(), nouns.policy()), steady, Instant(2), start=0.0, cycles=50)
    assert [(each.at, each.desired) for each in run.changes] == [(0.0, 4), (15.0, 4)]


def test_a_missing_reading_is_no_load_and_holds_the_count() -> None:
    run = replay(prepare(nouns.ref(), nouns.policy()), hole, Instant(3), start=0.0, cycles=40)
    assert set(run.desired) == {3}
    assert all(map(math.isnan, run.load))


def test_a_policy_that_only_observes_acts_in_a_replay() -> None:
    watching = msgspec.structs.replace(nouns.policy(), mode=Mode.OBSERVE)
    run = replay(acting(nouns.ref(), watching), steady, Instant(2), start=0.0, cycles=2)
    assert list(run.desired) == [4, 4]
    assert all(each.act for each in run.changes)


def test_a_policy_with_an_interval_of_its_own_is_decided_that_often() -> None:
    slow = msgspec.structs.replace(nouns.policy(), every=60.0)
    run = replay(prepare(nouns.ref(), slow), wave, Instant(2), start=0.0, cycles=9)
    assert list(run.times) == [0.0, 60.0, 120.0]


def test_vouchers_say_that_an_empty_answer_is_zero() -> None:
    def empty_is_zero(policy: Policy) -> Policy:
        (signal,) = policy.signals
        told = msgspec.structs.replace(signal, empty=ZeroIf(zero_if="up"))
        return msgspec.structs.replace(policy, signals=(told,))

    plan = prepare(nouns.ref(), empty_is_zero(nouns.policy()))
    vouched = replay(
        plan,
        hole,
        Instant(3),
        start=0.0,
        cycles=60,
        vouch=lambda now: {"requests": Series((Point(1.0),))},
    )
    held = replay(plan, hole, Instant(3), start=0.0, cycles=60, vouch=lambda now: {})
    assert (vouched.desired[-1], held.desired[-1]) == (1, 3)


def test_progress_is_told_now_and_then() -> None:
    heard: list[tuple[int, int]] = []
    plan = prepare(nouns.ref(), nouns.policy())
    replay(plan, wave, Instant(2), start=0.0, cycles=5000, progress=lambda done, of: heard.append((done, of)))
    assert len(heard) == 1
    assert heard[0][1] == 5000

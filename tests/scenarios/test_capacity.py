"""A capacity that is found out: what the product does until it is known, with a wrong one, and for an objective."""

from __future__ import annotations

import asyncio
import math

import msgspec

from autoscaler.backtest.notation import MISSING, reading
from autoscaler.decide.adaptive.carried import wait
from autoscaler.decide.adaptive.series import TRUSTED_BINS
from autoscaler.decide.explain import sentence
from autoscaler.loop.board import Board
from autoscaler.model.decision import Reason
from autoscaler.model.policy import Capacity, Objective, Policy, Signal
from autoscaler.web import metrics
from tests.scenarios.story import Story, load, policy
from tests.scenarios.test_adaptive import CAPACITY, adaptive, goes_on, learned, level, rates
from tests.support.nouns import policy_set, state

SERVED = Signal(name="served", prometheus="served")
CPU = Signal(name="cpu", prometheus="cpu")
LATENCY = Signal(name="latency", prometheus="latency")
GOOD = Signal(name="good", prometheus="good")
SHARE = Objective(good="good", total="load", target=0.999)


def watched() -> Policy:
    return adaptive(rates(served="served"), SERVED)


def learning(*beside: Signal, **keys: object) -> Policy:
    return adaptive(load(per_replica=70.0, capacity=Capacity.LEARN, **keys), *beside)


def waiting(**keys: object) -> Policy:
    aim = Objective(latency=0.3, service_time=0.1)
    asked = load(per_replica=70.0, capacity=Capacity.LEARN, latency="latency")
    return adaptive(asked, LATENCY, objective=aim, **keys)


def said(story: Story, reason: Reason) -> str:
    return sentence(next(step for step in story.last.steps if step.reason is reason))


def scraped(story: Story) -> dict[str, float]:
    """What `/metrics` tells of a signal after the last decision."""
    board = Board(started=0.0, cycle_s=15.0)
    board.activated(policy_set(story.plan.workload), [story.plan.workload])
    board.show(story.last, state(), ())
    lines = asyncio.run(metrics.text(board, leading=True, store_failing=False)).decode().splitlines()
    told = [line.rpartition(" ") for line in lines if line.startswith("autoscaler_signal_") and 'signal="load"' in line]
    return {name.partition("{")[0].removeprefix("autoscaler_signal_"): float(value) for name, _, value in told}


def overloaded(story: Story, cycles: int, *, carries: float) -> None:
    """Load 1000, of which each ready instance serves no more than it can."""
    for _ in range(cycles):
        story.cycle(reading("1000"), reading(str(min(1000.0, carries * story.ready))))


def test_with_a_capacity_that_is_too_high_the_count_grows_until_all_is_served() -> None:
    story = learned(watched())
    overloaded(story, 80, carries=60.0)
    assert story.ready * 60 >= 1000
    assert said(story, Reason.CAPACITY_LOWERED).startswith("load: all were busy when each served ")
    assert scraped(story)["capacity"] == story.fact(Reason.CAPACITY_LOWERED, "capacity") < CAPACITY
    naive = learned(adaptive(rates(), SERVED))
    overloaded(naive, 80, carries=60.0)
    assert naive.ready * 60 < 1000


def test_with_a_right_capacity_nothing_is_different() -> None:
    plain, other = learned(), learned(watched())
    plain.asks(adaptive(rates(), SERVED))
    counts = []
    for story in (plain, other):
        beats = range(TRUSTED_BINS + 40, TRUSTED_BINS + 240)
        counts.append([story.cycle(reading(str(level(beat))), reading(str(level(beat)))).desired for beat in beats])
    assert counts[0] == counts[1]
    assert not other.said(Reason.CAPACITY_LOWERED)


def test_a_signal_that_only_tells_something_puts_nothing_in_doubt_when_it_is_missing() -> None:
    story = learned(watched())
    for beat in range(200):
        story.cycle(reading(str(level(beat) / 2)), MISSING["none"])
    assert story.count < 12
    assert not story.said(Reason.SIGNAL_MISSING)
    assert not story.said(Reason.DOUBT)


def test_until_its_capacity_is_learned_the_plain_rule_decides_and_says_why() -> None:
    story = learned(learning(CPU, busy="cpu"))
    story.cycle(reading("1050"), reading("0.7"))
    assert said(story, Reason.CAPACITY_LEARNING) == (
        "load: the plain rule decides until its capacity is learned (not enough was seen yet)"
    )
    assert story.memory.sized is False


def test_once_it_is_learned_from_cpu_it_is_sized_by_it() -> None:
    story = learned(learning(CPU, busy="cpu"))
    for beat in range(400):
        come = 1000 + 150 * math.sin(beat / 40)
        story.cycle(reading(f"{come:.1f}"), reading(f"{come / story.ready / 100:.4f}"))
    assert story.memory.sized
    words = said(story, Reason.CAPACITY_LEARNED)
    assert words.startswith("load: one carries 9"), words
    assert "known to" in words
    assert story.count < 17, "the plain rule would have 70 for each"


def by_waits(story: Story, cycles: int, *, slow: float = 1.0) -> None:
    """Each ready instance carries 100 at most; a request takes 100 ms where it need not wait, or `slow` times that."""
    for beat in range(cycles):
        come = 330 + 60 * math.sin(beat / 60)
        used = min(come / story.ready / 100, 0.99)
        took = slow * 0.1 * (1 + wait(story.ready * 10, used))
        story.cycle(reading(f"{come:.1f}"), reading(f"{took:.5f}"))


def test_once_it_is_learned_from_latency_it_is_sized_by_it() -> None:
    story = learned(waiting(high=4), count=4)
    by_waits(story, 400)
    assert story.memory.sized
    words = said(story, Reason.CAPACITY_LEARNED)
    assert words.startswith("load: one carries 9"), words
    assert "learned from how long requests take: known to" in words


def test_with_a_database_that_is_slow_from_the_beginning_the_plain_rule_goes_on_deciding() -> None:
    story = learned(waiting())
    by_waits(story, 600, slow=3.0)
    assert not story.memory.sized
    assert story.count <= 7, "330 + 60 of load at 70 for each"
    assert said(story, Reason.CAPACITY_LEARNING).startswith(
        "load: the plain rule decides until its capacity is learned"
    )


def test_what_an_objective_costs_is_told_and_more_bad_requests_make_more_room() -> None:
    story = learned(adaptive(rates(), GOOD, objective=SHARE))
    before = goes_on(learned(), 60)[-1]
    for beat in range(60):
        come = level(TRUSTED_BINS + 40 + beat)
        story.cycle(reading(str(come)), reading(str(0.2 * come)))
    assert story.count > before
    words = said(story, Reason.OBJECTIVE_COSTS)
    assert "are wanted: that takes" in words
    assert "99.9" in words
    told = scraped(story)
    assert told["objective_replicas"] > told["capacity_replicas"] > 0
    assert told["good_ratio"] == 0.2
    assert told["objective_unmet"] == 0


def test_an_objective_that_more_replicas_do_not_meet_is_told_as_such() -> None:
    story = learned(adaptive(rates(), GOOD, objective=SHARE))
    for beat in range(120):
        come = level(beat)
        story.cycle(reading(str(come)), reading("0"))
    assert "twice the room did not help" in said(story, Reason.OBJECTIVE_UNMET)
    assert scraped(story)["objective_unmet"] == 1
    assert story.count <= 31, "at most about twice"
    narrow = learned(adaptive(rates(), GOOD, objective=SHARE, high=12))
    for beat in range(60):
        narrow.cycle(reading(str(level(beat))), reading("0"))
    assert "replicas.max allows no more" in said(narrow, Reason.OBJECTIVE_UNMET)


def test_what_was_found_out_lasts_over_a_restart_and_ends_with_another_number() -> None:
    story = learned(watched())
    overloaded(story, 40, carries=60.0)
    found = story.memory.carries["load"]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=type(found)) == found
    story.asks(adaptive(load(per_replica=70.0, capacity=80.0, served="served"), SERVED))
    overloaded(story, 1, carries=60.0)
    assert story.memory.carries["load"].top is None


def test_a_policy_that_is_not_adaptive_any_more_forgets_it() -> None:
    story = learned(watched())
    overloaded(story, 40, carries=60.0)
    story.asks(policy(rates(served="served"), SERVED, high=50))
    story.run("1000", "1000")
    assert story.memory.carries == {}

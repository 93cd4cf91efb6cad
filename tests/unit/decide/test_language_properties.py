"""What holds for every policy and every history, whatever is read and whoever else is at work."""

from __future__ import annotations

import itertools
import json
import os
import random

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from autoscaler.decide.brake import Fleet
from autoscaler.decide.explain import explain, why
from autoscaler.decide.hpa import History, Legacy, milli
from autoscaler.decide.hpa.passes import Look, Settings, Spec, Status, conclude, evaluate
from autoscaler.decide.hpa.pods import Pod
from autoscaler.decide.hpa.several import Goal, Kind, Metric
from autoscaler.decide.hpa.several import Reading as Answer
from autoscaler.decide.memory import Memory
from autoscaler.model.decision import Decision, Reason
from autoscaler.model.policy import Behavior, Combine, Direction, Empty, Idle, Mode, Parity, Policy, Rate, Reversals
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import WorkloadRef
from tests.scenarios import histories
from tests.scenarios.histories import Beat, bounds, doubtful, play, policies, told, turn
from tests.scenarios.story import Town, front, load, policy

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
EXAMPLES = int(os.environ.get("EXAMPLES", "60"))  # more by hand
PHASES = [phase for phase in Phase if phase is not Phase.shrink or "HASTY" not in os.environ]
CALM = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=SLOW, phases=PHASES)
FEW = settings(CALM, max_examples=max(EXAMPLES // 4, 1))
OWNERS = (Reason.PAUSED, Reason.OVERRIDE)
CEILINGS = (Reason.ABOVE_MAXIMUM, Reason.WINDOW_CEILING)


@CALM
@given(policies(strict=True), st.integers(0, 16), st.booleans(), st.data())
def test_no_order_leaves_the_bounds_in_force(asked: Policy, count: int, kubernetes: bool, data: st.DataObject) -> None:
    story = told(asked, count, kubernetes=kubernetes)

    def check(beat: Beat) -> None:
        made = story.last
        if not made.changes or made.reason is Reason.OVERRIDE:
            return
        low, high = bounds(asked, made.at)
        if made.reason is Reason.IDLE:
            assert asked.idle is not None
            low = asked.idle.replicas
        assert made.desired >= low
        assert made.desired <= high or (made.reason in CEILINGS and made.desired < made.current)

    for beat in data.draw(histories.histories(asked)):
        play(story, beat, check)


@CALM
@given(policies(strict=True), st.integers(0, 16), st.data())
def test_doubt_never_shrinks_whatever_the_policy(asked: Policy, count: int, data: st.DataObject) -> None:
    story = told(asked, count)

    def check(beat: Beat) -> None:
        made = story.last
        if beat.happens != "wake" and doubtful(story, beat) and made.reason not in (*OWNERS, *CEILINGS):
            assert made.desired >= made.current

    for beat in data.draw(histories.histories(asked)):
        play(story, beat, check)


@CALM
@given(policies(strict=True), st.integers(0, 16), st.data())
def test_nothing_changes_and_nothing_is_refused_without_a_reason(
    asked: Policy, count: int, data: st.DataObject
) -> None:
    """The steps are a chain, the reason is the last of it, and its words have all their facts."""
    story = told(asked, count)

    def check(beat: Beat) -> None:
        made = story.last
        assert any(step.reason is made.reason for step in made.steps), made
        text = "\n".join([*explain(made), why(made)])
        assert "unknown" not in text, text
        assert "{" not in text, text
        on_its_way = [step for step in made.steps if step.stage.value not in ("signal", "recycle", "combine")]
        moves = [step for step in on_its_way if step.before != step.after and step.reason is not Reason.FOREIGN_COUNT]
        moves = [step for step in moves if step.reason is not Reason.OBSERVED]
        assert not moves or moves[-1].after == made.desired, made.steps
        for before, after in itertools.pairwise(moves):
            assert before.after == after.before, made.steps
        if made.desired < made.current:
            refused = {step.reason for step in made.steps if step.after >= made.current and step.stage.value == "guard"}
            assert not refused & {Reason.DOUBT, Reason.SETTLING, Reason.NONE_READY, Reason.FLAPPING}

    for beat in data.draw(histories.histories(asked)):
        play(story, beat, check)


@CALM
@given(policies(strict=True), st.integers(0, 16), st.data())
def test_after_a_clean_stop_at_any_cycle_everything_is_decided_alike(
    asked: Policy, count: int, data: st.DataObject
) -> None:
    one, other = told(asked, count), told(asked, count)
    beats = data.draw(histories.histories(asked))
    stops = data.draw(st.sets(st.integers(0, len(beats) - 1)))
    for index, beat in enumerate(beats):
        if index in stops:
            other.restarts()
            other.fleet = msgspec.json.decode(msgspec.json.encode(other.fleet), type=Fleet)
        play(one, beat)
        play(other, beat)
        assert one.decisions == other.decisions
    assert one.memories == other.memories


@CALM
@given(policies(observe=False), st.integers(1, 16), st.integers(0, 4), st.data())
def test_after_a_kill_nothing_is_lower_while_it_is_reseeded(
    asked: Policy, count: int, lost: int, data: st.DataObject
) -> None:
    """The snapshot is up to four cycles old; what was forgotten may hold replicas up, never let them go.

    Only the owner's ceiling may lower it meanwhile; from there on nothing but the ceiling goes lower still.
    """
    one, other = told(asked, count), told(asked, count)
    for beat in data.draw(histories.histories(asked)):
        play(one, beat)
        play(other, beat)
    other.is_killed(lost)
    first, hold = one.count, max(other.plan.behavior.down.stabilization_s, 60.0)
    since, left = other.now, first
    for beat in data.draw(histories.histories(asked, longest=8)):
        beat = msgspec.structs.replace(beat, happens="")
        for _ in range(beat.times):
            turn(one, beat)
            turn(other, beat)
            if other.last.at - since >= hold:
                return
            if other.last.reason in CEILINGS:
                left = min(left, other.last.desired)
            assert other.last.desired >= min(left, one.last.desired), (one.last.steps, other.last.steps)


# budgets


@st.composite
def loads(draw: st.DrawFn, longest: int = 60) -> list[float]:
    found: list[float] = []
    for value in draw(st.lists(st.sampled_from([0.0, 150.0, 400.0, 900.0, 2000.0]), min_size=1, max_size=longest)):
        found += [value] * draw(st.sampled_from([1, 2, 7]))
    return found


@CALM
@given(st.integers(1, 3), st.sampled_from([15.0, 45.0, 120.0]), loads(), st.booleans())
def test_no_change_goes_further_than_the_rates_from_the_start_of_their_period(
    most: int, per: float, read: list[float], wakes: bool
) -> None:
    rate = (Rate(replicas=most, per=per),)
    asked = policy(high=20, behavior=Behavior(up=Direction(rates=rate), down=Direction(stabilization=0.0, rates=rate)))
    story = told(asked, 5)
    counts: list[tuple[float, int]] = [(0.0, 5)]
    for value in read:
        for wake in (False, True) if wakes else (False,):
            made = story.cycle(Series((Point(value),)), wake=wake)
            start = next(count for at, count in reversed(counts) if at <= made.at - per)
            if made.changes:  # against the count at the period's start, in the direction it goes
                assert (made.desired - start) * (1 if made.desired > made.current else -1) <= most
            counts.append((made.at, story.count))


@CALM
@given(st.integers(1, 4), st.sampled_from([120.0, 600.0]), loads())
def test_reversals_hold(most: int, per: float, read: list[float]) -> None:
    behavior = Behavior(down=Direction(stabilization=0.0), reversals=Reversals(count=most, per=per))
    story = told(policy(high=20, behavior=behavior), 5)
    turns: list[float] = []
    heading = 0
    for value in read:
        made = story.cycle(Series((Point(value),)))
        if made.changes:
            sign = 1 if made.desired > made.current else -1
            if heading == -sign:
                if sign < 0:
                    assert sum(made.at - at < per for at in turns) < most
                turns.append(made.at)
            heading = sign


@FEW
@given(st.integers(1, 60), st.lists(st.tuples(st.integers(0, 60), st.sampled_from([1, 5, 30])), max_size=12))
def test_the_brake_holds_in_any_ten_minutes(size: int, low: list[tuple[int, int]]) -> None:
    asked = policy(load(empty=Empty.ZERO), behavior=Behavior(down=Direction(stabilization=0.0)))
    town = Town.of(size, asked, count=4)
    town.run("400x8")
    shrunk: list[tuple[float, str]] = []
    for number, times in low:
        for _ in range(times):
            words = [(Series((Point(100.0 if n < number else 400.0),)),) for n in range(size)]
            at = town.now
            shrunk += [(at, made.ref.key) for made in town.cycle_each(words) if made.desired < made.current]
    allowed = max(5, int(0.3 * size))
    for at, _ in shrunk:
        assert len({key for then, key in shrunk if 0 <= at - then < 600.0}) <= allowed


@FEW
@given(policies(strict=True), st.integers(1, 7), st.integers(0, 2**32))
def test_a_fleet_is_decided_alike_in_any_slices(asked: Policy, slice_of: int, seed: int) -> None:
    dice = random.Random(seed)
    whole, sliced = Town.of(12, asked, count=3), Town.of(12, asked, count=3, slice_of=slice_of)
    for _ in range(30):
        reads = [tuple(_any(dice) for _ in asked.signals) for _ in range(12)]
        assert whole.cycle_each(reads) == sliced.cycle_each(reads)
    assert (whole.memories, whole.fleet) == (sliced.memories, sliced.fleet)


def _any(dice: random.Random) -> Reading:
    if dice.random() < 0.1:
        return Missing(dice.choice(list(MissingWhy)), "by chance")
    return Series((Point(dice.choice([0.0, 50.0, 300.0, 900.0])),))


# strict parity


@CALM
@given(
    st.sampled_from(["per_replica", "value"]),
    histories.behaviors.filter(lambda each: getattr(each, "reversals", None) is None),
    st.integers(1, 5),
    st.integers(0, 12),
    st.integers(1, 25),
    st.lists(
        st.tuples(st.none() | st.floats(0, 5000), st.sampled_from([1, 1, 3, 30])),
        min_size=1,
        max_size=30,
    ),
)
def test_strict_parity_is_the_hpa_itself(
    goal: str,
    behavior: Behavior | Legacy,
    low: int,
    span: int,
    count: int,
    history: list[tuple[float | None, int]],
) -> None:
    """A strict story of one signal, beside the HPA's own pass over the same loads."""
    asked = policy(load(**{goal: 100.0}), low=low, high=low + span, behavior=behavior, parity=Parity.STRICT)
    story = told(asked, count)
    story.cycle_s = 15.0
    kinds = {"per_replica": Goal.AVERAGE_VALUE, "value": Goal.VALUE}
    spec = Spec(low, low + span, story.plan.behavior, (Metric(Kind.EXTERNAL, kinds[goal], 100_000),))
    status, past, theirs = Status(), History(), count
    for value, times in history:
        for _ in range(times):
            answer = Answer() if value is None else Answer(values=(milli(value),))
            look = Look((theirs, theirs), tuple(Pod(name=f"p{n}") for n in range(theirs)), (answer,))
            made = evaluate(spec, look, status, past, Settings(), story.now)
            desired = theirs if made.desired is None else made.desired
            made = conclude(made, spec, Settings(), story.now, accepted=True)
            status, past = made.status, made.history
            story.ready = story.count
            ours = story.cycle(Missing(MissingWhy.FAILED) if value is None else Series((Point(value),)))
            note(f"{value}: theirs {theirs} -> {desired}, ours {ours.current} -> {ours.desired} {ours.reason}")
            assert (ours.current, ours.desired) == (theirs, desired)
            theirs = desired


# memory


def test_memory_stays_small_over_a_hundred_thousand_cycles_of_anything() -> None:
    """Random loads, other hands and words; its encoded size is looked at all the way."""
    asked = policy(
        load(failed=histories.Fallback(last_good=600.0)),
        load("b", value=300.0),
        front(),
        low=2,
        high=30,
        idle=Idle(after=120.0),
        combine=Combine.MAX,
        behavior=Behavior(down=Direction(stabilization=60.0), reversals=Reversals(count=50, per=3600.0)),
    )
    dice = random.Random(7)
    story = told(asked, 5)
    story.kept = 0
    largest = 0
    for cycle in range(100_000):
        chance = dice.random()
        if chance < 0.02:
            story.somebody_sets(dice.randrange(0, 20))
        elif chance < 0.022:
            story.overrides(dice.randrange(0, 20), for_s=60.0)
        elif chance < 0.024:
            story.says(resumed=story.now)
        reads = tuple(_any(dice) for _ in range(3))
        story.cycle(*reads)
        story.decisions.clear()
        if cycle % 500 == 0:
            largest = max(largest, len(msgspec.json.encode(story.memory)))
    assert largest < 6_000, largest
    memory = story.memory
    assert len(memory.turns) <= 50
    assert len(memory.conflicts) <= 20
    assert len(memory.good) <= 2
    assert len(memory.history.recommendations or ()) < 30


def test_the_fleets_memory_stays_small() -> None:
    asked = policy(load(empty=Empty.ZERO), behavior=Behavior(down=Direction(stabilization=0.0)))
    town, dice = Town.of(60, asked, count=4), random.Random(3)
    for _ in range(300):
        town.cycle_each([(_any(dice),) for _ in range(60)])
        assert len(town.fleet.shrunk) <= 18


def test_memory_is_plain_data() -> None:
    story = told(policy(), 3)
    story.run("300x3")
    assert msgspec.json.decode(msgspec.json.encode(story.memory), type=Memory) == story.memory
    assert json.loads(msgspec.json.encode(story.memory))["known"] == 3


@pytest.mark.parametrize("mode", list(Mode))
def test_a_decision_names_its_policy_and_workload(mode: Mode) -> None:
    story = told(policy(mode=mode), 3)
    story.run("300x1")
    made: Decision = story.last
    assert (made.policy, made.ref) == ("web", WorkloadRef("compose", "shop", "service", "web"))
    assert made.act is (mode is Mode.ACT)

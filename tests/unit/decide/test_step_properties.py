"""What holds for every history: bounds, doubt, restarts. Each example is a whole story on virtual time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.model.policy import Behavior, Direction, Rate, Signal
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from tests.scenarios.story import Story, policy

loads = st.floats(0, 5000).map(lambda v: Series((Point(v),)))
missing = st.sampled_from(list(MissingWhy)).map(lambda why: Missing(why))
reading = st.one_of(loads, loads, missing)
direction = st.builds(
    Direction,
    stabilization=st.none() | st.sampled_from([0.0, 30.0, 300.0]),
    rates=st.none() | st.just((Rate(replicas=2, per=30.0),)) | st.just((Rate(percent=50, per=60.0),)),
)
behavior = st.builds(Behavior, up=direction, down=direction)


def told(low: int, span: int, count: int, asked: Behavior, signals: int = 1) -> Story:
    named = tuple(Signal(name=f"s{i}", prometheus="q", per_replica=100.0) for i in range(signals))
    return Story(policy(*named, low=low, high=low + span, behavior=asked), count=count)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 5), st.integers(0, 20), st.lists(reading, min_size=1, max_size=60), behavior)
def test_inside_the_bounds_always_stays_inside(low: int, span: int, read: list[Reading], asked: Behavior) -> None:
    story = told(low, span, low, asked)
    for each in read:
        assert low <= story.cycle(each).desired <= low + span


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 20), st.lists(st.tuples(reading, reading), min_size=1, max_size=60), behavior)
def test_doubt_never_shrinks(count: int, read: list[tuple[Reading, Reading]], asked: Behavior) -> None:
    story = told(1, 30, count, asked, signals=2)
    for pair in read:
        decision = story.cycle(*pair)
        if any(isinstance(each, Missing) for each in pair):
            assert decision.desired >= decision.current


@settings(max_examples=100, deadline=None)
@given(st.lists(reading, min_size=2, max_size=60), behavior, st.data())
def test_a_clean_restart_changes_nothing(read: list[Reading], asked: Behavior, data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(read) - 1))
    one, other = told(1, 20, 3, asked), told(1, 20, 3, asked)
    for index, each in enumerate(read):
        if index == at:
            other.restarts()
        assert one.cycle(each).desired == other.cycle(each).desired


@settings(max_examples=100, deadline=None)
@given(st.lists(loads, min_size=30, max_size=60), behavior, st.integers(20, 29))
def test_after_a_kill_never_lower_while_it_is_reseeded(read: list[Reading], asked: Behavior, at: int) -> None:
    """The snapshot is up to four cycles old; what it forgot may hold replicas up, never let them go."""
    from autoscaler.decide.memory import after_kill

    one, other = told(1, 20, 3, asked), told(1, 20, 3, asked)
    old = other.memories
    for index, each in enumerate(read):
        if index == at - 4:
            old = other.memories
        if index == at:
            other.memories = {key: after_kill(memory) for key, memory in old.items()}
            other.count, other.ready = one.count, one.ready
            first = one.count
        one.cycle(each)
        desired = other.cycle(each).desired
        if at <= index < at + 2:
            assert desired >= min(first, one.last.desired)


@settings(max_examples=100, deadline=None)
@given(st.lists(reading, min_size=1, max_size=40), behavior)
def test_no_change_and_no_refusal_without_a_reason(read: list[Reading], asked: Behavior) -> None:
    story = told(1, 20, 3, asked)
    for each in read:
        decision = story.cycle(each)
        assert any(step.reason is decision.reason for step in decision.steps)
        count = decision.current
        for step in decision.steps:
            if step.stage.value not in ("signal", "state"):
                assert step.before == count or step.stage.value == "combine", decision.steps
            count = step.after

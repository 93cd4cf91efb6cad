"""What holds for every wish, every past and every behavior."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.decide.hpa import (
    Behavior,
    Event,
    History,
    Legacy,
    Rate,
    Recommendation,
    Rules,
    Select,
    average_value,
    hpa,
    milli,
    record,
    value,
)

NOW = 100_000.0
counts = st.integers(0, 200)
ages = st.integers(0, 260).map(lambda n: NOW - 15.0 * n)
rates = st.one_of(
    st.builds(Rate, st.sampled_from([15.0, 60.0, 300.0]), replicas=st.integers(1, 50)),
    st.builds(Rate, st.sampled_from([15.0, 60.0, 300.0]), percent=st.integers(1, 300)),
)
windows = st.sampled_from([0.0, 15.0, 60.0, 300.0, 3600.0])
rules = st.builds(
    Rules, windows, st.just(0.1), st.lists(rates, min_size=1, max_size=3).map(tuple), st.sampled_from(Select)
)
behaviors = st.builds(Behavior, rules, rules)
legacies = st.builds(Legacy, st.sampled_from([1.5, 2.0, 8.0]), st.just(4.0), rules, rules)
pasts = st.lists(st.builds(Recommendation, counts, ages), max_size=25).map(tuple)
events = st.lists(st.builds(Event, st.integers(1, 50), ages, st.booleans()), max_size=8).map(tuple)
histories = st.builds(History, pasts, events, events)
bounds = st.tuples(st.integers(1, 50), st.integers(0, 150)).map(lambda pair: (pair[0], pair[0] + pair[1]))
values = st.integers(0, 10**9)
bands = st.tuples(st.sampled_from([0.0, 0.1, 0.5]), st.sampled_from([0.0, 0.1, 0.5]))


@settings(max_examples=400, deadline=None)
@given(counts, counts, bounds, behaviors, histories)
def test_history_never_carries_the_count_across_the_current_one(
    wish: int, current: int, bound: tuple[int, int], behavior: Behavior, past: History
) -> None:
    made = hpa(wish, current, *bound, behavior, past, NOW)
    assert min(wish, current) <= made.stabilized <= max(wish, current)


@settings(max_examples=400, deadline=None)
@given(counts, st.data(), bounds, st.one_of(behaviors, legacies), histories)
def test_from_inside_the_bounds_the_count_stays_inside(
    wish: int, data: st.DataObject, bound: tuple[int, int], behavior: Behavior | Legacy, past: History
) -> None:
    current = data.draw(st.integers(*bound))
    assert bound[0] <= hpa(wish, current, *bound, behavior, past, NOW).replicas <= bound[1]


@settings(max_examples=400, deadline=None)
@given(counts, counts, st.data(), bounds, st.one_of(behaviors, legacies), histories)
def test_who_asks_for_more_never_gets_less(
    wish: int, more: int, data: st.DataObject, bound: tuple[int, int], behavior: Behavior | Legacy, past: History
) -> None:
    current = data.draw(st.integers(*bound))  # from outside, each direction knows one bound only
    less = hpa(min(wish, more), current, *bound, behavior, past, NOW)
    most = hpa(max(wish, more), current, *bound, behavior, past, NOW)
    assert less.replicas <= most.replicas


@settings(max_examples=300, deadline=None)
@given(counts, counts, bounds, behaviors, histories)
def test_a_move_never_goes_against_the_wish(
    wish: int, current: int, bound: tuple[int, int], behavior: Behavior, past: History
) -> None:
    low, high = bound
    made = hpa(wish, current, low, high, behavior, past, NOW).replicas
    if low <= current <= high:
        assert min(wish, current) <= made or made == low
        assert made <= max(wish, current) or made == high


@settings(max_examples=300, deadline=None)
@given(values, values, st.integers(1, 10**6), st.integers(1, 100), st.integers(0, 100), bands)
def test_more_load_never_asks_for_less(
    load: int, more: int, target: int, current: int, ready: int, band: tuple[float, float]
) -> None:
    """But for the edge of the tolerance, where the current count is the answer in place of the ready one."""
    few, many = sorted((load, more))
    low, high = value(few, target, current, ready, band), value(many, target, current, ready, band)
    assert low <= high or current in (low, high)
    low, high = average_value(few, target, current, band), average_value(many, target, current, band)
    assert low <= high or current in (low, high)


@settings(max_examples=300, deadline=None)
@given(st.floats(-1e12, 1e12))
def test_a_quantity_is_never_closer_to_zero_than_the_reading(reading: float) -> None:
    thousandths = milli(reading)
    exact = reading * 1000.0
    assert abs(thousandths) >= abs(exact) - 1e-6 - abs(exact) * 1e-13
    assert abs(thousandths - exact) < 1.0


@settings(max_examples=60, deadline=None)
@given(st.lists(counts, min_size=80, max_size=160), behaviors)
def test_a_history_does_not_grow_beyond_its_windows(wishes: list[int], behavior: Behavior) -> None:
    """Slots are used again: one entry per cycle of the longest window, and the two that lie exactly at a cutoff."""
    history, current = History(), 5
    for cycle, wish in enumerate(wishes):
        now = NOW + 15.0 * cycle
        made = hpa(wish, current, 1, 200, behavior, history, now)
        history = record(made.history, behavior, current, made.replicas, now)
        current = made.replicas
    window = max(behavior.up.stabilization_s, behavior.down.stabilization_s)
    assert len(history.recommendations or ()) <= window / 15.0 + 3
    assert len(history.ups) <= behavior.up.longest_period_s / 15.0 + 2
    assert len(history.downs) <= behavior.down.longest_period_s / 15.0 + 2

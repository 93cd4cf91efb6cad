"""The simulated service, against its definition second by second and against figures made by hand."""

from __future__ import annotations

import math
from array import array
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.backtest.traces import Load
from autoscaler.backtest.workload import Backend, Demand, Model

MODEL = Model()
DEMAND = Demand(MODEL, 60)


def loaded(rates: list[float]) -> Load:
    return Load(array("d", rates), array("d", accumulate(rates, initial=0.0)))


def backend(rates: list[float], *, count: int, delay_s: int = 30) -> Backend:
    return Backend(loaded(rates), DEMAND, MODEL, delay_s=delay_s, count=count)


@pytest.mark.parametrize(
    ("rate", "count"),
    [(0, 1), (1, 1), (5, 1), (7, 1), (7.5, 2), (10, 2), (15, 2), (50, 6), (100, 11), (200, 21), (300, 31), (500, 51)],
)
def test_demand_has_the_known_values(rate: float, count: int) -> None:
    assert DEMAND.of(rate) == count
    assert Demand(MODEL, 1).of(rate) == count, "a table that was too short grows"


def test_the_course_of_demand_is_the_demand_of_every_second() -> None:
    rates = [50 + 45 * math.sin(second / 40) for second in range(900)]
    course = dict(DEMAND.runs(loaded(rates)))
    need = 0
    for second, rate in enumerate(rates):
        need = course.pop(second, need)
        assert need == DEMAND.of(rate)
    assert not course


def test_a_new_instance_serves_after_the_delay() -> None:
    service = backend([5.0] * 100, count=1)
    service.advance(10)
    service.order(3, 10)
    assert (service.existing, service.ready) == (3, 1)
    service.advance(100)
    assert service.readies == [(0, 1), (40, 3)]
    assert service.counts == [(0, 1), (10, 3)]


def test_scaling_down_takes_the_newest_first() -> None:
    service = backend([5.0] * 100, count=2)
    service.advance(10)
    service.order(5, 10)
    service.advance(20)
    service.order(6, 20)
    service.order(3, 20)
    assert service.ready == 2, "those that served go on"
    service.advance(60)
    assert service.readies == [(0, 2), (40, 3)]
    service.order(1, 60)
    assert service.ready == 1


def test_fewer_instances_carry_less() -> None:
    service = backend([12.0] * 60, count=2)
    service.advance(30)
    assert service.violated == 0.0
    service.order(1, 30)
    service.advance(60)
    assert service.violated == 12.0 * 30


def test_what_cannot_be_served_waits_and_is_dropped_beyond_ten_seconds_of_work() -> None:
    service = backend([30.0] * 10 + [0.0] * 12, count=1)
    service.advance(3)
    assert (service.served, service.waiting, service.violated) == (30.0, 60.0, 90.0)
    service.advance(10)
    assert service.waiting == 100.0
    service.advance(20)
    assert (service.served, service.waiting) == (200.0, 0.0)
    assert service.violated == 300.0, "requests count where they arrive"
    assert service.ready_s == 20.0


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 80), min_size=60, max_size=200),
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 9)), max_size=12),
    st.sampled_from([0, 7, 30]),
)
def test_blocks_of_seconds_are_served_as_the_seconds_one_by_one(
    rates: list[float], orders: list[tuple[int, int]], delay_s: int
) -> None:
    service = backend(rates, count=2, delay_s=delay_s)
    counts, now = [2] * len(rates), 0
    for apart, count in orders:
        now = min(now + apart, len(rates))
        service.advance(now)
        service.order(count, now)
        counts[now:] = [count] * (len(rates) - now)
    service.advance(len(rates))

    violated = served_all = waiting = 0.0
    ready_s = 0
    for second, rate in enumerate(rates):
        before = [2] * delay_s + counts[: second + 1]
        ready = min(before[-delay_s - 1 :])
        capacity = ready * 10.0
        served = min(waiting + rate, capacity)
        waiting = min(waiting + rate - served, capacity * 10.0)
        use = min(served / capacity, 0.99)
        delay = use ** math.sqrt(2 * (ready + 1)) / (ready * (1 - use))
        if 0.1 * (1 + delay) + waiting / capacity > 0.3:
            violated += rate
        served_all += served
        ready_s += ready
    assert service.violated == pytest.approx(violated)
    assert service.served == pytest.approx(served_all)
    assert service.waiting == pytest.approx(waiting)
    assert service.ready_s == ready_s

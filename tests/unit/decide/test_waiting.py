"""How much one instance carries, learned from how long requests take."""

from __future__ import annotations

import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.decide.adaptive.capacity import BY_CPU, BY_WAITS, LOOK_S, Known, Look, looked
from autoscaler.decide.adaptive.carried import wait
from autoscaler.decide.adaptive.waiting import implied

START = 1_000_000.0
TRUE, SERVICE_S = 10.0, 0.1


def took(ready: int, load: float, capacity: float = TRUE, scatter: float = 1.0) -> float:
    """Mean seconds of a request; `scatter` is how much longer it waits than in the closed form."""
    return SERVICE_S * (1.0 + scatter * wait(ready, min(load / ready / capacity, 0.99)))


def wave(number: int, *, capacity: float = TRUE, scatter: float = 1.0, top: float = 0.92, seed: int = 1) -> list[Look]:
    """Six instances under a load that comes and goes up to `top` of what they carry; latency is measured 2 % wrong."""
    chance = random.Random(seed)
    found = []
    for beat in range(number):
        load = 6 * capacity * (top - 0.15 + 0.15 * math.sin(beat / 200))
        measured = took(6, load, capacity, scatter) * (1 + chance.gauss(0, 0.02))
        found.append(Look(of="a", ready=6, load=load, took=measured, service_s=SERVICE_S))
    return found


def after(looks: list[Look], before: Known | None = None, start: float = START) -> Known:
    known = before
    for beat, look in enumerate(looks):
        known = looked(known, look, start + LOOK_S * beat)
    assert known is not None
    return known


@pytest.mark.parametrize("ready", [1, 3, 12, 40])
def test_a_wait_at_a_load_says_what_each_could_carry(ready: int) -> None:
    rate = 0.93 * TRUE
    found = implied(ready, rate, wait(ready, rate / TRUE), SERVICE_S)
    assert found == pytest.approx(TRUE, rel=1e-3)


def test_an_instance_that_works_on_several_requests_at_a_time_is_told_by_the_same_wait() -> None:
    found = implied(3, 45.0, wait(3 * 5, 0.9), SERVICE_S)
    assert found == pytest.approx(50.0, rel=1e-3)


def test_a_queue_that_only_grows_and_one_that_is_empty_say_nothing() -> None:
    assert implied(6, 9.0, 400.0, SERVICE_S) is None
    assert implied(6, 9.0, 0.0, SERVICE_S) is None


def test_a_capacity_is_learned_from_waits_with_its_likely_error() -> None:
    known = after(wave(2000))
    learned = known.learned
    assert learned is not None
    assert learned.by == BY_WAITS
    assert learned.off < 0.1
    assert abs(learned.fit / TRUE - 1) < learned.off
    assert known.carries(None) == pytest.approx(learned.fit * (1 - learned.off)), "the lower end of what is likely"


@pytest.mark.parametrize("scatter", [0.5, 2.0])
def test_requests_that_wait_shorter_or_longer_than_the_closed_form_stay_within_the_stated_error(scatter: float) -> None:
    learned = after(wave(2000, scatter=scatter, top=0.95)).learned
    assert learned is not None
    assert abs(learned.fit / TRUE - 1) < learned.off + 0.02
    assert learned.off < 0.15


def test_where_nobody_waits_nothing_is_known() -> None:
    known = after(wave(3000, top=0.55))
    assert known.learned is None
    assert known.carries(None) is None


def test_a_slow_database_is_not_taken_for_full_instances() -> None:
    """What waits below a load that was answered at once a while ago waits for something else."""
    calm = [Look(of="a", ready=30, load=30 * 8.5, took=SERVICE_S * 1.02, service_s=SERVICE_S)] * 50
    slow = [Look(of="a", ready=30, load=30 * 5.0, took=SERVICE_S * 1.5, service_s=SERVICE_S)] * 500
    known = after(calm + slow)
    assert known.learned is None
    taught = after(wave(2000))
    carried = taught.carries(None)
    gone_on = after(calm + slow, taught, START + 2000 * LOOK_S)
    assert gone_on.carries(None) == pytest.approx(carried)
    assert implied(30, 5.0, 0.5, SERVICE_S) is not None, "the wait alone would tell one"


def test_a_service_that_is_slow_from_the_first_look_on_at_any_load_teaches_nothing() -> None:
    looks = [
        Look(of="a", ready=6, load=6 * (1.0 + 7 * (beat % 400) / 400), took=0.3, service_s=SERVICE_S)
        for beat in range(4000)
    ]
    assert after(looks).carries(None) is None


def test_a_count_that_changes_and_a_load_that_jumps_teach_nothing() -> None:
    moving = [msgspec.structs.replace(each, ready=6 + beat % 2) for beat, each in enumerate(wave(2000))]
    assert after(moving).carries(None) is None
    late = [
        Look(of="a", ready=6, load=now, took=took(6, then), service_s=SERVICE_S) for now, then in [(50, 53), (53, 50)]
    ]
    assert after(late * 1000).carries(None) is None


def test_of_cpu_and_waits_the_one_that_is_known_better_counts() -> None:
    both = [msgspec.structs.replace(each, busy=min((each.load or 0) / 6 / TRUE, 0.96)) for each in wave(2000)]
    learned = after(both).learned
    assert learned is not None
    assert learned.by == BY_CPU


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.builds(
            Look,
            of=st.just("a"),
            ready=st.integers(0, 50),
            load=st.none() | st.floats(0, 1e15),
            took=st.none() | st.floats(0, 1e9),
            service_s=st.none() | st.floats(1e-3, 3600),
        ),
        max_size=60,
    )
)
def test_whatever_is_measured_what_is_known_is_a_number_and_lasts(looks: list[Look]) -> None:
    known: Known | None = None
    for beat, look in enumerate(looks):
        known = looked(known, look, START + LOOK_S * beat)
        assert all(math.isfinite(each) for each in known.waits.sums)
        carries = known.carries(None)
        assert carries is None or carries > 0
        assert msgspec.json.decode(msgspec.json.encode(known), type=Known) == known

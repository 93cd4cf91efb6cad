"""Speed and smoothing: the HPA's behavior, the word legacy, and the budget of reversals."""

from __future__ import annotations

import pytest

from autoscaler.decide.plan import prepare
from autoscaler.model.decision import Reason
from autoscaler.model.policy import Behavior, Direction, Legacy, Rate, Reversals, Select
from tests.scenarios.story import QUICK, REF, Story, load, policy


def up(**keys: object) -> Behavior:
    return Behavior(up=Direction(**keys), down=Direction(stabilization=0.0))  # type: ignore[arg-type]


def down(**keys: object) -> Behavior:
    return Behavior(down=Direction(**{"stabilization": 0.0, **keys}))  # type: ignore[arg-type]


def settled(count: int, behavior: Behavior | Legacy, **keys: object) -> Story:
    told = Story(policy(behavior=behavior, high=40, **keys), count=count)  # type: ignore[arg-type]
    told.run(f"{count * 100}x45")
    assert told.count == count
    return told


def test_what_is_not_written_has_the_hpas_defaults() -> None:
    plan = prepare(REF, policy(behavior=Behavior(up=Direction(stabilization=30.0))))
    assert (plan.behavior.up.stabilization_s, plan.behavior.up.tolerance, len(plan.behavior.up.rates)) == (30, 0.1, 2)
    assert (plan.behavior.down.stabilization_s, plan.behavior.down.rates[0].percent) == (300.0, 100)


def test_growth_waits_for_the_least_of_its_window() -> None:
    told = settled(2, up(stabilization=60.0))
    assert told.run("900x5") == "2x3 6x1 9x1"
    assert told.decisions[-3].reason is Reason.STABILIZED_UP


def test_shrinking_waits_for_the_most_of_its_window() -> None:
    told = settled(8, down(stabilization=60.0))
    assert told.run("200x5") == "8x3 2x2"
    assert told.decisions[-3].reason is Reason.STABILIZED_DOWN


def test_first_sight_does_not_delay_growth() -> None:
    """What is seeded holds the count up; it is no wish that growth has to wait for."""
    told = Story(policy(behavior=up(stabilization=300.0)), count=1)
    assert told.run("400x1") == "4x1"


@pytest.mark.parametrize(("select", "counts"), [(Select.MAX, "4x1"), (Select.MIN, "3x1"), (Select.DISABLED, "2x1")])
def test_several_rates_up(select: Select, counts: str) -> None:
    rates = (Rate(replicas=1, per=60.0), Rate(percent=100, per=60.0))
    assert settled(2, up(rates=rates, select=select)).run("900x1") == counts


@pytest.mark.parametrize(("select", "counts"), [(Select.MAX, "5x1"), (Select.MIN, "9x1"), (Select.DISABLED, "10x1")])
def test_several_rates_down(select: Select, counts: str) -> None:
    rates = (Rate(replicas=1, per=60.0), Rate(percent=50, per=60.0))
    assert settled(10, down(rates=rates, select=select)).run("100x1") == counts


def test_a_rate_counts_what_was_changed_in_its_period() -> None:
    told = settled(10, down(rates=(Rate(replicas=2, per=60.0),)))
    assert told.run("100x9") == "8x4 6x4 4x1"
    assert told.said(Reason.RATE_LIMITED_DOWN)


def test_disabled_down_still_comes_down_to_a_ceiling() -> None:
    told = settled(8, down(select=Select.DISABLED))
    assert told.run("100x10") == "8x10"
    told.asks(policy(behavior=down(select=Select.DISABLED), high=5))
    assert told.run("100x2") == "5x2"


def test_a_ceiling_goes_down_as_fast_as_behavior_allows() -> None:
    told = settled(8, down(rates=(Rate(replicas=1, per=30.0),)))
    told.asks(policy(behavior=down(rates=(Rate(replicas=1, per=30.0),)), high=5))
    assert told.run("800x6") == "7x2 6x2 5x2"
    assert told.decisions[-3].reason is Reason.ABOVE_MAXIMUM


def test_tolerance_per_direction() -> None:
    lazy = Behavior(up=Direction(tolerance=0.5), down=Direction(stabilization=0.0, tolerance=0.0))
    told = settled(4, lazy)
    assert told.run("600 601") == "4x1 7x1"
    assert settled(4, lazy).run("300") == "3x1"
    eager = Behavior(up=Direction(tolerance=0.0), down=Direction(stabilization=0.0, tolerance=0.5))
    assert settled(4, eager).run("401") == "5x1"
    assert settled(4, eager).run("200") == "4x1"


def test_legacy_doubles_and_smooths_down_without_rates() -> None:
    told = settled(1, Legacy.LEGACY)
    assert told.run("3000x4") == "4x1 8x1 16x1 30x1"
    assert told.run("100x22") == "30x20 1x2", "a wish exactly as old as the window still counts"


# reversals


def swinging(count: int, per: float = 600.0) -> Story:
    return settled(2, Behavior(down=Direction(stabilization=0.0), reversals=Reversals(count=count, per=per)))


def test_once_the_budget_of_reversals_is_spent_down_waits_and_up_does_not() -> None:
    told = swinging(2)
    told.run("600x10 200x10 600x10")
    assert told.run("200x10") == "6x10"
    assert (told.reason(), told.fact(Reason.FLAPPING, "turns")) == ("flapping", 2)
    assert told.run("900x1") == "9x1"


def test_the_budget_comes_back_with_time() -> None:
    told = swinging(2)
    told.run("600x10 200x10 600x10")
    told.run("200x1")
    rest = told.fact(Reason.FLAPPING, "rest_s")
    cycles = int(rest // 15) - 1
    assert told.run(f"200x{cycles}") == f"6x{cycles}"
    assert told.run("200x1") == "2x1"


def test_going_on_in_the_same_direction_is_no_reversal() -> None:
    slow = Direction(stabilization=0.0, rates=(Rate(replicas=1, per=15.0),))
    told = settled(6, Behavior(down=slow, reversals=Reversals(count=1, per=3600.0)))
    told.run("900x10")
    assert told.run("100x20") == "8x1 7x1 6x1 5x1 4x1 3x1 2x1 1x13", "one turn, all the way down"
    told.run("500x10")
    assert told.run("100x10") == "5x10"


def test_a_spent_budget_holds_a_ceiling_up_as_well() -> None:
    told = swinging(1)
    told.run("600x10 200x10 600x10")
    behavior = Behavior(down=Direction(stabilization=0.0), reversals=Reversals(count=1, per=600.0))
    told.asks(policy(behavior=behavior, high=4))
    assert told.run("600x2") == "6x2"
    assert told.reason() == "flapping"


def test_no_budget_no_limit_and_no_memory_of_turns() -> None:
    told = settled(2, QUICK)
    told.run("600x10 200x10 600x10 200x10")
    assert told.count == 2
    assert told.memory.turns == ()


# settling


def test_settling_waits_for_the_lead_time_that_was_measured() -> None:
    told = settled(2, QUICK)
    told.ready_follows = False
    told.run("600x1 600x6")
    told.ready = 6
    told.run("600x1")
    assert told.memory.lead_s == 105.0
    assert told.run("200x3") == "6x1 2x2", "ready, and two scrapes have seen it"
    told.run("200x10 600x1")
    told.ready = 2
    assert told.run("200x8") == "6x8", "105 s and two scrapes"
    assert told.reason() == "settling"
    assert told.run("200x1") == "2x1"


def test_settling_waits_for_the_warm_up_as_well() -> None:
    from autoscaler.model.policy import Lifecycle

    told = settled(2, QUICK, lifecycle=Lifecycle(warm_up=60.0))
    told.run("600x1")
    assert told.run("200x7") == "6x7"
    assert told.run("200x1") == "2x1"


def test_a_signal_with_no_goal_left_alone_holds() -> None:
    told = Story(policy(load(wake_above=1.0)), count=3)
    told.run("300x2")
    assert told.count == 3

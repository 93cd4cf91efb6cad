"""Counts that other hands change: named, respected upward, corrected downward, never fought."""

from __future__ import annotations

import pytest

from autoscaler.backtest.notation import reading
from autoscaler.decide.explain import explain
from autoscaler.decide.step import step
from autoscaler.model.decision import Reason
from autoscaler.model.policy import Behavior, Direction, Parity, Rate
from tests.scenarios.story import ON_KUBERNETES, QUICK, Story, load, policy, window


def steady(count: int = 4, **keys: object) -> Story:
    told = Story(policy(load(), **{"behavior": QUICK, **keys}), count=count)  # type: ignore[arg-type]
    told.run(f"{count * 100}x10")
    return told


def fight(told: Story, times: int = 3, to: int = 1) -> None:
    """Somebody cuts the count again and again, and we bring it back, until it is contested."""
    for _ in range(times):
        told.somebody_sets(to)
        told.run("400x1")


# one change


def test_a_foreign_change_is_told_with_its_writer() -> None:
    told = steady()
    told.somebody_sets(6, by="hpa-controller")
    told.run("400x1")
    (step,) = [each for each in told.last.steps if each.reason is Reason.FOREIGN_COUNT]
    assert (step.before, step.after, step.facts["writer"]) == (4, 6, "hpa-controller")
    assert "somebody else (hpa-controller) changed the count from 4 to 6" in "\n".join(explain(told.last))
    told.run("400x1")
    assert not told.said(Reason.FOREIGN_COUNT), "it is told once"


@pytest.mark.parametrize(("window_s", "cycles"), [(0.0, 20), (300.0, 20), (600.0, 40)])
def test_a_foreign_raise_is_held_for_the_down_window_or_five_minutes(window_s: float, cycles: int) -> None:
    told = steady(behavior=Behavior(down=Direction(stabilization=window_s)))
    told.run("400x60")
    told.somebody_sets(8)
    assert told.run(f"400x{cycles}") == f"8x{cycles}"
    assert told.fact(Reason.RESEEDED, "because") == "somebody else raised it" or told.said(Reason.STABILIZED_DOWN)
    assert told.run("400x1") == "4x1"


def test_a_foreign_raise_above_the_ceiling_is_brought_to_it_at_once() -> None:
    told = steady(high=5)
    told.somebody_sets(9)
    assert told.run("400x1") == "5x1"
    assert told.reason() == "above_maximum"
    assert told.run("400x5") == "5x5", "and what is left of the raise is held"
    fresh = Story(policy(high=5), count=4)
    fresh.run("400x3")
    fresh.somebody_sets(9)
    assert fresh.run("400x1") == "5x1", "somebody else's raise is no first sight, however young we are"


def test_a_foreign_cut_below_demand_is_raised_at_normal_speed() -> None:
    told = steady(8, behavior=Behavior(up=Direction(rates=(Rate(replicas=2, per=15.0),))))
    told.somebody_sets(2)
    assert told.run("800x4") == "4x1 6x1 8x2"


def test_a_foreign_cut_that_demand_allows_is_left_alone() -> None:
    told = steady(behavior=Behavior())
    told.somebody_sets(2)
    assert told.run("200x30") == "2x30"


def test_a_cut_is_not_undone_by_a_count_that_is_held() -> None:
    """A seed holds what is there; it asks for nothing that is gone."""
    told = Story(policy(load()), count=8)
    told.run("200x2")
    told.somebody_sets(4)
    assert told.run("200x10") == "4x10"
    assert told.reason() == "reseeded"


def test_our_own_orders_are_nobody_elses_doing() -> None:
    told = steady()
    told.run("900x5 100x40 500x3")
    assert not any(each.reason is Reason.FOREIGN_COUNT for made in told.decisions for each in made.steps)
    told.restarts()
    told.run("500x2")
    assert not told.said(Reason.FOREIGN_COUNT)


def test_what_changed_while_an_order_of_ours_was_open_is_looked_at_when_it_is_closed() -> None:
    """The platform's answer comes before its state follows: the old count in between is not somebody else's."""
    told = steady()
    told.run("700x1")
    assert told.count == 7
    old = told.state()
    behind = type(old)(**{**{name: getattr(old, name) for name in old.__struct_fields__}, "desired": 4, "existing": 4})
    told.cycle(seen=type(told.look())(state=behind, readings=(reading("700"),), busy=True))
    assert not told.said(Reason.FOREIGN_COUNT)
    told.run("700x1")
    assert not told.said(Reason.FOREIGN_COUNT)
    assert told.memory.conflicts == ()


def test_an_engine_that_refuses_replicas_six_to_eight_is_not_another_writer() -> None:
    """An engine that refuses replicas 6 to 8: five run, eight are asked for again and again, nobody is accused."""
    told = steady()
    told.limit = 5
    told.run("800x50")
    assert (told.count, told.last.desired) == (5, 8)
    assert not any(each.reason is Reason.FOREIGN_COUNT for made in told.decisions for each in made.steps)
    assert told.memory.conflicts == ()
    told.run("500x1 300x10")
    assert told.count == 3


def test_a_killed_daemon_does_not_take_its_own_lost_orders_for_somebody_elses() -> None:
    told = steady()
    told.run("900x1")
    told.is_killed(lost=3)
    told.run("900x2")
    assert not any(each.reason is Reason.FOREIGN_COUNT for made in told.decisions[-2:] for each in made.steps)


# contests


def test_the_third_conflict_in_ten_minutes_is_a_contest() -> None:
    told = steady()
    fight(told, times=2)
    assert (told.count, told.reason()) == (4, "above_target")
    told.somebody_sets(1, by="cron job")
    told.run("400x1")
    assert (told.count, told.reason()) == (1, "contested")
    assert "(cron job)" in explain(told.last)[-1]


def test_a_contest_does_not_fill_the_memory() -> None:
    told = steady()
    for cycle in range(60):
        told.somebody_sets(2 + cycle % 2)
        told.run("400x1")
    assert len(told.memory.conflicts) == 20


def test_three_conflicts_further_apart_are_none() -> None:
    told = steady()
    for _ in range(6):
        told.somebody_sets(1)
        assert told.run("400x20") == "4x20"


def test_contested_raises_are_spaced_by_a_minute_doubling_to_ten() -> None:
    told = steady()
    fight(told, times=2)
    raises: list[float] = []
    since = told.decisions[-1].at
    for _ in range(200):
        told.somebody_sets(1)
        told.run("400x1")
        if told.count == 4:
            raises.append(told.last.at - since)
            since = told.last.at
    assert raises[:6] == [60.0, 120.0, 240.0, 480.0, 600.0, 600.0]


def test_a_contested_count_below_the_minimum_is_spaced_as_well() -> None:
    told = steady(low=3)
    fight(told)
    assert told.count == 1, "not even the minimum is fought for"
    assert told.run("400x3") == "1x2 4x1"


def test_contested_never_shrinks() -> None:
    told = steady()
    fight(told)
    told.run("400x10")
    told.somebody_sets(6)
    assert told.run("100x40") == "6x40"
    assert told.reason() in ("contested", "reseeded")
    told.asks(policy(load(), behavior=QUICK, high=5))
    assert told.run("100x1") == "5x1", "cleared by ten minutes without a conflict"


def test_contested_holds_a_ceiling_too() -> None:
    """Another autoscaler with a higher maximum is not fought over our own."""
    told = steady(high=5)
    for _ in range(3):
        told.somebody_sets(9)
        told.run("400x1")
    assert (told.count, told.reason()) == (9, "contested")


def test_ten_minutes_without_a_conflict_clear_it() -> None:
    told = steady()
    fight(told)
    told.run("400x3")
    assert told.count == 4
    assert told.run("100x36") == "4x36"
    assert told.reason() == "contested"
    told.run("100x3")
    assert told.count == 1
    told.somebody_sets(8)
    told.run("100x1")
    assert told.reason() != "contested", "it starts from nothing again"


def test_a_long_pause_between_two_pushes_does_not_end_a_contest() -> None:
    """At eight minutes apart only two conflicts lie within ten: the contest goes on all the same."""
    told = steady()
    fight(told, times=2)
    for _ in range(120):
        told.somebody_sets(1)
        told.run("400x1")
    assert told.memory.contest is not None
    fought = sum(made.changes for made in told.decisions[-60:])
    assert fought <= 2


def test_an_override_is_carried_out_and_then_repeated_no_faster_than_a_contest_allows() -> None:
    told = steady()
    told.overrides(6, for_s=3600.0)
    told.run("400x1")
    for _ in range(3):
        told.somebody_sets(2)
        told.run("400x1")
    assert (told.count, told.reason()) == (2, "contested")
    assert told.run("400x4") == "2x2 6x2"


def test_under_strict_parity_contests_hold_as_well() -> None:
    told = steady(parity=Parity.STRICT)
    fight(told)
    assert (told.count, told.reason()) == (1, "contested")


# two policies


def test_two_policies_on_one_workload_hold_it_until_one_goes() -> None:
    import msgspec

    told = steady()
    told.plan = msgspec.structs.replace(told.plan, claimed_by=("web-2",))
    assert told.run("100x30") == "4x30"
    assert told.reason() == "claimed_twice"
    assert told.run("700x1") == "7x1", "what is asked for more is done"
    told.asks(policy(load(), high=5, behavior=QUICK))
    told.plan = msgspec.structs.replace(told.plan, claimed_by=("web-2",))
    assert told.run("700x5") == "7x5", "a ceiling of one of them is no ceiling of both"
    told.plan = msgspec.structs.replace(told.plan, claimed_by=())
    assert told.run("100x1") == "5x1"


# states


def test_a_state_that_is_too_old_decides_nothing() -> None:
    told = steady()
    told.age_s = 61.0
    told.somebody_sets(2)
    told.overrides(7)
    assert told.run("900x3") == "2x3"
    assert told.reason() == "stale_state"
    told.age_s = 60.0
    assert told.run("900x1") == "7x1"


def test_a_state_is_too_old_by_the_daemons_cycle_also_where_a_policy_decides_rarely() -> None:
    told = steady(every=3600.0)
    told.age_s = 61.0
    told.run("900x1")
    assert told.reason() == "stale_state"


def test_a_stale_look_is_not_compared_with_what_is_known() -> None:
    told = steady()
    told.age_s = 100.0
    told.count = 6
    told.run("400x2")
    told.age_s, told.count = 0.0, 4
    told.run("400x1")
    assert told.memory.conflicts == ()


def test_on_kubernetes_and_compose_alike() -> None:
    told = Story(policy(load(), behavior=QUICK), count=4, ref=ON_KUBERNETES)
    told.run("400x10")
    told.somebody_sets(0)
    assert told.run("400x10") == "0x10"
    told.somebody_sets(2)
    assert told.run("400x1") == "4x1"


def test_a_wake_between_two_cycles_sees_a_cut_and_brings_it_back_but_never_shrinks() -> None:
    told = steady(8)
    told.somebody_sets(5)
    assert told.cycle(reading("800"), wake=True).desired == 8
    told.asks(policy(load(), behavior=QUICK, high=6))
    assert told.cycle(reading("800"), wake=True).desired == 8, "a ceiling waits for the cycle"
    assert told.run("800x1") == "6x1"
    day = window("day", "0 0 * * *", 24, min=7)
    told = steady(3, schedule=(day,))
    told.somebody_sets(2)
    assert told.cycle(reading("800"), wake=True).desired == 7, "a floor does not"


def test_a_wake_is_no_way_round_the_rates() -> None:
    told = steady(2, behavior=Behavior(up=Direction(rates=(Rate(replicas=1, per=60.0),))))
    assert told.run("900x1") == "3x1"
    assert told.cycle(reading("900"), wake=True).desired == 3


def test_a_wake_after_a_long_hole_does_not_restore_an_old_count() -> None:
    told = steady(6)
    told.run("600x2 downx20")
    told.memories[told.key] = told.memory
    told.somebody_sets(3)
    decision = told.cycle(reading("down"), wake=True)
    assert (decision.desired, decision.reason) == (3, Reason.AWAITING_CYCLE)


def test_the_same_step_gives_the_same_answer() -> None:
    told = steady()
    look = told.look(reading("900"))
    one = step([told.plan], [look], told.memories, told.now)
    two = step([told.plan], [look], told.memories, told.now)
    assert one.decisions == two.decisions
    assert one.memories == two.memories

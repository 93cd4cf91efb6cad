"""Idle and zero: what lets a workload go, what wakes it, and whose zero it is."""

from __future__ import annotations

import pytest

from autoscaler.backtest.notation import reading
from autoscaler.decide.explain import explain
from autoscaler.model.decision import Reason
from autoscaler.model.policy import (
    Behavior,
    Direction,
    Empty,
    Fallback,
    Idle,
    Mode,
    NotANumber,
    OnDoubt,
    Plausible,
    Rate,
    Resource,
    Reversals,
    Signal,
    ZeroIf,
)
from tests.scenarios.story import ON_KUBERNETES, QUICK, REF, Story, Town, front, load, policy, window

MINUTE = 4  # cycles
IDLE = Idle(after=60.0)
DOUBTING = Idle(after=60.0, on_doubt=OnDoubt.WAKE)


def sleeper(*signals: Signal, idle: Idle = IDLE, count: int = 2, low: int = 2, **keys: object) -> Story:
    return Story(policy(*(signals or (load(), front())), low=low, idle=idle, **keys), count=count)  # type: ignore[arg-type]


def asleep(*signals: Signal, idle: Idle = IDLE, **keys: object) -> Story:
    """A story that has gone to zero."""
    told = sleeper(*signals, idle=idle, **keys)
    words = ["0x30"] * len(told.plan.goals)
    told.run(*words)
    assert told.count == idle.replicas
    return told


# entering


def test_idle_after_a_quiet_time_at_once_without_stabilization_or_rates() -> None:
    """`after` is 1 m; the down window is 5 m and would let one replica a minute go."""
    slow = Behavior(down=Direction(stabilization=300.0, rates=(Rate(replicas=1, per=60.0),)))
    told = sleeper(count=5, behavior=slow)
    told.run("900x4 100x20", "1x24")
    assert told.run("100x4", "0x4") == "8x3 7x1", "one a minute"
    assert told.said(Reason.IDLE_SOON)
    assert told.run("100x1", "0x1") == "0x1"
    assert told.reason() == "idle"


def test_first_sight_holds_a_new_workload_up_before_it_may_idle() -> None:
    told = sleeper()
    assert told.run("0x20", "0x20") == "2x20"
    assert told.reason() == "reseeded"
    assert told.run("0x1", "0x1") == "0x1"


def test_what_holds_it_up_at_first_sight_holds_the_minimum_and_no_count_below_it() -> None:
    told = sleeper(count=1, low=3)
    assert told.run("0x21", "0x21") == "3x20 0x1"


def test_idle_at_a_count_of_its_own() -> None:
    told = sleeper(idle=Idle(after=60.0, replicas=1), low=3, count=3)
    assert told.run("0x22", "0x22") == "3x20 1x2"
    assert told.run("0x5", "1x5") == "3x5"


@pytest.mark.parametrize(
    ("loads", "fronts", "why"),
    [
        ("300", "0", "a signal asks for more than the minimum"),
        ("0", "1", "a wake signal is above its limit"),
        ("0", "none", "a wake signal cannot be read"),
        ("none", "0", "a voting signal cannot be read"),
    ],
)
def test_any_of_these_starts_the_quiet_time_anew(loads: str, fronts: str, why: str) -> None:
    told = sleeper(idle=Idle(after=120.0))
    told.run("300x30", "1x30")
    told.run("100x60", "0x6 1x54")
    told.run("0x7", "0x7")
    assert told.last.desired > 0, why
    told.run(loads, fronts)
    told.run("0x8", "0x8")
    assert told.last.desired > 0, why
    assert told.fact(Reason.IDLE_SOON, "rest_s") == 15.0
    told.run("0x60", "0x60")
    assert told.last.desired == 0


def test_a_vote_for_the_minimum_is_quiet_enough() -> None:
    told = sleeper()
    assert told.run("199x30", "0x30").endswith("0x10")


def test_a_waived_opinion_counts_as_quiet_and_a_doubtful_one_never() -> None:
    told = sleeper(load(nan=NotANumber.IGNORE), front())
    assert told.run("nanx30", "0x30").endswith("0x10")
    told = sleeper(load(), front())
    assert told.run("nanx200", "0x200") == "2x200"
    told = sleeper(load(), front(empty=Empty.ZERO))
    assert told.run("0x30", "nonex30").endswith("0x10")
    told = sleeper(load(), front(nan=NotANumber.ZERO))
    assert told.run("0x30", "nanx30").endswith("0x10")
    told = sleeper(load(), front())
    assert told.run("0x200", "nonex200") == "2x200"


def test_an_empty_wake_signal_is_zero_only_while_its_voucher_answers() -> None:
    wakes = front(empty=ZeroIf(zero_if="up"))
    told = sleeper(load(), wakes)
    assert told.run("0x60", "nonex60", vouchers={"front": "nonex60"}) == "2x60"
    assert told.run("0x30", "nonex30", vouchers={"front": "1x30"}).endswith("0x26")


def test_an_implausible_wake_signal_is_unread() -> None:
    told = sleeper(load(), front(plausible=Plausible(min=0.0)))
    assert told.run("0x60", "-1x60") == "2x60"
    assert told.fact(Reason.WAKE_UNREAD, "detail")


def test_an_idle_policy_with_nothing_but_a_wake_signal() -> None:
    told = sleeper(front())
    assert told.run("0x20 0x1") == "2x20 0x1"
    assert told.run("0x10 3x1 0x3") == "0x10 2x4"
    assert told.run("0x4") == "2x1 0x3"


@pytest.mark.parametrize("said", ["pause", "override", "kill", "gap", "floor"])
def test_the_quiet_time_counts_from_the_end_of_whatever_broke_it(said: str) -> None:
    idle = Idle(after=600.0)
    told = Story(policy(load(), front(), low=2, idle=idle), count=2)
    told.run("0x38", "0x38")
    assert told.fact(Reason.IDLE_SOON, "rest_s") == pytest.approx(600.0 - 37 * 15.0)
    if said == "pause":
        told.pauses()
        told.run("0x2", "0x2")
        told.says()
    elif said == "override":
        told.overrides(2)
        told.run("0x2", "0x2")
        told.says()
    elif said == "kill":
        told.is_killed()
    elif said == "gap":
        told.sleeps(10)
    else:
        from datetime import UTC, datetime

        at = datetime.fromtimestamp(told.now, UTC)
        hour = window("now", f"{at.minute} {at.hour} * * *", 1 / 60, min=2)
        told.asks(policy(load(), front(), low=2, idle=idle, schedule=(hour,)))
        told.now = (told.now // 60) * 60 + 0.0
        told.run("0x3", "0x3")
        told.now += 16.0
    assert told.run("0x40", "0x40") == "2x40", said
    assert told.run("0x1", "0x1") == "0x1", said


def test_other_guards_hold_it_up_as_long_as_they_last() -> None:
    told = sleeper()
    told.run("0x4", "1x4")
    told.run("0x15", "0x15")
    told.rollout = True
    told.run("0x5", "0x5")
    assert (told.count, told.reason()) == (2, "rollout")
    told.rollout = False
    told.ready, told.ready_follows = 0, False
    told.run("0x5", "0x5")
    assert (told.count, told.reason()) == (2, "none_ready")
    told.ready_follows = True
    told.ready = 2
    assert told.run("0x2", "0x2") == "0x2"


def test_a_spent_budget_of_reversals_holds_it_up() -> None:
    told = asleep(behavior=Behavior(reversals=Reversals(count=1, per=600.0)))
    told.run("0x4", "1x4")
    assert told.count == 2
    told.run("0x20", "0x20")
    assert (told.count, told.reason()) == (2, "flapping")
    told.run("0x30", "0x30")
    assert told.count == 0


def test_in_observe_mode_it_is_decided_and_not_done() -> None:
    told = sleeper(mode=Mode.OBSERVE)
    told.run("0x30", "0x30")
    assert (told.last.desired, told.last.act, told.count) == (0, False, 2)


def test_a_shorter_quiet_time_than_a_cycle() -> None:
    told = sleeper(idle=Idle(after=1.0))
    assert told.run("0x22", "0x22") == "2x20 0x2"


# waking


def test_a_wake_signal_above_its_limit_wakes_at_once_to_what_is_asked_for() -> None:
    told = asleep()
    assert told.run("0x4 0x1", "0x4 1x1") == "0x4 2x1"
    assert (told.reason(), told.fact(Reason.WOKEN, "signal")) == ("woken", "front")
    told = asleep()
    assert told.run("700x1", "1x1") == "7x1"
    told = asleep(high=5)
    assert told.run("700x1", "1x1") == "5x1"
    told = asleep(load(), front(above=2.0))
    assert told.run("0x2 0x1", "2x2 2.1x1") == "0x2 2x1"


def test_one_of_several_wake_signals_is_enough_whatever_the_others_say() -> None:
    told = asleep(load(), front(), front("api"))
    assert told.run("0x1", "nonex1", "1x1") == "2x1"
    told = asleep(load(), front(), front("api"))
    assert told.run("downx1", "downx1", "1x1") == "2x1"


def test_a_signal_that_votes_and_asks_for_more_than_the_minimum_wakes_as_well() -> None:
    told = asleep()
    assert told.run("200x1", "0x1") == "0x1"
    assert told.run("201x1", "0x1") == "3x1"
    assert told.fact(Reason.WOKEN, "signal") == "load"


def test_data_that_is_missing_for_shrinking_may_wake() -> None:
    told = sleeper(idle=Idle(after=60.0, replicas=1))
    told.run("0:2/2x22", "0x22")
    assert told.count == 1
    assert told.run("900:0/1x1", "0x1") == "9x1"


def test_a_goal_and_a_wake_limit_on_one_signal() -> None:
    both = load(wake_above=5.0)
    told = sleeper(both)
    assert told.run("5x22") == "2x20 0x2"
    assert told.run("5x1 6x1") == "0x1 2x1"


def test_at_zero_signals_read_from_instances_have_no_opinion_and_are_not_missing() -> None:
    cpu = Signal(name="cpu", resource=Resource.CPU, utilization=0.5)
    told = sleeper(cpu, front())
    told.run("0.1x30", "0x30")
    assert told.count == 0
    assert told.run("nonex50", "0x50") == "0x50"
    assert told.said(Reason.SIGNAL_WAIVED)
    assert told.run("nonex1", "1x1") == "2x1"


def test_woken_it_is_held_up_like_after_any_gap() -> None:
    told = asleep(behavior=QUICK)
    told.run("700x1", "1x1")
    assert told.run("0x3", "1x3") == "7x3"


def test_unread_wake_signals_leave_it_idle_by_default_for_ever() -> None:
    """Idle to zero and back, with Prometheus down in between."""
    told = asleep()
    assert told.run("downx500", "downx500") == "0x500"
    assert told.said(Reason.WAKE_UNREAD)
    assert "unknown" not in "\n".join(explain(told.last))
    assert told.run("300x1", "1x1") == "3x1"


def test_on_doubt_wake_waits_for_five_minutes_without_any_reading() -> None:
    told = asleep(idle=DOUBTING)
    assert told.run("downx20", "downx20") == "0x20"
    assert told.run("downx1", "downx1") == "2x1"
    assert told.reason() == "woken_on_doubt"
    assert told.run("downx100", "downx100") == "2x100"
    assert told.run("0x25", "0x25").endswith("0x5")


def test_on_doubt_wake_starts_anew_when_the_signal_could_be_read_meanwhile() -> None:
    told = asleep(idle=DOUBTING)
    assert told.run("0x39", "nonex19 0x1 nonex19") == "0x39"


def test_on_doubt_wake_waits_until_every_unread_signal_was_unread_for_long_enough() -> None:
    told = asleep(load(), front(), front("api"), idle=DOUBTING)
    assert told.run("0x39", "nonex39", "0x19 nonex20") == "0x39"
    assert told.run("0x1", "nonex1", "nonex1") == "2x1"
    told = asleep(load(), front(), front("api"), idle=DOUBTING)
    assert told.run("0x21", "nonex21", "0x21") == "0x20 2x1", "one that is quiet says nothing for the other"


def test_on_doubt_stay_is_not_undone_by_a_voting_signals_fallback() -> None:
    """`at_least` is a matter of one signal: a Prometheus that is down must not wake a whole fleet at once."""
    for failed in (Fallback(at_least=6), Fallback(last_good=3600.0)):
        told = asleep(load(failed=failed), front())
        assert told.run("downx40", "downx40") == "0x40"


def test_on_doubt_wakes_no_more_than_a_twentieth_of_the_idle_workloads_a_minute() -> None:
    """The share is of what is idle, not of the whole fleet; one at least always may."""
    busy = [Story(policy(load(), front(), low=2), count=2, ref=_ref(f"a-{n:03}")) for n in range(100)]
    idle = [
        Story(policy(load(), front(), low=2, idle=DOUBTING, behavior=QUICK), count=2, ref=_ref(f"b-{n:03}"))
        for n in range(40)
    ]
    town = Town([*busy, *idle], slice_of=17)
    town.run("0x12", "0x12")
    assert town.counts == [2] * 100 + [0] * 40
    town.run("downx21", "downx21")
    assert town.reasons()["woken_on_doubt"] == 2
    town.run("downx3", "downx3")
    assert sum(town.counts[100:]) == 2 * 2
    town.run("downx1", "downx1")
    assert sum(town.counts[100:]) == 2 * 3, "a twentieth of the 38 that are left"
    small = Town.of(3, policy(load(), front(), low=2, idle=DOUBTING, behavior=QUICK), count=2)
    small.run("0x12 downx21", "0x12 downx21")
    assert sorted(small.counts) == [0, 0, 2]


def test_one_that_only_observes_takes_nobodys_place_among_those_woken_on_doubt() -> None:
    watching = Story(policy(load(), front(), low=2, idle=DOUBTING), count=2, ref=_ref("a"))
    acting = Story(policy(load(), front(), low=2, idle=DOUBTING), count=2, ref=_ref("b"))
    town = Town([watching, acting])
    town.run("0x30", "0x30")
    watching.asks(policy(load(), front(), low=2, idle=DOUBTING, mode=Mode.OBSERVE))
    town.run("downx21", "downx21")
    assert [story.reason() for story in town.stories] == ["woken_on_doubt", "woken_on_doubt"]
    assert town.counts == [0, 2]


def _ref(name: str) -> type(REF):  # type: ignore[valid-type]
    return type(REF)("compose", "shop", "service", name)


def test_a_wake_between_two_cycles_leaves_it_idle() -> None:
    told = asleep()
    decision = told.cycle(reading("900"), reading("1"), wake=True)
    assert (decision.desired, decision.reason) == (0, Reason.AWAITING_CYCLE)


# whose zero it is


def test_our_own_zero_is_not_taken_for_the_owners() -> None:
    told = asleep()
    told.restarts()
    assert told.run("0x3 0x1", "0x3 1x1") == "0x3 2x1"


def test_a_zero_after_somebody_woke_it_by_hand_is_the_owners() -> None:
    """We idled it to zero; a person started three, and later stopped them: that zero is not ours."""
    told = asleep()
    told.somebody_sets(3)
    told.run("0x3", "0x3")
    assert told.count == 3
    told.somebody_sets(0)
    assert told.run("900x40", "5x40") == "0x40"
    assert told.reason() == "held_zero_by_owner"


def test_on_kubernetes_the_object_itself_tells_whose_zero_it_is() -> None:
    """Not memory: between two looks the owner raised it and set it to zero again."""
    told = Story(policy(load(), front(), low=2, idle=IDLE), count=2, ref=ON_KUBERNETES)
    told.run("0x22", "0x22")
    assert (told.count, told.reason()) == (0, "idle")
    told.somebody_sets(0)
    assert told.run("900x3", "5x3") == "0x3"
    assert told.reason() == "held_zero_by_owner"


def test_other_hands_after_our_zero_void_our_claim() -> None:
    told = asleep()
    assert told.memory.applied is not None
    state = type(told.state())
    seen = told.look(reading("900"), reading("1"))
    foreign = {**{name: getattr(seen.state, name) for name in state.__struct_fields__}, "foreign_at": told.now - 1}
    decision = told.cycle(seen=type(seen)(state=state(**foreign), readings=seen.readings))
    assert (decision.desired, decision.reason) == (0, Reason.HELD_ZERO_BY_OWNER)


def test_the_owners_zero_ends_when_the_count_rises_or_somebody_says_resume() -> None:
    told = sleeper()
    told.run("200x30", "1x30")
    told.somebody_sets(0)
    assert told.run("900x100", "1x100") == "0x100"
    told.somebody_sets(1)
    assert told.run("900x1", "1x1") == "5x1"
    told.somebody_sets(0)
    told.run("900x3", "1x3")
    told.says(resumed=told.now)
    assert told.run("900x1", "1x1") == "4x1"
    assert told.said(Reason.RESUMED)
    told.somebody_sets(0)
    assert told.run("900x5", "1x5") == "0x5", "an earlier `resume` does not end a later zero"


def test_a_schedule_floor_beats_idle_and_the_quiet_time_starts_after_it() -> None:
    office = window("office", "0 8 * * *", 10, min=3)
    asked = policy(load(), front(), low=2, idle=IDLE, schedule=(office,))
    told = Story(asked, count=2, start="2026-03-02T06:00Z")
    assert told.run_until("2026-03-02T08:00Z", "0", "0").endswith("0x460")
    assert told.run_until("2026-03-02T18:00Z", "0", "0") == "3x2400"
    counted = told.run_until("2026-03-02T19:00Z", "0", "0")
    assert counted == "3x20 0x220", "held for a down window after the floor, then idle"


def test_a_window_that_only_has_a_ceiling_does_not_keep_it_awake() -> None:
    night = window("night", "0 0 * * *", 23, max=5)
    told = Story(policy(load(), front(), low=2, idle=IDLE, schedule=(night,)), count=2, start="2026-03-02T06:00Z")
    assert told.run("0x30", "0x30").endswith("0x10")


def test_idle_taken_out_of_the_policy_wakes_it() -> None:
    told = asleep()
    told.asks(policy(load(), front(), low=2))
    assert told.run("0x1", "0x1") == "2x1"
    assert told.reason() == "below_minimum"


def test_what_the_language_says_of_an_idle_count_that_is_changed_while_idle() -> None:
    told = asleep()
    told.asks(policy(load(), front(), low=3, idle=Idle(after=60.0, replicas=1)))
    assert told.run("0x2", "0x2") == "1x2"

"""Whole stories: bad nights, as an owner would tell them."""

from __future__ import annotations

from autoscaler.decide.memory import clamped
from autoscaler.model.decision import Reason
from autoscaler.model.policy import Behavior, Direction, Empty, Idle, Reversals
from tests.scenarios.story import ON_KUBERNETES, QUICK, Story, Town, front, load, policy, window

FIVE_MINUTES = 20  # cycles


def test_a_night_on_which_series_vanish() -> None:
    """A night on which series vanish: by default everything is held, and in the morning nothing drops at once."""
    told = Story(policy(low=2), count=2, start="2026-06-10T20:00Z")
    told.run_until("2026-06-10T22:00Z", "600")
    assert told.count == 6
    held = told.run_until("2026-06-11T06:00Z", "none")
    assert held == f"6x{8 * 240}"
    assert told.run("20x1 60x1 120x1 200x17") == "6x20", "rates over half-filled windows start from nothing"
    assert told.run("600x10") == "6x10"


def test_to_zero_and_back_with_prometheus_down_in_between() -> None:
    """Idle to zero and back, with Prometheus down in between."""
    told = Story(policy(load(), front(), low=2, idle=Idle(after=600.0)), count=4)
    told.run("400x40 0x60", "9x40 0x60")
    assert told.count == 0
    assert told.run("downx240", "downx240") == "0x240"
    assert told.run("0x5", "0x5") == "0x5", "back, and still nobody there"
    assert told.run("500x1 500x3", "12x4").startswith("5x")
    told.run("downx50", "downx50")
    assert told.count == 5, "awake it is held like anything else"


def test_prometheus_restarted_empty() -> None:
    """Prometheus restarted empty: first errors, then no series, then rates over windows that fill."""
    told = Story(policy(), count=3)
    told.run("800x30")
    assert told.run("downx4 nonex4 50x2 200x4 500x8") == "8x22"
    assert told.run("800x20") == "8x20"


def test_a_person_scales_up_down_and_to_zero_by_hand() -> None:
    """A person scales up, down and to zero by hand: held, corrected, respected."""
    told = Story(policy(), count=4)
    told.run("400x30")
    told.somebody_sets(7)
    assert told.run(f"400x{FIVE_MINUTES}") == f"7x{FIVE_MINUTES}"
    told.run("400x2")
    assert told.count == 4
    told.somebody_sets(2)
    assert told.run("400x1") == "4x1"
    told.run("400x60")
    told.somebody_sets(0)
    assert told.run("400x400") == "0x400"
    told.somebody_sets(1)
    assert told.run("400x1") == "4x1"


def test_compose_up_resets_to_one_while_prometheus_restarts_too() -> None:
    """`compose up -d` resets to 1 while Prometheus restarts too: our last order stands in the dark."""
    told = Story(policy(), count=1)
    told.run("600x40")
    told.somebody_sets(1, by="")
    told.rollout = True
    assert told.run("downx1") == "6x1"
    told.run("downx10 nonex4")
    told.rollout = False
    assert told.run("60x10") == "6x10"
    assert told.run("600x10") == "6x10"


def test_the_same_when_the_whole_machine_was_restarted() -> None:
    """The host reboots: the daemon is killed too, its snapshot is a minute old."""
    told = Story(policy(), count=1)
    told.run("600x40")
    told.sleeps(20)
    told.somebody_sets(1, by="")
    told.is_killed(lost=4)
    assert told.run("downx8") == "6x8"


def test_a_leader_killed_in_mid_surge_as_the_decision_sees_it() -> None:
    """Leader killed in mid-surge: the follower sees a rollout and surplus instances, and holds what it finds."""
    told = Story(policy(), count=5, ref=ON_KUBERNETES)
    told.run("500x40")
    told.rollout, told.surplus = True, 2
    told.is_killed(lost=4)
    assert told.run("550x4 100x4") == "5x8"
    told.rollout, told.surplus = False, 0
    assert told.run("100x12") == "5x12", "reseeded when it took over"
    assert told.run("100x8").startswith("5x"), "and what was asked for before is in its window"
    assert told.count == 1


def test_two_signals_one_missing() -> None:
    """Two signals, one missing: it may grow and never shrinks, until both are read again."""
    told = Story(policy(load("a"), load("b"), behavior=QUICK), count=4)
    told.run("400x20", "400x20")
    assert told.run("100x100", "nonex100") == "4x100"
    assert told.run("700x1", "nonex1") == "7x1"
    assert told.run("100x40", "nonex40") == "7x40"
    told.run("100x4", "100x4")
    assert told.count == 7
    assert told.run("100x1", "100x1") == "1x1"


def test_first_sight_of_a_service_at_seven_with_a_maximum_of_five() -> None:
    """First sight of a service at 7 with max 5: for one down window it stays, whatever is read, then it comes down."""
    for words in ("none", "100", "900"):
        told = Story(policy(high=5), count=7)
        assert told.run(f"{words}x{FIVE_MINUTES}") == f"7x{FIVE_MINUTES}"
        assert told.reason() == "above_maximum"
        assert told.run(f"{words}x1") == "5x1"
    told = Story(policy(high=5), count=7)
    told.run("nonex10")
    told.is_killed()
    assert told.run("nonex10") == "7x10"
    assert told.run("nonex1") == "5x1", "a restart does not begin the window anew"


def test_a_floors_end() -> None:
    """A floor's end: the evening after office hours goes down once, gently."""
    office = window("office", "0 8 * * mon-fri", 11, timezone="Asia/Seoul", min=6)
    told = Story(policy(low=2, schedule=(office,)), count=2, start="2026-06-10T18:00 Asia/Seoul")
    told.run_until("2026-06-10T19:00 Asia/Seoul", "150")
    assert told.count == 6
    assert told.run(f"150x{FIVE_MINUTES + 1}") == f"6x{FIVE_MINUTES} 2x1"


def test_a_ceiling_opens_while_data_is_missing() -> None:
    """A ceiling that opens while data is missing: it is the owner's word and needs no data."""
    night = window("night", "0 22 * * *", 8, max=3)
    told = Story(policy(schedule=(night,)), count=6, start="2026-06-10T21:00Z")
    told.run_until("2026-06-10T21:50Z", "600")
    assert told.run_until("2026-06-10T22:00Z", "none") == "6x40"
    assert told.run("nonex4") == "3x4"
    told.run_until("2026-06-11T06:00Z", "none")
    assert told.count == 3
    assert told.run("900x1") == "7x1"


def test_a_replica_that_crashes_for_ever() -> None:
    """A replica that crashes for ever: one of four is never ready; the count follows the load, not the crash."""
    told = Story(policy(load(), behavior=QUICK), count=4)
    told.ready, told.ready_follows = 3, False
    told.run("400x100")
    assert told.count == 4
    assert told.run("600x1") == "6x1"
    told.run("600x50")
    assert told.run("300x20").endswith("3x20"), "long settled: a lead time that never came does not hold for ever"


def test_all_of_them_crash() -> None:
    told = Story(policy(load(value=1.0), behavior=QUICK), count=4)
    told.run("1x20")
    told.ready, told.ready_follows = 0, False
    assert told.run("0.1x100 9x100") == "4x200", "none ready says nothing about demand, in either direction"


def test_an_engine_that_refuses_some_in_a_night_without_data() -> None:
    """An engine that refuses replicas 6 to 8: in the dark what was ordered is asked for again, and nothing else."""
    told = Story(policy(behavior=QUICK), count=3)
    told.limit = 5
    told.run("800x10 downx50")
    assert (told.count, told.last.desired) == (5, 8)
    told.limit = None
    told.run("downx1")
    assert told.count == 8


def test_a_clock_set_back_an_hour_while_nobody_ran() -> None:
    """Facts from the future are of now: nothing shrinks for a window, nothing is held for an hour."""
    told = Story(policy(load(), front(), low=2, idle=Idle(after=600.0)), count=2)
    told.run("600x40 300x30", "1x70")
    told.sets_clock(-3600.0)
    told.memories = {key: clamped(memory, told.now) for key, memory in told.memories.items()}
    assert told.run("200x20", "1x20") == f"{told.count}x20"
    assert told.run("200x2", "1x2") == "2x2"
    back = told.memory
    assert clamped(back, told.now) == back


def test_a_clock_set_forward_an_hour_is_a_gap() -> None:
    told = Story(policy(behavior=QUICK), count=6)
    told.run("600x40")
    told.sets_clock(3600.0)
    told.run("100x1")
    assert (told.count, told.fact(Reason.RESEEDED, "because")) == (6, "a gap in the data")


def test_a_fleet_whose_series_vanish_at_once_holds_by_default_and_is_braked_with_empty_zero() -> None:
    careful = Town.of(20, policy(behavior=QUICK), count=4)
    careless = Town.of(20, policy(load(empty=Empty.ZERO), behavior=QUICK), count=4)
    for town in (careful, careless):
        town.run("400x6 nonex20")
    assert careful.counts == [4] * 20
    assert sorted(careless.counts) == [1] * 6 + [4] * 14


def test_a_day_with_everything_in_it_stays_inside_its_bounds() -> None:
    office = window("office", "0 8 * * *", 10, min=4, max=12)
    asked = policy(
        load(),
        load("latency", value=0.3, at_most=8),
        front(),
        low=2,
        high=20,
        idle=Idle(after=900.0),
        schedule=(office,),
        behavior=Behavior(down=Direction(stabilization=120.0), reversals=Reversals(count=4, per=3600.0)),
    )
    told = Story(asked, count=2, start="2026-06-10T00:00Z")
    told.run_until("2026-06-10T07:00Z", "0", "0", "0")
    assert told.count == 0
    told.run_until("2026-06-10T07:30Z", "500", "0.2", "5")
    assert told.count == 5
    told.run_until("2026-06-10T09:00Z", "3000", "0.9", "30")
    assert told.count == 12
    told.run_until("2026-06-10T18:00Z", "100", "0.1", "1")
    assert told.count == 4
    told.run_until("2026-06-10T19:00Z", "100", "0.1", "1")
    assert told.count == 2
    told.run_until("2026-06-10T20:00Z", "0", "0.1", "0")
    assert told.count == 0

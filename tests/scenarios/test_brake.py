"""The fleet brake: what goes wrong for many at once is a fault of the data."""

from __future__ import annotations

import pytest

from autoscaler.backtest.notation import reading
from autoscaler.decide.brake import Brake, Fleet
from autoscaler.decide.step import step
from autoscaler.model.decision import Reason
from autoscaler.model.observation import Override
from autoscaler.model.policy import Behavior, Direction, Empty, Idle, Mode, Parity, Policy, Rate
from autoscaler.model.target import WorkloadRef
from tests.scenarios.story import QUICK, Story, Town, front, load, policy, window

ZERO = load(empty=Empty.ZERO)


def town(number: int, asked: Policy | None = None, *, count: int = 4, slice_of: int = 10_000) -> Town:
    """So many workloads that have run for a while on what they need."""
    made = Town.of(number, asked or policy(ZERO, behavior=QUICK), count=count, slice_of=slice_of)
    made.run(f"{count * 100}x6")
    return made


def some(made: Town, wanting: int, *, low: str = "100", rest: str = "400") -> None:
    """One cycle in which so many want to shrink."""
    others = len(made.stories) - wanting
    made.cycle_each([(reading(low),)] * wanting + [(reading(rest),)] * others)


def shrunk(made: Town, count: int = 4) -> int:
    return sum(each < count for each in made.counts)


def test_a_fleet_of_one_shrinks_freely() -> None:
    """A fleet of one under the brake: the five that always may are more than it has."""
    alone = town(1)
    alone.run("100x1")
    assert alone.counts == [1]
    assert alone.reasons() == {"below_target": 1}


def test_five_at_least_may_and_the_sixth_waits() -> None:
    small = town(10)
    some(small, 6)
    assert shrunk(small) == 5
    assert small.stories[5].reason() == "fleet_brake"
    assert small.stories[5].fact(Reason.FLEET_BRAKE, "latched") is False


def test_a_fleet_of_a_thousand_loses_at_most_three_tenths() -> None:
    """A fleet of 1,000 under the brake."""
    fleet = town(1000)
    some(fleet, 500)
    assert shrunk(fleet) == 300
    some(fleet, 500)
    assert shrunk(fleet) == 300
    assert fleet.stories[499].reason() == "fleet_brake"


def test_more_may_go_once_the_first_are_ten_minutes_ago() -> None:
    fleet = town(20)
    for _ in range(40):
        some(fleet, 10)
    assert shrunk(fleet) == 6
    some(fleet, 10)
    assert shrunk(fleet) == 10


def test_the_same_workload_counts_once() -> None:
    slow = Behavior(down=Direction(stabilization=0.0, rates=(Rate(replicas=1, per=15.0),)))
    small = town(10, policy(ZERO, behavior=slow), count=9)
    for count in range(8, 0, -1):
        some(small, 5, low=str(count * 100), rest="900")
    assert small.counts[:5] == [1] * 5


def test_series_that_vanish_at_once_latch_it_although_the_owner_said_empty_is_zero() -> None:
    """A relabelling makes every series of a fleet with `empty: 0` vanish at once: three tenths go, no more follow."""
    fleet = town(20)
    fleet.cycle("none")
    assert shrunk(fleet) == 6
    assert fleet.fleet.latched is not None
    fleet.run("nonex80")
    assert shrunk(fleet) == 6
    assert fleet.stories[19].fact(Reason.FLEET_BRAKE, "latched") is True
    fleet.run("400x1")
    assert shrunk(fleet) == 0, "growth is never braked"


def test_not_more_than_twice_the_allowed_number_does_not_latch() -> None:
    fleet = town(20)
    some(fleet, 12)
    assert fleet.fleet.latched is None
    fleet = town(20)
    some(fleet, 13)
    assert fleet.fleet.latched is not None


def test_a_latch_ends_after_an_hour() -> None:
    fleet = town(20)
    for _ in range(240):
        some(fleet, 13)
    assert shrunk(fleet) == 6
    some(fleet, 13)
    assert shrunk(fleet) == 12
    assert fleet.fleet.latched is None, "7 still want to: that is no more than twice what may"


def test_resume_ends_a_latch_and_it_does_not_fall_again_at_once() -> None:
    """Whoever says `resume --fleet` has looked: the rest follows at three tenths in ten minutes."""
    fleet = town(20)
    some(fleet, 20)
    assert fleet.fleet.latched is not None
    fleet.fleet_resumed = fleet.now
    for _ in range(39):
        some(fleet, 20)
    assert fleet.fleet.latched is None
    assert shrunk(fleet) == 6
    some(fleet, 20)
    assert shrunk(fleet) == 12
    other = town(20)
    other.fleet_resumed = other.now - 3600.0
    some(other, 20)
    assert other.fleet.latched is not None, "a word of an hour ago vouches for nothing"


def test_ceilings_windows_and_edits_do_not_count() -> None:
    lower = town(20)
    for story in lower.stories:
        story.asks(policy(ZERO, behavior=QUICK, high=2))
    lower.run("400x1")
    assert lower.counts == [2] * 20, "a lowered maximum"
    day = window("day", "0 0 * * *", 1, min=4)
    windows = Town(
        [
            Story(policy(ZERO, behavior=QUICK, schedule=(day,)), count=4, start="2026-06-10T00:50Z", ref=_ref(n))
            for n in range(20)
        ]
    )
    windows.run("100x60")
    assert windows.counts == [1] * 20, "a floor that ended"
    minimum = town(20, policy(ZERO, behavior=QUICK, low=4))
    minimum.run("100x5")
    for story in minimum.stories:
        story.asks(policy(ZERO, behavior=QUICK, low=1))
    minimum.run("100x8")
    assert minimum.counts == [1] * 20, "a lowered minimum"
    targets = town(20)
    for story in targets.stories:
        story.asks(policy(load(per_replica=400.0, empty=Empty.ZERO), behavior=QUICK))
    targets.run("400x8")
    assert targets.counts == [1] * 20, "another target per replica"


def test_what_a_floor_left_behind_counts_again_once_the_signals_have_had_their_way() -> None:
    """Every workload has office hours; at night the data breaks: the morning's floor is no excuse any more."""
    day = window("day", "0 0 * * *", 1, min=6)
    fleet = Town(
        [
            Story(policy(ZERO, behavior=QUICK, schedule=(day,)), count=6, start="2026-06-10T00:50Z", ref=_ref(n))
            for n in range(20)
        ]
    )
    fleet.run("400x80")
    assert fleet.counts == [4] * 20
    fleet.run("nonex60")
    assert shrunk(fleet) == 6


def test_overrides_and_what_follows_them_do_not_count() -> None:
    fleet = town(20)
    for story in fleet.stories:
        story.says(override=Override(count=2, until=story.now + 60.0))
    fleet.run("400x1")
    assert fleet.counts == [2] * 20
    fleet = town(20)
    for story in fleet.stories:
        story.says(override=Override(count=8, until=story.now + 60.0))
    fleet.run("400x4")
    assert fleet.counts == [8] * 20
    fleet.run("400x12")
    assert fleet.counts == [4] * 20


def test_idle_counts() -> None:
    asked = policy(load(), front(), low=2, idle=Idle(after=60.0), behavior=QUICK)
    fleet = Town.of(20, asked, count=2)
    fleet.run("0x12", "0x12")
    assert fleet.counts.count(0) == 6
    assert fleet.fleet.latched is not None


def test_observing_takes_nobodys_place_and_is_not_held() -> None:
    fleet = town(20)
    for story in fleet.stories[:10]:
        story.asks(policy(ZERO, behavior=QUICK, mode=Mode.OBSERVE))
    some(fleet, 16)
    assert [story.last.desired for story in fleet.stories[:10]] == [1] * 10
    assert shrunk(fleet) == 6, "those that act"
    assert fleet.counts[:10] == [4] * 10


def test_strict_parity_is_braked_as_well() -> None:
    fleet = town(10, policy(ZERO, behavior=QUICK, parity=Parity.STRICT))
    some(fleet, 10)
    assert shrunk(fleet) == 5


def test_an_order_that_waits_for_an_earlier_one_takes_nobodys_place() -> None:
    fleet = town(10)
    looks = [story.look(reading("100")) for story in fleet.stories]
    busy = [type(look)(state=look.state, readings=look.readings, busy=True) for look in looks]
    stepped = step([story.plan for story in fleet.stories], busy, fleet.memories, fleet.now, fleet=fleet.fleet)
    assert stepped.fleet.shrunk == {}
    assert stepped.fleet.wanting == 0
    assert {decision.reason for decision in stepped.decisions} == {Reason.BUSY}


@pytest.mark.parametrize("slice_of", [1, 7, 24, 1000])
def test_slices_make_no_difference(slice_of: int) -> None:
    whole, sliced = town(40), town(40, slice_of=slice_of)
    for wanting in (8, 18, 28, 4):
        some(whole, wanting)
        some(sliced, wanting)
        assert whole.counts == sliced.counts
        assert whole.fleet == sliced.fleet


def test_the_brake_forgets_what_is_over() -> None:
    brake = Brake(Fleet(size=100, shrunk={"a": 0.0, "b": 500.0}, doubting=(0.0, 590.0)), 600.0, None, 40)
    assert brake.shrunk == {"b": 500.0}
    assert brake.doubting == [590.0]
    assert brake.fleet().idle == 40
    back = Brake(Fleet(size=100, shrunk={"a": 5000.0}, latched=5000.0, doubting=(5000.0,)), 600.0, None, 40)
    assert (back.shrunk, back.latched, back.doubting) == ({"a": 600.0}, 600.0, [600.0]), "a clock set back an hour"


def _ref(n: int) -> WorkloadRef:
    return WorkloadRef("compose", "shop", "service", f"web-{n:05}")

"""Where a rewrite of the HPA goes wrong between a wish and the count, one sentence each."""

from __future__ import annotations

import msgspec
import pytest

from autoscaler.decide.hpa import (
    DEFAULT_DOWN,
    DEFAULT_UP,
    LEGACY,
    Behavior,
    Event,
    History,
    Legacy,
    Limit,
    Rate,
    Recommendation,
    Rules,
    Select,
    completed,
    hpa,
    policy_limit_down,
    policy_limit_up,
    record,
    seeded,
    without_recommendations,
)
from autoscaler.decide.hpa.smooth import smoothed, smoothed_legacy
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import prepare
from autoscaler.decide.step import applied, step
from autoscaler.model import policy as asked
from autoscaler.model.observation import Seen
from autoscaler.model.signal import Point, Series
from tests.support.nouns import policy, ref, state

NOW = 1000.0
NO_PAST = History(())


def quick(up: Rules | None = None, down: Rules | None = None) -> Behavior:
    """Without windows, and without limits of speed where none are given."""
    free = Rules(0.0, 0.1, (Rate(15.0, replicas=100_000),))
    return Behavior(up or free, down or free)


# history


def test_the_history_holds_what_was_asked_for_and_not_what_became_of_it() -> None:
    made = hpa(50, 10, 1, 12, Behavior(), NO_PAST, NOW)
    assert made.replicas == 12
    assert made.history.recommendations == (Recommendation(50, NOW),)


def test_an_entry_exactly_at_the_cutoff_neither_counts_nor_is_used_again() -> None:
    past = (Recommendation(9, NOW - 300),)
    stable, after = smoothed(2, 5, 0.0, 300.0, past, NOW)
    assert stable == 2
    assert after == (*past, Recommendation(2, NOW))


def test_legacy_still_counts_an_entry_exactly_at_the_cutoff() -> None:
    assert smoothed_legacy(2, 300.0, (Recommendation(9, NOW - 300),), NOW)[0] == 9


def test_the_last_old_slot_is_used_again_and_the_others_linger() -> None:
    past = tuple(Recommendation(count, NOW - age) for count, age in ((7, 900), (8, 800), (6, 10)))
    _, after = smoothed(2, 5, 0.0, 300.0, past, NOW)
    assert after == (past[0], Recommendation(2, NOW), past[2])


def test_old_entries_are_seen_again_when_the_window_grows() -> None:
    past = (Recommendation(7, NOW - 900), Recommendation(8, NOW - 800))
    made = hpa(2, 9, 1, 10, Behavior(), History(past), NOW)
    assert made.replicas == 2
    longer = Behavior(down=completed(DEFAULT_DOWN, stabilization_s=1800.0))
    assert hpa(2, 9, 1, 10, longer, made.history, NOW + 15).replicas == 7


def test_a_first_look_is_seeded_with_the_current_count() -> None:
    assert seeded(History(), 7, NOW).recommendations == (Recommendation(7, NOW),)
    assert hpa(2, 7, 1, 10, Behavior(), History(), NOW).replicas == 7


def test_a_history_that_exists_and_is_empty_is_not_seeded() -> None:
    empty = without_recommendations(History((Recommendation(7, NOW),), (Event(1, NOW),)))
    assert empty == History((), (Event(1, NOW),))
    assert hpa(2, 7, 1, 10, Behavior(), empty, NOW).replicas == 2


def test_a_history_comes_back_from_json_as_it_was() -> None:
    history = History((Recommendation(3, NOW),), (Event(1, NOW, True),), (Event(2, NOW),))
    assert msgspec.json.decode(msgspec.json.encode(history), type=History) == history


# rates


def test_percent_is_multiplied_in_one_piece() -> None:
    ten = Rules(0.0, 0.1, (Rate(60.0, percent=10),))
    assert policy_limit_up(100, ten, NO_PAST, NOW) == 111  # 100 * 1.1 is 110.00000000000001
    ninety = Rules(0.0, 0.1, (Rate(60.0, percent=90),))
    assert policy_limit_down(10, ninety, NO_PAST, NOW) == 0  # 10 * 0.1 in doubles is a little less than 1


def test_a_negative_limit_is_cut_towards_zero() -> None:
    twice = Rules(0.0, 0.1, (Rate(60.0, percent=150),))
    assert policy_limit_down(5, twice, NO_PAST, NOW) == -2


def test_events_of_both_directions_and_marked_ones_count() -> None:
    rules = Rules(0.0, 0.1, (Rate(60.0, replicas=4),))
    past = History((), (Event(3, NOW - 10, True),), (Event(1, NOW - 10),))
    assert policy_limit_up(10, rules, past, NOW) == 10 - 3 + 1 + 4
    assert policy_limit_down(10, rules, past, NOW) == 10 - 3 + 1 - 4


def test_an_event_exactly_one_period_old_does_not_count() -> None:
    rules = Rules(0.0, 0.1, (Rate(60.0, replicas=4),))
    assert policy_limit_up(10, rules, History((), (Event(3, NOW - 60),)), NOW) == 14


def test_a_limit_on_the_wrong_side_means_stay() -> None:
    up = Rules(0.0, 0.1, (Rate(60.0, replicas=2),))
    past = History((), (Event(5, NOW - 10),))
    made = hpa(20, 10, 1, 30, quick(up=up), past, NOW)
    assert (made.replicas, made.limit) == (10, Limit.SCALE_UP_LIMIT)


@pytest.mark.parametrize(
    ("select", "up", "down"), [(Select.MAX, 14, 5), (Select.MIN, 11, 6), (Select.DISABLED, 10, 10)]
)
def test_select_takes_the_biggest_or_the_smallest_change_or_none(select: Select, up: int, down: int) -> None:
    rising = Rules(0.0, 0.1, (Rate(60.0, replicas=4), Rate(60.0, replicas=1)), select)
    falling = Rules(0.0, 0.1, (Rate(60.0, replicas=4), Rate(60.0, percent=50)), select)
    assert policy_limit_up(10, rising, NO_PAST, NOW) == up
    assert policy_limit_down(10, falling, NO_PAST, NOW) == down


def test_bounds_hold_in_the_direction_of_movement_only() -> None:
    assert hpa(3, 2, 5, 10, quick(), NO_PAST, NOW).replicas == 3  # below the minimum, and rising
    assert hpa(20, 25, 1, 10, quick(), NO_PAST, NOW).replicas == 20  # above the maximum, and falling
    assert hpa(2, 2, 5, 10, quick(), NO_PAST, NOW).replicas == 2


def test_a_cut_names_the_bound_that_made_it() -> None:
    assert hpa(50, 10, 1, 12, Behavior(), NO_PAST, NOW).limit is Limit.TOO_MANY_REPLICAS
    assert hpa(50, 10, 1, 100, Behavior(), NO_PAST, NOW).limit is Limit.SCALE_UP_LIMIT
    assert hpa(1, 10, 4, 100, quick(), NO_PAST, NOW).limit is Limit.TOO_FEW_REPLICAS
    slow = quick(down=Rules(0.0, 0.1, (Rate(60.0, replicas=1),)))
    assert hpa(1, 10, 4, 100, slow, NO_PAST, NOW).limit is Limit.SCALE_DOWN_LIMIT


# changes on record


def test_the_outdated_mark_stays_and_its_slot_is_used_again() -> None:
    rules = Rules(0.0, 0.1, (Rate(60.0, replicas=4),))
    old = History((), (Event(1, NOW - 100), Event(2, NOW - 90), Event(3, NOW - 10)))
    made = record(old, quick(up=rules), 3, 5, NOW)
    assert made.ups == (Event(1, NOW - 100, True), Event(2, NOW), Event(3, NOW - 10))


def test_a_marked_slot_is_used_again_even_where_a_longer_period_covers_it() -> None:
    rules = Rules(0.0, 0.1, (Rate(600.0, replicas=4),))
    made = record(History((), (Event(1, NOW - 100, True), Event(2, NOW - 90))), quick(up=rules), 3, 5, NOW)
    assert made.ups == (Event(2, NOW), Event(2, NOW - 90))


def test_an_event_exactly_at_the_longest_period_is_not_outdated() -> None:
    rules = Rules(0.0, 0.1, (Rate(30.0, replicas=4), Rate(60.0, replicas=9)))
    made = record(History((), (Event(1, NOW - 60),)), quick(up=rules), 3, 5, NOW)
    assert made.ups == (Event(1, NOW - 60), Event(2, NOW))


def test_a_fall_is_recorded_with_its_size_and_leaves_the_rises_alone() -> None:
    made = record(History((), (Event(1, NOW - 5000),)), Behavior(), 9, 4, NOW)
    assert made == History((), (Event(1, NOW - 5000),), (Event(5, NOW),))


def test_without_a_behavior_no_change_is_recorded() -> None:
    assert record(NO_PAST, LEGACY, 1, 2, NOW) is NO_PAST


# legacy


def test_legacy_doubles_at_most_but_reaches_four() -> None:
    assert hpa(50, 1, 1, 100, LEGACY, NO_PAST, NOW).replicas == 4
    assert hpa(50, 10, 1, 100, LEGACY, NO_PAST, NOW).replicas == 20
    assert hpa(50, 10, 1, 100, Legacy(factor=8.0), NO_PAST, NOW).replicas == 50


def test_a_minimum_above_the_speed_wins_in_legacy() -> None:
    assert hpa(70, 1, 60, 100, LEGACY, NO_PAST, NOW).replicas == 4  # asked for more than the minimum: speed holds
    made = hpa(5, 1, 60, 100, LEGACY, NO_PAST, NOW)
    assert (made.replicas, made.limit) == (60, Limit.TOO_FEW_REPLICAS)


def test_in_legacy_an_old_wish_keeps_pushing_up_after_the_load_has_gone() -> None:
    first = hpa(50, 4, 1, 100, LEGACY, NO_PAST, NOW)
    assert first.replicas == 8
    assert hpa(2, 8, 1, 100, LEGACY, first.history, NOW + 15).replicas == 16


# the product's own path


def test_a_policy_without_behavior_has_the_defaults_of_the_hpa() -> None:
    assert prepare(ref(), policy()).behavior == Behavior(DEFAULT_UP, DEFAULT_DOWN)
    plain = asked.Behavior()
    assert plain != asked.HPA_BEHAVIOR
    written = msgspec.structs.replace(policy(), behavior=asked.HPA_BEHAVIOR)
    assert prepare(ref(), written).behavior == Behavior()


def test_written_rates_replace_the_default_ones_as_a_whole() -> None:
    one = (Rate(60.0, replicas=1),)
    assert completed(DEFAULT_UP, rates=one) == Rules(0.0, 0.1, one)
    assert completed(DEFAULT_DOWN, stabilization_s=0.0, select=Select.MIN) == Rules(
        0.0, 0.1, DEFAULT_DOWN.rates, Select.MIN
    )


def test_legacy_goes_through_step_as_any_other_behavior() -> None:
    plan = msgspec.structs.replace(prepare(ref(), policy(at_most=100)), behavior=LEGACY)
    reading = Series((Point(5000.0),))
    memories: dict[str, Memory] = {}
    counts, count = [], 3
    for cycle in range(3):
        now = NOW + 15.0 * cycle
        look = Seen(state=msgspec.structs.replace(state(existing=count, at=now), desired=count), readings=(reading,))
        stepped = step([plan], [look], memories, now)
        (decision,) = stepped.decisions
        memories = {
            key: applied(plan, memory, before=count, count=decision.desired, now=now)
            for key, memory in stepped.memories.items()
        }
        count = decision.desired
        counts.append(count)
    assert counts == [6, 12, 24]
    assert all(memory.history.ups == () for memory in memories.values())

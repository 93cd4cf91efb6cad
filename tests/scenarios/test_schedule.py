"""Windows: when they are open on real calendars, which bounds win, and what their ends leave behind."""

from __future__ import annotations

import itertools
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from autoscaler.decide.calendar import open_windows, spans, weekdays
from autoscaler.decide.explain import why
from autoscaler.model.decision import Reason
from autoscaler.model.policy import Window
from tests.scenarios.story import QUICK, Story, load, moment, policy, window


def starts(cron: str, zone: str, since: str, until: str, **keys: object) -> list[str]:
    """The starts of a window between two local times, on the clock of its zone."""
    opening = window("w", cron, 0.25, timezone=zone, min=2, **keys)
    found = spans(opening, moment(f"{since} {zone}"), moment(f"{until} {zone}"))
    return [datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%a %d %H:%M %z") for at, _ in found]


def is_open(opening: Window, at: str) -> bool:
    return bool(open_windows((opening,), moment(at)))


# the calendar


@pytest.mark.parametrize(("number", "day"), list(enumerate(["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])))
def test_weekday_numbers_are_crons(number: int, day: str) -> None:
    """The scheduler's own numbers begin with Monday; cron's begin with Sunday, which is 7 as well."""
    found = starts(f"0 8 * * {number}", "Europe/Paris", "2026-06-01T00:00", "2026-06-15T00:00")
    assert [each[:3] for each in found] == [day, day]
    assert starts(f"0 8 * * {day.upper()}", "Europe/Paris", "2026-06-01T00:00", "2026-06-15T00:00") == found


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("mon-fri", "mon tue wed thu fri"),
        ("fri-mon", "sun mon fri sat"),
        ("sat-sun", "sun sat"),
        ("sun-sat", "sun mon tue wed thu fri sat"),
        ("0-7", "sun mon tue wed thu fri sat"),
        ("5-1", "sun mon fri sat"),
        ("6-7", "sun sat"),
        ("7-2", "sun mon tue"),
        ("mon,wed,7", "sun mon wed"),
        ("fri-tue/2", "sun tue fri"),
        ("1-5/2", "mon wed fri"),
        ("mon-mon", "mon"),
        ("Monday-Wednesday", "mon tue wed"),
    ],
)
def test_weekday_ranges_may_wrap(field: str, days: str) -> None:
    assert weekdays(field).split(",") == days.split()
    found = {each[:3].lower() for each in starts(f"0 8 * * {field}", "UTC", "2026-06-01T00:00", "2026-06-15T00:00")}
    assert found == set(days.split())


def test_a_time_that_clocks_skip_comes_later_and_one_that_comes_twice_opens_once() -> None:
    """Paris goes forward at 02:00 on 29 March 2026 and back at 03:00 on 25 October 2026."""
    assert starts("30 2 * * *", "Europe/Paris", "2026-03-28T00:00", "2026-03-31T00:00") == [
        "Sat 28 02:30 +0100",
        "Sun 29 03:30 +0200",
        "Mon 30 02:30 +0200",
    ]
    assert starts("30 2 * * *", "Europe/Paris", "2026-10-24T00:00", "2026-10-27T00:00") == [
        "Sat 24 02:30 +0200",
        "Sun 25 02:30 +0200",
        "Mon 26 02:30 +0100",
    ]


def test_a_midnight_that_clocks_skip_is_not_a_day_without_a_window() -> None:
    """Santiago goes forward at midnight."""
    found = starts("0 0 * * *", "America/Santiago", "2026-09-05T00:00", "2026-09-07T12:00")
    assert found == ["Sat 05 00:00 -0400", "Sun 06 01:00 -0300", "Mon 07 00:00 -0300"]


def test_what_starts_every_hour_follows_the_hours_that_pass() -> None:
    forth = starts("0 * * * *", "Europe/Paris", "2026-03-29T00:00", "2026-03-29T05:00")
    assert [each[7:12] for each in forth] == ["00:00", "01:00", "03:00", "04:00"]
    rare = starts("0 */2 * * *", "Europe/Paris", "2026-03-29T00:00", "2026-03-29T05:00")
    assert [each[7:12] for each in rare] == ["00:00", "03:00", "04:00"]
    back = starts("30 * * * *", "Europe/Paris", "2026-10-25T00:00", "2026-10-25T04:00")
    assert [each[7:] for each in back] == [
        "00:30 +0200",
        "01:30 +0200",
        "02:30 +0200",
        "02:30 +0100",
        "03:30 +0100",
    ]


def test_a_span_is_elapsed_time_whatever_clocks_do() -> None:
    night = window("night", "0 22 * * *", 8, timezone="Europe/Paris", min=2)
    assert is_open(night, "2026-03-29T06:59 Europe/Paris"), "eight hours end at 07:00 in the short night"
    assert not is_open(night, "2026-03-29T07:00 Europe/Paris")
    assert is_open(night, "2026-10-25T04:59 Europe/Paris")
    assert not is_open(night, "2026-10-25T05:00 Europe/Paris")


def test_a_zone_without_summer_time_and_dates_that_are_local() -> None:
    office = window("office", "0 8 * * mon-fri", 11, timezone="Asia/Seoul", min=6, excepted=("2026-12-25",))
    assert is_open(office, "2026-12-24T08:00 Asia/Seoul")
    assert is_open(office, "2026-12-23T23:00+00:00"), "08:00 of the 24th in Seoul"
    assert not is_open(office, "2026-12-24T19:00 Asia/Seoul")
    assert not is_open(office, "2026-12-25T08:00 Asia/Seoul")
    assert not is_open(office, "2026-12-24T23:30+00:00"), "the 25th in Seoul, though not yet in Greenwich"
    assert not is_open(office, "2026-12-26T08:00 Asia/Seoul"), "a Saturday"


def test_except_names_the_start_so_a_window_across_midnight_is_left_out_whole() -> None:
    night = window("night", "0 22 * * *", 6, timezone="Europe/Paris", min=2, excepted=("2026-06-10",))
    assert is_open(night, "2026-06-10T03:00 Europe/Paris"), "it started on the ninth"
    assert not is_open(night, "2026-06-10T23:00 Europe/Paris")
    assert not is_open(night, "2026-06-11T03:00 Europe/Paris")
    assert is_open(night, "2026-06-11T23:00 Europe/Paris")


def test_a_window_of_many_days_is_open_on_all_of_them() -> None:
    sale = window("sale", "0 0 20 nov *", 240, timezone="Europe/Paris", min=5)
    assert [is_open(sale, f"2026-11-{day}T12:00 Europe/Paris") for day in (19, 20, 25, 29, 30)] == [
        False, True, True, True, False,
    ]  # fmt: skip


def test_starts_are_inclusive_and_ends_are_not() -> None:
    noon = window("noon", "0 12 * * *", 1, min=2)
    assert [is_open(noon, f"2026-06-10T{at}Z") for at in ("11:59:59", "12:00", "12:59:59", "13:00")] == [
        False, True, True, False,
    ]  # fmt: skip


def test_steps_and_lists_in_every_field() -> None:
    found = starts("*/30 9,17 1-7/3 */6 *", "UTC", "2026-01-01T00:00", "2026-08-01T00:00")
    assert len(found) == 2 * 2 * 3 * 2  # half hours, hours, days 1 4 7, January and July


# whose bound wins


def bounded(*windows: Window, at: str = "2026-06-10T12:00Z", count: int = 4, low: int = 2, high: int = 10) -> Story:
    return Story(policy(low=low, high=high, schedule=windows, behavior=QUICK), count=count, start=at)


def open_all_day(name: str, **keys: object) -> Window:
    return window(name, "0 0 * * *", 24, **keys)


def test_the_highest_floor_wins() -> None:
    told = bounded(open_all_day("a", min=5), open_all_day("b", min=7), open_all_day("c", min=6))
    assert told.run("100x1") == "7x1"
    assert (told.reason(), told.fact(Reason.WINDOW_FLOOR, "window")) == ("window_floor", "b")


def test_the_lowest_ceiling_wins() -> None:
    told = bounded(open_all_day("a", max=6), open_all_day("b", max=3), open_all_day("c", max=5))
    assert told.run("900x1") == "3x1"
    assert (told.reason(), told.fact(Reason.WINDOW_CEILING, "window")) == ("window_ceiling", "b")
    told.run("900x60")
    assert (told.last.desired, told.reason()) == (3, "capped_at_maximum")
    assert why(told.last) == "9 are asked for, no more than 3 are allowed while the window b is open"


def test_a_floor_beats_a_ceiling() -> None:
    told = bounded(open_all_day("a", max=3), open_all_day("b", min=6))
    assert told.run("900x1") == "6x1"
    assert told.run("100x3 900x3") == "6x6"
    both = bounded(open_all_day("both", min=6, max=3))
    assert both.run("100x3") == "6x3"


def test_the_policys_own_bounds_beat_windows() -> None:
    assert bounded(open_all_day("a", min=50)).run("100x1") == "10x1"
    assert bounded(open_all_day("a", max=1)).run("100x60") == "2x60"


def test_a_ceiling_that_opens_while_data_is_missing() -> None:
    """It goes down to the ceiling all the same: the ceiling is the owner's word, not a guess."""
    night = window("night", "0 22 * * *", 8, max=3)
    told = Story(policy(schedule=(night,), behavior=QUICK), count=8, start="2026-06-10T21:30Z")
    assert told.run_until("2026-06-10T22:00Z", "none") == "8x120"
    assert told.run("nonex10") == "3x10"
    assert [step.reason.value for step in told.decisions[-10].steps][-1] == "window_ceiling"


def test_a_floor_that_opens_while_data_is_missing() -> None:
    day = window("day", "0 8 * * *", 8, min=6)
    told = Story(policy(schedule=(day,)), count=2, start="2026-06-10T07:45Z")
    assert told.run_until("2026-06-10T08:00Z", "none") == "2x60"
    assert told.run("nonex2") == "6x2"
    assert told.decisions[-2].reason is Reason.WINDOW_FLOOR


def test_a_floor_that_opens_under_a_load_that_asks_for_more_goes_straight_to_it() -> None:
    day = window("day", "0 8 * * *", 8, min=4)
    told = Story(policy(schedule=(day,), high=20), count=2, start="2026-06-10T07:59:45Z")
    told.run("200x1")
    assert told.run("500x1") == "5x1"
    assert told.reason() == "above_target"


# what an end leaves behind


def test_a_floors_end_does_not_drop_the_service_on_a_half_filled_window() -> None:
    """What was asked for below the floor is no history of demand: it goes on from the floor as if seen first."""
    day = window("day", "0 8 * * *", 1, min=6)
    told = Story(policy(schedule=(day,)), count=6, start="2026-06-10T08:00Z")
    told.run_until("2026-06-10T08:58Z", "100")
    assert told.run_until("2026-06-10T09:00Z", "0") == "6x8"
    assert told.run("0x20") == "6x20"
    assert told.last.reason is Reason.STABILIZED_DOWN or told.reason() == "reseeded"
    assert told.run("0x2") == "1x2"


def test_a_floors_end_holds_for_lead_time_and_two_scrapes_without_stabilization() -> None:
    day = window("day", "0 8 * * *", 1, min=6)
    told = Story(policy(schedule=(day,), behavior=QUICK), count=6, start="2026-06-10T08:00Z")
    told.run_until("2026-06-10T09:00Z", "100")
    assert told.run("100x5") == "6x4 1x1"
    assert told.decisions[-2].reason is Reason.RESEEDED
    assert told.fact(Reason.BELOW_TARGET, "signal") == "load"


def test_a_floors_end_in_a_moment_of_doubt_is_not_forgotten() -> None:
    """The floor ends in the two cycles in which nothing could be read; when data is back it still counts."""
    day = window("day", "0 8 * * *", 1, min=6)
    told = Story(policy(schedule=(day,), behavior=QUICK), count=6, start="2026-06-10T08:00Z")
    told.run_until("2026-06-10T08:59:45Z", "100")
    assert told.run("nonex2 100x4") == "6x6"
    assert told.reason() == "reseeded"
    assert told.fact(Reason.RESEEDED, "because") == "a floor's end"


def test_a_floor_that_was_not_binding_ends_without_a_trace() -> None:
    day = window("day", "0 8 * * *", 1, min=3)
    told = Story(policy(schedule=(day,), behavior=QUICK), count=8, start="2026-06-10T08:00Z")
    told.run_until("2026-06-10T09:00Z", "800")
    assert told.run("100x1") == "1x1"


def test_a_ceilings_end_lets_it_grow_at_its_usual_speed() -> None:
    night = window("night", "0 22 * * *", 1, max=3)
    told = Story(policy(schedule=(night,)), count=3, start="2026-06-10T22:30Z")
    assert told.run_until("2026-06-10T23:00Z", "900") == "3x120"
    assert told.run("900x3") == "7x1 9x2"


@pytest.mark.parametrize("first", [0, 1])
def test_the_order_of_windows_does_not_matter(first: int) -> None:
    windows = (open_all_day("a", min=3, max=8), open_all_day("b", min=5, max=6))
    told = bounded(*(windows if first else windows[::-1]))
    assert told.run("100x1 900x3") == "5x1 6x3"


def test_an_overlap_of_two_floors_ends_in_steps() -> None:
    told = Story(
        policy(schedule=(window("a", "0 8 * * *", 2, min=6), window("b", "0 8 * * *", 1, min=8)), behavior=QUICK),
        count=8,
        start="2026-06-10T08:30Z",
    )
    told.run_until("2026-06-10T10:10Z", "100")
    seen = [(key, len(list(group))) for key, group in itertools.groupby(d.desired for d in told.decisions)]
    assert seen == [(8, 124), (6, 240), (1, 36)]


def test_the_explanation_names_the_window_and_how_long_it_lasts() -> None:
    told = bounded(open_all_day("office", min=6))
    told.run("100x1")
    assert why(told.last) == "4 run, the window office asks for at least 6 for another 12h"
    told.run("100x30")
    assert why(told.last) == "1 would be enough, the minimum is 6 while the window office is open"


def test_a_signal_in_doubt_stays_held_within_the_window() -> None:
    told = bounded(open_all_day("a", min=3, max=6), count=5)
    told.asks(policy(load(), low=2, schedule=(open_all_day("a", min=3, max=6),)))
    assert told.run("nonex100") == "5x100"

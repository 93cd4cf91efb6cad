"""Cron lines: what they mean is what the scheduler does, and what readers disagree about is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.policy.cron import WEEKDAYS, BadCron, overlap, parse, starts

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("line", "weekdays"),
    [
        ("0 0 * * *", {0, 1, 2, 3, 4, 5, 6}),
        ("0 0 * * 0", {0}),
        ("0 0 * * 7", {0}),
        ("0 0 * * sun", {0}),
        ("0 0 * * MON-Fri", {1, 2, 3, 4, 5}),
        ("0 0 * * fri-mon", {5, 6, 0, 1}),
        ("0 0 * * 5-7", {5, 6, 0}),
        ("0 0 * * 0-7", {0, 1, 2, 3, 4, 5, 6}),
        ("0 0 * * sat-thu/2", {6, 1, 3}),
        ("0 0 * * */3", {0, 3, 6}),
        ("0 0 * * 1,wed,7", {1, 3, 0}),
    ],
)
def test_weekdays_may_wrap_and_sunday_has_two_numbers(line: str, weekdays: set[int]) -> None:
    assert parse(line).weekdays == weekdays


def test_fields_have_ranges_steps_lists_and_names() -> None:
    cron = parse("0,30-40/5,*/20 8-10 1,15 jan-mar/2,dec *")
    assert sorted(cron.minutes) == [0, 20, 30, 35, 40]
    assert sorted(cron.hours) == [8, 9, 10]
    assert sorted(cron.days) == [1, 15]
    assert sorted(cron.months) == [1, 3, 12]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("@daily", "expected five fields, minute hour day month weekday, got one word @daily"),
        ("0 0 * * * *", "got 6 fields"),
        ("60 0 * * *", "minute: expected 0-59, got 60"),
        ("0 24 * * *", "hour: expected 0-23, got 24"),
        ("0 0 0 * *", "day of month: expected 1-31, got 0"),
        ("0 0 * 13 *", "month: expected 1-12 or jan-dec, got 13"),
        ("0 0 * * 8", "weekday: expected 0-7 or sun-sat, got 8"),
        ("0 0 * * monday", "weekday: expected 0-7 or sun-sat, got monday"),
        ("0 0 L * *", "day of month: expected 1-31, got l"),
        ("0 0 ? * *", "day of month: cannot read ?"),
        ("0 0 * * 1#2", "weekday: cannot read 1#2"),
        ("0,,5 0 * * *", "minute: cannot read an empty item"),
        ("0 22-2 * * *", "hour: 22-2 goes backwards"),
        ("5/15 0 * * *", "to some cron readers 5/15 is one time, to others a beginning"),
        ("*/0 0 * * *", "minute: the step of */0 does not fit into its range"),
        ("*/60 0 * * *", "minute: the step of */60 does not fit into its range"),
        ("10-20/15 0 * * *", "does not fit into its range"),
        ("0 0 1 * mon", "day of month and weekday are both restricted"),
        ("0 0 */2 * 1-5", "to some cron readers that means both, to others either"),
        ("0 0 30 feb *", "this date never comes: feb has no day 30"),
        ("0 0 31 4,6 *", "this date never comes: apr, jun has no day 31"),
    ],
)
def test_what_cannot_be_read_or_is_read_differently_is_refused(line: str, said: str) -> None:
    with pytest.raises(BadCron) as caught:
        parse(line)
    assert said in str(caught.value)


def test_the_leap_day_is_a_date_that_comes() -> None:
    assert parse("0 0 29 feb *").on(date(2028, 2, 29))
    assert parse("0 0 30 jan,feb *").on(date(2027, 1, 30))


@pytest.mark.parametrize(
    ("line", "hours", "zone", "overlaps"),
    [
        ("0 8 * * *", 24, UTC, False),
        ("0 8 * * *", 24.1, UTC, True),
        ("0 8 * * *", 23, BERLIN, False),
        ("0 8 * * *", 24, BERLIN, True),  # one day in March has 23 hours
        ("30 2 * * *", 23.5, BERLIN, True),  # a skipped 02:30 comes at 03:30, 23 hours before the next
        ("0 8 * * mon-fri", 24.1, UTC, True),
        ("0 8 * * mon", 7 * 24, UTC, False),
        ("0 8 * * mon", 7 * 24 + 1, UTC, True),
        ("0 8,20 * * *", 12, UTC, False),
        ("0 8,18 * * *", 11, UTC, True),
        ("0 0 1 * *", 28 * 24, UTC, False),  # February is the shortest
        ("0 0 1 * *", 29 * 24.1, UTC, True),
        ("59 23 31 dec *", 24 * 31, UTC, False),
        ("* * * * *", 1 / 60, BERLIN, False),
        ("0 0 29 feb *", 24 * 31, UTC, False),
    ],
)
def test_a_window_that_would_open_before_it_closes_is_found(
    line: str, hours: float, zone: ZoneInfo, overlaps: bool
) -> None:
    found = overlap(parse(line), hours * 3600, zone)
    assert (found is not None) is overlaps
    if found is not None:
        assert timedelta(0) < found[1] - found[0] < timedelta(hours=hours)


def _items(least: int, most: int) -> st.SearchStrategy[str]:
    single = st.integers(least, most).map(str)
    pair = st.tuples(st.integers(least, most), st.integers(least, most)).map(sorted)
    spans = pair.map(lambda two: f"{two[0]}-{two[1]}")
    steps = st.integers(1, most - least).map(lambda step: f"*/{step}")
    return st.lists(single | spans | steps, min_size=1, max_size=3).map(",".join)


LINES = st.tuples(
    st.sampled_from(["0", "30", "*/15", "5,50"]) | _items(0, 59),
    _items(0, 23),
    st.just("*") | _items(1, 31),
    st.just("*") | _items(1, 12),
    st.just("*") | _items(0, 7),
).filter(lambda fields: fields[2] == "*" or fields[4] == "*")


@given(LINES, st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]), st.integers(0, 700))
@settings(deadline=None, max_examples=150)
def test_starts_are_those_of_the_scheduler(fields: tuple[str, ...], name: str, offset: int) -> None:
    try:
        cron = parse(" ".join(fields))
    except BadCron:
        return
    zone = ZoneInfo(name)
    first = date(2027, 1, 1) + timedelta(days=offset)
    last = first + timedelta(days=3)
    mine = [start for n in range(3) for start in starts(cron, first + timedelta(days=n), zone)]
    weekdays = ",".join(WEEKDAYS[each] for each in sorted(cron.weekdays))
    minute, hour, day, month, _ = fields
    trigger = CronTrigger(minute=minute, hour=hour, day=day, month=month, day_of_week=weekdays, timezone=zone)
    theirs: list[datetime] = []
    after = datetime(first.year, first.month, first.day, tzinfo=zone)
    while (start := trigger.get_next_fire_time(None, after)) is not None and start.date() < last:
        theirs += [start.astimezone(UTC)] * (start.fold == 0)  # ours counts a repeated time once
        after = (start.astimezone(UTC) + timedelta(seconds=1)).astimezone(zone)
    assert set(theirs) <= set(mine)
    skipped = [each for each in mine if each not in theirs]  # the scheduler drops a few that fall into a skipped hour
    assert all(_is_skipped(each, zone) for each in skipped)


def _is_skipped(start: datetime, zone: ZoneInfo) -> bool:
    local = start.astimezone(zone)
    return local.utcoffset() != (start - timedelta(hours=2)).astimezone(zone).utcoffset()

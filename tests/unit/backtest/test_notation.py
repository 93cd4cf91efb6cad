"""The notation of loads and expectations, and points of time: what is read, what is printed, what is refused."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.backtest.moments import START, later, moment
from autoscaler.backtest.notation import (
    MISSING,
    BadNotation,
    Entry,
    count,
    counts,
    cycles,
    parsed,
    printed,
    reading,
    readings,
    spread,
)
from autoscaler.model.signal import Missing, Series

words = st.one_of(
    st.integers(0, 10**9).map(str),
    st.floats(-1e9, 1e9, allow_nan=False).map(repr),
    st.sampled_from([*MISSING, "300ms", "70%", "600?2", "600:3/4", "600:3/4?1"]),
)
entries = st.builds(Entry, words, st.integers(1, 9999)) | st.builds(
    Entry, words, st.just(1), st.integers(1, 9999).map(float)
)


@given(st.lists(entries, min_size=1, max_size=8))
def test_what_is_printed_is_read_back(told: list[Entry]) -> None:
    assert parsed(" ".join(map(str, told))) == told


@given(st.lists(words, min_size=1, max_size=40))
def test_words_are_the_same_once_they_are_printed_and_read(told: list[str]) -> None:
    text = printed(told)
    assert spread(parsed(text), 15.0) == told
    assert printed(spread(parsed(text), 15.0)) == text
    assert len(list(readings(text))) == len(told)


def test_an_entry_may_last_cycles_or_minutes() -> None:
    assert counts("1x3 6") == [1, 1, 1, 6]
    assert counts("2x1m 3x30s", 15.0) == [2, 2, 2, 2, 3, 3]
    assert spread(parsed("0x10"), 15.0) == ["0"] * 10, "and it is no hexadecimal"
    assert printed(["1", "1", "6"]) == "1x2 6x1"


def test_a_word_is_a_number_with_or_without_a_unit_or_missing_data() -> None:
    def value(word: str) -> float:
        found = reading(word)
        assert isinstance(found, Series)
        return found.points[0].value

    assert [value(word) for word in ("600", "-1.5", "1e3", "300ms", "2h", "70%")] == [600, -1.5, 1000, 0.3, 7200, 0.7]
    for word, missing in MISSING.items():
        assert reading(word) == missing
        assert isinstance(missing, Missing)
    assert {each.why for each in MISSING.values()} == set(type(MISSING["none"].why)), "every kind can be told"


def test_unread_and_absent_instances_are_named() -> None:
    unread, partly = reading("600?2"), reading("600:3/4")
    assert isinstance(unread, Series)
    assert isinstance(partly, Series)
    assert unread.unread == ("i0", "i1")
    assert (partly.found, partly.expected) == (("i0", "i1", "i2"), ("i0", "i1", "i2", "i3"))


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("", "got an empty text", "100 for three cycles"),
        ("100 x3", "got x3", "no space before x"),
        ("100x0", "at least one cycle, got 100x0", "leave it out"),
        ("100x0s", "at least one cycle, got 100x0s", "leave it out"),
        ("100xx3", "got 100x", "kinds of missing data"),
        ("nome", "a number or a kind of missing data, got nome", "did you mean none?"),
        ("300m", "got 300m", "0.3 or 300ms?"),
        ("1,5", "got 1,5", "none, nan, stale"),
        ("inf", "got inf", "missing data"),
        ("600?", "got 600?", "missing data"),
        ("600:3", "got 600:3", "missing data"),
        ("100x20s", "20s is no multiple of the cycle, 15s", "15s?"),
        ("100x999999", "more than 200000 cycles", "hours"),
    ],
)
def test_what_is_no_load_is_refused_with_a_way_out(text: str, said: str, hint: str) -> None:
    with pytest.raises(BadNotation) as bad:
        list(readings(text))
    assert said in str(bad.value)
    assert hint in bad.value.hint


def test_expected_counts_are_whole_or_whatever() -> None:
    assert [count("6"), count("_")] == [6, None]
    for word in ("six", "-1", "1.5", "none"):
        with pytest.raises(BadNotation, match=f"expected a count of replicas, got {word}"):
            count(word)


def test_a_span_is_whole_cycles() -> None:
    assert [cycles(300.0, 15.0), cycles(0.3, 0.1), cycles(15.0, 15.0)] == [20, 3, 1]
    with pytest.raises(BadNotation):
        cycles(1.0, 15.0)


def test_a_moment_is_in_its_zone() -> None:
    seoul = ZoneInfo("Asia/Seoul")
    at = moment("2026-06-10 09:00Z")[0]
    assert moment("2026-06-10 18:00 Asia/Seoul") == (at, seoul)
    assert moment("2026-06-10T18:00+09:00")[0] == at
    assert moment("2026-06-10 09:00") == (at, UTC)
    assert moment("2026-06-10 18:00", seoul) == (at, seoul)
    assert moment("2026-01-05 12:00")[0] == START


def test_a_later_point_is_a_span_a_clock_or_a_moment() -> None:
    start, zone = moment("2026-06-10 18:00 Asia/Seoul")
    assert later("5m", start, zone) == start + 300
    assert later("19:00", start, zone) == start + 3600
    assert later("08:00", start, zone) == start + 14 * 3600, "the next morning"
    assert later("18:00", start, zone) == start
    assert later("2026-06-10 18:30", start, zone) == start + 1800
    assert later("2026-06-10 09:30Z", start, zone) == start + 1800


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("noon", "expected a date and time, got noon", "2026-06-10 18:00 Asia/Seoul"),
        ("2026-02-30 10:00", "expected a date and time", "UTC"),
        ("2026-06-10 18:00 Asia/Soul", "there is no time zone Asia/Soul", "did you mean Asia/Seoul?"),
        ("2026-06-10 18:00Z Asia/Seoul", "expected a date and time", "UTC"),
    ],
)
def test_what_is_no_moment_is_refused(text: str, said: str, hint: str) -> None:
    with pytest.raises(BadNotation) as bad:
        moment(text)
    assert said in str(bad.value)
    assert hint in bad.value.hint


def test_what_is_no_later_point_is_refused() -> None:
    for text in ("noon", "25:00", "5", "2026-06-10"):
        with pytest.raises(BadNotation, match="expected a point of time"):
            later(text, START, UTC)
    with pytest.raises(BadNotation, match="before the test begins"):
        later("2026-01-01 00:00", START, UTC)

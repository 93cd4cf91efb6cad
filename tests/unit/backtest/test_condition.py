"""What is told of a recording's condition: gaps, counters, a resolution that changed. A sound one gives no word."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from autoscaler.backtest import recording
from autoscaler.backtest.condition import is_rate, notes
from autoscaler.backtest.recording import Recording
from autoscaler.model.observation import Ask
from autoscaler.model.policy import Signal
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from tests.support import nouns

RATE = "sum(rate(requests_total[1m]))"
HOLE = Missing(MissingWhy.EMPTY, "the query gives no series")


def told(readings: Sequence[Reading], query: str = RATE, every_s: float = 15.0) -> list[str]:
    signal = Signal(name="requests", prometheus=query, per_replica=10.0)
    column = recording.column(Ask(nouns.ref(), signal, query), "web", readings)
    return notes(Recording(start=0.0, every_s=every_s, beats=len(readings), columns=(column,)))


def at(value: float, age: float | None = 5.0) -> Series:
    return Series((Point(value),), age)


def test_a_sound_recording_gives_no_word() -> None:
    assert told([at(float(beat % 7), 5.0 + beat % 10) for beat in range(2000)]) == []


def test_gaps_are_told_with_their_sum_and_the_longest() -> None:
    readings: list[Reading] = [at(1.0)] * 100
    readings[10:12] = [HOLE] * 2
    readings[40:60] = [Missing(MissingWhy.STALE, "old")] * 10 + [HOLE] * 10
    assert told(readings) == [
        "web, requests: 2 gaps, 5m30s of 25m in all; the longest 5m from 1970-01-01T00:10:00Z (stale: old). "
        "They stay gaps: missing is never zero"
    ]


def test_nothing_at_all_is_said_to_be_so() -> None:
    (said,) = told([HOLE] * 50)
    assert said.startswith("web, requests: there is no data at all (empty: the query gives no series)")


@pytest.mark.parametrize(
    ("query", "values", "words"),
    [
        ("sum(requests_total)", [1.0, 2.0, 3.0, 0.0, 1.0], "a counter without a rate, which fell once (a reset)"),
        ("requests_total", [5.0, 0.0, 5.0, 0.0], "fell 2 times (a reset)"),
        ("sum(requests_total)", [1.0, 2.0, 3.0], "a counter without a rate, which only rises"),
    ],
)
def test_a_counter_read_as_it_is_is_told_with_its_resets(query: str, values: list[float], words: str) -> None:
    (said,) = told([at(value) for value in values], query)
    assert words in said
    assert "rate(" in said


def test_what_tries_nothing_is_told() -> None:
    assert told([at(0.0)] * 50) == ["web, requests: 0 all the time: nothing is tried by that"]
    assert told([at(-5.0), at(0.0), at(3.0), HOLE])[1:] == [
        "web, requests: below 0 1 of 3 times, -5 at the lowest: no load can be; look at the query"
    ]
    (said,) = told([at(-5.0)] * 50)
    assert "below 0 all the time" in said


@pytest.mark.parametrize("query", [RATE, "sum(sessions)", "sum(increase(requests_total[5m]))"])
def test_rates_and_gauges_may_fall(query: str) -> None:
    assert told([at(5.0), at(0.0), at(7.0)], query) == []


def test_a_resolution_that_changed_is_told_with_the_time() -> None:
    fine = [at(1.0, 5.0 + beat % 10) for beat in range(480)]
    coarse = [at(1.0, 20.0 + beat % 280) for beat in range(480)]
    (said,) = told([*fine, *coarse])
    assert "the resolution changed: samples were 13 s old until about 1970-01-01T02:00:00Z and" in said


def test_the_age_of_one_rare_lapse_is_no_change_of_resolution() -> None:
    readings: list[Reading] = [at(1.0, 5.0)] * 960
    readings[300:302] = [at(1.0, 90.0)] * 2
    assert told(readings) == []


def test_rates_are_told_by_their_functions() -> None:
    assert is_rate(RATE) is True
    assert is_rate("sum(sessions)") is False
    assert is_rate("sum(") is None

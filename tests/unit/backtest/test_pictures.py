"""What the pictures of a benchmark are made from."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.backtest.baselines import named
from autoscaler.backtest.benchmark import PIPELINES, cases, score
from autoscaler.backtest.pictures import over_time, peaks
from autoscaler.backtest.traces import Trace


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 9)), min_size=1, max_size=9), st.integers(1, 50))
def test_peaks_are_the_greatest_counts_of_equal_parts(steps: list[tuple[int, int]], many: int) -> None:
    seconds = [count for lasts, count in steps for _ in range(lasts)]
    seconds += [steps[-1][1]] * 100
    course, second = [], 0
    for lasts, count in steps:
        course.append((second, count))
        second += lasts
    end = len(seconds)
    expected = [0] * many
    for at in range(20, end):
        part = (at - 20) * many // (end - 20)
        expected[part] = max(expected[part], seconds[at])
    assert peaks(course, 20, end, many) == expected


def test_a_picture_says_what_it_shows_and_has_a_line_per_policy_in_each_panel() -> None:
    (case,) = cases(Trace("a<b", 60, tuple(30.0 + 20 * (minute % 9) for minute in range(240))), [30])
    runs = []
    for word in ("aws-tt", "fixed"):
        service = named(word)(case, PIPELINES["standard"])
        runs.append((score(case, word, service), service))
    picture = over_time(case, runs)
    assert "a&lt;b, start-up delay 30 s" in picture
    assert picture.count('class="s0"') == picture.count('class="s1"') == 3, "legend and two panels"
    assert f"V {runs[0][0].V:.3f} %" in picture
    assert "minute 75<" in picture

"""Traces: what is read, and what is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.backtest.traces import Trace, folder, read, seconds
from autoscaler.errors import UsageError

HEAD = "timestamp_s,requests_per_s\n"


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "web.csv"
    file.write_text(text)
    return file


def test_a_trace_is_named_by_its_file_and_knows_its_bins(tmp_path: Path) -> None:
    trace = read(written(tmp_path, HEAD + "0,1\n60,2.5\n120,0\n180,4\n"))
    assert trace == Trace("web", 60, (1.0, 2.5, 0.0, 4.0))
    assert trace.seconds == 240


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "web.csv:1: expected the header timestamp_s,requests_per_s"),
        ("time,rate\n0,1\n", "web.csv:1: expected the header timestamp_s,requests_per_s"),
        (HEAD + "0,1\n60,1,9\n", "web.csv:3: expected 2 columns, got 3"),
        (HEAD + "0,1\n60,\n", "web.csv:3: expected two numbers, got 60,"),
        (HEAD + "0,1\n60,nan\n", "web.csv:3: expected two numbers, got 60,nan"),
        (HEAD + "0,1\n60,-2\n", "web.csv:3: -2 requests per second"),
        (HEAD + "0,1\n60,1\n180,1\n240,1\n", "web.csv:4: a gap: 120 s after the line before, where bins are 60 s"),
        (HEAD + "0,1\n60,1\n75,1\n90,1\n", "web.csv:4: a change of resolution: 15 s after the line before"),
        (HEAD + "0,1\n60,1\n0,1\n60,1\n", "web.csv:4: a step back in time: -60 s"),
        (HEAD + "0,1\n0.5,1\n1,1\n1.5,1\n", "web.csv:3: bins of 0.5 s"),
        (HEAD + "0,1\n60,1\n", "2 bins are too few to score"),
        (HEAD + "0,0\n60,0\n120,0\n180,0\n", "no requests at all"),
        (HEAD + "".join(f"{n * 9000000},1\n" for n in range(4)), "longer than a year"),
    ],
)
def test_what_is_wrong_with_a_trace_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(written(tmp_path, text))
    assert said in caught.value.message
    assert caught.value.hint


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "web.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"web\.csv: cannot be read"):
        read(tmp_path / "web.csv")


def test_a_folder_without_traces_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no traces here"):
        folder(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        folder(tmp_path / "nowhere")


def test_an_unknown_trace_is_refused_with_those_that_are_there(tmp_path: Path) -> None:
    written(tmp_path, HEAD)
    with pytest.raises(UsageError) as caught:
        folder(tmp_path, ["api"])
    assert "no trace api" in caught.value.message
    assert caught.value.hint == "there are: web"


@pytest.mark.parametrize("bin_s", [1, 15, 60])
def test_the_load_of_a_second_lies_between_the_middles_of_bins(bin_s: int) -> None:
    rates = (4.0, 10.0, 0.0, 6.0)
    load = seconds(Trace("web", bin_s, rates), 2.0)
    assert load.seconds == 4 * bin_s
    for second, rate in enumerate(load.rates):
        place = (second + 0.5) / bin_s - 0.5
        low = min(max(int(place // 1), 0), 2)
        share = min(max(place - low, 0.0), 1.0)
        assert rate == pytest.approx(2.0 * (rates[low] + (rates[low + 1] - rates[low]) * share))
    assert load.before[0] == 0.0
    assert load.before[-1] == pytest.approx(sum(load.rates))

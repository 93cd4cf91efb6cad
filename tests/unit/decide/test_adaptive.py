"""What adaptive expects: the recorded vectors, the same numbers alone and among many, and input that is bad."""

from __future__ import annotations

import csv
import gzip
import hashlib
import math
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.decide.adaptive import rule
from autoscaler.decide.adaptive.carried import USED, carrier
from autoscaler.decide.adaptive.series import BIN_S, TRUSTED_BINS, Learned, Sample, lead_bins, taken
from autoscaler.decide.adaptive.state import RECORD, fresh, sound, stacked
from autoscaler.loop.lasting import packed

CHECKOUT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("AUTOSCALER_SHARED") or CHECKOUT.parent / "shared")
FILES = sorted((SHARED / "vectors" / "adaptive").glob("*.csv.gz"))
UNIT = 7.320505
START = 1_000_000.0


def needed() -> None:
    """Without the vectors these tests say nothing: skipped on a laptop, a failure in CI."""
    if FILES:
        return
    message = "no vectors of adaptive (AUTOSCALER_SHARED names the shared folder)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def test_the_needs_are_those_of_the_plain_reference_for_every_recorded_bin() -> None:
    """All series at once, as long as each lasts; none may be off by more than 0.5 %, one in a thousand is allowed."""
    needed()
    recorded = [list(csv.DictReader(gzip.decompress(file.read_bytes()).decode().splitlines())) for file in FILES]
    leads = np.array([lead_bins(float(file.name.split("_")[1].split(".")[0])) for file in FILES])
    state = stacked([fresh()] * len(FILES))
    off = total = 0
    for beat in range(max(map(len, recorded))):
        rows = np.array([n for n, each in enumerate(recorded) if beat < len(each)])
        lines = [recorded[n][beat] for n in rows]
        part = state[rows]
        at = np.array([float(line["t_end_s"]) for line in lines])
        rate = np.array([float(line["rate"]) for line in lines])
        rule.advance(part, at, rate, np.full(rows.size, UNIT), leads[rows])
        state[rows] = part
        for line, need, trigger in zip(lines, part["needs"][:, -1], part["trigger"], strict=True):
            if not line["need_target"]:
                assert math.isnan(need)
                continue
            total += 1
            expected = float(line["need_target"]), float(line["need_trigger"])
            off += any(abs(got / told - 1) > 0.005 for got, told in zip((need, trigger), expected, strict=True))
    assert total > 60_000
    assert off <= total / 1000
    kept = [packed({"load": Learned(one.tobytes(), "load", START, START)}) for one in state]
    assert max(map(len, kept)) <= 16 * 1024, "as the store keeps it, after days of a real load"


def test_a_covariance_stays_the_same_across_its_diagonal_to_the_last_bit() -> None:
    """A difference there grows by itself: after ten days it was all that decided."""
    state = stacked([fresh()])
    for beat in range(400):
        rate = np.array([100.0 + 40.0 * math.sin(beat / 30) + beat * 7919 % 13])
        rule.advance(state, np.array([BIN_S * beat]), rate, np.array([UNIT]), np.array([5]))
    assert state["learned"][0] > 300
    assert np.array_equal(state["P"], state["P"].swapaxes(2, 3))


def test_a_series_takes_at_most_sixteen_kibibytes() -> None:
    assert RECORD.itemsize == len(fresh()) <= 16 * 1024


def feed(
    loads: list[float | None], *, before: Learned | None = None, start: float = START, every: float = BIN_S
) -> Learned:
    """One series with these loads, one per cycle; None is a reading that could not be had."""
    known = before
    for beat, load in enumerate(loads):
        if load is not None:
            (known,) = taken([Sample(known, "load", load, UNIT, 5)], start + beat * every)
    assert known is not None
    return known


@lru_cache
def known_well() -> Learned:
    """One that has learned for more than twelve hours."""
    return feed(wave(3000))


def wave(bins: int) -> list[float | None]:
    return [100 + 40 * math.sin(n / 37) + 11 * (n * 7919 % 13) for n in range(bins)]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.floats(0, 1e6), min_size=30, max_size=30), min_size=2, max_size=7))
def test_a_series_learns_the_same_alone_and_in_any_batch(loads: list[list[float]]) -> None:
    together: list[Learned | None] = [None] * len(loads)
    for beat in range(30):
        samples = [Sample(known, "load", each[beat], UNIT, 5) for known, each in zip(together, loads, strict=True)]
        together = [*taken(samples, START + beat * BIN_S)]
    for known, each in zip(together, loads, strict=True):
        assert known == feed([*each])


def test_a_thousand_series_learn_as_each_of_them_alone() -> None:
    lone = feed(wave(60))
    many: list[Learned | None] = [None] * 1000
    for beat, load in enumerate(wave(60)):
        assert load is not None
        many = [*taken([Sample(each, "load", load, UNIT, 5) for each in many], START + beat * BIN_S)]
    assert all(each == lone for each in many)


def test_another_process_learns_the_same_to_the_last_bit() -> None:
    script = (
        "import hashlib; from tests.unit.decide.test_adaptive import feed, wave;"
        "print(hashlib.sha256(feed(wave(60)).record).hexdigest())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", script], cwd=CHECKOUT, env={**os.environ, "PYTHONHASHSEED": seed,
            "PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True, check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert told == {hashlib.sha256(feed(wave(60)).record).hexdigest()}


def test_what_came_before_is_left_as_it_was() -> None:
    before = feed(wave(40))
    record = bytes(before.record)
    after = feed([500.0], before=before, start=START + 40 * BIN_S)
    assert before.record == record != after.record


def test_one_reading_twice_at_the_same_moment_counts_once() -> None:
    once = feed(wave(40))
    assert taken([Sample(once, "load", 999.0, UNIT, 5)], once.read) == [once]


# cycles and gaps


def test_a_shorter_cycle_fills_the_same_bins_with_means() -> None:
    quick = feed([load for load in wave(60) for _ in range(3)], every=5.0)
    assert quick.bins in (59, 60)
    assert quick.need == pytest.approx(feed(wave(60)).need, rel=0.1)


def test_bins_without_data_lie_on_the_line_between_their_neighbours() -> None:
    loads = wave(40)
    holes = [*loads[:36], None, None, None, loads[39]]
    drawn = [*loads[:36]]
    first, last = loads[35], loads[39]
    assert first is not None
    assert last is not None
    drawn += [first + (last - first) * step / 4 for step in (1, 2, 3, 4)]
    assert feed(holes).need == pytest.approx(feed(drawn).need)


def test_a_longer_gap_begins_anew_and_keeps_what_was_learned() -> None:
    known = known_well()
    assert known.trusted
    after = feed([100.0], before=known, start=known.at + 600)
    assert not after.trusted
    assert (after.because, after.bins, after.need) == ("there was a gap in the data", 3001, None)
    assert feed(wave(9), before=known, start=known.at + 600).trusted


@pytest.mark.parametrize(
    ("of", "later", "because"),
    [
        ("other", 15.0, "what the signal measures has changed"),
        ("load", 365 * 86400.0, "what was learned before is more than two weeks old"),
    ],
)
def test_what_no_longer_fits_is_dropped_with_a_reason(of: str, later: float, because: str) -> None:
    known = known_well()
    (after,) = taken([Sample(known, of, 100.0, UNIT, 5)], known.at + later)
    assert (after.because, after.bins) == (because, 1)


def test_a_clock_that_is_set_back_begins_anew_and_keeps_what_was_learned() -> None:
    known = known_well()
    after = feed([100.0], before=known, start=known.at - 7200)
    assert (after.because, after.bins, after.trusted) == ("the clock was set back", 3001, False)


@pytest.mark.parametrize(
    "loads",
    [
        [0.0] * 400,
        [100.0] * 200 + [1e9] + [100.0] * 199,
        [10.0] * 200 + [1000.0] * 200,
        [1000.0] * 200 + [0.0] * 200,
        [float(10**n) for n in range(39)] * 10,
        [1e308, 0.0] * 200,
        [-5.0] * 400,
    ],
    ids=["zero", "spike", "shift up", "shift down", "many sizes", "overflow", "negative"],
)
def test_any_load_leaves_a_sound_state_and_a_need_that_covers_the_newest_bin(loads: list[float | None]) -> None:
    with np.errstate(all="raise", under="ignore"):
        known = feed(loads)
    assert sound(known.record)
    assert known.need is not None
    assert math.isfinite(known.need)
    assert known.newest is not None
    assert known.need >= known.newest


def test_a_record_of_another_form_or_with_numbers_that_are_none_is_not_sound() -> None:
    assert sound(fresh())
    assert not sound(fresh()[:-1])
    broken = stacked([fresh()])
    broken["theta"][0, 0, 0] = np.nan
    assert not sound(broken.tobytes())


def test_twelve_hours_are_needed() -> None:
    assert not feed(wave(TRUSTED_BINS - 1)).trusted
    assert feed(wave(TRUSTED_BINS)).trusted


def test_more_than_planned_comes_about_as_seldom_as_was_said() -> None:
    assert known_well().over < 0.012


# counts


@pytest.mark.parametrize("need", [0.0, 1.0, 7.0, 49.0, 1234.0])
def test_a_count_carries_its_need_and_one_less_does_not(need: float) -> None:
    for kind in (carrier(10.0), carrier(10.0, 0.3, 0.1), carrier(50.0, 0.3, 0.1)):
        count = kind.count(need)
        assert kind.load(count) >= need / USED
        assert count == 1 or kind.load(count - 1) < need / USED


def test_small_fleets_get_more_room_within_an_objective() -> None:
    kind = carrier(10.0, 0.3, 0.1)
    assert kind.unit == pytest.approx(7.3205, abs=1e-4)
    assert kind.load(1) / 1 < kind.load(5) / 5 < kind.load(50) / 50 < 10


def test_no_need_is_too_large_for_a_count() -> None:
    assert carrier(1.0).count(1e30) == carrier(1.0, 3.0, 1.0).count(1e30) == 100_000

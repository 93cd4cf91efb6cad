"""Recordings: what goes in comes out, the same bytes every time, and nothing damaged is taken for one."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.backtest import recording
from autoscaler.backtest.recording import Column, Hole, Recording
from autoscaler.errors import UsageError
from autoscaler.model.observation import Ask
from autoscaler.model.policy import Reduce, Signal
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from tests.support import nouns

ASK = Ask(nouns.ref(), Signal(name="requests", prometheus="sum(rate(a[1m]))", per_replica=10.0), "sum(rate(a[1m]))")

AGES = st.none() | st.integers(0, 10**7).map(lambda milliseconds: milliseconds / 1000)
VALUES = st.floats(allow_nan=False, allow_infinity=False)
READINGS = st.lists(
    st.builds(lambda value, age: Series((Point(value),), age), VALUES, AGES)
    | st.builds(Missing, st.sampled_from(MissingWhy), st.sampled_from(["", "no series", "öß"])),
    min_size=1,
    max_size=60,
)


def made(*readings: Reading) -> Recording:
    return Recording(start=1000.0, every_s=15.0, beats=len(readings), columns=(recording.column(ASK, "web", readings),))


def plain(value: float) -> Series:
    return Series((Point(value),), 1.0)


@given(READINGS)
def test_readings_come_back_as_they_were(readings: list[Reading]) -> None:
    packed = recording.pack(made(*readings))
    assert recording.readings(recording.unpack(packed, "x").columns[0]) == readings


@given(READINGS)
def test_the_same_readings_are_the_same_bytes(readings: list[Reading]) -> None:
    assert recording.pack(made(*readings)) == recording.pack(made(*readings))


def test_a_file_is_written_whole_and_read_back(tmp_path: Path) -> None:
    there = made(plain(1.5), Missing(MissingWhy.EMPTY, "no series"))
    size = recording.write(there, tmp_path / "web.rec")
    assert [each.name for each in tmp_path.iterdir()] == ["web.rec"]
    assert (tmp_path / "web.rec").stat().st_size == size
    assert recording.read(tmp_path / "web.rec") == there


def test_thirty_days_at_15_s_are_a_small_file() -> None:
    there = made(*(Series((Point(float(beat % 977)),), beat % 15 / 1) for beat in range(172_800)))
    assert len(recording.pack(there)) < 1_000_000


@pytest.mark.parametrize(
    "other",
    [
        msgspec.structs.replace(ASK, query="sum(rate(b[1m]))"),
        msgspec.structs.replace(ASK, voucher=True),
        msgspec.structs.replace(ASK, signal=msgspec.structs.replace(ASK.signal, server="eu")),
        msgspec.structs.replace(ASK, signal=msgspec.structs.replace(ASK.signal, reduce=Reduce.MAX)),
        msgspec.structs.replace(ASK, signal=msgspec.structs.replace(ASK.signal, max_age=60.0)),
    ],
)
def test_the_mark_changes_with_all_that_readings_depend_on(other: Ask) -> None:
    assert recording.mark(other) != recording.mark(ASK)


def test_the_mark_stays_when_the_goal_or_the_workload_changes() -> None:
    signal = msgspec.structs.replace(ASK.signal, name="other", per_replica=99.0)
    assert recording.mark(Ask(nouns.ref("else"), signal, ASK.query)) == recording.mark(ASK)


def damaged(**changes: Any) -> bytes:
    """A recording of two cycles with something wrong in it."""
    whole = made(plain(1.0), plain(2.0))
    column = {key: changes.pop(key) for key in list(changes) if key in Column.__struct_fields__}
    columns = (msgspec.structs.replace(whole.columns[0], **column),)
    return recording.pack(msgspec.structs.replace(whole, columns=columns, **changes))


GOOD = recording.pack(made(plain(1.0), plain(2.0)))
BAD = {
    "empty": (b"", "this is not a recording"),
    "text": (b"name: web\n", "this is not a recording"),
    "another gzip": (gzip.compress(b"hello"), "damaged"),
    "another map": (gzip.compress(msgspec.msgpack.encode({"a": 1})), "this is not a recording"),
    "cut off": (GOOD[: len(GOOD) // 2], "cut off"),
    "turned bits": (GOOD[:20] + bytes([GOOD[20] ^ 255]) + GOOD[21:], "damaged"),
    "of the future": (damaged(version=2), "version 2 of recordings, this program reads 1"),
    "too few values": (damaged(values=bytes(8)), "its columns do not fit its cycles"),
    "too few ages": (damaged(ages=bytes(4)), "its columns do not fit its cycles"),
    "a hole behind the end": (damaged(holes=(Hole(0, 3, MissingWhy.EMPTY),)), "its columns do not fit its cycles"),
    "a hole over values": (damaged(holes=(Hole(0, 1, MissingWhy.EMPTY),)), "its columns do not fit its cycles"),
    "no time between cycles": (damaged(every_s=0.0), "its columns do not fit its cycles"),
    "no cycles": (damaged(beats=0), "its columns do not fit its cycles"),
    "a start that is none": (damaged(start=float("nan")), "its columns do not fit its cycles"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_what_is_no_sound_recording_is_refused_in_one_sentence(case: str) -> None:
    data, words = BAD[case]
    with pytest.raises(UsageError) as caught:
        recording.unpack(data, "web.rec")
    assert caught.value.message.startswith("web.rec: ")
    assert words in caught.value.message
    assert "autoscaler record" in caught.value.hint


def test_a_file_that_cannot_be_read_or_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        recording.read(tmp_path / "away.rec")
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        recording.write(made(plain(1.0)), tmp_path / "away" / "web.rec")

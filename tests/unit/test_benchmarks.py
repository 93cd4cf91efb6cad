"""What `make bench-check` calls a regression."""

from __future__ import annotations

from benchmarks.calibration import Cost
from benchmarks.rows import Row, slower

BEFORE = [{"name": "deciding", "calibration_rounds": 4.0}, {"name": "reading", "said": "skipped"}]


def test_only_a_ratio_above_one_and_a_half_times_the_one_on_record_is_slower() -> None:
    assert slower([Row("deciding", Cost(1.0, 6.0))], BEFORE) == []
    found = slower([Row("deciding", Cost(1.0, 6.4))], BEFORE)
    assert found == ["deciding: 6.40 rounds, 1.60 times the 4.00 on record"]


def test_a_measurement_that_drops_out_or_is_new_is_told_of() -> None:
    found = slower([Row("sorting", Cost(1.0, 1.0)), Row("reading", None, said="skipped")], BEFORE)
    assert found == ["deciding: on record, and no longer measured", "sorting: not on record"]

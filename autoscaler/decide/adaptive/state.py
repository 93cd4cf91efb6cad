"""What one series remembers, as one record of fixed size; records of many series are stacked and stepped together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from autoscaler.decide.adaptive.series import LONGEST_BINS

DAY_S = 86_400.0
RING = LONGEST_BINS + 1  # expectations that wait to be compared with what came
RATES = 96  # of the newest bins
CLASSES = 24  # of an error
SCALES = 16  # classes of how large an error is likely to be
MINUTES = 60
ROWS = 1 + SCALES + MINUTES  # histograms: of all errors, by likely scale, by minute of the hour
SLOTS = 720  # of a day, two minutes each
PRIOR_WEIGHT, PRIOR_ERROR = 240.0, 0.35

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
State = npt.NDArray[np.void]  # one record per series

# What was expected at a bin: logs of the levels (mixed, last, long, learned), quantiles (by scale, by minute, used).
WAITING = np.dtype(
    [
        ("level", "f4", 4),
        ("quantile", "f4", 3),
        ("x", "f4", (2, 5)),
        ("scale", "u1"),
        ("minute", "u1"),
        ("slot", "u2"),
    ]
)

# `weight` is what an error of now weighs; `over` the share of times that more came than was expected; `first` bins
# since the last break, `learned` bins compared, `bins` all of them; `P` and `theta` two regressions: the level, the
# scale of the error.
RECORD = np.dtype(
    [
        ("histogram", "f4", (ROWS, CLASSES)),
        ("total", "f4", ROWS),
        ("weight", "f8"),
        ("growth", "f4", SLOTS),
        ("grown", "u1", SLOTS),
        ("rates", "f4", RATES),
        ("P", "f8", (2, 5, 5)),
        ("theta", "f8", (2, 5)),
        ("error", "f8", 2),
        ("volatility", "f8", 2),
        ("loss", "f8", 2),
        ("over", "f8"),
        ("first", "u4"),
        ("learned", "u4"),
        ("bins", "u4"),
        ("needs", "f4", 4),
        ("trigger", "f4"),
        ("waiting", WAITING, RING),
    ]
)

# Lower edges of the error classes: class 0 is "no more came than expected", the last is open.
EDGES: Floats = np.concatenate([[0.0], 0.03 * (1.12 ** np.arange(CLASSES) - 1) / 0.12])


def classes(errors: Floats) -> Ints:
    """The class of each error."""
    positive = np.maximum(errors, 0.0)
    found = 1 + (np.log(1.0 + positive * 4.0) / np.log(1.12)).astype(np.int64)
    return np.where(errors > 0, np.minimum(found, CLASSES - 1), 0)


def fresh() -> bytes:
    """The record of a series never seen."""
    one = np.zeros(1, RECORD)
    kind = int(classes(np.array([PRIOR_ERROR]))[0])
    one["histogram"][0, 0, kind] = one["total"][0, 0] = PRIOR_WEIGHT
    one["weight"] = 1.0
    one["P"][0] = np.eye(5)
    one["theta"][0, 1, 0] = -2.5
    one["error"] = (0.05, 0.1)
    one["volatility"] = 0.01
    one["needs"] = one["trigger"] = np.nan
    return one.tobytes()


def stacked(records: list[bytes]) -> State:
    """Records of many series as one array of their own."""
    return np.frombuffer(bytearray().join(records), RECORD)


def broken(state: State) -> None:
    """Forget what was just before: the rates and what waits to be compared. What was learned stays."""
    state["first"] = 0
    state["rates"] = 0.0
    state["needs"] = state["trigger"] = np.nan


def sound(record: bytes) -> bool:
    """Whether a stored record can be gone on with: of this form, and every number in it finite."""
    if len(record) != RECORD.itemsize:
        return False
    one = np.frombuffer(record, RECORD)[0]
    parts: tuple[Any, ...] = tuple(
        one[name] for name in ("histogram", "total", "weight", "growth", "rates", "P", "theta")
    )
    return all(bool(np.isfinite(part).all()) for part in parts)

"""Readings become bins of 15 s, whatever the cycle is; the bins of many series are taken together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

BIN_S = 15.0
EARLY = 0.1  # of a bin: cycles are not always on time
LONGEST_GAP_BINS = 4  # without data that a line is drawn across; after more it starts anew, and keeps what it learned
TRUSTED_BINS = 2880  # 12 hours: before that the plain rule decides
LEAST_BINS = 9  # since the last break
TOO_OLD_S = 14 * 86_400.0  # what was learned so long ago is of another service
DELAY_S = 30.0  # until a sample is seen, and seen to have changed
LONGEST_BINS = 48
HIGHEST = 1e30  # no load is this large, and its squares still fit
SIZING = 0.004  # risk that more comes than is sized for
OVER_MOST = 0.02  # with more surprises than five times the planned ones it may not go below the plain rule


class Learned(msgspec.Struct, frozen=True, gc=False):
    """What was learned of one signal. `record` is the whole state, `of` names what is measured.

    `at` is the end of the newest bin, `read` the time of the newest reading; `total` and `count` are readings since the
    bin; `because` says why it began, or began anew. `bins` were taken in all and `first` of them since the last break;
    `need` and `trigger` are the loads to be ready for now, `peak` the greatest need of the last four bins, `over` the
    share of times that more came than expected, `newest` the rate of the newest bin.
    """

    record: bytes
    of: str
    at: float
    read: float
    total: float = 0.0
    count: int = 0
    because: str = ""
    bins: int = 0
    first: int = 0
    need: float | None = None
    trigger: float | None = None
    peak: float | None = None
    over: float = 0.0
    newest: float | None = None

    @property
    def trusted(self) -> bool:
        """Whether it may decide."""
        return self.bins >= TRUSTED_BINS and self.first >= LEAST_BINS


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One reading of one signal for one cycle: `unit` is the load that one instance carries, `lead` in bins."""

    before: Learned | None
    of: str
    load: float
    unit: float
    lead: int


def lead_bins(lead_s: float) -> int:
    """Bins until an instance ordered now would be seen to help.

    >>> [lead_bins(seconds) for seconds in (0, 30, 120, 3600)]
    [3, 5, 11, 48]
    """
    return min(max(math.ceil((lead_s + DELAY_S) / BIN_S) + 1, 2), LONGEST_BINS)


def taken(samples: Sequence[Sample], now: float) -> list[Learned]:
    """What is known after these readings, one per sample, in their order.

    A bin is taken when 15 s have passed since the last one; before that a reading only adds to its mean. Bins without
    data lie on the line between their neighbours.
    """
    found: list[Learned] = [_begun(each, now) for each in samples]
    todo: list[tuple[int, list[float]]] = []
    for place, (_sample, learned) in enumerate(zip(samples, found, strict=True)):
        due = math.floor((now - learned.at) / BIN_S + EARLY)
        if due < 1 or learned.count == 0:
            continue
        rate = learned.total / learned.count
        if due == 1 or learned.newest is None:
            todo.append((place, [rate]))
        else:
            step = (rate - learned.newest) / due
            todo.append((place, [learned.newest + step * (each + 1) for each in range(due)]))
    if todo:
        _advance(samples, found, todo)
    return found


def _begun(sample: Sample, now: float) -> Learned:
    """What was known before, with this reading added to the bin that is under way; or a beginning."""
    from autoscaler.decide.adaptive import state

    load = min(max(sample.load, 0.0), HIGHEST)
    before, because = sample.before, ""
    if before is None:
        because = "it is new here"
    elif before.of != sample.of:
        because = "what the signal measures has changed"
    elif now - before.at > TOO_OLD_S:
        because = "what was learned before is more than two weeks old"
    if before is None or because:
        return Learned(state.fresh(), sample.of, now - BIN_S, now, load, 1, because)
    if now == before.read:
        return before
    missed = math.floor((now - before.at) / BIN_S + EARLY)
    if now < before.at - 2 * BIN_S:
        return _anew(before, load, now, "the clock was set back")
    if missed > LONGEST_GAP_BINS:
        return _anew(before, load, now, "there was a gap in the data")
    return msgspec.structs.replace(before, read=now, total=before.total + load, count=before.count + 1)


def _anew(before: Learned, load: float, now: float, because: str) -> Learned:
    from autoscaler.decide.adaptive import state

    one = state.stacked([before.record])
    state.broken(one)
    return msgspec.structs.replace(
        before, record=one.tobytes(), at=now - BIN_S, read=now, total=load, count=1, because=because,
        first=0,
        need=None, trigger=None, peak=None, newest=None,
    )  # fmt: skip


def _advance(samples: Sequence[Sample], found: list[Learned], todo: Sequence[tuple[int, list[float]]]) -> None:
    """Take the bins that are due, those of all series together."""
    import numpy as np

    from autoscaler.decide.adaptive import rule, state

    places = [place for place, _ in todo]
    whole = state.stacked([found[place].record for place in places])
    unit = np.array([samples[place].unit for place in places])
    lead = np.array([samples[place].lead for place in places])
    begin = np.array([found[place].at for place in places])
    for step in range(max(len(rates) for _, rates in todo)):
        rows = np.array([row for row, (_, rates) in enumerate(todo) if len(rates) > step])
        rate = np.array([rates[step] for _, rates in todo if len(rates) > step])
        part = whole if rows.size == len(todo) else whole[rows]
        rule.advance(part, begin[rows] + BIN_S * (step + 1), rate, unit[rows], lead[rows])
        if part is not whole:
            whole[rows] = part
    columns = [whole[name].tolist() for name in ("bins", "first", "needs", "trigger", "over")]
    for row, (place, rates) in enumerate(todo):
        bins, first, needs, trigger, over = (column[row] for column in columns)
        known = [need for need in needs if not math.isnan(need)]
        before = found[place]
        found[place] = Learned(
            record=whole[row].tobytes(),
            of=before.of,
            at=before.at + BIN_S * len(rates),
            read=before.read,
            because=before.because,
            bins=bins,
            first=first,
            need=needs[-1] if known else None,
            trigger=trigger if known else None,
            peak=max(known, default=None),
            over=over,
            newest=rates[-1],
        )

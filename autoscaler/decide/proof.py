"""What is known of a load, and how good what was expected of it has proved to be."""

from __future__ import annotations

import math

import msgspec

from autoscaler.decide.adaptive.series import BIN_S, TRUSTED_BINS, Learned
from autoscaler.decide.explain import number, span
from autoscaler.decide.memory import Memory

DAY_S = 86_400.0


class Known(msgspec.Struct, frozen=True):
    """One signal's load: over how many seconds it is known, and how many of them a recorded past told.

    `of` is the whole of what was learned. Of the time since the 12 hours that are needed, in decaying means:
    """

    signal: str
    seconds: float
    taught_s: float
    of: Learned

    @property
    def rest_s(self) -> float:
        """Seconds until it is known for long enough; 0 once it is."""
        return max(0.0, TRUSTED_BINS * BIN_S - self.seconds)

    @property
    def coverage(self) -> float | None:
        """The share of bins of 15 s of the last day in which the load stayed within what was expected."""
        return None if self.rest_s else 1.0 - self.of.over

    @property
    def error(self) -> float | None:
        """How far the forecast of the greatest load within the lead time was off, as a share of that load.

        The root of the mean square of the logarithms, over about two hours.
        """
        return None if self.rest_s else math.exp(math.sqrt(_squares(self.of))) - 1.0


def known(memory: Memory) -> tuple[Known, ...]:
    """What is known of each load of a workload."""
    if not memory.learned:
        return ()
    return tuple(
        Known(name, each.bins * BIN_S, memory.taught.get(name, 0.0), each) for name, each in memory.learned.items()
    )


def told(each: Known) -> str:
    """What is known of a load in words."""
    past = f"learned from {_days(each.taught_s)} of history" if each.taught_s else ""
    since = max(0.0, each.seconds - each.taught_s)
    if each.rest_s:
        known = f"{span(each.seconds)} of the {span(TRUSTED_BINS * BIN_S)} needed are known"
        return f"{each.signal}: {known}, {past}" if past else f"{each.signal}: {known}"
    known = f"{past}, and in {span(since)} since" if past else f"learned in {_days(each.seconds)}"
    coverage, error = each.coverage or 0.0, each.error or 0.0
    return (
        f"{each.signal}: {known}; in {number(100 * coverage)} of 100 bins of the last day the load stayed within what "
        f"was expected, and the forecast was off by {number(round(100 * error, 1))} %"
    )


def _days(seconds: float) -> str:
    """A long span as people say it: in whole days or hours, from two of them on.

    >>> _days(259200.0), _days(100000.0), _days(600.0)
    ('3 days', '28 hours', '10m')
    """
    for unit, word in ((DAY_S, "days"), (3600.0, "hours")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {word}"
    return span(seconds)


def _squares(learned: Learned) -> float:
    """The mean square of the better of the two levels that the forecast is mixed from by their errors."""
    from autoscaler.decide.adaptive.state import stacked

    return float(stacked([learned.record])["error"][0].min())

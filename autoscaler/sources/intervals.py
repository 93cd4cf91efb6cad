"""How often new samples come, as seen from one look to the next: what `max_age` is where no policy says it."""

from __future__ import annotations

import msgspec

UNTIL_SEEN_S = 120.0  # until two intervals are seen
LEAST_S = 15.0
MOST_S = 300.0
KEPT = 8
KEEP_S = 3600.0  # a selector nobody asked about for so long is forgotten


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What is known of one selector: its newest sample, when we last looked, and the last intervals."""

    newest: float
    looked: float
    intervals: tuple[float, ...] = ()


class Intervals:
    """The intervals between the newest samples of selectors. All times are the server's, in seconds.

    What is seen is never shorter than the time between two looks. The limit is twice the second longest of the last
    eight intervals: the longest may be one in which the server was away. It is never below 15 s (less is the jitter
    of scrapes and of our own cycle, not age) nor above 5 m (there a server stops giving a sample as the present).
    """

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}
        self._swept = 0.0

    def saw(self, selector: str, newest: float, at: float) -> None:
        """A look at `at` found the newest sample of a selector at `newest`."""
        before = self._seen.get(selector)
        intervals = before.intervals if before is not None else ()
        if before is not None and newest > before.newest:
            intervals = (*intervals, newest - before.newest)[-KEPT:]
        self._seen[selector] = Seen(newest, at, intervals)
        if at - self._swept > KEEP_S:
            self._swept = at
            self._seen = {key: each for key, each in self._seen.items() if at - each.looked < KEEP_S}

    def limit(self, selector: str) -> float | None:
        """The age in seconds from which on a selector's samples are stale; None until two intervals are seen."""
        seen = self._seen.get(selector)
        if seen is None or len(seen.intervals) < 2:
            return None
        return min(max(2 * sorted(seen.intervals)[-2], LEAST_S), MOST_S)

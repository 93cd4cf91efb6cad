"""How many calls a platform gets at once: more while it keeps up, half as many when it does not."""

from __future__ import annotations

MOST = 20  # calls to one platform at the same time
SHUT_MOST_S = 300.0  # however long a server asks to be left alone, it is asked again after this


class Pace:
    """The calls that may be under way: one more for each round that went well, half for one that did not.

    Calls that left before a cut tell of the time before it, so a burst of refusals halves once. `term` is what a call
    is to bring back: it says under which cut it left. Times are seconds of one clock.

    >>> pace = Pace()
    >>> pace.pushed_back(pace.term, now=100.0, until=107.0)
    >>> pace.limit, pace.room(0, now=106.0), pace.room(0, now=107.0), pace.room(9, now=107.0)
    (10, 0, 10, 1)
    """

    def __init__(self, most: int = MOST) -> None:
        self.term = 0
        self.shut_until = 0.0
        self._most = most
        self._limit = float(most)

    @property
    def limit(self) -> int:
        """How many may be under way at once; never less than one."""
        return int(self._limit)

    def room(self, under_way: int, now: float) -> int:
        """How many more may leave at this moment."""
        return 0 if now < self.shut_until else max(self.limit - under_way, 0)

    def answered(self) -> None:
        """A call was answered, with whatever words: as many such as are let in at once, and there is one more."""
        self._limit = min(self._limit + 1 / self._limit, float(self._most))

    def pushed_back(self, term: int, now: float, until: float = 0.0) -> None:
        """A call that left under this term was not answered, or sent away; `until` is when the next may leave."""
        self.shut_until = max(self.shut_until, min(until, now + SHUT_MOST_S))
        if term == self.term:
            self.term += 1
            self._limit = max(self._limit / 2, 1.0)

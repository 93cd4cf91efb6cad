"""One series as it was pushed, and how series are chosen by selectors without a server. Pure."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Mapping

from autoscaler.clients.remote_write import ended
from autoscaler.policy.promql import Chosen

LOOKBACK_S = 300.0  # a series without a sample for so long is not there any more, as with a server
RATE_S = 10.0  # a rate is that of at least so many seconds
GRAIN_S = 0.25  # samples closer to each other than this are kept as one
NEVER = float("-inf")

Rest = Callable[[Mapping[str, str]], bool]


class Pushed:
    """What is kept of one series: its newest sample, and how much its counter rose until when.

    A counter that went down began again at zero. Times are the sender's, in seconds since the epoch.
    """

    __slots__ = ("ended", "labels", "newest", "rises", "value", "watched")

    def __init__(self, labels: Mapping[str, str], watched: tuple[str, ...]) -> None:
        self.labels = labels
        self.watched = watched
        self.newest = NEVER
        self.value = 0.0
        self.ended = False
        self.rises: deque[tuple[float, float]] = deque()

    def take(self, at: float, value: float) -> bool:
        """Take a sample; False for one that is no newer than what is known: repeated, or overtaken on its way."""
        if at <= self.newest:
            return False
        before, gap = self.value, at - self.newest
        self.newest, self.ended = at, ended(value)
        if not math.isfinite(value):
            self.value = value
            self.rises.clear()  # what comes after it is another counter, as far as anybody knows
            return True
        if gap > LOOKBACK_S:
            self.rises.clear()
        risen = 0.0
        if self.rises:
            risen = self.rises[-1][1] + (value - before if value >= before else value)
        self.value = value
        if len(self.rises) > 1 and at - self.rises[-2][0] < GRAIN_S:
            self.rises.pop()
        self.rises.append((at, risen))
        while len(self.rises) > 2 and self.rises[1][0] <= at - RATE_S:
            self.rises.popleft()
        return True

    def rate(self) -> float | None:
        """Per second over the last seconds; None where too little of them is known."""
        if len(self.rises) < 2:
            return None
        (start, before), (end, after) = self.rises[0], self.rises[-1]
        return (after - before) / (end - start) if end - start >= RATE_S else None

    def there(self, now: float) -> bool:
        """True while it has not ended, nor stopped for good."""
        return not self.ended and now - self.newest <= LOOKBACK_S


class Index:
    """Which watchers a new series is for. Equal labels are looked up; only other matchers are tried one by one."""

    def __init__(self) -> None:
        self._names: dict[str, dict[tuple[str, ...], dict[tuple[str, ...], list[tuple[str, Rest]]]]] = {}

    def add(self, watcher: str, chosen: Chosen) -> None:
        """A watcher of the series that a selector means."""
        equal = sorted((label, value) for label, operator, value in chosen.matchers if operator == "=")
        labels, values = tuple(label for label, _ in equal), tuple(value for _, value in equal)
        shapes = self._names.setdefault(chosen.metric, {}).setdefault(labels, {})
        shapes.setdefault(values, []).append((watcher, _rest(chosen)))

    def fitting(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """The watchers of a series; a label that it does not have is as good as an empty one."""
        found: list[str] = []
        for names, values in self._names.get(labels["__name__"], {}).items():
            told = tuple(labels.get(name, "") for name in names)
            found += [watcher for watcher, rest in values.get(told, ()) if rest(labels)]
        return tuple(found)


def _rest(chosen: Chosen) -> Rest:
    """What is left to be tried of a series whose equal labels are right."""
    tries = [_try(*each) for each in chosen.matchers if each[1] != "="]
    return lambda labels: all(fits(labels) for fits in tries)


def _try(label: str, operator: str, value: str) -> Rest:
    if operator == "!=":
        return lambda labels: labels.get(label, "") != value
    pattern, wanted = re.compile(value, re.DOTALL), operator == "=~"
    return lambda labels: (pattern.fullmatch(labels.get(label, "")) is not None) is wanted

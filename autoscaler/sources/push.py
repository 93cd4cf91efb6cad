"""Readings from series that are pushed: kept in memory as they come, told when asked, and a call when one rises.

Who pushes is asked nothing: what is there is what came. So emptiness means something only while somebody pushes; until
then, and when it stops, a reading has failed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from autoscaler.clients.remote_write import Labels, Sent, named
from autoscaler.decide.explain import span
from autoscaler.errors import SourceError
from autoscaler.model.observation import Ask
from autoscaler.model.policy import ScrapeMode, Signal
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import WorkloadRef
from autoscaler.policy.promql import chosen
from autoscaler.sources.instances import spellings, words
from autoscaler.sources.intervals import UNTIL_SEEN_S, Intervals
from autoscaler.sources.judge import REDUCED
from autoscaler.sources.pushed import RATE_S, Index, Pushed

MOST_SERIES = 200_000  # that signals follow; more are refused
MOST_UNKNOWN = 200_000  # series that nobody follows, remembered so that they cost little
AHEAD_S = 60.0  # a sample further in the future than this is refused: it would hide those that come after it
RISES = 0.1  # of the value that was read last: one that is so much higher is worth a wake
KEEP_S = 4000.0  # a signal nobody asked about for so long is forgotten; the rarest are asked about every hour
KEEP_SERIES_S = 600.0  # a series without a sample for so long is
SWEEP_S = 60.0


class _Watch(msgspec.Struct):
    """A signal of a workload: when it was asked last, its series, and the value that was read last."""

    ref: WorkloadRef
    signal: Signal
    query: str
    asked: float
    series: dict[Labels, Pushed] = msgspec.field(default_factory=dict)
    read: float | None = None
    wrong: str = ""  # why its selector cannot be followed

    def there(self, now: float) -> list[Pushed]:
        """Its series that say something now."""
        return [each for each in self.series.values() if each.there(now)]


class PushSource:
    """Keeps what signals follow. All times but a sample's own are ours, in seconds since the epoch."""

    def __init__(self) -> None:
        self.wake: Callable[[str], None] = lambda key: None  # told the workload one of whose signals rose
        self.samples: Counter[str] = Counter()  # by what became of them
        self._watches: dict[str, _Watch] = {}
        self._index = Index()
        self._series: dict[Labels, Pushed] = {}
        self._unknown: set[Labels] = set()
        self._intervals = Intervals()
        self._since: float | None = None  # when it was heard first
        self._heard = 0.0  # and last
        self._swept = 0.0

    @property
    def series(self) -> int:
        """How many series are kept."""
        return len(self._series)

    # what comes in

    def take(self, sent: Iterable[Sent], now: float) -> str:
        """Take the series of a request; what could not be taken of it, in a sentence. What can be is taken."""
        self._since, self._heard = self._since if self._since is not None else now, now
        touched: set[str] = set()
        wrong = ""
        for each in sent:
            try:
                series = self._series.get(each.labels) or self._new(each.labels)
            except SourceError as error:
                self.samples["refused"] += len(each.samples)
                wrong = wrong or error.message
                continue
            if series is None:
                self.samples["not_followed"] += len(each.samples)
                continue
            for at, value in each.samples:
                if at - now > AHEAD_S:
                    self.samples["refused"] += 1
                    wrong = wrong or f"{series.labels['__name__']}: a sample {span(at - now)} in the future"
                elif series.take(at, value):
                    self.samples["taken"] += 1
                    touched.update(series.watched)
                else:
                    self.samples["repeated_or_late"] += 1
        for name in touched:
            self._told(self._watches[name], now)
        return wrong

    def _new(self, labels: Labels) -> Pushed | None:
        """A series that was not known; None where no signal follows it. Raises SourceError where it cannot be kept."""
        if labels in self._unknown:
            return None
        found = named(labels)
        watched = self._index.fitting(found)
        if not watched:
            if len(self._unknown) >= MOST_UNKNOWN:
                self._unknown.clear()
            self._unknown.add(labels)
            return None
        if len(self._series) >= MOST_SERIES:
            raise SourceError(f"{MOST_SERIES} series are kept already; narrow the selectors of the signals")
        series = self._series[labels] = Pushed(found, watched)
        for name in watched:
            self._watches[name].series[labels] = series
        return series

    def _told(self, watch: _Watch, now: float) -> None:
        """Wake the workload where what came is much more than was read last."""
        value = self._value(watch, watch.there(now), now)
        if isinstance(value, Missing):
            return
        limit = watch.signal.wake_above
        wakes = limit is not None and value > limit and (watch.read is None or watch.read <= limit)
        if wakes or watch.read is None or value - watch.read > RISES * abs(watch.read):
            watch.read = value
            self.wake(watch.ref.key)

    # what is asked

    async def read(self, asks: Sequence[Ask], now: float) -> Sequence[Reading]:
        """One reading per ask, in the same order."""
        self._follow(asks, now)
        found: list[Reading] = []
        for ask in asks:
            watch = self._watches[_name(ask)]
            there = watch.there(now)
            value = self._value(watch, there, now)
            watch.read = None if isinstance(value, Missing) else value
            found.append(value if isinstance(value, Missing) else self._reading(ask, there, value, now))
        return found

    async def close(self) -> None:
        """Nothing is open here."""

    def _follow(self, asks: Sequence[Ask], now: float) -> None:
        """Follow what is asked, and no more what nobody asked for long."""
        changed = False
        for ask in asks:
            watch = self._watches.get(_name(ask))
            if watch is not None and watch.query == ask.query:
                watch.asked, watch.signal = now, ask.signal
            else:
                self._watches[_name(ask)], changed = _Watch(ask.ref, ask.signal, ask.query, now), True
        if now - self._swept >= SWEEP_S or now < self._swept:
            self._swept = now
            kept = {name: each for name, each in self._watches.items() if now - each.asked < KEEP_S}
            changed = changed or len(kept) < len(self._watches)
            self._watches = kept
            gone = [labels for labels, each in self._series.items() if now - each.newest > KEEP_SERIES_S]
            for labels in gone:
                for name in self._series.pop(labels).watched:
                    self._watches[name].series.pop(labels, None)
        if changed:
            self._again()

    def _again(self) -> None:
        """Other signals follow other series: those that are kept are asked once more whose they are."""
        self._index, before, self._series = Index(), self._series, {}
        self._unknown.clear()
        for name, watch in self._watches.items():
            watch.series, watch.wrong = {}, ""
            meant = chosen(watch.query)
            if isinstance(meant, str):
                watch.wrong = f"{watch.query}: {meant}"
            else:
                self._index.add(name, meant)
        for labels, series in before.items():
            series.watched = self._index.fitting(series.labels)
            if series.watched:
                self._series[labels] = series
            for name in series.watched:
                self._watches[name].series[labels] = series

    # series → a value

    def _value(self, watch: _Watch, there: Sequence[Pushed], now: float) -> float | Missing:
        """The value of a signal by the series that are there now, or why there is none."""
        if not there:
            return self._nothing(watch, now)
        if not all(math.isfinite(each.value) for each in there):
            return Missing(MissingWhy.NAN, "what was pushed is not a number, or infinite")
        if watch.signal.push is not None and watch.signal.push.mode is ScrapeMode.RATE:
            values = [rate for each in there if (rate := each.rate()) is not None]
            if not values:
                return Missing(MissingWhy.EMPTY, f"a rate needs two samples at least {span(RATE_S)} apart")
        else:
            values = [each.value for each in there]
        reduce = watch.signal.reduce
        if len(there) > 1 and reduce is None:
            said = f"{len(there)} series were pushed that fit: write reduce: sum, max, min or avg, or more labels"
            return Missing(MissingWhy.SEVERAL, said)
        return values[0] if reduce is None else REDUCED[reduce](values)

    def _nothing(self, watch: _Watch, now: float) -> Missing:
        """Why there is nothing: empty only where somebody has been pushing for long enough to have said it."""
        if watch.wrong:
            return Missing(MissingWhy.FAILED, watch.wrong)
        if self._since is None:
            return Missing(MissingWhy.FAILED, "nobody has pushed anything yet")
        if now - self._heard > UNTIL_SEEN_S:
            return Missing(MissingWhy.FAILED, f"nobody has pushed anything for {span(now - self._heard)}")
        if now - self._since < UNTIL_SEEN_S:
            said = f"nothing that fits was pushed in the {span(now - self._since)} since the first was"
            return Missing(MissingWhy.FAILED, said)
        ended = any(each.ended for each in watch.series.values())
        return Missing(MissingWhy.EMPTY, "the series that fit have ended" if ended else "nothing that fits is pushed")

    def _reading(self, ask: Ask, there: Sequence[Pushed], value: float, now: float) -> Reading:
        """The value with its age and with the instances it is of, or what makes it missing."""
        newest = max(each.newest for each in there)
        self._intervals.saw(ask.query, newest, now)
        seen = self._intervals.limit(ask.query)
        limit = ask.signal.max_age or seen or UNTIL_SEEN_S
        age = max(0.0, now - newest)
        if age > limit:
            return Missing(MissingWhy.STALE, f"the newest sample is {span(age)} old, max_age is {span(limit)}")
        named_by = {
            word
            for each in there
            if now - each.newest <= limit
            for label in each.labels.values()
            for word in spellings(label)
        }
        ready = [each for each in ask.instances if each.ready and not each.draining]
        long_s = 2 * limit if seen is None else limit
        return Series(
            (Point(value, _labels(there)),),
            age,
            found=tuple(each.id for each in ready if not named_by.isdisjoint(words(each))),
            expected=tuple(each.id for each in ready if now - each.since >= long_s),
        )


def _labels(there: Sequence[Pushed]) -> tuple[tuple[str, str], ...]:
    if len(there) > 1:
        return ()
    labels: Mapping[str, str] = there[0].labels
    return tuple(sorted((name, value) for name, value in labels.items() if name != "__name__"))


def _name(ask: Ask) -> str:
    return f"{ask.ref.key}\n{ask.signal.name}"

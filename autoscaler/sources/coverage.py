"""Which ready instances are in the data of a query: by the label values of its selectors' series.

No query of its own: the companion that tells the age of a selector's samples tells it by label instead. Labels that
name no instance are not asked about every time where that would be many series.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from autoscaler.model.observation import Ask
from autoscaler.model.signal import Reading, Series
from autoscaler.policy.promql import Selector, selectors
from autoscaler.sources import judge
from autoscaler.sources.instances import LABELS, spellings, words
from autoscaler.sources.intervals import UNTIL_SEEN_S, Intervals

MANY = 100  # rows without any instance that are not worth having every cycle
WIDE_S = 300.0  # all labels are looked at so often, whatever is known
KEEP_S = 3600.0  # a selector nobody asked about for so long is forgotten


class Told(msgspec.Struct, frozen=True):
    """What one round of questions gave: the answers, how ages were told apart, and when that was."""

    answers: judge.Told
    apart: judge.Apart
    intervals: Intervals
    at: float


class _Known(msgspec.Struct):
    """What is known of a selector: the labels to ask by next, and when all were asked about last."""

    labels: tuple[str, ...] = LABELS
    wide_at: float = -WIDE_S
    looked: float = 0.0


class _Named(msgspec.Struct):
    """What a selector's labels named of one workload so far, of what is there still; and when that was looked at."""

    ids: set[str]
    looked: float


class _Name(msgspec.Struct, frozen=True, gc=False):
    """A value that a label has: which label, and the age of its newest sample."""

    label: str
    age_s: float


class _Sight(msgspec.Struct):
    """What a selector's labels say now: in how many rows it was told, and which labels name an instance."""

    names: dict[str, _Name]
    rows: int
    naming: set[str] = msgspec.field(default_factory=set)


class Coverage:
    """Remembers which selectors name instances of which workloads. All times are ours, in seconds."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._named: dict[tuple[str, str], _Named] = {}  # by selector and workload
        self._swept = 0.0

    def apart(self, asks: Sequence[Ask], at: float) -> dict[str, tuple[str, ...]]:
        """The labels by which the ages of these asks' selectors are to be told."""
        found: dict[str, tuple[str, ...]] = {}
        for text in {selector.text for ask in asks for selector in _selectors(ask)}:
            known = self._known.setdefault(text, _Known())
            known.looked = at
            labels = LABELS if at - known.wide_at >= WIDE_S else known.labels
            if labels:
                found[text] = labels
        self._sweep(at)
        return found

    def covered(self, asks: Sequence[Ask], readings: Sequence[Reading], told: Told) -> list[Reading]:
        """The readings with the instances that are in them, and with those that should be."""
        sights: dict[str, _Sight] = {}
        found: list[Reading] = []
        for ask, reading in zip(asks, readings, strict=True):
            inside: list[set[str]] = []
            before: list[set[str]] = []
            asked = _selectors(ask)
            for selector in asked:
                sight = sights.get(selector.text)
                if sight is None:
                    sight = sights[selector.text] = _sight(selector, told)
                ids = _inside(ask, selector, sight, told.intervals)
                named = self._name(ask, selector, ids, told.at)
                if named is not None:
                    before.append(named)
                    # One that has no samples at all has no part in the answer.
                    if sight.rows or judge.sampled_before(selector, told.answers):
                        inside.append(ids)
            counts = isinstance(reading, Series) and asked
            found.append(_told(ask, reading, inside, before, told) if counts else reading)  # type: ignore[arg-type]
        for text, sight in sights.items():
            self._learn(text, sight, told)
        return found

    def _name(self, ask: Ask, selector: Selector, ids: set[str], at: float) -> set[str] | None:
        """Take note of the instances that are named now: all that were named so far, or None where none ever was."""
        place = selector.text, ask.ref.key
        named = self._named.get(place)
        if named is None:
            if not ids:
                return None
            named = self._named[place] = _Named(ids, at)
        elif not ids <= named.ids:
            named.ids = (ids | named.ids).intersection(each.id for each in ask.instances)
        named.looked = at
        return named.ids

    def _learn(self, text: str, sight: _Sight, told: Told) -> None:
        known = self._known[text]
        if told.apart.get(text) == LABELS:
            known.wide_at = told.at
        known.labels = tuple(sorted(sight.naming)) or (() if sight.rows > MANY else LABELS)

    def _sweep(self, at: float) -> None:
        if at - self._swept > KEEP_S:
            self._swept = at
            self._known = {text: each for text, each in self._known.items() if at - each.looked < KEEP_S}
            self._named = {key: each for key, each in self._named.items() if at - each.looked < KEEP_S}


def _selectors(ask: Ask) -> tuple[Selector, ...]:
    """The selectors whose series may name instances; none where nobody would count them."""
    counted = ask.instances and ask.signal.votes and not ask.voucher
    return (selectors(ask.query) or ()) if counted else ()


def _told(ask: Ask, reading: Series, inside: Sequence[set[str]], before: Sequence[set[str]], told: Told) -> Series:
    """An instance is in the data where every selector that names instances names it.

    It should be where each has named it `before`, and where it has been ready for long enough.
    """
    ids = set.intersection(*inside) if inside else set()
    once = set.intersection(*before) if before else set()
    two_scrapes_s = max(told.intervals.limit(each.text) or UNTIL_SEEN_S for each in _selectors(ask))
    ready = [each for each in ask.instances if each.ready and not each.draining]
    return msgspec.structs.replace(
        reading,
        found=tuple(each.id for each in ready if each.id in ids),
        expected=tuple(each.id for each in ready if each.id in once or told.at - each.since >= two_scrapes_s),
    )


def _inside(ask: Ask, selector: Selector, sight: _Sight, intervals: Intervals) -> set[str]:
    """The instances with fresh samples; the labels that name them are noted."""
    most, _ = judge.limit(ask, selector, intervals)
    found: set[str] = set()
    for instance in ask.instances:
        for word in words(instance):
            name = sight.names.get(word)
            if name is not None and name.age_s <= most:
                found.add(instance.id)
                sight.naming.add(name.label)
    return found


def _sight(selector: Selector, told: Told) -> _Sight:
    """The values of a selector's labels, as they are and without port."""
    names: dict[str, _Name] = {}
    rows = judge.ages(told.answers.get(judge.age_now(selector, told.apart)))
    for age_s, labels in rows:
        for label, value in labels.items():
            for word in spellings(value):
                before = names.get(word)
                if before is None or age_s < before.age_s:
                    names[word] = _Name(label, age_s)
    return _Sight(names, len(rows))

"""The notation of policy tests: texts ↔ words, cycle by cycle, and words → readings.

`100x3 600x2` is 100 for three cycles, then 600 for two; `100x5m` is 100 for five minutes. A word of a load is a number
(`600`, `0.3`, `300ms`, `70%`) or a kind of missing data: `none`, `nan`, `stale`, `down`, `several`, `partial`,
`implausible`, `uncovered`. `600?2` could not be read from two instances; `600:3/4` holds three of the four instances
that should be in it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

import msgspec

from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.policy.units import duration, fraction, seconds
from autoscaler.policy.words import nearest, thousandth

MISSING = {
    "none": Missing(MissingWhy.EMPTY, "no series"),
    "nan": Missing(MissingWhy.NAN, "NaN"),
    "stale": Missing(MissingWhy.STALE, "3m old"),
    "down": Missing(MissingWhy.FAILED, "connection refused"),
    "several": Missing(MissingWhy.SEVERAL, "two series"),
    "partial": Missing(MissingWhy.PARTIAL, "a store did not answer"),
    "implausible": Missing(MissingWhy.IMPLAUSIBLE, "-1 cannot be"),
    "uncovered": Missing(MissingWhy.UNCOVERED, "1 of 4 in it"),
    "unserved": Missing(MissingWhy.UNSERVED, "no metrics.k8s.io"),
    "forbidden": Missing(MissingWhy.FORBIDDEN, "no right to list pods"),
    "no_request": Missing(MissingWhy.NO_REQUEST, "a container has no cpu request"),
}
ANY = "_"  # among what is expected: whatever it is
AGE_S = 5.0  # of every reading that is there
MOST_CYCLES = 200_000  # of one text: a month of cycles of 15 s

_ENTRY = re.compile(r"(?P<word>.+?)(?:x(?P<times>[0-9]{1,9}|[0-9.]+(?:ms|[smhd])))?")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_PLACES = re.compile(
    r"(?P<number>[^?:]+)(?::(?P<found>[0-9]{1,4})/(?P<expected>[0-9]{1,4}))?(?:\?(?P<unread>[0-9]{1,4}))?"
)


class BadNotation(Exception):
    """A text that is not in this notation: a sentence, and a hint."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.hint = hint


class Entry(msgspec.Struct, frozen=True):
    """One word for so many cycles, or for so many seconds."""

    word: str
    times: int = 1
    span_s: float | None = None

    def __str__(self) -> str:
        if self.span_s is not None:
            return f"{self.word}x{duration(self.span_s)}"
        return f"{self.word}x{self.times}"


def parsed(text: str) -> list[Entry]:
    """The entries of a text. Raises BadNotation.

    >>> [str(each) for each in parsed("100x3 none 600x5m")]
    ['100x3', 'nonex1', '600x5m']
    """
    found = [_entry(each) for each in text.split()]
    if not found:
        raise BadNotation("expected entries such as 100x3, got an empty text", "100x3 is 100 for three cycles")
    return found


def printed(words: Sequence[str]) -> str:
    """Words, one per cycle, as a text that says the same.

    >>> printed(["1", "1", "6"])
    '1x2 6x1'
    """
    return " ".join(str(Entry(word, len(list(same)))) for word, same in itertools.groupby(words))


def spread(entries: Sequence[Entry], every_s: float) -> list[str]:
    """Entries as one word per cycle of `every_s` seconds. Raises BadNotation for a span that is no whole cycles."""
    words: list[str] = []
    for each in entries:
        times = each.times if each.span_s is None else cycles(each.span_s, every_s)
        if len(words) + times > MOST_CYCLES:
            raise BadNotation(f"more than {MOST_CYCLES} cycles", "a test of hours tells more than one of months")
        words += [each.word] * times
    return words


def cycles(span_s: float, every_s: float) -> int:
    """A span as a number of cycles. Raises BadNotation where it is none.

    >>> cycles(300.0, 15.0)
    20
    """
    number = span_s / every_s
    if abs(number - round(number)) > 1e-6 or round(number) < 1:
        near = duration(max(1, round(number)) * every_s)
        raise BadNotation(f"{duration(span_s)} is no multiple of the cycle, {duration(every_s)}", f"{near}?")
    return round(number)


def readings(text: str, every_s: float = 15.0) -> Iterator[Reading]:
    """The readings of one signal, cycle by cycle. Raises BadNotation."""
    return map(reading, spread(parsed(text), every_s))


def reading(word: str) -> Reading:
    """One word of a load. Raises BadNotation.

    >>> reading("600").points[0].value, reading("300ms").points[0].value, reading("none").why.value
    (600.0, 0.3, 'empty')
    """
    if word in MISSING:
        return MISSING[word]
    places = _PLACES.fullmatch(word)
    value = _value(places["number"]) if places is not None else None
    if places is None or value is None:
        hint = thousandth(word) or _did_you_mean(word, MISSING) or f"kinds of missing data: {', '.join(MISSING)}"
        raise BadNotation(f"expected a number or a kind of missing data, got {word}", hint)
    unread = _names(places["unread"] or "0")
    if places["expected"] is None:
        return Series((Point(value),), AGE_S, unread=unread)
    found, expected = _names(places["found"]), _names(places["expected"])
    return Series((Point(value),), AGE_S, unread=unread, found=found, expected=expected)


def count(word: str) -> int | None:
    """One word of expected replicas; None for `_`. Raises BadNotation."""
    if word == ANY:
        return None
    if not re.fullmatch(r"[0-9]{1,6}", word):
        raise BadNotation(f"expected a count of replicas, got {word}", f"2x3 6x2, or {ANY} for whatever it is")
    return int(word)


def counts(text: str, every_s: float = 15.0) -> list[int]:
    """Replicas cycle by cycle. Raises BadNotation.

    >>> counts("1x3 6x2")
    [1, 1, 1, 6, 6]
    """
    return [int(word) for word in spread(parsed(text), every_s)]


def _entry(text: str) -> Entry:
    found = _ENTRY.fullmatch(text)
    if found is None or re.fullmatch(r"x[0-9.]+[a-z]*", text):
        raise BadNotation(f"expected entries such as 100x3, got {text}", "no space before x: 100x3, not 100 x3")
    word, times = found["word"], found["times"]
    if times is None:
        return Entry(word)
    span = None if times.isdigit() else seconds(times)
    number = int(times) if times.isdigit() else 1
    if number < 1 or (not times.isdigit() and not span):
        raise BadNotation(f"expected at least one cycle, got {text}", "write 100x3, or leave it out")
    return Entry(word, number, span)


def _value(text: str) -> float | None:
    if _NUMBER.fullmatch(text):
        return float(text)
    return None if thousandth(text) else seconds(text) if fraction(text) is None else fraction(text)


def _names(number: str) -> tuple[str, ...]:
    return tuple(f"i{n}" for n in range(int(number)))


def _did_you_mean(word: str, known: Sequence[str] | dict[str, Missing]) -> str:
    near = nearest(word, known)
    return f"did you mean {near}?" if near else ""

"""What smoothing and rates remember: earlier wishes and changes. Plain data, kept by the store.

Slots are used again one at a time, by the rules of the HPA: the lists stay about as long as window ÷ cycle, and what
is old comes back into sight when the owner lengthens a window. Dropping everything old at once is not the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from autoscaler.decide.hpa.rules import Behavior, Legacy


class Recommendation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A wish as the signals had it, before smoothing and limits, and when."""

    replicas: int
    at: float


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A change that was written: so many replicas (always positive), and when; `outdated` slots are used again."""

    change: int
    at: float
    outdated: bool = False


class History(msgspec.Struct, frozen=True, gc=False):
    """One workload's past; `recommendations` is None where nothing was ever stored, in storage order otherwise."""

    recommendations: tuple[Recommendation, ...] | None = None
    ups: tuple[Event, ...] = ()
    downs: tuple[Event, ...] = ()


def seeded(history: History, current: int, now: float) -> History:
    """A history that was never there starts with the current count: no move against it for one window."""
    if history.recommendations is not None:
        return history
    return History((Recommendation(current, now),), history.ups, history.downs)


def last_before(past: Sequence[Recommendation], cutoff: float) -> int:
    """The last place with an entry from before that time: a slot to be used again; below 0 where there is none."""
    place = len(past)
    for entry in reversed(past):
        place -= 1
        if entry.at < cutoff:
            return place
    return -1


def stored(past: Sequence[Recommendation], slot: int, entry: Recommendation) -> tuple[Recommendation, ...]:
    """The entry in a reusable slot, or at the end where there is none (`slot` below 0)."""
    if slot < 0:
        return (*past, entry)
    kept = list(past)
    kept[slot] = entry
    return tuple(kept)


def record(history: History, behavior: Behavior | Legacy, before: int, after: int, now: float) -> History:
    """The history after a change was written. Without a behavior nothing is kept, as nothing looks at it."""
    if before == after or isinstance(behavior, Legacy):
        return history
    if after > before:
        cutoff = now - behavior.up.longest_period_s
        return History(history.recommendations, _added(history.ups, after - before, cutoff, now), history.downs)
    cutoff = now - behavior.down.longest_period_s
    return History(history.recommendations, history.ups, _added(history.downs, before - after, cutoff, now))


def _added(events: Sequence[Event], change: int, cutoff: float, now: float) -> tuple[Event, ...]:
    marked: list[Event] = []
    slot = -1
    for index, event in enumerate(events):
        outdated = event.outdated or event.at < cutoff
        if outdated:
            slot = index
        marked.append(Event(event.change, event.at, True) if outdated and not event.outdated else event)
    fresh = Event(change, now)
    if slot < 0:
        marked.append(fresh)
    else:
        marked[slot] = fresh
    return tuple(marked)


def without_recommendations(history: History) -> History:
    """The same changes with no earlier wish: a history that exists and is empty, so it is not seeded again."""
    return History((), history.ups, history.downs)

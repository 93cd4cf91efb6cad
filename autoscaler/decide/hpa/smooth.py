"""From a wish to a count: smoothing by earlier wishes, limits of speed, bounds. Sections: legacy, behavior.

Which comparison is strict differs from place to place, on purpose: ties are common where windows are multiples of
the cycle, and each of these is what the HPA does.
"""

from __future__ import annotations

import enum

import msgspec

from autoscaler.decide.hpa.history import History, Recommendation, last_before, seeded, stored
from autoscaler.decide.hpa.quantity import MOST_REPLICAS
from autoscaler.decide.hpa.quantity import up as ceiling
from autoscaler.decide.hpa.rules import Behavior, Legacy, Rules, Select

Past = tuple[Recommendation, ...]


class Limit(enum.Enum):
    """What cut the smoothed count, in the HPA's words."""

    NONE = "DesiredWithinRange"
    SCALE_UP_LIMIT = "ScaleUpLimit"
    SCALE_DOWN_LIMIT = "ScaleDownLimit"
    TOO_MANY_REPLICAS = "TooManyReplicas"
    TOO_FEW_REPLICAS = "TooFewReplicas"


_NONE = Limit.NONE  # looking a member up in its enum takes longer than all the comparisons around it
_MAX, _DISABLED = Select.MAX, Select.DISABLED
_UP, _MANY = Limit.SCALE_UP_LIMIT, Limit.TOO_MANY_REPLICAS
_DOWN, _FEW = Limit.SCALE_DOWN_LIMIT, Limit.TOO_FEW_REPLICAS


class Result(msgspec.Struct, frozen=True, gc=False):
    """The count, the smoothed one before limits, what cut it, and the history with the wish in it."""

    replicas: int
    stabilized: int
    limit: Limit
    history: History


def hpa(
    wish: int, current: int, low: int, high: int, behavior: Behavior | Legacy, history: History, now: float
) -> Result:
    """One workload's count from what its metrics ask for. `now` in seconds, on the clock of the history."""
    past = history.recommendations
    if past is None:
        past = seeded(history, current, now).recommendations or ()
    if isinstance(behavior, Legacy):
        stable, past = smoothed_legacy(wish, behavior.down.stabilization_s, past, now)
        replicas, limit = limited_legacy(current, stable, low, high, behavior)
    else:
        stable, past = smoothed(wish, current, behavior.up.stabilization_s, behavior.down.stabilization_s, past, now)
        replicas, limit = limited(current, stable, low, high, behavior, history, now)
    return Result(replicas, stable, limit, History(past, history.ups, history.downs))


# with a behavior


def smoothed(
    wish: int, current: int, up_window_s: float, down_window_s: float, past: Past, now: float
) -> tuple[int, Past]:
    """The current count, raised to the least and lowered to the most of what was asked for in each window.

    So history only ever holds back: it never carries the count across the current one.
    """
    up_cutoff, down_cutoff = now - up_window_s, now - down_window_s
    if wish == current:  # it stays, whatever was asked for before: half of all looks end here
        slot = last_before(past, up_cutoff if up_cutoff < down_cutoff else down_cutoff)
        return current, stored(past, slot, Recommendation(wish, now))
    least = most = wish
    slot = -1
    for index, entry in enumerate(past):
        at, asked = entry.at, entry.replicas
        if at > down_cutoff:
            if asked > most:
                most = asked
            if asked < least and at > up_cutoff:
                least = asked
        elif at > up_cutoff:
            if asked < least:
                least = asked
        elif at < up_cutoff and at < down_cutoff:  # exactly at a cutoff it neither counts nor is used again
            slot = index
    stable = current if current > least else least
    return stable if stable < most else most, stored(past, slot, Recommendation(wish, now))


def limited(
    current: int, stable: int, low: int, high: int, behavior: Behavior, history: History, now: float
) -> tuple[int, Limit]:
    """The smoothed count within rates and the one bound that lies in the direction of movement."""
    if stable > current:
        fastest = max(policy_limit_up(current, behavior.up, history, now), current)
        top, limit = (fastest, _UP) if high > fastest else (high, _MANY)
        return (top, limit) if stable > top else (stable, _NONE)
    if stable < current:
        fastest = min(policy_limit_down(current, behavior.down, history, now), current)
        floor, limit = (fastest, _DOWN) if low < fastest else (low, _FEW)
        return (floor, limit) if stable < floor else (stable, _NONE)
    return stable, _NONE


def policy_limit_up(current: int, rules: Rules, history: History, now: float) -> int:
    """How high the rates alone let the count go; below current where much was done in the period."""
    select = rules.select
    if select is _DISABLED:
        return current
    best: int | None = None
    period = start = None
    for rate in rules.rates:
        if start is None or rate.period_s != period:
            period = rate.period_s
            start = _at_start(current, history, now - period)
        replicas = rate.replicas
        limit = ceiling(start * (1 + (rate.percent or 0) / 100)) if replicas is None else start + replicas
        if best is None or (limit > best if select is _MAX else limit < best):
            best = limit
    return current if best is None else min(best, MOST_REPLICAS)


def policy_limit_down(current: int, rules: Rules, history: History, now: float) -> int:
    """How low the rates alone let the count go; above current where much was done in the period."""
    select = rules.select
    if select is _DISABLED:
        return current
    best: int | None = None
    period = start = None
    for rate in rules.rates:
        if start is None or rate.period_s != period:
            period = rate.period_s
            start = _at_start(current, history, now - period)
        replicas = rate.replicas
        limit = int(start * (1 - (rate.percent or 0) / 100)) if replicas is None else start - replicas  # towards zero
        if best is None or (limit < best if select is _MAX else limit > best):
            best = limit
    return current if best is None else best


def _at_start(current: int, history: History, cutoff: float) -> int:
    """The count at the period's start: changes of both directions undone, whether marked as outdated or not."""
    start = current
    for event in history.ups:
        if event.at > cutoff:
            start -= event.change
    for event in history.downs:
        if event.at > cutoff:
            start += event.change
    return start


# without


def smoothed_legacy(wish: int, window_s: float, past: Past, now: float) -> tuple[int, Past]:
    """The most that was asked for in the window; an entry exactly at the cutoff counts. It may exceed the current."""
    cutoff = now - window_s
    stable = wish
    slot = -1
    for index, entry in enumerate(past):
        if entry.at < cutoff:
            slot = index
        elif entry.replicas > stable:
            stable = entry.replicas
    return stable, stored(past, slot, Recommendation(wish, now))


def limited_legacy(current: int, stable: int, low: int, high: int, behavior: Legacy) -> tuple[int, Limit]:
    """Within the bounds and the one speed that legacy knows; the minimum comes first, so it wins over the speed."""
    speed = int(max(behavior.factor * current, behavior.minimum))
    top, limit = (speed, _UP) if high > speed else (high, _MANY)
    if stable < low:
        return low, _FEW
    return (top, limit) if stable > top else (stable, _NONE)

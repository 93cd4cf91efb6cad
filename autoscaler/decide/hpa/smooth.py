"""From a wish to a count: smoothing by earlier wishes, limits of speed, bounds. Sections: legacy, behavior.

Which comparison is strict differs from place to place, on purpose: ties are common where windows are multiples of
the cycle, and each of these is what the HPA does.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence

import msgspec

from autoscaler.decide.hpa.history import Event, History, Recommendation, seeded, stored
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


class Result(msgspec.Struct, frozen=True):
    """The count, the smoothed one before limits, what cut it, and the history with the wish in it."""

    replicas: int
    stabilized: int
    limit: Limit
    history: History


def hpa(
    wish: int, current: int, low: int, high: int, behavior: Behavior | Legacy, history: History, now: float
) -> Result:
    """One workload's count from what its metrics ask for. `now` in seconds, on the clock of the history."""
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
    least = most = wish
    slot = -1
    for index, entry in enumerate(past):
        at = entry.at
        if at > down_cutoff:
            if entry.replicas > most:
                most = entry.replicas
            if at > up_cutoff and entry.replicas < least:
                least = entry.replicas
        elif at > up_cutoff:
            if entry.replicas < least:
                least = entry.replicas
        elif at < up_cutoff and at < down_cutoff:  # exactly at a cutoff it neither counts nor is used again
            slot = index
    stable = max(current, least)
    return min(stable, most), stored(past, slot, Recommendation(wish, now))


def limited(
    current: int, stable: int, low: int, high: int, behavior: Behavior, history: History, now: float
) -> tuple[int, Limit]:
    """The smoothed count within rates and the one bound that lies in the direction of movement."""
    if stable > current:
        fastest = max(policy_limit_up(current, behavior.up, history, now), current)
        top, limit = (fastest, Limit.SCALE_UP_LIMIT) if high > fastest else (high, Limit.TOO_MANY_REPLICAS)
        return (top, limit) if stable > top else (stable, Limit.NONE)
    if stable < current:
        fastest = min(policy_limit_down(current, behavior.down, history, now), current)
        floor, limit = (fastest, Limit.SCALE_DOWN_LIMIT) if low < fastest else (low, Limit.TOO_FEW_REPLICAS)
        return (floor, limit) if stable < floor else (stable, Limit.NONE)
    return stable, Limit.NONE


def policy_limit_up(current: int, rules: Rules, history: History, now: float) -> int:
    """How high the rates alone let the count go; below current where much was done in the period."""
    if rules.select is Select.DISABLED:
        return current
    limits = []
    for rate in rules.rates:
        start = _at_start(current, history, now - rate.period_s)
        if rate.replicas is not None:
            limits.append(min(start + rate.replicas, MOST_REPLICAS))
        else:
            limits.append(ceiling(start * (1 + (rate.percent or 0) / 100)))
    return max(limits) if rules.select is Select.MAX else min(limits)


def policy_limit_down(current: int, rules: Rules, history: History, now: float) -> int:
    """How low the rates alone let the count go; above current where much was done in the period."""
    if rules.select is Select.DISABLED:
        return current
    limits = []
    for rate in rules.rates:
        start = _at_start(current, history, now - rate.period_s)
        if rate.replicas is not None:
            limits.append(start - rate.replicas)
        else:
            limits.append(math.trunc(start * (1 - (rate.percent or 0) / 100)))
    return min(limits) if rules.select is Select.MAX else max(limits)


def _at_start(current: int, history: History, cutoff: float) -> int:
    """The count at the period's start: changes of both directions undone, whether marked as outdated or not."""
    return current - _changed(history.ups, cutoff) + _changed(history.downs, cutoff)


def _changed(events: Sequence[Event], cutoff: float) -> int:
    total = 0
    for event in events:
        if event.at > cutoff:
            total += event.change
    return total


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
    top, limit = (speed, Limit.SCALE_UP_LIMIT) if high > speed else (high, Limit.TOO_MANY_REPLICAS)
    if stable < low:
        return low, Limit.TOO_FEW_REPLICAS
    return (top, limit) if stable > top else (stable, Limit.NONE)

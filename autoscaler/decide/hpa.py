"""temporary stand-in until the package lands"""

from __future__ import annotations

import enum
import math

import msgspec


class Select(enum.Enum):
    MAX = "max"
    MIN = "min"
    DISABLED = "disabled"


class Limit(enum.Enum):
    NONE = "none"
    SCALE_UP_LIMIT = "a"
    SCALE_DOWN_LIMIT = "b"
    TOO_MANY_REPLICAS = "c"
    TOO_FEW_REPLICAS = "d"


class Rate(msgspec.Struct, frozen=True):
    period_s: float
    replicas: int | None = None
    percent: int | None = None


class Rules(msgspec.Struct, frozen=True):
    stabilization_s: float
    tolerance: float
    rates: tuple[Rate, ...]
    select: Select = Select.MAX


class Behavior(msgspec.Struct, frozen=True):
    up: Rules
    down: Rules


class Recommendation(msgspec.Struct, frozen=True):
    replicas: int
    at: float


class Event(msgspec.Struct, frozen=True):
    change: int
    at: float


class History(msgspec.Struct, frozen=True):
    recommendations: tuple[Recommendation, ...] | None = None
    ups: tuple[Event, ...] = ()
    downs: tuple[Event, ...] = ()


class Result(msgspec.Struct, frozen=True):
    replicas: int
    stabilized: int
    limit: Limit
    history: History


def milli(x: float) -> int:
    r = round(x * 1000, 6)
    return math.ceil(r) if r >= 0 else math.floor(r)


def average_value(usage: int, target: int, status: int, tol: tuple[float, float]) -> int:
    down, up = tol
    if status:
        ratio = usage / (target * float(status))
        if 1 - down <= ratio <= 1 + up:
            return status
    return math.ceil(usage / target)


def value(usage: int, target: int, current: int, ready: int, tol: tuple[float, float]) -> int:
    ratio = usage / target
    if current == 0:
        return math.ceil(ratio)
    down, up = tol
    if 1 - down <= ratio <= 1 + up:
        return current
    return math.ceil(ratio * ready)


def _limit(cur: int, rules: Rules, h: History, now: float, up: bool) -> int:
    if rules.select is Select.DISABLED:
        return cur
    out = []
    for r in rules.rates:
        a = sum(e.change for e in h.ups if e.at > now - r.period_s)
        d = sum(e.change for e in h.downs if e.at > now - r.period_s)
        s = cur - a + d
        if up:
            out.append(s + r.replicas if r.replicas is not None else math.ceil(s * (1 + (r.percent or 0) / 100)))
        else:
            out.append(s - r.replicas if r.replicas is not None else int(s * (1 - (r.percent or 0) / 100)))
    big = rules.select is Select.MAX
    return (max if big == up else min)(out)


def policy_limit_down(cur, rules, h, now):
    return _limit(cur, rules, h, now, False)


def hpa(wish, current, low, high, b, h, now) -> Result:
    recs = h.recommendations if h.recommendations is not None else (Recommendation(current, now),)
    lo = hi = wish
    for r in recs:
        if r.at > now - b.up.stabilization_s:
            lo = min(lo, r.replicas)
        if r.at > now - b.down.stabilization_s:
            hi = max(hi, r.replicas)
    st = min(max(current, lo), hi)
    keep = max(b.up.stabilization_s, b.down.stabilization_s)
    recs = tuple(r for r in recs if r.at >= now - keep) + (Recommendation(wish, now),)
    h = msgspec.structs.replace(h, recommendations=recs)
    res, lim = st, Limit.NONE
    if st > current:
        l = max(_limit(current, b.up, h, now, True), current)
        c, lm = (l, Limit.SCALE_UP_LIMIT) if high > l else (high, Limit.TOO_MANY_REPLICAS)
        if st > c:
            res, lim = c, lm
    elif st < current:
        l = min(_limit(current, b.down, h, now, False), current)
        f, lm = (l, Limit.SCALE_DOWN_LIMIT) if low < l else (low, Limit.TOO_FEW_REPLICAS)
        if st < f:
            res, lim = f, lm
    return Result(res, st, lim, h)


def record(h, b, before, after, now):
    if before == after:
        return h
    if after > before:
        return msgspec.structs.replace(h, ups=h.ups[-40:] + (Event(after - before, now),))
    return msgspec.structs.replace(h, downs=h.downs[-40:] + (Event(before - after, now),))


def without_recommendations(h):
    return msgspec.structs.replace(h, recommendations=())

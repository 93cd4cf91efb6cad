"""A replay as a picture: fine enough to look at, and no finer."""

from __future__ import annotations

import math

import msgspec

from autoscaler.backtest.scorecard import Played


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """A replay as a picture: one entry per `step_s` seconds from `start`; None where the load is not known.

    `load` and `needed` are the highest in a step, `ready` the least and `desired` the greatest count, `over` what took
    too long.
    """

    start: float
    step_s: float
    load: tuple[float | None, ...]
    needed: tuple[int | None, ...]
    ready: tuple[int, ...]
    desired: tuple[int, ...]
    over: tuple[float, ...]


def curve(played: Played, points: int) -> Curve:
    """The replay as at most so many steps."""
    size = max(1, math.ceil(len(played.times) / points))
    parts = [slice(first, first + size) for first in range(0, len(played.times), size)]
    loads = [[load for load in played.load[part] if math.isfinite(load)] for part in parts]
    needed = [
        [count for count, load in zip(played.needed[part], played.load[part], strict=True) if math.isfinite(load)]
        for part in parts
    ]
    return Curve(
        start=played.times[0],
        step_s=size * (played.times[1] - played.times[0]) if len(played.times) > 1 else played.lasts(0),
        load=tuple(_short(max(part, default=None)) for part in loads),
        needed=tuple(max(part, default=None) for part in needed),
        ready=tuple(min(played.ready[part]) for part in parts),
        desired=tuple(max(played.desired[part]) for part in parts),
        over=tuple(_short(sum(played.over[part])) or 0.0 for part in parts),
    )


def _short(value: float | None) -> float | None:
    """Five digits are more than a picture shows."""
    return None if value is None else float(f"{value:.5g}")


def coarser(fine: Curve, points: int) -> Curve:
    """The same with at most so many steps; peaks of load and counts and lows of what is ready are kept."""
    size = max(1, math.ceil(len(fine.load) / points))
    parts = [slice(first, first + size) for first in range(0, len(fine.load), size)]
    return Curve(
        start=fine.start,
        step_s=size * fine.step_s,
        load=tuple(max((each for each in fine.load[part] if each is not None), default=None) for part in parts),
        needed=tuple(max((each for each in fine.needed[part] if each is not None), default=None) for part in parts),
        ready=tuple(min(fine.ready[part]) for part in parts),
        desired=tuple(max(fine.desired[part]) for part in parts),
        over=tuple(sum(fine.over[part]) for part in parts),
    )

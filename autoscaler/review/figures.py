"""What the faces of a review have in common: figures before and after, and pictures of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autoscaler.backtest.differences import Verdict, report
from autoscaler.backtest.report.sparkline import sparkline
from autoscaler.backtest.report.words import minutes, percent
from autoscaler.review.effect import Course, Effect
from autoscaler.review.review import PolicyChange, share

WIDTH = 12
HEAD = ("OVER", "SHORT", "REPLICA-HOURS", "AT MAX")

LEGEND = (
    "Over: share of requests that took longer than the objective. Short: how long fewer were ready than needed. "
    "At max: share of the time at the policy's maximum."
)

_FIGURES: Sequence[Callable[[Course], str]] = (
    lambda course: percent(course.over_percent),
    lambda course: minutes(course.short_minutes),
    lambda course: f"{course.replica_hours:.1f}",
    lambda course: percent(course.at_max_percent),
)


def figures(change: PolicyChange) -> list[str]:
    """One cell per column of `HEAD`, `before → after`; a dash where it is not known."""
    effect = change.effect
    if effect is None:
        return ["-"] * len(HEAD)
    cells = [_both(effect, each) for each in _FIGURES]
    part = share(change)
    if part is not None:
        cells[2] += f" ({round(100 * part):+d} %)"
    return cells


def pictures(effect: Effect) -> str:
    """The counts of both sides on one scale."""
    sides = [each.desired for each in (effect.before, effect.after) if each is not None]
    high = float(max(max(each, default=0) for each in sides))
    return " → ".join(sparkline(each, WIDTH, high=high) for each in sides)


def story(effect: Effect) -> list[str]:
    """The worst moment of the revision that is to be, or of the one that goes."""
    course = effect.after or effect.before
    assert course is not None
    return list(course.worst) or ["no request took longer than the objective"]


def failure(verdict: Verdict) -> list[str]:
    """What a test wanted and did not get."""
    return [part for line in report(verdict) for part in line.split("\n")]


def _both(effect: Effect, said: Callable[[Course], str]) -> str:
    told = [said(each) for each in (effect.before, effect.after) if each is not None]
    return told[0] if len(set(told)) == 1 else " → ".join(told)

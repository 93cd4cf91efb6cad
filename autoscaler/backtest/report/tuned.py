"""A tuning in words, columns and a chart of cost against shortage: for the terminal, and as one still picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape

from autoscaler.backtest.moves import Change
from autoscaler.backtest.report.svg import STYLE
from autoscaler.backtest.report.words import minutes, percent
from autoscaler.backtest.scorecard import Card
from autoscaler.backtest.tuning import Attempt, Evidence, Outcome, Tuning
from autoscaler.clock import text as written
from autoscaler.decide.explain import span

HEAD = ("CHANGE", "OVER", "SHORT", "REPLICA-HOURS", "× CLAIRVOYANT", "CHANGES/DAY", "")
LEGEND = (
    "Over: share of requests that took longer than the objective. × clairvoyant: replica-hours beside those of the "
    "cheapest plan that knows the load ahead and is never short. Frontier: nothing tried is better in one of both and "
    "no worse in the other."
)
WIDTH, HEIGHT = 64, 12
LEAST_PERCENT = 0.01  # what is less stands at the edge
NOW, BEST, EDGE, OTHER = "○", "◆", "●", "·"
WIDE, HIGH, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 72, 24, 62, 52

Scale = Callable[[float], float]


def headline(told: Tuning) -> list[str]:
    """What was searched, and what was held out."""
    length = span(told.end - told.start + told.cycle_s)
    return [
        f"Tuning {told.policy} on {told.data}: {written(told.start)} to {written(told.end)}, {length}, "
        f"a decision every {span(told.cycle_s)}.",
        f"Searched before {written(told.split)}, judged on the third after it; {told.replays} replays.",
        *_searched(told),
    ]


def _searched(told: Tuning) -> list[str]:
    """Which keys were changed, and to what; the value in force first, then those tried, the cheapest first."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in told.attempts:
        if each.change is not None:
            found.setdefault((each.change.key, each.change.before), []).append(each.change.after)
    keys = "1 key" if len(found) == 1 else f"{len(found)} keys"
    lines = [f"  {key}: {before} → {' · '.join(after)}" for (key, before), after in sorted(found.items())]
    return [f"Searched were {keys}, one change at a time:", *lines]


def rows(told: Tuning) -> list[tuple[str, ...]]:
    """The frontier, the policy as it is and the proposal, the cheapest first, under `HEAD`."""
    shown = [each for each in told.attempts if each.frontier or each.change in (None, told.change)]
    return [
        (
            name(each.change),
            percent(each.over_percent),
            minutes(each.short_minutes),
            f"{each.replica_hours:.1f}",
            f"{each.cost:.2f}",
            f"{each.changes_per_day:.0f}",
            _role(each, told),
        )
        for each in shown
    ]


def verdict(told: Tuning) -> list[str]:
    """The proposal with its evidence, or why there is none."""
    change = told.change
    if change is None or told.searched is None or told.judged is None:
        return [f"Nothing better was found among {len(told.attempts) - 1} changes. {_rule(told)}"]
    both = [*_evidence("searched", told.searched), *_evidence("held out", told.judged)]
    if told.outcome is Outcome.NOT_HELD:
        said = f"No proposal. {name(change)} was the best where it was searched, and did not hold on the held-out part:"
        return [said, *both, f"It may have fitted those days and no others. {_rule(told)}"]
    return [
        f"Proposal: {change.key}, {change.before} → {change.after}",
        *both,
        f"It was the best of {len(told.attempts) - 1} changes of one key, and held where it was not searched. "
        f"{_rule(told)}",
    ]


def name(change: Change | None) -> str:
    """A change in one word; the policy as it is without one."""
    return "as it is" if change is None else f"{change.key}: {change.after}"


def chart(told: Tuning) -> list[str]:
    """Cost against shortage for a terminal: to the left less is short, to the bottom it is cheaper."""
    x, y, costs = _scales(told, 0, WIDTH - 1, HEIGHT - 1, 0)
    grid = [[" "] * WIDTH for _ in range(HEIGHT)]
    for mark, each in _marked(told):
        grid[round(y(each.cost))][round(x(each.over_percent))] = mark
    lines = ["× clairvoyant"]
    for place, row in enumerate(grid):
        label = f"{costs[1]:.2f}" if place == 0 else f"{costs[0]:.2f}" if place == HEIGHT - 1 else ""
        lines.append(f"{label:>6} │{''.join(row)}".rstrip())
    high = percent(_most(told))
    lines.append(f"{'':>6} └{'─' * WIDTH}")
    lines.append(f"{'':>8}{f'≤{LEAST_PERCENT} %'}{high:>{WIDTH - 7}}  over")
    marks = [f"{NOW} as it is", f"{EDGE} frontier", f"{OTHER} other changes"]
    if told.change is not None:
        marks.insert(1, f"{BEST} {name(told.change)}")
    return [*lines, f"{'':>8}{'   '.join(marks)}"]


def picture(told: Tuning) -> str:
    """The same chart as a still picture."""
    x, y, (low, high) = _scales(told, LEFT, WIDE - RIGHT, HIGH - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" width="{WIDE}" height="{HIGH}">',
        f'<style>{STYLE}</style><rect class="p" width="{WIDE}" height="{HIGH}"/>',
        f'<text class="n" x="{LEFT}" y="24">{escape(told.policy)}: cost against shortage, one changed key each</text>',
    ]
    legend = [("f0", "as it is"), ("f1", name(told.change)), ("t", "others; the line is the frontier")]
    at = LEFT
    for style, said in [each for each in legend if told.change is not None or each[0] != "f1"]:
        parts.append(f'<circle class="{style}" cx="{at + 5}" cy="{40}" r="5"/>')
        parts.append(f'<text class="t" x="{at + 16}" y="44">{escape(said)}</text>')
        at += 40 + 7 * len(said)
    for cost in (low, (low + high) / 2, high):
        parts.append(f'<line class="g" x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{y(cost):.1f}" y2="{y(cost):.1f}"/>')
        parts.append(f'<text class="t" x="{LEFT - 8}" y="{y(cost) + 4:.1f}" text-anchor="end">{cost:.2f}×</text>')
    for share in _shares(_most(told)):
        parts.append(f'<line class="g" x1="{x(share):.1f}" x2="{x(share):.1f}" y1="{TOP}" y2="{HIGH - BOTTOM}"/>')
        said = f"≤{share:g} %" if share == LEAST_PERCENT else f"{share:g} %"
        parts.append(f'<text class="t" x="{x(share):.1f}" y="{HIGH - 32}" text-anchor="middle">{said}</text>')
    parts.append(
        f'<text class="t" x="{LEFT}" y="{HIGH - 10}">share of requests over the objective → · replica-hours ÷ '
        "clairvoyant ↑</text>"
    )
    edge = sorted((x(each.over_percent), y(each.cost)) for each in told.attempts if each.frontier)
    parts.append(f'<path class="s3" fill="none" d="M{"L".join(f"{a:.1f},{b:.1f}" for a, b in edge)}"/>')
    styles = {NOW: ("f0", 6), BEST: ("f1", 6), EDGE: ("f3", 3.5), OTHER: ("t", 2.5)}
    for mark, each in _marked(told):
        style, size = styles[mark]
        parts.append(
            f'<circle class="{style}" cx="{x(each.over_percent):.1f}" cy="{y(each.cost):.1f}" r="{size}">'
            f"<title>{escape(name(each.change))}: {percent(each.over_percent)} over, {each.cost:.2f}×</title></circle>"
        )
    return "\n".join([*parts, "</svg>", ""])


def _role(each: Attempt, told: Tuning) -> str:
    roles = [("best", told.change is not None and each.change == told.change), ("frontier", each.frontier)]
    return ", ".join(said for said, true in roles if true)


def _evidence(part: str, told: Evidence) -> list[str]:
    one, other = told.before, told.after
    return [
        f"  {part}, {written(told.start)} to {written(told.end)}:",
        f"    over           {percent(one.over_percent)} → {percent(other.over_percent)}",
        f"    short          {minutes(one.short_minutes)} → {minutes(other.short_minutes)}",
        f"    × clairvoyant  {_cost(one)} → {_cost(other)}",
        f"    replica-hours  {one.replica_hours:.1f} → {other.replica_hours:.1f}",
    ]


def _cost(card: Card) -> str:
    return "-" if card.cost is None else f"{card.cost:.2f}"


def _rule(told: Tuning) -> str:
    if told.within is not None:
        return f"Best is the cheapest that keeps {told.within:g} % or less over the objective."
    return "Best is the least sum of percent over and × clairvoyant; less than 2 % better is no better."


def _marked(told: Tuning) -> list[tuple[str, Attempt]]:
    """All attempts with their marks; what is drawn last stands above."""
    found = []
    for each in told.attempts:
        if each.change is None:
            found.append((2, NOW, each))
        elif each.change == told.change:
            found.append((3, BEST, each))
        else:
            found.append((1, EDGE, each) if each.frontier else (0, OTHER, each))
    return [(mark, each) for _, mark, each in sorted(found, key=lambda each: each[0])]


def _most(told: Tuning) -> float:
    """The right edge: the largest share over, at least ten times the left one."""
    return max(10 * LEAST_PERCENT, *(each.over_percent for each in told.attempts))


def _scales(
    told: Tuning, left: float, right: float, bottom: float, top: float
) -> tuple[Scale, Scale, tuple[float, float]]:
    """The shortage by its logarithm, the cost as it is."""
    low = min(each.cost for each in told.attempts)
    high = max(max(each.cost for each in told.attempts), low + 0.01)
    wide = math.log(_most(told) / LEAST_PERCENT)

    def x(share: float) -> float:
        return left + math.log(max(share, LEAST_PERCENT) / LEAST_PERCENT) / wide * (right - left)

    def y(cost: float) -> float:
        return bottom + (cost - low) / (high - low) * (top - bottom)

    return x, y, (low, high)


def _shares(most: float) -> list[float]:
    return [share for share in (0.01, 0.1, 1.0, 10.0, 100.0) if share <= most]

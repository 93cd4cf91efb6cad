"""A benchmark as still pictures: each case over time, and what every target costs against what it violates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape

from autoscaler.backtest.benchmark import Case, Row, Watched
from autoscaler.backtest.quality import Course, stretches
from autoscaler.backtest.report.svg import COLORS, STYLE

WIDE, LEFT, RIGHT, TOP = 1100, 64, 16, 40
LINE = 20  # of the legend
HIGHS = (270, 120)
GAP, AXIS = 44, 30
COLUMNS, PANEL_WIDE, PANEL_HIGH, BETWEEN = 3, 285, 190, 70
LEAST_PERCENT, MOST_PERCENT, CHEAPEST, DEAREST = 0.01, 100.0, 0.5, 8.0
STEPS = (60, 300, 900, 3600, 10800, 43200, 86400, 172800, 604800)
UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))

Scale = Callable[[float], float]


def over_time(case: Case, played: Sequence[tuple[Row, Watched]]) -> str:
    """The scored part of one case: instances needed and there, and what was violated so far."""
    inner, start, end = WIDE - LEFT - RIGHT, case.start, case.seconds
    needed = peaks(case.needed, start, end, inner)
    there = [peaks(service.counts, start, end, inner) for _, service in played]
    sums = [_violated(case, service, inner) for _, service in played]
    top = TOP + LINE * len(played) + 24
    high = top + sum(HIGHS) + GAP + AXIS
    parts = [*_page(high), f'<text class="n" x="{LEFT}" y="22">{escape(_name(case))}</text>']
    for index, (row, _) in enumerate(played):
        said = f"{row.policy}:  V {row.V:.3f} %,  C {row.C:.3f},  {row.actions_per_day:.0f} changes a day"
        parts += _legend(index, LEFT, TOP + 6 + LINE * index, said)
    y = _linear(top + HIGHS[0], HIGHS[0], float(max(max(needed), *map(max, there))))
    parts += _panel("Instances needed (grey) and there, peaks", top, y, float(max(max(needed), *map(max, there))), 0)
    parts.append(f'<path class="d" d="{_area(needed, y)}"/>')
    parts += [_line(index, _stairs(counts, y)) for index, counts in enumerate(there)]
    top += HIGHS[0] + GAP
    most = max(0.01, *(each[-1] for each in sums))
    y = _linear(top + HIGHS[1], HIGHS[1], most)
    parts += _panel("Violated so far, percent of all requests", top, y, most, 2)
    parts += [_line(index, _stairs(each, y)) for index, each in enumerate(sums)]
    parts += _times(start, end, top + HIGHS[1] + 18)
    return "\n".join([*parts, "</svg>", ""])


def frontier(sweep: Sequence[Row]) -> str:
    """Cost against violations for every target of each policy, a panel per case."""
    names = list(dict.fromkeys(_policy(row) for row in sweep))
    places = list(dict.fromkeys((row.trace, row.delay) for row in sweep))
    rows = -(-len(places) // COLUMNS)
    high = TOP + LINE + rows * (PANEL_HIGH + GAP + AXIS)
    parts = [*_page(high), f'<text class="n" x="{LEFT}" y="22">Cost against violations, at targets 0.10 to 0.95</text>']
    for index, name in enumerate(names):
        parts += _legend(index, LEFT + 140 * index, TOP + 6, name)
    for place, (trace, delay) in enumerate(places):
        left = LEFT + place % COLUMNS * (PANEL_WIDE + BETWEEN)
        bottom = TOP + LINE + 34 + place // COLUMNS * (PANEL_HIGH + GAP + AXIS) + PANEL_HIGH
        x, y = _percent(left), _cost(bottom)
        parts += _frame(f"{trace}, {delay} s", left, bottom, x, y)
        for index, name in enumerate(names):
            here = [r for r in sweep if (r.trace, r.delay, _policy(r)) == (trace, delay, name) and r.C <= DEAREST]
            points = [f"{x(row.V):.1f},{y(row.C):.1f}" for row in here]
            if points:
                parts.append(_line(index, "M" + "L".join(points)))
                parts += [f'<circle class="f{index % len(COLORS)}" r="2" cx="{p[0]}" cy="{p[1]}"/>'
                          for p in (each.split(",") for each in points)]  # fmt: skip
    return "\n".join([*parts, "</svg>", ""])


def peaks(course: Course, start: int, end: int, many: int) -> list[float]:
    """The greatest count in each of so many equal parts of [start, end).

    >>> peaks([(0, 1), (30, 5), (31, 2)], 0, 100, 4)
    [1, 5, 2, 2]
    """
    found = [0.0] * many
    for low, high, count in stretches(course, start, end):
        first = (low - start) * many // (end - start)
        last = (high - 1 - start) * many // (end - start)
        for part in range(first, last + 1):
            found[part] = max(found[part], count)
    return found


def _violated(case: Case, service: Watched, many: int) -> list[float]:
    """Percent of all scored requests that were violated up to each part."""
    found = []
    for part in range(many):
        second = case.start + (part + 1) * (case.seconds - case.start) // many
        there = min(second // service.scrape_s, len(service.violated_at) - 1)
        so_far = max(0.0, service.violated_at[there] - service.violated_before)
        found.append(100.0 * so_far / case.arrivals)
    found[-1] = 100.0 * (service.violated - service.violated_before) / case.arrivals
    return found


def _name(case: Case) -> str:
    return f"{case.trace}, start-up delay {case.delay_s} s"


def _policy(row: Row) -> str:
    return row.policy.partition("@")[0]


def _page(high: int) -> Iterator[str]:
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {high}" width="{WIDE}" height="{high}">'
    yield f'<style>{STYLE}</style><rect class="p" width="{WIDE}" height="{high}"/>'


def _legend(index: int, left: int, at: int, text: str) -> Iterator[str]:
    yield _line(index, f"M{left},{at - 4}h22", bold=True)
    yield f'<text class="n" x="{left + 30}" y="{at}">{escape(text)}</text>'


def _linear(bottom: int, high: int, most: float) -> Scale:
    return lambda value: bottom - value / (1.05 * most) * high


def _panel(name: str, top: int, y: Scale, most: float, digits: int) -> Iterator[str]:
    yield f'<text class="n" x="{LEFT}" y="{top - 8}">{name}</text>'
    for value in (0.0, most / 2, most):
        yield f'<line class="g" x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        yield f'<text class="t" x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.{digits}f}</text>'


def _times(start: int, end: int, y: int) -> Iterator[str]:
    """Marks of time since the trace began."""
    step = next((each for each in STEPS if (end - start) / each <= 12), STEPS[-1])
    unit, name = next(each for each in UNITS if step >= each[0])
    for at in range(-(-start // step) * step, end, step):
        x = LEFT + (at - start) / (end - start) * (WIDE - LEFT - RIGHT)
        if x < WIDE - RIGHT - 24:
            yield f'<text class="t" x="{x:.1f}" y="{y}" text-anchor="middle">{name} {at // unit}</text>'


def _stairs(values: Sequence[float], y: Scale) -> str:
    """One pixel per value; a step where it changes."""
    steps = [place for place in range(1, len(values)) if values[place] != values[place - 1]]
    path = "".join(f"H{LEFT + place}V{y(values[place]):.1f}" for place in steps)
    return f"M{LEFT},{y(values[0]):.1f}{path}H{LEFT + len(values)}"


def _area(values: Sequence[float], y: Scale) -> str:
    return f"{_stairs(values, y)}V{y(0):.1f}H{LEFT}Z"


def _line(index: int, path: str, *, bold: bool = False) -> str:
    """After the colors there are dashes."""
    dashes = ' stroke-dasharray="5 3"' if index >= len(COLORS) else ""
    width = ' style="stroke-width:3"' if bold else ""
    return f'<path class="s{index % len(COLORS)}" fill="none"{dashes}{width} d="{path}"/>'


def _percent(left: int) -> Scale:
    """Violations by their logarithm; what is less than the least stands at the edge."""
    wide = math.log(MOST_PERCENT / LEAST_PERCENT)
    return lambda value: left + math.log(max(value, LEAST_PERCENT) / LEAST_PERCENT) / wide * PANEL_WIDE


def _cost(bottom: int) -> Scale:
    high = math.log(DEAREST / CHEAPEST)
    return lambda value: bottom - math.log(max(value, CHEAPEST) / CHEAPEST) / high * PANEL_HIGH


def _frame(name: str, left: int, bottom: int, x: Scale, y: Scale) -> Iterator[str]:
    yield f'<text class="n" x="{left}" y="{bottom - PANEL_HIGH - 10}">{escape(name)}</text>'
    for cost in (0.5, 1, 2, 4, 8):
        at = y(cost)
        yield f'<line class="g" x1="{left}" x2="{left + PANEL_WIDE}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text class="t" x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{cost:g}×</text>'
    for percent in (0.01, 0.1, 1.0, 10.0, 100.0):
        at = x(percent)
        yield f'<line class="g" x1="{at:.1f}" x2="{at:.1f}" y1="{bottom - PANEL_HIGH}" y2="{bottom}"/>'
        yield f'<text class="t" x="{at:.1f}" y="{bottom + 18}" text-anchor="middle">{percent:g} %</text>'

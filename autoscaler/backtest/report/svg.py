"""A backtest as one still picture: load, replicas of each trial, and what took too long, on one axis of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape

from autoscaler.backtest.compare import Backtest
from autoscaler.backtest.curve import Curve, coarser
from autoscaler.decide.explain import number

WIDE, LEFT, RIGHT, TOP, GAP, AXIS = 1100, 64, 16, 46, 40, 34
HIGHS = (150, 210, 80)
LINE = 20  # of the legend
STEPS = (60, 300, 900, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000)
COLORS = (("#2b6cb0", "#63a4ec"), ("#d97706", "#f2a33c"), ("#7c3aed", "#a78bfa"), ("#0d9488", "#2dd4bf"))

STYLE = (
    ".p{fill:#fff}.g{stroke:#e8ebed}.t{fill:#667079}.n{fill:#1d2327;font-weight:600}.l{stroke:#7a8a99;fill:#7a8a9926}"
    ".d{fill:#8592a038}"
    + "".join(f".s{i}{{stroke:{light}}}.f{i}{{fill:{light}}}" for i, (light, _) in enumerate(COLORS))
    + "text{font:12px system-ui,'DejaVu Sans',sans-serif}path{stroke-width:1.4}.o{stroke:none;opacity:.85}"
    "@media(prefers-color-scheme:dark){.p{fill:#1a2026}.g{stroke:#2c343c}.t{fill:#97a3ad}.n{fill:#e6eaed}"
    ".l{stroke:#8fa1b1}"
    + "".join(f".s{i}{{stroke:{dark}}}.f{i}{{fill:{dark}}}" for i, (_, dark) in enumerate(COLORS))
    + "}"
)


def picture(told: Backtest) -> str:
    """The picture of trials of one workload, which all meet the same load."""
    inner = WIDE - LEFT - RIGHT
    curves = [coarser(trial.curve, inner) for trial in told.trials]
    start, end = told.start, told.end + told.cycle_s
    high = TOP + LINE * len(curves) + sum(HIGHS) + GAP * (len(HIGHS) - 1) + AXIS

    def x(at: float) -> float:
        return LEFT + (min(max(at, start), end) - start) / (end - start) * inner

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {high}" width="{WIDE}" height="{high}">',
        f'<style>{STYLE}</style><rect class="p" width="{WIDE}" height="{high}"/>',
    ]
    for index, trial in enumerate(told.trials):
        at = 26 + LINE * index
        parts.append(f'<rect class="f{index % len(COLORS)}" x="{LEFT}" y="{at - 10}" width="11" height="11" rx="3"/>')
        parts.append(f'<text class="n" x="{LEFT + 18}" y="{at}">{escape(trial.name)}</text>')
    top = TOP + LINE * len(curves)
    names = ("Load per second", "Replicas ordered (lines), needed (grey)", "Requests over the objective, per second")
    draws: tuple[Callable[[Callable[[float], float]], list[str]], ...] = (
        lambda y: [f'<path class="l" d="{_stairs(curves[0], curves[0].load, x, y, close=True)}"/>'],
        lambda y: [
            f'<path class="d" d="{_stairs(curves[0], curves[0].needed, x, y, close=True)}"/>',
            *(
                f'<path class="s{index % len(COLORS)}" fill="none" d="{_stairs(curve, curve.desired, x, y)}"/>'
                for index, curve in enumerate(curves)
            ),
        ],
        lambda y: [
            f'<path class="o f{index % len(COLORS)}" d="{_bars(curve, x, y)}"/>' for index, curve in enumerate(curves)
        ],
    )
    tops = (
        max((each for each in curves[0].load if each is not None), default=0.0) or 1.0,
        float(max(max(max(curve.desired) for curve in curves), *(n or 0 for n in curves[0].needed), 1)),
        max(max(curve.over) / curve.step_s for curve in curves) or 1.0,
    )
    for name, panel, most, draw in zip(names, HIGHS, tops, draws, strict=True):
        bottom, reach = top + panel, most * 1.05

        def y(value: float, bottom: float = bottom, panel: float = panel, reach: float = reach) -> float:
            return bottom - value / reach * panel

        parts.append(f'<text class="n" x="{LEFT}" y="{top - 8}">{name}</text>')
        for value in (0.0, most / 2, most):
            parts.append(f'<line class="g" x1="{LEFT}" x2="{LEFT + inner}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
            shown = number(float(f"{value:.3g}"))
            parts.append(f'<text class="t" x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{shown}</text>')
        parts += draw(y)
        top = bottom + GAP
    parts += _axis(start, end, x, top - GAP + 18)
    return "\n".join([*parts, "</svg>", ""])


def _stairs(
    curve: Curve, values: Sequence[float | None], x: Callable[[float], float], y: Callable[[float], float], *,
    close: bool = False,
) -> str:  # fmt: skip
    """A staircase: each value holds until the next; broken where one is not known, down to the ground if closed."""
    path, before = [], False
    for index, value in enumerate(values):
        at = curve.start + index * curve.step_s
        if value is None:
            if before and close:
                path.append(f"V{y(0):.1f}")
            before = False
            continue
        begin = f"M{x(at):.1f},{y(0):.1f}V{y(value):.1f}" if close else f"M{x(at):.1f},{y(value):.1f}"
        path.append(f"V{y(value):.1f}" if before else begin)
        path.append(f"H{x(at + curve.step_s):.1f}")
        before = True
    return "".join(path) + (f"V{y(0):.1f}" if close and before else "")


def _bars(curve: Curve, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    path = []
    for index, over in enumerate(curve.over):
        if over > 0:
            at = curve.start + index * curve.step_s
            left, right = x(at), max(x(at + curve.step_s), x(at) + 1.5)
            height = min(y(over / curve.step_s), y(0) - 1.5)
            path.append(f"M{left:.1f},{y(0):.1f}V{height:.1f}H{right:.1f}V{y(0):.1f}Z")
    return "".join(path)


def _axis(start: float, end: float, x: Callable[[float], float], y: float) -> list[str]:
    step = next((each for each in STEPS if (end - start) / each <= 12), STEPS[-1])
    first = int(-(-start // step))
    marks = []
    for at in range(first * step, int(end) + 1, step):
        day = datetime.fromtimestamp(at, UTC)
        text = f"{day:%b} {day.day}" if step >= 86400 or at % 86400 == 0 else f"{day:%H:%M}"
        place, side = (x(end), "end") if x(at) > x(end) - 24 else (x(at), "middle")
        marks.append(f'<text class="t" x="{place:.1f}" y="{y:.1f}" text-anchor="{side}">{text}</text>')
    return marks

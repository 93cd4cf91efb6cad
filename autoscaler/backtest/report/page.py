"""A backtest as one page: it needs nothing else, asks nobody for anything, and is light or dark as its reader is."""

from __future__ import annotations

from html import escape
from importlib import resources

import msgspec

from autoscaler.backtest.compare import Backtest, Trial
from autoscaler.backtest.report import words
from autoscaler.backtest.report.svg import picture

COLORS = ("--one", "--two", "--three", "--four", "--five", "--six")
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
BETTER_LESS = (1, 2, 3, 4)  # columns of the scorecard in which the least is the best


def page(told: Backtest) -> str:
    """The whole page as text."""
    title = f"Backtest: {', '.join(dict.fromkeys(trial.policy for trial in told.trials))}"
    plots = [_plot(told, number, group) for number, group in enumerate(groups(told))]
    notes = "".join(f"<li>{escape(each)}</li>" for each in told.notes)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            f'<head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{_file('page.css')}</style></head>",
            f"<body><main><h1>{escape(title)}</h1>",
            *(f'<p class="soft">{escape(line)}</p>' for line in words.headline(told)),
            f'<h2>How good it would have been</h2><div class="card scroll">{_scores(told)}'
            f'<p class="soft legend">{escape(words.LEGEND)}</p></div>',
            *plots,
            "<h2>The worst moments</h2>",
            f'<div class="grid">{"".join(_worst(told, index) for index in range(len(told.trials)))}</div>',
            f'<h2>How it was replayed</h2><div class="grid">{_replayed(told)}</div>',
            *([f'<h2>Notes on the data</h2><div class="card"><ul>{notes}</ul></div>'] if notes else []),
            "<footer>A simulated service is a model: one tier, equal requests, no failed starts. "
            "Compare policies by it; do not take its figures for a promise.</footer>",
            f'</main><script type="application/json" id="figures">{_figures(told)}</script>',
            f"<script>{_file('page.js')}</script></body></html>",
            "",
        ]
    )


def groups(told: Backtest) -> list[list[int]]:
    """The places of the trials of each workload."""
    found: dict[str, list[int]] = {}
    for index, trial in enumerate(told.trials):
        found.setdefault(trial.workload, []).append(index)
    return list(found.values())


def _file(name: str) -> str:
    return resources.files("autoscaler.backtest.report").joinpath(name).read_text(encoding="utf-8")


def _figures(told: Backtest) -> str:
    """What the script draws, as JSON that no word in it can end."""
    trials = [{"name": trial.name, "curve": trial.curve} for trial in told.trials]
    figures = {"start": told.start, "end": told.end + told.cycle_s, "scored_from": told.scored_from, "trials": trials}
    return msgspec.json.encode(figures).decode().replace("<", "\\u003c")


def _color(told: Backtest, index: int) -> str:
    """A trial's color: its place among those of its workload."""
    group = next(group for group in groups(told) if index in group)
    return f"var({COLORS[group.index(index) % len(COLORS)]})"


def _dot(told: Backtest, index: int) -> str:
    return f'<span class="dot" style="background:{_color(told, index)}"></span>'


def _scores(told: Backtest) -> str:
    rows = [words.row(trial) for trial in told.trials]
    cards = [trial.card for trial in told.trials]
    order = [(c.over_percent, c.short_minutes, c.replica_hours, c.cost or 0.0) for c in cards]
    body = []
    for index, row in enumerate(rows):
        cells = [f"<td>{_dot(told, index)}{escape(row[0])}</td>"]
        rivals = next(group for group in groups(told) if index in group)
        for column, cell in enumerate(row[1:], 1):
            key = column - 1
            best = (
                column in BETTER_LESS
                and len(rivals) > 1
                and order[index][key] == min(order[each][key] for each in rivals)
                and len({order[each][key] for each in rivals}) > 1
            )
            cells.append(f"<td{' class=best' if best else ''}>{escape(cell)}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    head = "".join(f"<th>{escape(name.capitalize())}</th>" for name in words.HEAD)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _plot(told: Backtest, number: int, group: list[int]) -> str:
    trials = [told.trials[index] for index in group]
    buttons = "".join(
        f'<button type="button" data-trial="{place}" aria-pressed="true">{_dot(told, index)}'
        f"{escape(told.trials[index].name)}</button>"
        for place, index in enumerate(group)
    )
    hint = '<span class="soft">drag to zoom, double click for all; shaded: no load is known, or not scored</span>'
    reset = '<button type="button" class="reset" hidden>show all</button>'
    still = picture(msgspec.structs.replace(told, trials=tuple(trials)))
    return (
        f"<h2>{escape(trials[0].workload)}</h2>"
        f'<div class="card"><div class="bar">{buttons}<span class="push"></span>{hint}{reset}</div>'
        f'<div class="plot" id="plot-{number}" data-trials="{group}"><div class="tip"></div>'
        f"<noscript>{still}</noscript></div></div>"
    )


def _worst(told: Backtest, index: int) -> str:
    trial = told.trials[index]
    lines = words.worst(trial)
    number = next(place for place, group in enumerate(groups(told)) if index in group)
    button = ""
    if trial.worst is not None:
        button = f'<button type="button" data-at="{trial.worst.at}" data-plot="plot-{number}">show it</button>'
    chain = f"<pre>{escape(chr(10).join(lines[1:]))}</pre>" if lines[1:] else ""
    return (
        f'<div class="card"><div class="bar"><strong>{_dot(told, index)}{escape(trial.name)}</strong>'
        f'<span class="push"></span>{button}</div><p>{escape(lines[0])}</p>{chain}</div>'
    )


def _replayed(told: Backtest) -> str:
    found: dict[str, list[str]] = {}
    for trial in told.trials:
        found.setdefault(_treated(trial), []).append(trial.name)
    return "".join(
        f'<div class="card"><strong>{escape(", ".join(names))}</strong>{text}</div>' for text, names in found.items()
    )


def _treated(trial: Trial) -> str:
    signals = "".join(
        f'<li>{escape(each.signal)} <span class="how {each.how.value}">{escape(words.HOW[each.how])}</span> '
        f'<span class="soft">{escape(each.because)}</span></li>'
        for each in trial.signals
    )
    service = "".join(f"<li>{escape(each)}</li>" for each in (f"load: {trial.load}", *trial.service.said))
    return f"<ul>{signals}{service}</ul>"

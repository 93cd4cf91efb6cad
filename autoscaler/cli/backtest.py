"""`autoscaler backtest`."""

from __future__ import annotations

import asyncio
import textwrap
from collections import Counter
from pathlib import Path

import click
import msgspec

from autoscaler.backtest import recording
from autoscaler.backtest.assumed import Asked
from autoscaler.backtest.compare import Backtest, Candidate, Trial, backtest, other_load, plain
from autoscaler.backtest.curve import coarser
from autoscaler.backtest.record import same_pace
from autoscaler.backtest.recording import Recording
from autoscaler.backtest.report import words
from autoscaler.backtest.report.page import page
from autoscaler.backtest.report.sparkline import sparkline
from autoscaler.backtest.report.svg import picture
from autoscaler.cli.reach import known, progress, reach, span
from autoscaler.cli.root import config, output
from autoscaler.cli.table import table
from autoscaler.cli.talk import print_json
from autoscaler.clients.access import Access, Way
from autoscaler.decide.explain import number
from autoscaler.errors import UsageError
from autoscaler.policy.units import seconds
from autoscaler.settings import Settings

WIDTH = 72
POINTS = 1000  # of a curve in JSON
FINE = 20_000  # of one in a page that is zoomed into
FILE = click.Path(path_type=Path, dir_okay=False)


class Duration(click.ParamType[float]):
    """A span as policies write it."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """In seconds."""
        found = seconds(str(value))
        if found is None:
            self.fail(f"expected a duration such as 30s or 300ms, got {value}", param, ctx)
        return found


SPAN = Duration()


@click.command("backtest")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--data", type=FILE, help="A recording, instead of asking Prometheus.")
@reach
@click.option("--capacity", type=float, help="Load that keeps one replica busy; per_replica is 70 % of it by default.")
@click.option("--startup", type=SPAN, help="From order to ready; 30s by default.")
@click.option("--queue", type=SPAN, help="So much work waits before more is dropped; 10s by default.")
@click.option("--objective", type=SPAN, help="How long a request may take; 3 times what one takes by default.")
@click.option("--count", type=click.IntRange(min=0), help="Replicas at the start; what the load needs by default.")
@click.option("--load", default="", help="What tells the load: a signal's name or a query.")
@click.option("--html", type=FILE, help="Write a report, one page that needs nothing else.")
@click.option("--svg", type=FILE, help="Write a picture.")
@output
@config
def command(
    paths: tuple[Path, ...],
    data: Path | None,
    prometheus: str | None,
    since: str | None,
    until: str | None,
    capacity: float | None,
    startup: float | None,
    queue: float | None,
    objective: float | None,
    count: int | None,
    load: str,
    html: Path | None,
    svg: Path | None,
    form: str,
    config: Path | None,
) -> None:
    """Say what policies would have done in the past, and how good that would have been.

    PATHS are files and folders, each loaded on its own, so that two revisions of one policy stand side by side;
    without any, the policies of the settings. Recorded signals go through the daemon's own decisions, on virtual time,
    against a simulated service; what is assumed of it is said. The last 30 days by default.
    """
    if data is not None and (prometheus, since, until) != (None, None, None):
        raise UsageError("--data already tells the past", hint="leave out --prometheus, --from and --to")
    chosen = known(config, prometheus, ())
    candidates = _candidates(chosen, paths)
    workloads = {each.plan.ref.key for each in candidates}
    if svg is not None and len(workloads) > 1:
        raise UsageError(
            f"--svg: a picture is of one workload, these are {len(workloads)}", hint="--html shows them all"
        )
    asked = Asked(capacity=capacity, startup_s=startup, queue_s=queue, objective_s=objective, count=count, load=load)
    if data is not None:
        past, name = recording.read(data), str(data)
        same_pace(past, chosen.cycle, name)
    else:
        past, name = _asked(chosen, candidates, load, span(since or "30d", until)), _shown(chosen)
    told = backtest(candidates, past, name, asked, progress("replaying"), POINTS if html is None else FINE)
    if html is not None:
        _write(html, page(told))
    if svg is not None:
        _write(svg, picture(told))
    trials = [msgspec.structs.replace(trial, curve=coarser(trial.curve, POINTS)) for trial in told.trials]
    told = msgspec.structs.replace(told, trials=tuple(trials))
    print_json(told) if form == "json" else _text(told)


def _shown(chosen: Settings) -> str:
    """The server's address without a password that may stand in it."""
    return Way(Access(url=chosen.prometheus.url)).url


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None


def _candidates(chosen: Settings, paths: tuple[Path, ...]) -> list[Candidate]:
    """The policies of each place; those of one name are told apart by where they stand."""
    from autoscaler.app import imagined

    places: list[tuple[str, ...]] = [(str(path),) for path in paths] or [chosen.policies]
    found = [(plan, place) for place in places for plan in imagined(msgspec.structs.replace(chosen, policies=place))]
    if not found:
        raise UsageError("no policy with replicas there", hint="name a file or a folder with policies")
    names = Counter(plan.workload.policy.name for plan, _ in found)

    def called(name: str, place: tuple[str, ...]) -> str:
        return name if names[name] == 1 else f"{name} ({', '.join(place)})"

    return [Candidate(called(plan.workload.policy.name, place), plan) for plan, place in found]


def _asked(chosen: Settings, candidates: list[Candidate], load: str, reach: tuple[float, float]) -> Recording:
    """The past of what is replayed, from the servers themselves."""
    from autoscaler.app import record

    plans = [plain(each.plan) for each in candidates]
    extra = other_load(candidates[0].plan, load)
    return asyncio.run(record(chosen, plans, *reach, load=extra, told=progress("reading the past")))


def _text(told: Backtest) -> None:
    click.echo("\n".join(words.headline(told)))
    click.echo("")
    click.echo(table(words.HEAD, [words.row(trial) for trial in told.trials]))
    click.echo("\n" + textwrap.fill(words.LEGEND, 100))
    for trial in told.trials:
        click.echo("\n".join(["", trial.name, *_pictures(trial), *(f"  {line}" for line in words.worst(trial))]))
    for name, lines in _alike(told).items():
        click.echo("\n".join(["", f"How {name} was replayed", *(f"  {line}" for line in lines)]))
    for note in told.notes:
        click.echo(f"\nnote: {note}")


def _pictures(trial: Trial) -> list[str]:
    curve = trial.curve
    high = number(max((each for each in curve.load if each is not None), default=0.0))
    lines = [
        f"  load      {sparkline(curve.load, WIDTH)}  0 to {high}",
        f"  replicas  {sparkline(curve.desired, WIDTH)}  {trial.card.least} to {trial.card.most}",
    ]
    if any(curve.over):
        lines.append(f"  too long  {sparkline(curve.over, WIDTH)}  {words.percent(trial.card.over_percent)} of all")
    return lines


def _alike(told: Backtest) -> dict[str, list[str]]:
    """How each was replayed; those for which it is the same are told of together."""
    found: dict[tuple[str, ...], list[str]] = {}
    for trial in told.trials:
        found.setdefault(tuple(words.replayed(trial)), []).append(trial.name)
    return {", ".join(names): list(lines) for lines, names in found.items()}

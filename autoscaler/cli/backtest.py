"""`autoscaler backtest`."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import msgspec

from autoscaler.backtest.assumed import Asked
from autoscaler.backtest.compare import Backtest, Candidate, Trial, backtest, with_shadows
from autoscaler.backtest.curve import coarser
from autoscaler.backtest.report import words
from autoscaler.backtest.report.page import page
from autoscaler.backtest.report.sparkline import sparkline
from autoscaler.backtest.report.svg import picture
from autoscaler.cli.past import FILE, history, one_past, save, service, writable
from autoscaler.cli.reach import known, progress, reach
from autoscaler.cli.root import config, output
from autoscaler.cli.say import print_json, say
from autoscaler.cli.table import table
from autoscaler.decide.explain import number
from autoscaler.decide.plan import Plan
from autoscaler.decide.taught import HISTORY_S, teachable
from autoscaler.errors import UsageError
from autoscaler.settings import Settings, choosing

WIDTH = 72
POINTS = 1000  # of a curve in JSON
FINE = 20_000  # of one in a page that is zoomed into


@click.command("backtest", short_help="Say what policies would have done in the past.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--data", type=FILE, help="A recording, instead of asking Prometheus.")
@click.option("--against", metavar="REV", help="Beside them the same files as they were at a git revision.")
@reach
@service
@click.option("--html", type=FILE, help="Write a report, one page that needs nothing else.")
@click.option("--svg", type=FILE, help="Write a picture.")
@output
@config
def command(
    paths: tuple[Path, ...],
    data: Path | None,
    against: str | None,
    prometheus: str | None,
    since: str | None,
    until: str | None,
    asked: Asked,
    html: Path | None,
    svg: Path | None,
    form: str,
    config: Path | None,
) -> None:
    """Say what policies would have done in the past, and how good that would have been.

    PATHS are files and folders, each loaded on its own, so that two revisions of one policy stand side by side;
    without any, the policies of the settings. With --against main they stand beside what is committed there. One that
    compares the other algorithm is replayed with both. Recorded signals go through the daemon's own decisions, on
    virtual time, against a simulated service; what is assumed of it is said. The last 30 days by default, or all of a
    recording; from up to 3 days before --from adaptive learns.
    """
    one_past(data, prometheus)
    writable(html, svg)
    chosen = known(config, prometheus, ())
    candidates, differ = _candidates(chosen, paths, against)
    candidates = with_shadows(candidates)
    workloads = {each.plan.key for each in candidates}
    if svg is not None and len(workloads) > 1:
        raise UsageError(
            f"--svg: a picture is of one workload, these are {len(workloads)}", hint="--html shows them all"
        )
    before_s = HISTORY_S if any(teachable(each.plan) for each in candidates) else 0.0
    past, name, earlier = history(chosen, candidates, asked, data, (since, until), before_s)
    points = POINTS if html is None else FINE
    told = backtest(candidates, past, name, asked, progress("replaying"), points, earlier)
    told = msgspec.structs.replace(told, notes=(*differ, *told.notes))
    if html is not None:
        save(html, page(told))
    if svg is not None:
        save(svg, picture(told))
    trials = [msgspec.structs.replace(trial, curve=coarser(trial.curve, POINTS)) for trial in told.trials]
    told = msgspec.structs.replace(told, trials=tuple(trials))
    print_json(told) if form == "json" else _text(told)


def _candidates(chosen: Settings, paths: tuple[Path, ...], against: str | None) -> tuple[list[Candidate], list[str]]:
    """The policies of each place, and as they were; those of one name are told apart by where they stand.

    With notes on what is the same in both revisions, or only in one.
    """
    from autoscaler.rehearsal import imagined

    places: list[tuple[str, ...]] = [(str(path),) for path in paths] or [chosen.policies]
    found: list[tuple[Plan, str]] = []
    notes: list[str] = []
    for place in places:
        here = choosing(chosen, place) if paths else chosen
        now, where = imagined(here), ", ".join(place)
        if against is not None:
            then, as_of = imagined(here, against), against if len(places) == 1 else f"{against}:{where}"
            found += [(plan, as_of) for plan in then]
            notes += _differing(then, now, as_of)
        found += [(plan, where) for plan in now]
    if not found:
        raise UsageError("no policy with replicas there", hint="name a file or a folder with policies")
    names = Counter(plan.workload.policy.name for plan, _ in found)

    def called(name: str, place: str) -> str:
        return name if names[name] == 1 else f"{name} ({place})"

    return [Candidate(called(plan.workload.policy.name, place), plan) for plan, place in found], notes


def _differing(then: Sequence[Plan], now: Sequence[Plan], revision: str) -> Iterator[str]:
    """What there is to say of each policy that is not simply another one than it was."""
    before, after = ({plan.workload.policy.name: plan.workload.policy for plan in plans} for plans in (then, now))
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            yield f"{name}: only in {revision}"
        elif name not in before:
            yield f"{name}: not yet in {revision}"
        elif before[name] == after[name]:
            yield f"{name}: the same in {revision}"


def _text(told: Backtest) -> None:
    say("\n".join(words.headline(told)))
    say()
    say(table(words.HEAD, [words.row(trial) for trial in told.trials]))
    say("\n" + textwrap.fill(words.LEGEND, 100))
    for trial in told.trials:
        say("\n".join(["", trial.name, *_pictures(trial), *(f"  {line}" for line in words.worst(trial))]))
    for name, lines in _alike(told).items():
        say("\n".join(["", f"How {name} was replayed", *(f"  {line}" for line in lines)]))
    for note in told.notes:
        say(f"\nnote: {note}")


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

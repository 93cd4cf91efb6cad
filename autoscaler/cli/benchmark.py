"""`autoscaler benchmark`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from autoscaler.cli.root import output
from autoscaler.cli.say import print_json, say
from autoscaler.cli.table import table
from autoscaler.errors import UsageError, way_out

if TYPE_CHECKING:
    from autoscaler.backtest.benchmark import Aggregate, Case, Player, Row, Watched
    from autoscaler.backtest.benchmarking import Hindsight, Reached, Scores

FOLDER = click.Path(path_type=Path, file_okay=False)
LONGEST_DELAY_S = 3600
WRONGEST = 90  # percent
SHIPPED = "hpa"
ROW = ("TRACE", "DELAY", "POLICY", "V %", "C", "J", "ACT/DAY", "thU", "thO", "tU", "tO", "INS")
AGGREGATE = ("SET", "POLICY", "CASES", "Q", "MEAN C", "MEAN V %", "WORST V %", "V <= 0.5 %", "ACT/DAY")
FRONTIER = ("TRACE", "DELAY", "POLICY", "C@1%", "C@0.1%")
HINDSIGHT = ("POLICY", "BEST TARGET", "Q", "Q TUNED PER CASE")


@click.command("benchmark")
@click.option("--traces", "folder", type=FOLDER, required=True, help="The folder with the traces, one CSV file each.")
@click.option("--trace", "wanted", multiple=True, metavar="NAME", help="Only this trace; may be repeated.")
@click.option(
    "--policy", "words", multiple=True, metavar="NAME|FILE", default=(SHIPPED,), show_default=True,
    help="hpa, keda, hpa-cpu, kpa or aws-tt, each also with a target utilization as in keda@0.55; adaptive, "
    "adaptive-share, adaptive-learn, adaptive-learn-latency, fixed, oracle; or a file of policies. May be repeated.",
)  # fmt: skip
@click.option("--delay", "delays", default="30,120", show_default=True, help="Start-up delays in seconds.")
@click.option("--pipeline", type=click.Choice(["standard", "fast"]), default="standard", show_default=True,
    help="Metrics every 15 s and 15 s late, or every 5 s and 5 s late.",
)  # fmt: skip
@click.option("--zero", is_flag=True, help="To zero while nothing comes in, as does the plan that knew the future.")
@click.option(
    "--wrong-capacity", "wrong", metavar="PERCENT", default="0", show_default=True,
    help="Tell the policies a per_replica and a capacity that are so many percent off, as in -30,0,30.",
)  # fmt: skip
@click.option("--frontier", is_flag=True, help="Also each named policy at 18 targets: its cost at given violations.")
@click.option("--charts", type=FOLDER, help="Draw each case, and the frontier, there as SVG.")
@click.option("--json", "out", type=click.Path(path_type=Path, dir_okay=False), help="Write everything there as JSON.")
@output
def command(
    folder: Path, wanted: tuple[str, ...], words: tuple[str, ...], delays: str, pipeline: str, wrong: str, zero: bool,
    frontier: bool, charts: Path | None, out: Path | None, form: str,
) -> None:  # fmt: skip
    """Score policies on recorded request rates.

    Each policy steers a simulated service through whole traces: V is the share of requests over the latency objective,
    C the cost against a plan that knew the future, J = C + V, Q the geometric mean of J over the core cases.
    """
    from autoscaler.backtest import benchmarking, pictures, traces
    from autoscaler.backtest.baselines import misled
    from autoscaler.backtest.benchmark import PIPELINES

    seconds = _delays(delays)
    least = 0 if zero else 1
    players = [each for word in dict.fromkeys(words) for each in _players(word, least)]
    players = [misled(*each, percent) if percent else each for percent in _percents(wrong) for each in players]
    called = [name for name, _ in players]
    twice = next((name for name in called if called.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice}: two policies of that name", hint="rename the one in the file")
    names = benchmarking.sweepable(words)
    if frontier and not names:
        raise UsageError("--frontier: none of these policies has a target to sweep", hint="name one: --policy keda")
    _places(charts, out)
    read = [traces.read(file) for file in traces.folder(folder, wanted)]
    draw = None if charts is None else partial(_draw, charts)
    bench = benchmarking.Bench(read, seconds, PIPELINES[pipeline], tell=_tell, draw=draw, least=least)
    scores = bench.run(players)
    if frontier:
        scores = bench.swept(scores, names)
    if charts is not None and scores.sweep:
        _write(charts / "frontier.svg", pictures.frontier(scores.sweep).encode())
    if out is not None:
        _write(out, msgspec.json.format(msgspec.json.encode(scores), indent=2) + b"\n")
    if form == "json":
        print_json(scores)
    else:
        say(_text(scores))


def _delays(text: str) -> list[int]:
    """Whole seconds, each once."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdigit() and int(word) <= LONGEST_DELAY_S for word in words):
        said = f"--delay: expected whole seconds up to {LONGEST_DELAY_S}, got {text}"
        raise UsageError(said, hint="write for example --delay 30,120")
    return list(dict.fromkeys(map(int, words)))


def _percents(text: str) -> list[float]:
    """Percent by which a capacity is off, each once."""
    found: list[float] = []
    for word in text.split(","):
        try:
            percent = float(word)
        except ValueError:
            percent = math.nan
        if not -WRONGEST <= percent <= WRONGEST:
            said = f"--wrong-capacity: expected percent from -{WRONGEST} to {WRONGEST}, got {text}"
            raise UsageError(said, hint="write for example --wrong-capacity -30,0,30")
        found.append(percent)
    return list(dict.fromkeys(found))


def _players(word: str, least: int) -> list[tuple[str, Player]]:
    """A policy by its name, or those of a file."""
    from autoscaler.backtest.baselines import by_policy, named
    from autoscaler.backtest.feed import fit
    from autoscaler.policy.load import load

    file = Path(word)
    if not file.is_file():
        return [(word, named(word))]
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{word}: cannot be read: {error}", hint=way_out(error)) from None
    placed = load([(word, text)], "benchmark").placed
    if not placed:
        raise UsageError(f"{word}: no policies there", hint="a policy has a name, a target, replicas and signals")
    for each in placed:
        fit(each, least)
    return [(each.policy.name, partial(by_policy, each.policy)) for each in placed]


def _tell(done: int, of: int, row: Row) -> None:
    said = f"[{done}/{of}] {row.trace}, delay {row.delay} s, {row.policy}: V {row.V:.3f} %, C {row.C:.3f}"
    say(said, err=True)


def _places(charts: Path | None, out: Path | None) -> None:
    """What is written at the end of a long run has a place to go to."""
    if out is not None and not out.parent.is_dir():
        raise UsageError(f"{out}: cannot be written: no such folder", hint="name a file in a folder that is there")
    if charts is not None:
        try:
            charts.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{charts}: cannot be made: {error.strerror}", hint="name another folder") from None


def _draw(charts: Path, case: Case, runs: Sequence[tuple[Row, Watched]]) -> None:
    from autoscaler.backtest.pictures import over_time

    _write(charts / f"{case.trace}-{case.delay_s}.svg", over_time(case, runs).encode())


def _write(out: Path, text: bytes) -> None:
    try:
        out.write_bytes(text)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}", hint="name another place") from None


def _text(scores: Scores) -> str:
    parts = [
        table(ROW, [_row(row) for row in scores.rows]),
        table(AGGREGATE, [_aggregate(each) for each in scores.aggregates]),
    ]
    if scores.frontier:
        parts.append(table(FRONTIER, [_reached(each) for each in scores.frontier]))
    if scores.hindsight:
        parts.append("In hindsight, over the core traces:\n" + table(HINDSIGHT, [_best(e) for e in scores.hindsight]))
    parts.append("V, thU, thO, tU, tO, INS in percent; C in multiples of a plan that knew the future; J = C + V.")
    return "\n\n".join(parts)


def _row(row: Row) -> Sequence[str]:
    return (
        row.trace, str(row.delay), row.policy, f"{row.V:.3f}", f"{row.C:.3f}", f"{row.J:.2f}",
        f"{row.actions_per_day:.0f}", f"{row.thU:.2f}", f"{row.thO:.1f}", f"{row.tU:.2f}", f"{row.tO:.1f}",
        f"{row.ins:.1f}",
    )  # fmt: skip


def _aggregate(each: Aggregate) -> Sequence[str]:
    return (
        each.set, each.policy, str(each.cases), f"{each.Q:.3f}", f"{each.C:.3f}", f"{each.V_mean:.2f}",
        f"{each.V_worst:.2f}", f"{each.cases_calm}/{each.cases}", f"{each.actions_per_day:.0f}",
    )  # fmt: skip


def _reached(each: Reached) -> Sequence[str]:
    costs = ["not reached" if cost is None else f"{cost:.2f}" for cost in (each.C_at_1, each.C_at_01)]
    return (each.trace, str(each.delay), each.policy, *costs)


def _best(each: Hindsight) -> Sequence[str]:
    return (each.policy, f"{each.best_target:.2f}", f"{each.Q_best_target:.3f}", f"{each.Q_tuned_per_case:.3f}")

"""`autoscaler record`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from autoscaler.backtest import condition, recording
from autoscaler.cli.reach import known, progress, reach, span
from autoscaler.cli.root import config
from autoscaler.cli.say import say
from autoscaler.cli.table import counted
from autoscaler.clock import text as written
from autoscaler.decide.explain import span as words


@click.command("record", short_help="Write what queries gave in the past into one file.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The file to write.")
@click.option("--load", default="", help="One more query to record: the load, where no signal tells it.")
@reach
@config
def command(
    paths: tuple[Path, ...],
    out: Path,
    load: str,
    prometheus: str | None,
    since: str | None,
    until: str | None,
    config: Path | None,
) -> None:
    """Write what policies' queries gave in the past into one compact file, for `backtest --data`.

    PATHS are files and folders; without any, those of the settings. The last 30 days by default, a reading per cycle
    of the settings. What was missing is recorded as missing.
    """
    from autoscaler.rehearsal import imagined, record

    chosen = known(config, prometheus, paths)
    begin, end = span(since or "30d", until)
    plans = imagined(chosen)
    made = asyncio.run(record(chosen, plans, begin, end, load=load, told=progress("recording")))
    notes = condition.notes(made)
    size = recording.write(made, out)
    queries, cycles = counted(len(made.columns), "query"), counted(made.beats, "cycle")
    say(f"{out}: {queries} at {cycles}, {written(made.start)} to {written(made.end)}, every {words(made.every_s)}")
    say(f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB")
    for note in notes:
        say(f"note: {note}")

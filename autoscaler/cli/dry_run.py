"""`autoscaler dry-run`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from autoscaler.cli.reach import known
from autoscaler.cli.root import config, output
from autoscaler.cli.say import print_json, say
from autoscaler.cli.table import table
from autoscaler.clock import text as written
from autoscaler.decide.explain import sentence, span
from autoscaler.loop.rehearse import Foresight, Foretold
from autoscaler.model.decision import Reason


@click.command("dry-run")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--current", type=click.IntRange(min=0), help="Pretend this count, without asking any platform.")
@click.option("--memory/--no-memory", default=True, help="By the daemon's memory, where there is one (default).")
@click.option("--steps", is_flag=True, help="Below each workload all steps of its decision.")
@output
@config
def command(
    paths: tuple[Path, ...], current: int | None, memory: bool, steps: bool, form: str, config: Path | None
) -> None:
    """Say what policies would do now, and change nothing.

    PATHS are files and folders; without any, those of the settings. Counts are read from the platforms, signals from
    Prometheus. What a daemon remembers comes from the one that runs by these settings, or ran last: it says what that
    one does in its next cycle. No daemon is needed: else the recent past is read from Prometheus, as a daemon that had
    been running would know it.
    """
    from autoscaler.rehearsal import dry_run

    chosen = known(config, None, paths)
    seen = asyncio.run(dry_run(chosen, current=current, memory=memory))
    if form == "json":
        print_json(seen)
    else:
        show(seen, steps=steps)


def show(seen: Foresight, *, steps: bool = False) -> None:
    """Print it as a table, with `steps` every step of each decision."""
    say(_head(seen))
    if not seen.workloads:
        say("\nno policies there")
        return
    say()
    say(table(("WORKLOAD", "POLICY", "COUNT", "REASON", "BECAUSE"), [_row(each) for each in seen.workloads]))
    if steps:
        for each in seen.workloads:
            say("\n".join(["", each.key, *(f"  {line}" for line in each.lines)]))
    for note in seen.notes:
        say(f"\nnote: {note}")


def _head(seen: Foresight) -> str:
    changes = sum(each.current != each.desired for each in seen.workloads)
    said = [
        f"Dry run at {written(seen.at)}: nothing is changed.",
        f"{changes} of {len(seen.workloads)} workloads would change, in a cycle of {span(seen.cycle_s)}.",
        f"Prometheus: {seen.prometheus}",
        f"Memory: {_memory(seen)}",
    ]
    if seen.pretended is not None:
        said.append(f"No platform was asked: each workload is taken to have {seen.pretended} ready instances.")
    return "\n".join(said)


def _memory(seen: Foresight) -> str:
    """Whose it is, how old, and what is not in it."""
    told = seen.memory
    if told is None:
        return "none; what was before is read from Prometheus"
    if told.running:
        whose = "of the daemon that runs, as of now"
    elif told.clean:
        whose = f"of the daemon that stopped {span(told.age_s)} ago, as it is taken up by the next"
    else:
        ago = span(told.age_s)
        whose = f"of a daemon that was killed, {ago} old; the next one does not trust it to shrink until it is reseeded"
    new = sum(not each.remembered for each in seen.workloads)
    if not new:
        return whose
    others = "this workload is" if len(seen.workloads) == 1 else f"{new} of {len(seen.workloads)} workloads are"
    return f"{whose}; {others} new to it, and what was before is read from Prometheus"


def _row(each: Foretold) -> tuple[str, ...]:
    count = f"{each.current} stays" if each.current == each.desired else f"{each.current} → {each.desired}"
    note = "[observe] " if each.mode == "observe" else ""
    missing = [sentence(step) for step in each.decision.steps if step.reason is Reason.SIGNAL_MISSING]
    return each.key, each.policy, count, each.reason, note + "; ".join([each.because, *missing])

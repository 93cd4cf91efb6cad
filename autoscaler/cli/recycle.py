"""`autoscaler recycle`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import click

from autoscaler import settings
from autoscaler.cli.choice import chosen
from autoscaler.cli.root import config, output
from autoscaler.cli.say import print_json, say
from autoscaler.cli.table import counted, table
from autoscaler.clock import text as written
from autoscaler.decide.explain import sentence
from autoscaler.loop.rehearse import Foretold
from autoscaler.model.decision import Stage
from autoscaler.model.policy import Policy


@click.command("recycle", short_help="Say which instances would be replaced now, and why.")
@click.argument("names", metavar="[POLICY]...", nargs=-1)
@click.option("--dry-run", is_flag=True, required=True, help="Only tell: what is due is replaced by the daemon.")
@output
@config
def command(names: tuple[str, ...], dry_run: bool, form: str, config: Path | None) -> None:
    """Say which instances would be replaced now, why, and what holds the others back. Changes nothing.

    POLICY are names of policies; without any, all of the settings that recycle. It is decided by the same steps as
    `autoscaler dry-run`, so counts that are about to change hold replacements back here as well. No daemon is needed.
    """
    from autoscaler import rehearsal

    def only(policies: Sequence[Policy]) -> list[Policy]:
        return chosen([each for each in policies if each.recycle is not None], names, "policy with recycle")

    seen = asyncio.run(rehearsal.dry_run(settings.load(config, os.environ), only=only))
    if form == "json":
        print_json(seen)
        return
    due = sum(len(each.decision.replace) for each in seen.workloads)
    say(f"Dry run at {written(seen.at)}: nothing is replaced.")
    say(f"{counted(due, 'instance')} of {counted(len(seen.workloads), 'workload')} would be replaced now.")
    if seen.workloads:
        rows = [row for each in seen.workloads for row in _rows(each)]
        say()
        say(table(("WORKLOAD", "POLICY", "REPLACE", "REASON", "BECAUSE"), rows))
    for note in seen.notes:
        say(f"\nnote: {note}")


def _rows(each: Foretold) -> list[tuple[str, ...]]:
    """A line for what recycling decided, or one that says that nobody is due."""
    steps = [step for step in each.decision.steps if step.stage is Stage.RECYCLE]
    observes = "[observe] " if each.mode == "observe" else ""
    names = ", ".join(replacement.name for replacement in each.decision.replace) or "-"
    if not steps:
        return [(each.key, each.policy, names, "-", f"{observes}no instance is due")]
    return [(each.key, each.policy, names, step.reason.value, observes + sentence(step)) for step in steps]

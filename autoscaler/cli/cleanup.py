"""`autoscaler cleanup`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from autoscaler import settings
from autoscaler.cli.choice import chosen
from autoscaler.cli.root import config, output
from autoscaler.cli.say import print_json, say
from autoscaler.cli.table import counted, table
from autoscaler.clock import text as written
from autoscaler.decide.cleanup import amount
from autoscaler.loop.cleaner import Preview
from autoscaler.model.cleanup import Item


@click.command("cleanup", short_help="Say what clean-ups would remove now, and why.")
@click.argument("names", metavar="[POLICY]...", nargs=-1)
@click.option("--dry-run", is_flag=True, required=True, help="Only tell: what is due is removed by the daemon.")
@output
@config
def command(names: tuple[str, ...], dry_run: bool, form: str, config: Path | None) -> None:
    """Say what clean-ups would remove now, why, and what holds the rest back. Changes nothing.

    POLICY are names of clean-ups; without any, all of the settings. What a daemon saw of images and volumes is read
    from its data folder. No daemon is needed.
    """
    from autoscaler.rehearsal import preview_cleanups

    known = settings.load(config, os.environ)
    seen = asyncio.run(preview_cleanups(known, lambda found: chosen(found, names, "clean-up")))
    if form == "json":
        print_json(seen)
        return
    say(f"Dry run at {written(seen.at)}: nothing is removed.")
    for each in seen.cleanups:
        say(f"\n{_head(each)}")
        rows = [_row("goes", item) for item in each.goes] + [_row("stays", item) for item in each.stays]
        if rows:
            say(table(("", "WHAT", "NAME", "SIZE", "REASON", "BECAUSE"), rows))
    for note in seen.notes:
        say(f"\nnote: {note}")


def _head(each: Preview) -> str:
    freed = amount(sum(item.size for item in each.goes))
    observes = " [observe]" if each.mode == "observe" else ""
    return f"{each.policy}{observes}, project {each.project}: {counted(len(each.goes), 'removal')}, {freed}"


def _row(word: str, item: Item) -> tuple[str, ...]:
    return word, item.what.value, item.name, amount(item.size), item.why.value, item.text

"""`autoscaler history`."""

from __future__ import annotations

import click

from autoscaler.cli.root import output
from autoscaler.cli.say import print_json, say
from autoscaler.cli.table import table
from autoscaler.cli.talk import Daemon, daemon, when
from autoscaler.loop.answers import History, Line


@click.command("history")
@click.argument("workload", required=False)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many lines.")
@output
@daemon
def command(workload: str | None, limit: int, form: str, daemon: Daemon) -> None:
    """Show what happened lately, newest first.

    Decisions that changed a count or its reason, how operations ended, people's words, and changes of policies; of
    one WORKLOAD, or of all.
    """
    answer = daemon.get("/history", History, workload=workload, limit=limit)
    if form == "json":
        print_json(answer)
        return
    rows = [
        (when(each.at), each.kind, each.workload or "-", _change(each), each.reason, _text(each))
        for each in answer.lines
    ]
    say(table(("AT", "KIND", "WORKLOAD", "COUNT", "REASON", "WHAT"), rows) if rows else "nothing yet")


def _change(line: Line) -> str:
    if line.before is None or line.after is None:
        return "-" if line.after is None else str(line.after)
    return f"{line.before} -> {line.after}" if line.before != line.after else str(line.after)


def _text(line: Line) -> str:
    return f"{line.text} (by {line.by})" if line.by else line.text

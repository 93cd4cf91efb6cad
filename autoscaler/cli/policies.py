"""`autoscaler policies`."""

from __future__ import annotations

import click
import msgspec

from autoscaler.cli.root import output
from autoscaler.cli.say import print_json, say
from autoscaler.cli.status import standing
from autoscaler.cli.table import table
from autoscaler.cli.talk import Daemon, daemon, when
from autoscaler.loop.answers import Head, History

LINES = 10_000  # of history that are looked through


@click.command("policies", short_help="Show which policies are in force and which were before.")
@click.option("--limit", type=click.IntRange(1, LINES), default=20, show_default=True, help="How many changes.")
@output
@daemon
def command(limit: int, form: str, daemon: Daemon) -> None:
    """Show which policies are in force, where they come from, and which were in force before.

    Newest first: sets that were put in force or rejected, and people's words about them.
    """
    policies = daemon.get("/head", Head).policies
    told = daemon.get("/history", History, limit=LINES)
    lines = tuple(each for each in told.lines if each.kind == "policies" or each.reason in WORDS)[:limit]
    if form == "json":
        print_json({"policies": policies, "history": msgspec.structs.replace(told, lines=lines)})
        return
    say(f"In force: {policies.revision or 'none yet'}")
    origin = policies.origin
    if origin is not None:
        path = f", {origin.path}" if origin.path else ""
        seen = f"at {origin.head}, seen {when(origin.checked)}" if origin.head else "not seen yet"
        say(f"From {origin.url}{path}: {origin.ref} {seen}")
        for line in standing(origin):
            say(line)
    if policies.rejected:
        say(f"Rejected: {policies.rejected}")
        for problem in policies.problems:
            say(f"  {problem}")
    rows = [(when(each.at), each.reason, each.revision or "-", each.by or "-", each.text) for each in lines]
    if rows:
        say()
        say(table(("AT", "WHAT", "REVISION", "BY", "TEXT"), rows))


WORDS = ("rollback", "rollback_ended", "accepted")

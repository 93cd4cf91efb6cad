"""`autoscaler pause`."""

from __future__ import annotations

import click

from autoscaler.cli.root import output
from autoscaler.cli.talk import Daemon, daemon, me, print_done, span
from autoscaler.loop.answers import Done


@click.command("pause")
@click.argument("workload")
@click.option("--for", "for_", metavar="DURATION", help="How long, such as 2h; until resumed by default.")
@click.option("--why", default="", help="Why, for the record.")
@output
@daemon
def command(workload: str, for_: str | None, why: str, form: str, daemon: Daemon) -> None:
    """Take the hands off a workload, or off all of them.

    WORKLOAD may be `fleet`: everything. Nothing is scaled or replaced while paused; what is half done is finished. A
    pause outlives the daemon.
    """
    for_s = None if for_ is None else span(for_)
    print_done(daemon.post(f"/pause/{workload}", Done, for_s=for_s, why=why, by=me()), form)

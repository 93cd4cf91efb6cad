"""`autoscaler override`."""

from __future__ import annotations

import click

from autoscaler.cli.root import output
from autoscaler.cli.talk import Daemon, daemon, me, print_done, span
from autoscaler.loop.answers import Done


@click.command("override")
@click.argument("workload")
@click.argument("count", type=click.IntRange(min=0))
@click.option("--for", "for_", metavar="DURATION", required=True, help="How long, such as 2h.")
@click.option("--why", default="", help="Why, for the record.")
@click.option("--force", is_flag=True, help="Allow more than the policy's max.")
@output
@daemon
def command(workload: str, count: int, for_: str, why: str, force: bool, form: str, daemon: Daemon) -> None:
    """Set a count for a while, whatever the signals say.

    It may lie below the policy's min, even at 0. It outlives the daemon, ends by itself, or by `resume`; a pause goes
    before it.
    """
    said = daemon.post(f"/override/{workload}", Done, count=count, for_s=span(for_), force=force, why=why, by=me())
    print_done(said, form)

"""`autoscaler resume`."""

from __future__ import annotations

import click

from autoscaler.cli.root import output
from autoscaler.cli.talk import Daemon, daemon, me, print_done
from autoscaler.loop.answers import Done


@click.command("resume")
@click.argument("workload")
@click.option("--why", default="", help="Why, for the record.")
@output
@daemon
def command(workload: str, why: str, form: str, daemon: Daemon) -> None:
    """End the pause and the override of a workload.

    It ends its owner's zero as well. WORKLOAD may be `fleet`: that ends the pause of everything and releases the
    fleet's brake; the pauses of single workloads stay.
    """
    print_done(daemon.post(f"/resume/{workload}", Done, why=why, by=me()), form)

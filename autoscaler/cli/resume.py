"""`autoscaler resume`."""

from __future__ import annotations

from pathlib import Path

import click

from autoscaler.cli.root import config, output
from autoscaler.cli.talk import Daemon, me, print_done
from autoscaler.loop.answers import Done


@click.command("resume")
@click.argument("workload")
@click.option("--why", default="", help="Why, for the record.")
@output
@config
def command(workload: str, why: str, form: str, config: Path | None) -> None:
    """End the pause and the override of a workload.

    It ends its owner's zero as well. WORKLOAD may be `fleet`: that ends the pause of everything and releases the
    fleet's brake; the pauses of single workloads stay.
    """
    print_done(Daemon(config).post(f"/v1/resume/{workload}", Done, why=why, by=me()), form)

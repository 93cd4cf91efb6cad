"""`autoscaler rollback`."""

from __future__ import annotations

import click

from autoscaler.cli.root import output
from autoscaler.cli.talk import Daemon, daemon, me, print_done, span
from autoscaler.errors import UsageError
from autoscaler.loop.answers import Done


@click.command("rollback", short_help="Go back to the policies of an earlier commit for a while.")
@click.option("--to", metavar="COMMIT", default="", help="Which; the one in force before today's by default.")
@click.option("--for", "for_", metavar="DURATION", help="How long, such as 2h. Required.")
@click.option("--why", default="", help="Why, for the record. Required.")
@click.option("--end", is_flag=True, help="End a rollback before its time.")
@output
@daemon
def command(to: str, for_: str | None, why: str, end: bool, form: str, daemon: Daemon) -> None:
    """Put the policies of an earlier commit in force for a while, whatever the ref is at.

    For policies from git. It ends by itself, and outlives the daemon. Only a COMMIT that was in force is taken; seven
    of its digits are enough. Where pods share a Lease it must be named.
    """
    if end:
        print_done(daemon.post("/rollback", Done, why=why, by=me()), form)
        return
    if for_ is None:
        raise UsageError("a rollback needs an end", hint="--for 2h; revert the commit in the repository meanwhile")
    print_done(daemon.post("/rollback", Done, to=to, for_s=span(for_), why=why, by=me()), form)

"""`autoscaler sync`."""

from __future__ import annotations

import click

from autoscaler.cli.root import output
from autoscaler.cli.talk import Daemon, daemon, me, print_done
from autoscaler.loop.answers import Done


@click.command("sync", short_help="Look at the repository of policies now.")
@click.option("--accept", metavar="COMMIT", default="", help="Take this commit, although the ref was forced to it.")
@output
@daemon
def command(accept: str, form: str, daemon: Daemon) -> None:
    """Look at the repository of policies now, and try a commit again that was rejected.

    For policies from git. A ref that was forced to a commit is held back until somebody accepts that commit by name.
    """
    print_done(daemon.post("/sync", Done, accept=accept, by=me()), form)

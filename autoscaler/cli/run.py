"""`autoscaler run`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from autoscaler import log, settings
from autoscaler.cli.root import config


@click.command("run")
@click.option("--read-only", is_flag=True, help="Decide and explain, but change nothing on any platform.")
@config
def command(read_only: bool, config: Path | None) -> None:
    """Run the daemon until SIGTERM or SIGINT.

    It steers what the policies name, once per cycle, and reads them again whenever they change. What is scaled goes
    on running when it stops.
    """
    from autoscaler.app import run

    chosen = settings.load(config, os.environ)
    pump = log.configure(chosen.log.value)
    try:
        asyncio.run(run(chosen, read_only=read_only))
    finally:
        pump.close()

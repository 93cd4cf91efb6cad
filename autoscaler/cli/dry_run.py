"""`autoscaler dry-run`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click
import msgspec

from autoscaler import settings
from autoscaler.cli.root import config, output
from autoscaler.cli.talk import print_json
from autoscaler.decide.explain import explain


@click.command("dry-run")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--current", type=click.IntRange(min=0), help="Pretend this count, without asking any platform.")
@output
@config
def command(paths: tuple[Path, ...], current: int | None, form: str, config: Path | None) -> None:
    """Say what the policies at PATHS would do now, with the recent past read from Prometheus. Changes nothing."""
    from autoscaler.app import dry_run

    chosen = settings.load(config, os.environ)
    if paths:
        chosen = msgspec.structs.replace(chosen, policies=tuple(map(str, paths)))
    decisions = asyncio.run(dry_run(chosen, current=current))
    if form == "json":
        print_json(decisions)
        return
    if not decisions:
        click.echo("no policies there")
    for decision in decisions:
        click.echo(f"{decision.ref.key}  (policy {decision.policy})")
        click.echo("\n".join(f"  {line}" for line in explain(decision)))

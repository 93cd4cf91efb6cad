"""`autoscaler export`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from autoscaler import settings
from autoscaler.cli.root import config, output
from autoscaler.cli.talk import print_json
from autoscaler.policy import load
from autoscaler.policy.importers.export import export, manifests
from autoscaler.policy.importers.report import EXIT, report, told
from autoscaler.store.policy_files import read


@click.command("export")
@click.argument("kind", type=click.Choice(["hpa"]))
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@output
@config
def command(kind: str, paths: tuple[Path, ...], form: str, config: Path | None) -> None:
    """Turn policies into HorizontalPodAutoscalers of autoscaling/v2.

    PATHS are files and folders; without any, those of the settings. Manifests go to standard output, the report of
    every key to standard error. Exit statuses are those of `import`.
    """
    known = settings.load(config, os.environ)
    made = export(load.read(read(list(paths) or [Path(each) for each in known.policies])).loaded)
    turned = [each.turned for each in made]
    whole = report(manifests(made), turned)
    if form == "json":
        print_json(whole)
    else:
        click.echo(whole.output, nl=False)
        click.echo(told(turned), err=True)
    sys.exit(EXIT[whole.carried])

"""`autoscaler export`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from autoscaler import settings
from autoscaler.cli.import_ import answer
from autoscaler.cli.root import config, output
from autoscaler.policy import load
from autoscaler.policy.importers.export import export, manifests
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
    texts = read(list(paths), known.policies) if paths else read([Path(each) for each in known.policies])
    made = export(load.read(texts).loaded)
    turned = [each.turned for each in made]
    answer(manifests(made), turned, form)

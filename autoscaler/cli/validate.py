"""`autoscaler validate`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from autoscaler import settings
from autoscaler.cli.root import config
from autoscaler.policy.defaults import as_yaml, resolved
from autoscaler.policy.load import load
from autoscaler.store.policy_files import identity, read


@click.command("validate")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--resolved", "written_out", is_flag=True, help="Print each policy with every default written out.")
@config
def command(paths: tuple[Path, ...], written_out: bool, config: Path | None) -> None:
    """Check the policies at PATHS (files or folders), or those of the settings; every problem at once."""
    places = list(paths) or [Path(each) for each in settings.load(config, os.environ).policies]
    texts = read(places)
    loaded = load(texts, identity(texts))
    if written_out:
        click.echo(
            "---\n".join(f"# {each.file}:{each.line}\n{as_yaml(resolved(each.policy))}" for each in loaded.placed),
            nl=False,
        )
        return
    click.echo(f"{len(loaded.placed)} policies in {len(texts)} files: fine ({loaded.revision})")

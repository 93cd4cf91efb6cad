"""`autoscaler lint`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from autoscaler import settings
from autoscaler.cli.root import config, output
from autoscaler.cli.say import print_json, say
from autoscaler.cli.table import counted
from autoscaler.policy.lint import Findings, lint
from autoscaler.store.policy_files import beside, read


@click.command("lint")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@output
@config
def command(paths: tuple[Path, ...], form: str, config: Path | None) -> None:
    """Say what is allowed and yet likely to end badly.

    PATHS are files and folders; without any, those of the settings. Ends with exit status 1 where anything is found.
    A comment silences a finding: # lint: ignore CODE because REASON
    """
    known = settings.load(config, os.environ)
    places = list(paths) or [Path(each) for each in known.policies]
    texts = read(places)
    defaults = beside(paths, known.policies)
    found = lint(texts, defaults, scrape_s=known.scrape_interval, receives=known.push.address is not None)
    if form == "json":
        print_json(Findings(tuple(found)))
    else:
        for each in found:
            say(str(each))
        if not found:
            say(f"nothing smells in {counted(len(texts), 'file')}")
    if found:
        sys.exit(1)

"""`autoscaler doctor`."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

import click

from autoscaler.cli.reach import known
from autoscaler.cli.root import config, output
from autoscaler.cli.say import print_json, say
from autoscaler.doctor.findings import Diagnosis, Finding, Verdict

SIGNS = {Verdict.FINE: "✓", Verdict.NONE: "·", Verdict.WARNING: "!", Verdict.FAILURE: "✗"}
COLOURS = {Verdict.FINE: "green", Verdict.NONE: None, Verdict.WARNING: "yellow", Verdict.FAILURE: "red"}
FEW = 12  # so many things that work are told one by one


@click.command("doctor", short_help="Try everything a daemon needs, and say how to mend it.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@output
@config
def command(paths: tuple[Path, ...], form: str, config: Path | None) -> None:
    """Try everything a daemon of these settings needs, and say how to mend what does not work.

    PATHS are files and folders with policies; without any, those of the settings. Tried are the policies, each
    Prometheus server and its clock, each platform, workload and signal, our rights in a cluster, the data folder, the
    address to listen on, and the daemon where one runs. Nothing is changed. Ends with exit status 1 where something
    failed. `--format json` is for a support request: there are no secrets in it.
    """
    from autoscaler.doctor.examine import examine

    chosen = known(config, None, paths)
    tell(asyncio.run(examine(chosen)), form)


def tell(told: Diagnosis, form: str) -> None:
    """Print what was found, in this form; ends with exit status 1 where something failed."""
    if form == "json":
        print_json(told)
    else:
        _print(told)
    if not told.fit:
        sys.exit(1)


def _print(told: Diagnosis) -> None:
    works = [each for each in told.findings if each.verdict is Verdict.FINE]
    brief = len(works) > FEW
    for each in told.findings:
        if not brief or each.verdict is not Verdict.FINE:
            _print_one(each)
    if brief:
        about = Counter("signals" if " · " in each.about else each.about for each in works)
        say(f"✓ {', '.join(f'{name}: {number}' for name, number in about.items())}")
    number = Counter(each.verdict for each in told.findings)
    said = f"{number[Verdict.FAILURE]} failed, {number[Verdict.WARNING]} to look at, {number[Verdict.FINE]} fine"
    say(f"\nautoscaler {told.release}: {said}")


def _print_one(each: Finding) -> None:
    say(SIGNS[each.verdict], fg=COLOURS[each.verdict], nl=False)
    say(f" {each.about}: {each.text}" + (f"  ({each.place})" if each.place and not each.fix else ""))
    if each.fix:
        say("\n".join(f"    {line}" for line in [*([each.place] if each.place else []), *each.fix.splitlines()]))

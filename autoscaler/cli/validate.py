"""`autoscaler validate`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from autoscaler import settings
from autoscaler.cli.root import config
from autoscaler.cli.say import give, say
from autoscaler.cli.table import counted
from autoscaler.errors import PolicyError, UsageError
from autoscaler.model.policy import Placed, PlacedCleanup
from autoscaler.policy import load
from autoscaler.policy.defaults import as_yaml, resolved
from autoscaler.policy.fit import misfits
from autoscaler.policy.lint import findings
from autoscaler.store.policy_files import beside, identity, is_test, read, set_of, tests, texts_of


@click.command("validate")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--resolved", "written_out", is_flag=True, help="Print each policy with every default written out.")
@config
def command(paths: tuple[Path, ...], written_out: bool, config: Path | None) -> None:
    """Check policies and tell every problem at once.

    PATHS are files and folders; without any, those of the settings. Tests beside policies are checked and not run.
    What smells is warned of on standard error. Where settings are found, the policies must fit them too. Ends with exit
    status 2 where something is wrong.
    """
    told = settings.told(config, os.environ)
    known = settings.load(config, os.environ) if told else settings.Settings()
    places = list(paths) or [Path(each) for each in known.policies]
    sets = [set_of(each, known.policies) if is_test(each) else each for each in places]
    texts = read(sets)
    if not texts:
        raise UsageError(
            f"no policies at {', '.join(map(str, places))}: nothing there ends in .yaml or .yml",
            hint="`autoscaler init` writes a first one; or name the folder they are in",
        )
    defaults = beside(sets, known.policies) if paths else []
    whole = load.read([*texts, *defaults])
    placed = [each.placed for each in whole.loaded]
    wrong = _misfits(placed, whole.cleanups, known)
    if wrong and told:
        raise PolicyError(tuple(wrong))
    found = tests([each for each in places if each.is_dir() or is_test(each)])
    checked = _checked(found, placed, known.cycle) if found else 0
    warnings = [f"{each}\n  but no settings were found to compare with" for each in wrong]
    warnings += [str(each) for each in findings(whole, texts, defaults, scrape_s=known.scrape_interval)]
    for warning in warnings:
        say(f"warning: {warning}", err=True)
    if written_out:
        parts = [f"# {each.file}:{each.line}\n{as_yaml(resolved(each.policy))}" for each in placed]
        parts += [f"# {each.file}:{each.line}\n{as_yaml(each.cleanup)}" for each in whole.cleanups]
        give("---\n".join(parts))
        return
    also = f", {counted(len(whole.cleanups), 'clean-up')}" if whole.cleanups else ""
    also += f", {counted(checked, 'test')}" if checked else ""
    also += f", {len(warnings)} warnings" if warnings else ""
    say(f"{counted(len(placed), 'policy')} in {counted(len(texts), 'file')}: fine ({identity(texts)}){also}")


def _checked(files: Sequence[Path], placed: Sequence[Placed], cycle_s: float) -> int:
    """How many tests there are. Raises PolicyError where one does not fit its policy."""
    from autoscaler.backtest.scenario_load import load as load_tests  # most policies are checked without tests

    return len(load_tests(texts_of(files), placed, cycle_s=cycle_s))


def _misfits(placed: Sequence[Placed], cleanups: Sequence[PlacedCleanup], known: settings.Settings) -> list[str]:
    return misfits(
        placed,
        cleanups,
        cycle_s=known.cycle,
        servers=known.servers,
        engines=known.engines,
        strict_may_act=known.strict_may_act,
        receives=known.push.address is not None,
        processes=known.git.may_start,
    )

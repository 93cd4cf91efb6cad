"""`autoscaler test`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from autoscaler import settings
from autoscaler.cli.root import config, output
from autoscaler.cli.say import print_json, say
from autoscaler.cli.table import counted
from autoscaler.errors import AutoscalerError, UsageError, way_out


@click.command("test", short_help="Run the tests beside policies.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("-k", "part", metavar="TEXT", help="Only tests with this in their name, policy or file.")
@click.option(
    "--junit", "xml", type=click.Path(path_type=Path, dir_okay=False), help="Write JUnit XML for a CI system."
)
@output
@config
def command(paths: tuple[Path, ...], part: str | None, xml: Path | None, form: str, config: Path | None) -> None:
    """Run the tests beside policies: loads in, replicas and reasons out.

    PATHS are folders, tests (web.test.yaml) and policy files with tests beside them; without any, the policies of the
    settings. No daemon, platform or Prometheus is asked. Ends with exit status 1 where a test fails, and with 2 where a
    test or a policy does not load, or there is no test.
    """
    from autoscaler.backtest.differences import report
    from autoscaler.backtest.junit import junit
    from autoscaler.backtest.scenario import judged
    from autoscaler.backtest.scenario_load import suite

    known = settings.load(config, os.environ)
    places = list(paths) or [Path(each) for each in known.policies]
    found = suite(places, policies=known.policies, cycle_s=known.cycle)
    told = [each for each in found if part is None or part in f"{each.file}\n{each.test.name}\n{each.policy.name}"]
    if not told:
        chosen = f" with {part} in their name, policy or file" if part is not None else ""
        raise UsageError(
            f"no policy tests{chosen} at {', '.join(map(str, places))}",
            hint="a test stands beside its policy: web.test.yaml beside web.yaml",
        )
    verdicts = judged(told)
    if xml is not None:
        try:
            xml.write_bytes(junit(verdicts))
        except OSError as error:
            raise AutoscalerError(f"{xml}: cannot be written: {error.strerror}", hint=way_out(error)) from None
    if form == "json":
        print_json(verdicts)
    else:
        for each in verdicts.tests:
            if not each.passed:
                say("\n".join([f"FAILED {each.file}:{each.line}: {each.name}", *_indented(report(each)), ""]))
        passed = len(verdicts.tests) - verdicts.failed
        said = f"{verdicts.failed} of {counted(len(verdicts.tests), 'test')} failed" if verdicts.failed else ""
        say(said or f"{counted(passed, 'test')} passed")
    if verdicts.failed:
        sys.exit(1)


def _indented(lines: list[str]) -> list[str]:
    return [f"  {part}" for line in lines for part in line.split("\n")]

"""pytest runs the tests beside policies: each test of a `*.test.yaml` is an item.

It keeps out of the way: a file counts only where it is named on the command line or a policy stands beside it, and
nothing of the package is imported before the first such file. `-p no:autoscaler` or `autoscaler_tests = false` turns
it off.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from autoscaler.backtest.scenario_load import Scenario

SUFFIXES = (".test.yaml", ".test.yml")
OFF = "autoscaler_tests"
CONFIG = "autoscaler_config"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The plugin's settings."""
    group = parser.getgroup("autoscaler", "tests beside autoscaler policies")
    group.addoption("--autoscaler-config", metavar="FILE", help="the daemon's settings: its cycle and its policies")
    parser.addini(OFF, "collect tests beside autoscaler policies (*.test.yaml)", type="bool", default=True)
    parser.addini(CONFIG, "the daemon's settings file, from the root folder", default="")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A collector for a policy test; None for everything else."""
    config = parent.config
    if not file_path.name.endswith(SUFFIXES) or not config.getini(OFF):
        return None
    if _named(file_path, config) or _beside_a_policy(file_path):
        return PolicyTests.from_parent(parent, path=file_path)
    return None


class PolicyTests(pytest.File):
    """One file of policy tests."""

    def collect(self) -> Iterator[pytest.Item]:
        """Its tests; one that does not load is an error with every problem."""
        from autoscaler import settings
        from autoscaler.backtest.scenario_load import suite
        from autoscaler.errors import AutoscalerError

        option, ini = self.config.getoption("--autoscaler-config"), self.config.getini(CONFIG)
        chosen = Path(option) if option else self.config.rootpath / ini if ini else None
        try:
            known = settings.load(chosen, os.environ)
            found = suite([self.path], policies=known.policies, cycle_s=known.cycle)
        except AutoscalerError as error:
            raise self.CollectError(str(error)) from None
        for scenario in found:
            yield PolicyTest.from_parent(self, name=scenario.test.name, scenario=scenario)


class PolicyTest(pytest.Item):
    """One test of a policy."""

    def __init__(self, *, scenario: Scenario, **words: Any) -> None:
        super().__init__(**words)
        self._scenario = scenario

    def runtest(self) -> None:
        """Play it; differences fail it."""
        from autoscaler.backtest.differences import report
        from autoscaler.backtest.scenario import judge

        verdict = judge(self._scenario)
        if not verdict.passed:
            pytest.fail("\n".join(report(verdict)), pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands."""
        return self.path, self._scenario.line - 1, self.name


def _named(file: Path, config: pytest.Config) -> bool:
    """Whether somebody asked for this very file."""
    words = [each.partition("::")[0] for each in config.args]
    return any((config.invocation_params.dir / each).resolve() == file.resolve() for each in words)


def _beside_a_policy(file: Path) -> bool:
    """Whether a file of its name stands beside it that has a target, as policies do."""
    stem = file.name.rsplit(".test.", 1)[0]
    for beside in (file.with_name(f"{stem}{suffix}") for suffix in (".yaml", ".yml")):
        try:
            text = beside.read_text(encoding="utf-8-sig")
        except (OSError, ValueError):
            continue
        if any(line.startswith("target:") for line in text.splitlines()):
            return True
    return False

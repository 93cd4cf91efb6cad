"""Fixtures on real parts for every test, and what those parts said when a test that used them failed."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.parts.fixtures import *  # noqa: F403 (fixtures are found by their names in this module)

# how long an example takes says how busy the machine is, and nothing of the code
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Append the logs of every part a failed test used."""
    report = yield
    if not report.failed or call.when == "teardown":
        return report
    for part in getattr(item, "funcargs", {}).values():
        logs = getattr(part, "logs", None)
        for name, text in logs().items() if callable(logs) else ():
            if text.strip():
                report.sections.append((f"log of {name}", text))
    return report

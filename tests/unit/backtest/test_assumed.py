"""What is assumed of a service is said; what cannot be is refused with the option that says it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from autoscaler.backtest.assumed import Asked, assume, fits
from autoscaler.errors import UsageError

WHOSE = "web, requests"


def test_every_default_is_said_with_the_option_that_changes_it() -> None:
    found = assume(Asked(), 50.0, WHOSE)
    assert (found.startup_s, found.queue_s) == (30.0, 10.0)
    assert found.capacity == pytest.approx(50 / 0.7)
    assert found.objective_s == pytest.approx(3 * 0.7 / 50)
    for option in ("--capacity", "--startup", "--queue", "--objective"):
        assert any("assumed" in said and option in said for said in found.said), option


def test_what_is_told_is_not_called_assumed() -> None:
    found = assume(Asked(capacity=10.0, startup_s=0.0, queue_s=5.0, objective_s=0.3), 50.0, WHOSE)
    assert found.said == ("capacity 10 per replica", "start-up 0s", "queue 5s", "objective 300ms per request")
    model = found.model()
    assert (model.capacity, model.objective_s, model.queue_s) == (10.0, 0.3, 5.0)


ABSURD: dict[str, tuple[dict[str, Any], str]] = {
    "no capacity": ({"capacity": 0.0}, "--capacity: expected more than 0"),
    "less than none": ({"capacity": -5.0}, "--capacity: expected more than 0 and at most 1e+09, got -5"),
    "endless capacity": ({"capacity": math.inf}, "--capacity: expected"),
    "not a number": ({"capacity": math.nan}, "--capacity: expected"),
    "a start of a day": ({"startup_s": 86400.0}, "--startup: expected at least 0s and at most 1h, got 1d"),
    "a start before its order": ({"startup_s": -1.0}, "--startup: expected at least 0s"),
    "an endless queue": ({"queue_s": 1e9}, "--queue: expected"),
    "an objective nothing meets": (
        {"capacity": 10.0, "objective_s": 0.1},
        "--objective: 100ms cannot be met, one request takes 100ms by itself",
    ),
    "an objective of a day": ({"objective_s": 86400.0}, "--objective"),
}


@pytest.mark.parametrize("case", list(ABSURD))
def test_an_absurd_service_is_refused(case: str) -> None:
    words, said = ABSURD[case]
    with pytest.raises(UsageError) as caught:
        assume(Asked(**words), 50.0, WHOSE)
    assert said in caught.value.message


def test_a_capacity_nobody_told_of_is_asked_for() -> None:
    with pytest.raises(UsageError, match="what one replica can carry is not known") as caught:
        assume(Asked(), None, "web, load")
    assert "--capacity" in caught.value.hint


def test_a_capacity_that_is_absurd_for_the_load_is_refused() -> None:
    found = assume(Asked(capacity=0.001), 50.0, WHOSE)
    fits(found, 99.0)
    with pytest.raises(UsageError, match="the highest load, 101, would need 101000 replicas"):
        fits(found, 101.0)

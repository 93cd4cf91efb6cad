"""What can only be told beside the daemon's settings."""

from __future__ import annotations

import pytest

from autoscaler.errors import PolicyError
from autoscaler.model.policy import PolicySet
from autoscaler.policy.fit import misfits
from autoscaler.policy.load import load
from autoscaler.policy_wiring import fitting
from autoscaler.servers import GitSettings
from autoscaler.settings import Settings
from tests.unit.policy.test_load import SMALLEST

SERVER = SMALLEST.replace("per_replica: 8", "per_replica: 8\n    server: eu")
ENGINE = SMALLEST.replace("service: web", "service: web, engine: west")
PUSHED = SMALLEST.replace("prometheus: ", "push: {match: 'in_flight{proxy=\"web\"}', as: gauge} # ")
PROCESS = SMALLEST.replace("compose: {project: shop, service: web}", "process: {command: [serve]}")
STRICT = SMALLEST + "parity: strict\n"


def fit(
    text: str,
    *,
    cycle_s: float = 15.0,
    strict_may_act: bool = False,
    names: tuple[str, ...] = (),
    receives: bool = False,
    processes: bool = False,
) -> list[str]:
    loaded: PolicySet = load([("web.yaml", "\n" + text)], "r")
    return misfits(
        loaded.placed, cycle_s=cycle_s, servers=names, engines=names, strict_may_act=strict_may_act, receives=receives,
        processes=processes,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SMALLEST + "every: 20s\n", "every: 20s is no multiple of the daemon's cycle, 15s\n  hint: 15s?"),
        (
            SMALLEST + "recycle: {when: {memory_growth: {percent: 50, per: 1m}}}\n",
            "memory_growth.per: 1m is less than 8 looks take\n  hint: at least 2m",
        ),
        (
            SMALLEST + "recycle: {when: {outlier: {prometheus: lag, server: us, times_median: 3, for: 5m}}}\n",
            "recycle.when.outlier.server: the daemon's settings know no server us",
        ),
        (SMALLEST + "every: 5s\n", "every: 5s is no multiple of the daemon's cycle, 15s\n  hint: 15s?"),
        (SERVER, "signals[0].server: the daemon's settings know no server eu\n  hint: add it under servers:"),
        (ENGINE, "target.compose.engine: the daemon's settings know no engine west\n  hint: add it under engines:"),
        (STRICT, "parity: strict has no guards"),
        (PROCESS, "do not let those start programs\n  hint: git: {processes: true}"),
        (
            PUSHED,
            "signals[0].push: the daemon's settings open no receiver, so nothing would ever arrive\n  hint: push:",
        ),
    ],
)
def test_what_does_not_fit_is_said_with_its_place(text: str, said: str) -> None:
    (found,) = fit(text)
    assert found.startswith("web.yaml:2:1: web: ")
    assert said in found


def test_what_fits_is_fine() -> None:
    assert fit(SMALLEST) == []
    assert fit(SMALLEST + "every: 30s\n") == []
    assert fit(SMALLEST + "every: 300ms\n", cycle_s=0.1) == []
    assert fit(SERVER, names=("eu",)) == []
    assert fit(ENGINE, names=("west",)) == []
    assert fit(STRICT, strict_may_act=True) == []
    assert fit(PUSHED, receives=True) == []
    assert fit(PROCESS, processes=True) == []
    assert fit(STRICT + "mode: observe\n") == []


def test_programs_are_started_by_policies_of_files_and_from_git_only_where_the_settings_say_so() -> None:
    def fits(git: GitSettings) -> None:
        fitting(Settings(git=git), load, [("web.yaml", PROCESS)], "r")

    fits(GitSettings())
    fits(GitSettings(url="https://git.example/a.git", processes=True))
    with pytest.raises(PolicyError, match="do not let those start programs"):
        fits(GitSettings(url="https://git.example/a.git"))


def test_a_name_that_is_nearly_known_is_suggested() -> None:
    assert "hint: did you mean eu1?" in fit(SERVER, names=("eu1", "us"))[0]
    assert "hint: known there: asia, us" in fit(SERVER, names=("us", "asia"))[0]


def test_everything_that_does_not_fit_comes_at_once() -> None:
    assert len(fit(ENGINE + "every: 20s\nparity: strict\n")) == 3

"""What `status` prints of many workloads."""

from __future__ import annotations

import msgspec
import pytest

from autoscaler.cli.status import MANY, _status, quiet
from autoscaler.loop.answers import CycleStatus, PolicyStatus, Status, WorkloadStatus
from autoscaler.model.observation import Override, Pause

QUIET = WorkloadStatus(
    key="compose/default/shop/service/s00", policy="s00", file="a.yaml", line=1, mode="act", min=1, max=9, at=10.0,
    current=3, desired=3, existing=3, ready=3, reason="within_tolerance", because="as it should be", since=1.0,
)  # fmt: skip


def shown(capsys: pytest.CaptureFixture[str], *lines: WorkloadStatus, everything: bool = False) -> str:
    told = Status(
        at=11.0, started=0.0, build="1", cycle=CycleStatus(every_s=15.0, count=1), policies=PolicyStatus(revision="r"),
        workloads=lines,
    )  # fmt: skip
    _status(told, everything)
    return capsys.readouterr().out


def many(count: int) -> list[WorkloadStatus]:
    return [msgspec.structs.replace(QUIET, key=f"compose/default/shop/service/s{n:02}") for n in range(count)]


def test_few_workloads_are_all_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, *many(MANY)).count("/service/") == MANY


def test_of_many_the_quiet_ones_are_counted_and_the_others_shown(capsys: pytest.CaptureFixture[str]) -> None:
    busy = msgspec.structs.replace(QUIET, key="compose/default/shop/service/busy", desired=5, reason="above_target")
    text = shown(capsys, *many(MANY), busy)
    assert text.count("/service/") == 1
    assert f"{MANY} quiet workloads: `autoscaler status --all` shows them" in text
    text = shown(capsys, *many(MANY), busy, everything=True)
    assert text.count("/service/") == MANY + 1
    assert "quiet" not in text


@pytest.mark.parametrize(
    "told",
    [
        {"desired": 4}, {"ready": 2}, {"existing": 2, "ready": 2}, {"current": None, "desired": None},
        {"missing": ("load",)}, {"trouble": "scale refused: quota"}, {"reason": "held_zero_by_owner"},
        {"reason": "fleet_brake"}, {"pause": Pause(since=0.0)}, {"override": Override(3, until=99.0)},
    ],
    ids=str,
)  # fmt: skip
def test_what_has_something_to_tell_is_not_quiet(told: dict[str, object]) -> None:
    assert quiet(QUIET)
    assert not quiet(msgspec.structs.replace(QUIET, **told))

"""The wall clock of a real daemon process is set by an hour (libfaketime; its monotonic clock is left alone)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.e2e.workers import Workers, workers
from tests.parts.catalogue import faketime
from tests.parts.require import require
from tests.support.wait import never, until

pytestmark = pytest.mark.e2e

HOUR = 3600
CYCLE_S = 0.5


class Wall:
    """What a process is told that the time is."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "wall"
        self.env = {
            "LD_PRELOAD": str(faketime()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        self.set(0)

    def set(self, seconds: int) -> None:
        """From now on it is so many seconds off."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+}\n")
        fresh.replace(self._file)


def cycles(shop: Workers) -> int:
    return int(shop.status()["cycle"]["count"])


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["ahead", "back"])
def test_a_daemon_whose_wall_clock_is_set_lets_nothing_go_early_and_keeps_its_beat(tmp_path: Path, step: int) -> None:
    require("faketime")
    wall = Wall(tmp_path)
    more = "behavior: {down: {stabilization: 10s}}"
    with workers(tmp_path, cycle=f"{CYCLE_S * 1000:.0f}ms", env=wall.env) as shop:
        shop.policy_file.write_text(shop.policy_file.read_text().replace("behavior: {down: {stabilization: 2s}}", more))
        shop.load(40)
        shop.start()
        until(lambda: shop.ready() == 4, "four ready workers", within=40)
        until(lambda: shop.workload()["reason"] == "within_tolerance", "they carry the load", within=20)
        shop.load(5)
        until(lambda: "1 would be enough now" in shop.workload()["because"], "the window holds them", within=20)
        counted, began = cycles(shop), time.monotonic()
        wall.set(step)
        never(lambda: len(shop.pids()) < 4, "a window cut short", for_s=4)
        until(lambda: cycles(shop) > counted + 5, "its beat goes on", within=20)
        most = (time.monotonic() - began) / CYCLE_S + 2
        assert cycles(shop) - counted <= most, "no beat is made up for that a clock has jumped over"
        wall.set(0)
        until(lambda: cycles(shop) > counted + 16, "it goes on after the clock was set right", within=40)
        assert shop.alive
        assert "Traceback" not in shop.text()

"""The shop of docs/is-my-policy-any-good.md and its pictures: `python docs/pictures/make.py FOLDER` makes both.

The load is made up here: four days of a shop that is busy by day, a little busier in the evening, with a sale that
starts within a minute twice a day. Nothing of it was measured anywhere.
"""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

from autoscaler.backtest import recording
from autoscaler.backtest.recording import Column, Recording
from autoscaler.backtest.replay import acting
from autoscaler.loop.foresee import asks_of
from autoscaler.model.signal import Point, Reading, Series
from autoscaler.policy.load import load
from autoscaler.targets.naming import named

START = 1_767_571_200.0  # 2026-01-05, a Monday
EVERY_S = 60.0
DAYS = 4
SETTINGS = "cycle: 60s\n"
POLICY = """\
# The web tier of the shop.
name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 40}
signals:
  - name: requests
    prometheus: sum(rate(requests_total{service="{service}"}[1m]))
    per_replica: 60   # as somebody guessed last year
"""
SERVICE = ("--capacity", "80", "--startup", "90s")
COMMANDS = {
    "backtest.txt": ("backtest", "web.yaml", "--data", "web.rec", *SERVICE, "--svg", "backtest.svg"),
    "tune.txt": (
        "tune",
        "web.yaml",
        "--data",
        "web.rec",
        *SERVICE,
        "--budget",
        "24",
        "--svg",
        "tune.svg",
        "--write",
        "web.patch",
    ),
}


def requests(at: float) -> float:
    """Requests per second, `at` seconds after the start."""
    hour = at / 3600 % 24
    day = 0.5 - 0.5 * math.cos(2 * math.pi * (hour - 4) / 24)
    evening = math.exp(-(((hour - 20) / 1.5) ** 2))
    flutter = 40 * math.sin(at / 700) + 25 * math.sin(at / 173)
    sale = 350.0 if 12.0 <= hour < 12.5 or 18.0 <= hour < 18.25 else 0.0
    return 250 + 900 * day + 250 * evening + flutter + sale


def past() -> Recording:
    """What Prometheus would have told of these days."""
    (policy,) = load([("web.yaml", POLICY)], "docs").policies
    (ask,) = asks_of(acting(named(policy), policy))
    beats = round(DAYS * 86400 / EVERY_S)
    readings: list[Reading] = [Series((Point(requests(beat * EVERY_S)),), 5.0) for beat in range(beats)]
    told: Column = recording.column(ask, policy.name, readings)
    return Recording(start=START, every_s=EVERY_S, beats=beats, columns=(told,))


def main(folder: Path) -> None:
    """Write the shop into a folder, run the commands there, keep what they print."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "autoscaler.yaml").write_text(SETTINGS)
    (folder / "web.yaml").write_text(POLICY)
    recording.write(past(), folder / "web.rec")
    for name, words in COMMANDS.items():
        done = subprocess.run(
            [sys.executable, "-m", "autoscaler", *words], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
        )
        (folder / name).write_text(done.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The shop of docs/is-my-policy-any-good.md and its pictures: `python docs/pictures/make.py` makes both.

The pictures are put beside this file; with a folder as an argument all files are made and kept there instead.

The load is made up here: three days of a shop that is busy by day, a little busier in the evening, with a sale that
starts within a minute twice a day. Nothing of it was measured anywhere.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import tempfile
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
DAYS = 3
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
STEPS = (
    ("backtest", "web.yaml", "--data", "web.rec", *SERVICE, "--svg", "backtest.svg"),
    ("tune", "web.yaml", "--data", "web.rec", *SERVICE, "--within", "0.1", "--budget", "20",
     "--write", "web.patch", "--svg", "frontier.svg"),
    ("backtest", "old/web.yaml", "web.yaml", "--data", "web.rec", *SERVICE, "--svg", "both.svg"),
)  # fmt: skip


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


def main(folder: Path) -> str:
    """Make the shop in a folder and run the commands there, with the patch applied before the last; what they print."""
    (folder / "old").mkdir(parents=True)
    (folder / "autoscaler.yaml").write_text(SETTINGS)
    for place in ("web.yaml", "old/web.yaml"):
        (folder / place).write_text(POLICY)
    recording.write(past(), folder / "web.rec")
    printed = run(folder, *STEPS[0]) + run(folder, *STEPS[1])
    subprocess.run(["git", "apply", "web.patch"], cwd=folder, check=True)
    return printed + (folder / "web.patch").read_text() + run(folder, *STEPS[2])


def run(folder: Path, *words: str) -> str:
    """A command in the folder; what it prints."""
    told = [sys.executable, "-m", "autoscaler", *words]
    done = subprocess.run(told, cwd=folder, check=True, capture_output=True, text=True)
    return f"$ {' '.join(['autoscaler', *words])}\n{done.stdout}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        place = Path(sys.argv[1])
        (place / "printed.txt").write_text(main(place))
    else:
        with tempfile.TemporaryDirectory() as name:
            main(Path(name) / "shop")
            for picture in (Path(name) / "shop").glob("*.svg"):
                shutil.copy(picture, Path(__file__).parent)

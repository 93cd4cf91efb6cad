"""`make demo` as people see it: its own process, its summary and exit status, and nothing of it left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.demo_compose import NEEDED
from tests.e2e.daemon import ROOT
from tests.parts.compose import PROJECT
from tests.parts.engine import Engine
from tests.parts.require import require
from tests.support.wait import until

pytestmark = pytest.mark.e2e

MOST_S = 120


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short path: there will be a unix socket below it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


class Demo:
    """A run of the demo in a temporary folder of its own, which every process it starts carries in its environment."""

    def __init__(self, folder: Path, module: str = "autoscaler.demo", *words: str, path: str = "") -> None:
        self._folder = folder
        self._out = folder / "out"
        # No prometheus there: the demo then reads its workers directly.
        environment = {**os.environ, "PATH": path or str(folder), "TMPDIR": str(folder)}
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=ROOT,
                start_new_session=True,
            )

    def text(self) -> str:
        """What it printed so far."""
        return self._out.read_text()

    def ended(self) -> int:
        """Its exit status, once it has ended."""
        return self.process.wait(MOST_S)

    def left(self) -> list[str]:
        """Command lines of processes that carry its folder, but for itself."""
        mark = f"TMPDIR={self._folder}".encode()
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            try:
                if int(each.name) != self.process.pid and mark in (each / "environ").read_bytes().split(b"\0"):
                    found.append((each / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue  # it has ended meanwhile
        return found

    def files(self) -> list[str]:
        """What is left in its folder."""
        return [each.name for each in self._folder.iterdir() if each != self._out]


def test_the_demo_shows_the_main_job_and_cleans_up(place: Path) -> None:
    demo = Demo(place)
    until(lambda: "load rises" in demo.text(), what="the demo is under way", within=60)
    assert len(demo.left()) >= 2, "the daemon and a worker at least"
    assert demo.ended() == 0, demo.text()
    told, summary = demo.text().split("\nAll of it was seen to happen, in ")
    assert "Load is read from every worker directly: no prometheus is on PATH." in told
    for sentence in (
        r"20 users: [56] workers serve \d+ requests a second",
        r"shop-\d turned sick: a new worker took its place, \d+ requests failed",
        r"2 users again: the others were drained and stopped, one worker is left",
    ):
        assert re.search(f"✓ {sentence}", told), sentence
        assert re.search(f"✓ {sentence}", summary), sentence
    # The reasons are told. The numbers depend on when within a second a busy machine looks.
    assert re.search(r"above_target: in flight: load \d+, 4 per replica, so it asks for \d", told)
    assert re.search(r"shop-\d has been unhealthy for \ds: a new one takes its place", told)
    assert "\x1b" not in demo.text(), "no terminal, no control characters"
    assert (demo.left(), demo.files()) == ([], [])


def test_a_demo_whose_worker_cannot_become_sick_says_what_was_not_seen(place: Path) -> None:
    demo = Demo(place, "tests.e2e.stubborn")
    assert demo.ended() == 1, demo.text()
    summary = demo.text().partition("\nNot seen, after ")[2]
    assert "shop-1 is sick" in summary
    assert re.search(r"✓ 20 users: [56] workers serve", summary), "what was seen until then is told too"
    assert "one worker is left" not in demo.text()
    assert (demo.left(), demo.files()) == ([], [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_an_interrupted_demo_leaves_no_process_behind(place: Path, number: signal.Signals) -> None:
    demo = Demo(place)
    until(lambda: "10 users now" in demo.text(), what="load rises", within=60)
    demo.process.send_signal(number)
    until(lambda: "stopping" in demo.text(), what="it says so", within=10)
    demo.process.send_signal(number)  # an impatient person does it twice
    assert demo.ended() == 128 + number
    assert (demo.left(), demo.files()) == ([], [])


def test_a_demo_that_is_kept_goes_on_with_its_dashboard_until_it_is_stopped(place: Path) -> None:
    demo = Demo(place, "autoscaler.demo", "--keep")
    until(lambda: "10 users now" in demo.text(), what="load rises", within=60)
    found = re.search(r"The dashboard: (http://127\.0\.0\.1:\d+) ", demo.text())
    assert found, demo.text()
    with urllib.request.urlopen(found[1], timeout=10) as page:
        assert b"<title>" in page.read()
    demo.process.send_signal(signal.SIGINT)
    assert demo.ended() == 0
    assert (demo.left(), demo.files()) == ([], [])


@pytest.mark.docker
def test_the_demo_with_containers_serves_through_the_balancer_and_leaves_nothing_behind(
    place: Path, docker_engine: Engine
) -> None:
    require(*NEEDED)
    demo = Demo(place, "tests.demo_compose", path=os.environ["PATH"])
    until(lambda: "✓ 2 users: one container serves" in demo.text(), what="the first act", within=90)
    project = re.search(r"compose: {project: (demo\w+), service: app}", demo.text())
    assert project, demo.text()
    named = ("ps", "--all", "--quiet", "--filter", f"label={PROJECT}={project[1]}")
    assert len(docker_engine.docker(*named).split()) >= 3, "the application, HAProxy and Prometheus"
    demo.process.send_signal(signal.SIGTERM)
    assert demo.ended() == 128 + signal.SIGTERM
    assert docker_engine.docker(*named) == ""
    assert (demo.left(), demo.files()) == ([], [])


def test_the_demo_with_containers_says_what_is_missing_where_there_is_no_docker(place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.demo_compose"],
        env={**os.environ, "PATH": str(place), "XDG_CACHE_HOME": str(place)},  # nothing is installed there
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=MOST_S,
        check=False,
    )
    assert done.returncode == 2, done.stdout
    assert "demo-compose needs a real Docker engine, compose, HAProxy and Prometheus: " in done.stderr
    assert "hint: on Debian, `make parts` as root installs them" in done.stderr


def test_a_demo_nobody_reads_any_more_leaves_no_process_behind(place: Path) -> None:
    demo = subprocess.run(
        f"{sys.executable} -m autoscaler.demo | head -c 700",
        shell=True,
        executable="/bin/bash",
        env={**os.environ, "TMPDIR": str(place)},
        capture_output=True,
        timeout=MOST_S,
        cwd=ROOT,
        check=True,
    )
    assert b"Traceback" not in demo.stderr
    assert list(place.iterdir()) == []


def test_a_long_temporary_folder_is_no_obstacle(tmp_path: Path) -> None:
    far = tmp_path / ("x" * 90)
    far.mkdir()
    demo = Demo(far)
    until(lambda: "one worker serves" in demo.text(), what="the first act", within=60)
    demo.process.send_signal(signal.SIGTERM)
    assert demo.ended() == 128 + signal.SIGTERM
    assert (demo.left(), demo.files()) == ([], [])

"""A past in a real Prometheus, recorded and replayed; the report opened in a real browser."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from autoscaler.backtest import recording
from autoscaler.backtest.recording import Recording
from autoscaler.backtest.replay import acting
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Plan
from autoscaler.decide.step import applied, step
from autoscaler.loop.foresee import asks_of
from autoscaler.model.observation import Seen
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import TargetState
from autoscaler.policy.load import load
from autoscaler.targets.naming import named
from tests.parts.prometheus import PrometheusMaker, PrometheusServer
from tests.parts.require import require
from tests.support.browser import Page, browsing
from tests.support.wait import auntil

CYCLE_S = 15.0
MAX_AGE_S = 45.0
QUERY = 'sum(rate(requests_total{job="web"}[1m]))'
AGE = 'time() - max(timestamp(requests_total{job="web"}))'
POLICY = """\
name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 40}
signals:
  - name: requests
    prometheus: sum(rate(requests_total{job="{service}"}[1m]))
    per_replica: 10
    max_age: 45s
"""
LAPTOP = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
PAST_S = 2400
GAP = range(900, 1200)  # seconds ago in which nothing was scraped
RESET = 600  # seconds ago at which the process started anew, its counter with it


def counted(now: float) -> str:
    """Forty minutes of a counter scraped every 5 s, with a gap and a reset."""
    lines, total = ["# TYPE requests counter"], 0.0
    for ago in range(PAST_S, 0, -5):
        total = 0.0 if ago == RESET else total + 5 * (100 + 60 * math.sin(ago / 300))
        if ago not in GAP:
            lines.append(f'requests_total{{job="web"}} {total:.3f} {now - ago:.3f}')
    return "\n".join([*lines, "# EOF\n"])


def autoscaler(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "web.yaml").write_text(POLICY)
    return subprocess.run(
        [sys.executable, "-m", "autoscaler", *words],
        env={**LAPTOP, "AUTOSCALER_DATA": str(folder / "data")},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def plan() -> Plan:
    (policy,) = load([("web.yaml", POLICY)], "r").policies
    return acting(named(policy), policy)


def asked(server: PrometheusServer, at: float) -> Reading:
    """What a daemon would have read then, by two instant queries."""
    value, age = server.value(QUERY, at), server.value(AGE, at)
    if value is None:
        return Missing(MissingWhy.EMPTY)
    return Missing(MissingWhy.STALE) if age is None or age > MAX_AGE_S else Series((Point(value),), age)


def decided(readings: list[Reading], start: float, count: int) -> list[int]:
    """The counts of a loop over `step()` in which an instance is ready two cycles after its order."""
    given, key = plan(), plan().ref.key
    memories: dict[str, Memory] = {}
    since, counts = [-2] * count, list[int]()
    for beat, reading in enumerate(readings):
        now = start + beat * CYCLE_S
        ready = sum(beat - each >= 2 for each in since)
        state = TargetState(ref=given.ref, desired=len(since), existing=len(since), ready=ready, at=now)
        stepped = step([given], [Seen(state=state, readings=(reading,))], memories, now, cycle_s=CYCLE_S)
        memories, wish = stepped.memories, stepped.decisions[0].desired
        if wish != len(since):
            memories[key] = applied(given, memories[key], before=len(since), count=wish, now=now)
            since = since[:wish] + [beat] * (wish - len(since))
        counts.append(wish)
    return counts


@pytest.mark.prometheus
@pytest.mark.e2e
def test_a_recorded_past_is_what_a_daemon_would_have_read_and_replays_to_its_decisions(
    prometheus_server: PrometheusMaker, tmp_path: Path
) -> None:
    now = time.time()
    server = prometheus_server(openmetrics=counted(now))
    words = ("--prometheus", server.url, "--from", f"{PAST_S - 120}s")
    done = autoscaler(tmp_path, "record", "web.yaml", *words, "--out", "web.rec")
    assert done.returncode == 0, done.stderr
    assert "note: web, requests: 1 gap" in done.stdout
    assert "recording: 100 %" in done.stderr
    past = recording.read(tmp_path / "web.rec")
    told = recording.readings(past.columns[0])
    by_hand = [asked(server, at) for at in past.times()]
    for at, ours, theirs in zip(past.times(), told, by_hand, strict=True):
        if isinstance(theirs, Missing):
            assert isinstance(ours, Missing), at
            assert ours.why is theirs.why, at
        else:
            assert isinstance(ours, Series), (at, ours)
            assert ours.points[0].value == pytest.approx(theirs.points[0].value)
            assert ours.age_s == pytest.approx(theirs.age_s, abs=0.002)
    assert sum(isinstance(each, Missing) for each in told) > 10
    assert min(each.points[0].value for each in told if isinstance(each, Series)) > 0, "a reset is no negative rate"

    service = ("--count", "12", "--startup", "30s", "--format", "json")
    replayed = autoscaler(tmp_path, "backtest", "web.yaml", "--data", "web.rec", *service)
    (trial,) = json.loads(replayed.stdout)["trials"]
    assert trial["curve"]["desired"] == decided(by_hand, past.start, 12)

    secret = server.url.replace("http://", "http://ann:s3cret@")
    live = autoscaler(tmp_path, "backtest", "web.yaml", "--prometheus", secret, *words[2:], *service)
    assert live.returncode == 0, live.stderr
    assert "s3cret" not in live.stdout + live.stderr
    (other,) = json.loads(live.stdout)["trials"]
    assert other["signals"] == trial["signals"]
    assert other["card"]["replica_hours"] == pytest.approx(trial["card"]["replica_hours"], rel=0.1)


# in a browser


def waved() -> Recording:
    """Four hours of a load in which a minute in two hours is five times as high."""
    (ask,) = asks_of(plan())
    readings = [
        Series((Point((100 + 60 * math.sin(beat / 60)) * (5 if beat % 480 > 470 else 1)),), 5.0) for beat in range(960)
    ]
    return Recording(start=1.7e9, every_s=CYCLE_S, beats=960, columns=(recording.column(ask, "web", readings),))


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Page]:
    """An empty page in a real browser without a window."""
    require("chromium")
    async with browsing(tmp_path / "profile") as page:
        yield page


@pytest.mark.e2e
@pytest.mark.parametrize(("scheme", "paper"), [("light", "rgb(251, 251, 249)"), ("dark", "rgb(18, 22, 26)")])
async def test_the_report_draws_zooms_and_reads_out_in_a_browser_and_asks_for_nothing(
    browser: Page, tmp_path: Path, scheme: str, paper: str
) -> None:
    recording.write(waved(), tmp_path / "web.rec")
    done = autoscaler(tmp_path, "backtest", "web.yaml", "--data", "web.rec", "--html", "report.html")
    assert done.returncode == 0, done.stderr
    address = (tmp_path / "report.html").as_uri()
    await browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    await browser.call("Page.navigate", url=address)
    paths = "document.querySelectorAll('.plot > svg path').length"
    await auntil(lambda: browser.run(paths), "the charts are drawn")
    assert await browser.run("getComputedStyle(document.body).backgroundColor") == paper
    assert await browser.run("document.querySelector('.reset').hidden") is True

    box = json.loads(await browser.run("JSON.stringify(document.querySelector('.plot').getBoundingClientRect())"))
    x, y = box["x"] + 300, box["y"] + 250
    await browser.mouse("mouseMoved", x, y)
    said = await browser.run("document.querySelector('.tip').innerText")
    assert re.match(r"2023-11-14 23:\d\d:\d\d UTC\nload [\d.]+ /s, \d+ needed", said), said
    label = "document.querySelector('.plot > svg').textContent"
    whole = await browser.run(label)
    await browser.mouse("mousePressed", x, y, button="left", clickCount=1)
    await browser.mouse("mouseMoved", x + 60, y, button="left", buttons=1)
    await browser.mouse("mouseReleased", x + 60, y, button="left", clickCount=1)
    assert await browser.run("document.querySelector('.reset').hidden") is False
    assert await browser.run(label) != whole, "other times stand at the axis"
    await browser.run("document.querySelector('.reset').click()")
    assert await browser.run(label) == whole
    await browser.run("document.querySelector('button[data-at]').click()")
    assert await browser.run(label) != whole, "the worst moment is shown"
    assert await browser.run("document.documentElement.scrollWidth <= innerWidth") is True
    assert browser.faults == []
    assert browser.asked == [address]

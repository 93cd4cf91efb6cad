"""Looking at a daemon of 10,000 workloads: the first paint and a search in a browser, and 200 clients of its events."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
from _pytest.outcomes import Failed, Skipped

from benchmarks.calibration import round_s
from benchmarks.rows import Row
from tests.parts.process import free_port
from tests.parts.require import require
from tests.support.browser import Page, browsing
from tests.support.wait import auntil

WORKLOADS = 10_000
CYCLE_S = 15
CLIENTS = 200
CYCLES = 2  # watched without clients, then with them
PAGES = 3

_LATE = re.compile(r"autoscaler_cycle_lateness_seconds_(?:sum|count) ([\d.]+)")
_LISTED = """new Promise((done) => {
  const look = () => document.querySelector(".fleet tbody tr") ? done(performance.now()) : requestAnimationFrame(look);
  look();
})"""
_SEARCH = """new Promise((done) => {
  const field = document.querySelector("input[type=search]"), began = performance.now();
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, "s04321");
  field.dispatchEvent(new Event("input", { bubbles: true }));
  const found = () => document.querySelectorAll(".fleet tbody tr").length === 1;
  const look = () => found() ? done(performance.now() - began) : requestAnimationFrame(look);
  look();
})"""


def looked_at() -> list[Row]:
    """Wall times on this machine, the daemon and all that looks at it beside one another."""
    try:
        require("chromium")
    except (Skipped, Failed) as error:
        return [Row("looking at a daemon", None, said=f"skipped: {error}")]
    with tempfile.TemporaryDirectory() as folder, _daemon(Path(folder)) as url:
        return asyncio.run(_looked_at(url, Path(folder)))


@contextmanager
def _daemon(folder: Path) -> Iterator[str]:
    port = free_port()
    file = folder / "autoscaler.yaml"
    file.write_text(json.dumps({"listen": f"127.0.0.1:{port}", "cycle": f"{CYCLE_S}s", "data": str(folder / "data")}))
    words = ["simulate", "--workloads", str(WORKLOADS), "--serve", "--config", str(file)]
    process = subprocess.Popen([sys.executable, "-m", "autoscaler", *words], stderr=subprocess.DEVNULL, env=os.environ)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


async def _looked_at(url: str, folder: Path) -> list[Row]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await auntil(lambda: _cycles(session, url, 2), "two cycles are over", within=180)
        alone = await _lateness(session, url)
        listening = [asyncio.create_task(_listen(session, url)) for _ in range(CLIENTS)]
        beside = await _lateness(session, url)
        heard = [each for each in listening if not each.done()]
        for each in listening:
            each.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        async with browsing(folder / "profile") as page:
            seen = [await _page(page, url) for _ in range(PAGES)]
    round_ = round_s()
    of = f"{WORKLOADS:,} workloads"
    late = f"{1000 * beside:.1f} ms, without them {1000 * alone:.1f} ms ({len(heard)} listened)"
    rows = [Row(f"a cycle of {of} is late, {CLIENTS} clients of its events", None, "as without them", late)]
    for name, goal, times in zip(
        ("the fleet's first paint", "the fleet is listed", "a search is answered"),
        ("under 1 s", "", "under 1 s"),
        zip(*seen, strict=True),
        strict=True,
    ):
        milliseconds = sorted(times)[len(times) // 2]
        said = f"{milliseconds:.0f} ms, {milliseconds / 1000 / round_:,.0f} calibration rounds"
        rows.append(Row(f"{name} in a browser, {of}", None, goal, said))
    return rows


async def _page(page: Page, url: str) -> tuple[float, float, float]:
    """First paint, first row and a search, in milliseconds."""
    await page.open("about:blank")
    await page.open(f"{url}/")
    there = f"location.href.startsWith({json.dumps(url)})"
    await auntil(lambda: page.run(there), "the page is on its way", every=0.01)
    listed = await page.run(_LISTED)
    paint = await page.run("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    return paint, listed, await page.run(_SEARCH)


async def _told(session: aiohttp.ClientSession, url: str) -> tuple[float, int]:
    """Seconds that cycles were late, and how many there were."""
    async with session.get(f"{url}/metrics") as answer:
        late, count = _LATE.findall(await answer.text())
    return float(late), int(count)


async def _cycles(session: aiohttp.ClientSession, url: str, count: int) -> bool:
    return (await _told(session, url))[1] >= count


async def _lateness(session: aiohttp.ClientSession, url: str) -> float:
    """Mean lateness of the next cycles."""
    late, count = await _told(session, url)
    await auntil(lambda: _cycles(session, url, count + CYCLES), "cycles go on", within=40 * CYCLES, every=1.0)
    later, more = await _told(session, url)
    return (later - late) / (more - count)


async def _listen(session: aiohttp.ClientSession, url: str) -> None:
    """Follow the events until cancelled."""
    async with session.get(f"{url}/api/v1/events", timeout=aiohttp.ClientTimeout(total=None)) as answer:
        async for _ in answer.content.iter_any():
            pass

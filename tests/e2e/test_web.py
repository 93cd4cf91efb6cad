"""The dashboard in a real browser, over a real daemon on a simulated platform; the API under an independent fuzzer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from autoscaler.clock import SystemClock
from tests.parts.catalogue import axe
from tests.parts.process import free_port
from tests.parts.require import require
from tests.support.browser import Page, browsing
from tests.support.showcase import TOKEN, Showcase

pytestmark = pytest.mark.e2e

EDGE_WEB = "compose/default/edge/service/web"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
)


class Shown:
    """A daemon with its doors open."""

    def __init__(self, showcase: Showcase, folder: Path) -> None:
        self.showcase = showcase
        self._folder = folder
        self._port = free_port()
        self._open = contextlib.AsyncExitStack()
        self.url = ""

    async def start(self) -> None:
        self.url = await self._open.enter_async_context(self.showcase.open(self._folder, self._port))

    async def stop(self) -> None:
        await self._open.aclose()


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Shown]:
    """24 workloads with twenty minutes behind them."""
    showcase = Showcase(24, 15.0)
    await asyncio.to_thread(showcase.play, 1 / 3, SystemClock().now())
    showcase.make_sick(showcase.policies[0].name)
    shown = Shown(showcase, tmp_path)
    await shown.start()
    yield shown
    await shown.stop()


@pytest.fixture
async def page(shown: Shown, tmp_path: Path) -> AsyncIterator[Page]:
    """The dashboard in a browser; whatever the test did, nothing was complained of and nobody else was asked."""
    require("chromium")
    async with browsing(tmp_path / "profile") as page:
        await page.size(1280, 900)
        await page.open(f"{shown.url}/")
        await page.seen("document.querySelectorAll('.fleet tbody tr').length", "the fleet is listed")
        yield page
        assert [each for each in page.asked if not each.startswith((shown.url, "about:"))] == []


def text(selector: str) -> str:
    return f"[...document.querySelectorAll({json.dumps(selector)})].map(each => each.innerText).join('\\n')"


def click(selector: str, word: str) -> str:
    """Press the first that says the word; false where there is none."""
    every = f"[...document.querySelectorAll({json.dumps(selector)})]"
    found = f"{every}.find(each => each.innerText.includes({json.dumps(word)}))"
    return f"(found => found ? (found.click(), true) : false)({found})"


async def test_the_fleet_is_searched_filtered_and_walked_by_keys(page: Page) -> None:
    assert await page.run("document.querySelectorAll('.fleet tbody tr').length") == 24
    assert await page.run("document.querySelectorAll('.fleet tbody svg path.line[d]').length") >= 24
    await page.press("/")
    await page.type("edge WEB")
    await page.seen("document.querySelectorAll('.fleet tbody tr').length === 1", "the search")
    assert "edge/web" in await page.run(text(".fleet tbody th"))
    await page.press("Escape")
    await page.press("j")
    await page.press("Enter")
    await page.seen("document.querySelector('.steps li') !== null", "Enter opens the workload")
    await page.press("Escape")
    await page.seen("document.querySelectorAll('.fleet tbody tr').length === 24", "Escape goes back")
    await page.run(click(".chip", "paused"))
    await page.seen("document.querySelectorAll('.fleet tbody tr').length === 1", "the chip")
    assert "paused by bo until resumed" in await page.run(text(".because"))
    assert page.faults == []


async def test_a_workload_tells_how_its_count_came_about_now_and_at_a_moment_of_the_chart(
    page: Page, shown: Shown
) -> None:
    await page.open(f"{shown.url}/#/w/{EDGE_WEB}")
    await page.seen("document.querySelectorAll('.plot canvas').length === 3", "replicas and both signals are drawn")
    steps = await page.run(text(".steps li"))
    assert re.search(r"signal\n.+\nrequests: load [\d.]+, \d+ per replica", steps), steps
    assert re.search(r"combine\n.+\nof 2 signals", steps), steps
    assert "requests" in await page.run(text(".plain tbody"))
    assert "● ready" in await page.run(text(".plain tbody"))
    box = await page.run(
        "(({x, y, width}) => ({x, y, width}))(document.querySelector('.plot .u-over').getBoundingClientRect())"
    )
    x, y = box["x"] + box["width"] * 0.9, box["y"] + 60
    await page.mouse("mouseMoved", x, y)
    assert "existing" in await page.run(text(".read"))
    await page.mouse("mousePressed", x, y, button="left", clickCount=1)
    await page.mouse("mouseReleased", x, y, button="left", clickCount=1)
    await page.seen(f"({text('.how header')}).includes('back to now')", "the moment is explained")
    await page.seen("document.querySelectorAll('.steps li').length > 1", "its steps")
    await page.run(click(".past .chip", "7 d"))
    every = "[...document.querySelectorAll('.past .plot')].map(each => each.dataset.from)"
    week = f"{every}.every(from => Date.now() / 1000 - from > 6.9 * 86400)"
    await page.seen(week, "every chart goes a week back")
    assert "No data before" in await page.run(text(".past .hint"))
    await page.run("document.querySelector('.how header button').click()")
    await page.seen(f"!({text('.how header')}).includes('back to now')", "back to now")
    assert page.faults == []


async def test_a_pause_needs_a_token_that_is_known_and_carries_its_name(page: Page, shown: Shown) -> None:
    await page.open(f"{shown.url}/#/w/{EDGE_WEB}")
    await page.seen(click(".actions button", "Pause"), "the workload")
    await page.seen("document.querySelector('dialog[open] input[type=password]') !== null", "the dialog")
    await page.run("document.querySelector('dialog input[type=password]').focus()")
    await page.type("a-token-nobody-knows")
    await page.press("Enter")
    await page.seen("document.querySelector('dialog .trouble') !== null", "it is refused")
    assert "this token is not known" in await page.run(text("dialog .trouble"))
    await page.run("document.querySelector('dialog input[type=password]').focus()")
    await page.run("document.querySelector('dialog input[type=password]').select()")
    await page.type(TOKEN)
    await page.press("Enter")
    await page.seen(f"({text('.said')}).includes('by alice until resumed')", "it is paused")
    assert "by alice" in await page.run(text(".story")) or "alice" in await page.run(text(".story .tag"))
    pauses = (await shown.showcase.desk.said()).pauses
    assert [each.by for key, each in pauses.items() if key == EDGE_WEB] == ["alice"]
    assert [json.loads(each)["entry"]["url"] for each in page.faults] == [f"{shown.url}/api/v1/pause/{EDGE_WEB}"]


async def test_policies_are_shown_with_what_they_steer_and_may_be_tried_without_changing_anything(
    page: Page, shown: Shown
) -> None:
    before = shown.showcase.board.texts
    await page.open(f"{shown.url}/#/policies/policies/edge.yaml")
    await page.seen(f"({text('.source')}).includes('edge-web steers edge/web')", "the source")
    await page.run(click("button", "What if"))
    await page.seen("document.querySelector('.editor') !== null", "the editor")
    await page.run("document.querySelector('button.main').click()")
    await page.seen(f"({text('.plain tbody')}).includes('edge/web')", "what would be decided")
    await page.run("document.querySelector('.editor').focus()")
    await page.run("document.querySelector('.editor').select()")
    await page.type("name: web\ntarget: {compose: {project: edge, service: web}}\nreplicas: {max: many}\n")
    await page.run("document.querySelector('button.main').click()")
    await page.seen(f"({text('.problems')}).includes('replicas.max')", "the problem, with its place")
    assert "policies/edge.yaml:3:" in await page.run(text(".problems"))
    assert shown.showcase.board.texts == before
    assert page.faults == []


async def test_a_daemon_that_goes_is_told_and_what_was_known_stays(page: Page, shown: Shown) -> None:
    await page.seen("document.querySelector('.live.live') !== null", "it is live")
    await shown.stop()
    await page.seen(f"({text('.live')}).includes('Disconnected since')", "the page says that it is alone")
    assert await page.run("document.querySelectorAll('.fleet tbody tr').length") == 24


async def test_nothing_on_the_pages_keeps_people_from_using_them_in_either_theme_or_on_a_phone(
    page: Page, shown: Shown
) -> None:
    require("axe")
    pages = {"": ".fleet tbody tr", f"w/{EDGE_WEB}": ".plot canvas", "policies/policies/edge.yaml": ".source"}
    for scheme, width in (("light", 1280), ("dark", 390)):
        await page.size(width, 844, phone=width < 400, scheme=scheme)
        for path, part in pages.items():
            await page.open("about:blank")
            await page.open(f"{shown.url}/#/{path}")
            await page.seen(f"document.querySelector({json.dumps(part)}) !== null", f"/{path} is drawn")
            await page.run(f"{axe().read_text()};0")
            told = "axe.run(document).then(({violations}) => violations.map(({id, nodes}) => [id, nodes[0].html]))"
            assert await page.run(told) == [], f"/{path}, {scheme}, {width} wide"
            assert await page.run("document.documentElement.scrollWidth <= innerWidth") is True, (
                f"/{path}, {width} wide"
            )


async def test_the_api_is_as_it_is_described(shown: Shown, tmp_path: Path) -> None:
    """An independent fuzzer reads the description and asks everything it allows and some that it does not."""
    (tmp_path / "schemathesis.toml").write_text('[parameters]\n"path.name" = "edge-web"\n')
    words = [
        *("--config-file", "schemathesis.toml", "run", f"{shown.url}/api/v1/openapi.json"),
        *("--exclude-path", "/api/v1/events", "--checks", ",".join(CHECKS), "--max-examples", "5", "--seed", "7"),
        *("-H", f"Authorization: Bearer {TOKEN}", "--phases", "examples,coverage,fuzzing", "--no-color"),
        *("--generation-database", "none"),
    ]
    program = Path(sys.executable).with_name("schemathesis")
    fuzzer = await asyncio.create_subprocess_exec(
        program, *words, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await fuzzer.communicate()
    assert fuzzer.returncode == 0, said.decode()[-4000:]
    assert re.search(r"[1-9]\d* generated, \d+ passed", said.decode())


async def test_every_page_is_strict_with_browsers_and_other_names_are_turned_away(shown: Shown) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("/", "/js/main.js", "/vendor/uplot.js", "/api/v1/status", "/nothing"):
            async with session.get(shown.url + path) as answer:
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"], path
                assert "unsafe" not in answer.headers["Content-Security-Policy"]
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
            async with session.get(shown.url + path, headers={"Host": "evil.example.com"}) as answer:
                assert answer.status == 421, path
        body = json.dumps({"why": "x" * 300_000}).encode()
        told = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        async with session.post(f"{shown.url}/api/v1/pause/{EDGE_WEB}", data=body, headers=told) as answer:
            assert answer.status == 413
        told["Content-Type"] = "text/plain"
        async with session.post(f"{shown.url}/api/v1/pause/{EDGE_WEB}", data=b"{}", headers=told) as answer:
            assert answer.status == 415

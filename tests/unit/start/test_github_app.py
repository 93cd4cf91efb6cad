"""`github create-app`: a page that leads to GitHub, and who may come back from there."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from autoscaler.clients.github_login import Purpose
from autoscaler.clients.github_wire import Host
from autoscaler.errors import GitHubError, UsageError
from autoscaler.start.github_app import MadeApp, Wanted, create
from tests.parts.require import shared_path
from tests.support.github import StandIn, description
from tests.support.github_app import START

CODE = "0123456789abcdef"


class Browser:
    """A person's browser at the page: the form it shows, and coming back from GitHub."""

    def __init__(self, session: aiohttp.ClientSession, page: str) -> None:
        self._session, self.page = session, page
        self.home = page[: page.rindex("/") + 1]

    async def form(self) -> tuple[str, dict[str, Any]]:
        """Where the form goes, and the manifest in it."""
        async with self._session.get(self.page) as answer:
            text = await answer.text()
            assert "form-action" in answer.headers["Content-Security-Policy"]
        action = re.search(r'action="([^"]+)"', text)
        manifest = re.search(r'name="manifest" value="([^"]+)"', text)
        assert action is not None
        assert manifest is not None
        return html.unescape(action[1]), json.loads(html.unescape(manifest[1]))

    async def back(self, state: str, code: str = CODE, **headers: str) -> int:
        """The status of coming back."""
        query = {"code": code, "state": state}
        async with self._session.get(f"{self.home}created", params=query, headers=headers) as answer:
            return answer.status


@asynccontextmanager
async def flow(
    folder: Path, *, organization: str = ""
) -> AsyncIterator[tuple[Browser, StandIn, asyncio.Task[MadeApp]]]:
    """The page, the GitHub it leads to, and the App that is to come of it."""
    there = StandIn(description(shared_path("github", "openapi-subset.json")), lambda: START)
    there.manifest_code = CODE
    wanted = Wanted(
        name="acme-scaler", organization=organization, purposes=(Purpose.POLICIES, Purpose.PLAN),
        key_file=folder / "app.pem",
    )  # fmt: skip
    page: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with there.serving() as url, aiohttp.ClientSession() as session:
        task = asyncio.create_task(create(Host(url=url), wanted, tell=page.set_result, wait_s=20))
        try:
            yield Browser(session, await asyncio.wait_for(page, 10)), there, task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert not there.violations, "\n".join(there.violations)


async def test_the_app_is_made_and_its_key_is_its_owners_alone(tmp_path: Path) -> None:
    async with flow(tmp_path) as (browser, there, task):
        action, manifest = await browser.form()
        assert action.startswith(f"{there.base}/settings/apps/new?state=")
        assert manifest == {
            "name": "acme-scaler",
            "url": "https://github.com/",
            "redirect_url": f"{browser.home}created",
            "public": False,
            "default_permissions": {
                "checks": "write",
                "contents": "read",
                "metadata": "read",
                "pull_requests": "write",
            },
        }, "no hook, no event, and no permission that is not needed"
        assert await browser.back(parse_qs(urlsplit(action).query)["state"][0]) == 200
        made = await task
        assert (made.id, made.slug) == (1, "octoapp")
        assert made.install == "https://github.com/apps/octoapp/installations/new"
        key = tmp_path / "app.pem"
        assert key.read_text().startswith("-----BEGIN RSA PRIVATE KEY-----")
        assert key.stat().st_mode & 0o777 == 0o600
        assert not any(each in repr(made) for each in there.secrets)


async def test_whoever_comes_back_without_the_word_that_went_out_is_refused(tmp_path: Path) -> None:
    async with flow(tmp_path) as (browser, there, task):
        action, _ = await browser.form()
        state = parse_qs(urlsplit(action).query)["state"][0]
        assert await browser.back("") == 400
        assert await browser.back("a" * len(state)) == 400
        assert await browser.back(state, code="../x") == 400
        assert await browser.back(state, Host="evil.example") == 403
        assert there.asked == []
        assert not task.done()
        assert await browser.back(state) == 200
        await task


async def test_the_form_is_where_only_the_terminal_says(tmp_path: Path) -> None:
    async with flow(tmp_path) as (browser, _, _task), aiohttp.ClientSession() as other:
        assert len(browser.page) > len(browser.home) + 20
        async with other.get(browser.home) as answer:
            assert answer.status == 404


async def test_an_organization_s_app_is_made_there(tmp_path: Path) -> None:
    async with flow(tmp_path, organization="acme/../x") as (browser, there, _):
        action, _manifest = await browser.form()
        assert action.startswith(f"{there.base}/organizations/acme%2F..%2Fx/settings/apps/new?state=")


async def test_a_code_that_github_does_not_know_is_told(tmp_path: Path) -> None:
    async with flow(tmp_path) as (browser, there, task):
        there.manifest_code = "another"
        action, _ = await browser.form()
        assert await browser.back(parse_qs(urlsplit(action).query)["state"][0]) == 502
        with pytest.raises(GitHubError, match="gives no App for what came back: 404"):
            await task
        assert not (tmp_path / "app.pem").exists()


async def test_a_key_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "app.pem").write_text("mine")
    wanted = Wanted(name="x", purposes=(Purpose.POLICIES,), key_file=tmp_path / "app.pem")
    with pytest.raises(UsageError, match="is there already"):
        await create(Host(url="http://127.0.0.1:9"), wanted, tell=print)
    assert (tmp_path / "app.pem").read_text() == "mine"

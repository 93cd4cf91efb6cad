"""Messages on the wire, to a real receiver on this machine: what arrives, and what is said when it does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apprise
import pytest
from aiohttp import web
from click.testing import CliRunner

from autoscaler.cli.root import root
from autoscaler.clients import apprise_sender, webhook
from autoscaler.clock import parse
from autoscaler.errors import NotifyError, SettingsError
from autoscaler.model.notice import Kind, Message, Problem, Status
from autoscaler.ports import Messenger
from autoscaler.settings import load
from autoscaler.wiring import receivers_of
from tests.support.wire import served

NOW = 1_750_000_000.0


def message(*, count: int = 1, status: Status = Status.PROBLEM) -> Message:
    problems = tuple(
        Problem(
            kind=Kind.SHORT_AT_MAX,
            text="short at max 5, asks for 7",
            workload=f"web-{n}",
            policy="web",
            labels={"t": "a"},
        )
        for n in range(min(count, 2))
    )
    return Message(id="m1", at=NOW, status=status, kind=Kind.SHORT_AT_MAX, count=count, problems=problems)


class Receiver:
    """What arrived, and what it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], Any]] = []
        self.status = 204
        self.hangs = False
        self.done = asyncio.Event()

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.got.append((dict(request.headers), await request.json()))
        if self.hangs:
            await self.done.wait()
        if self.status == 302:
            return web.Response(status=302, headers={"Location": "/elsewhere"})
        return web.Response(status=self.status)


@asynccontextmanager
async def receiving() -> AsyncIterator[tuple[Receiver, str]]:
    receiver = Receiver()
    async with served(receiver.take) as url:
        yield receiver, url
        receiver.done.set()


def messenger(folder: Path, told: dict[str, Any]) -> Messenger:
    (folder / "autoscaler.yaml").write_text(json.dumps({"notify": {"oncall": told}}))
    ((_, made),) = receivers_of(load(folder / "autoscaler.yaml", {}))
    return made


async def test_a_webhook_gets_a_cloud_event_with_the_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("correct-horse\n")
    async with receiving() as (receiver, url):
        sends = messenger(tmp_path, {"webhook": f"{url}/hook", "bearer_file": "token"})
        await sends.send(message())
        await sends.send(message(count=9, status=Status.RESOLVED))
        await sends.close()
    (headers, first), (_, second) = receiver.got
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert headers["Authorization"] == "Bearer correct-horse"
    assert set(first) >= {"specversion", "id", "source", "type"}, "what CloudEvents 1.0 requires"
    assert (first["specversion"], first["id"], first["subject"]) == ("1.0", "m1", "web-0")
    assert first["type"] == "autoscaler.problem.short_at_max"
    assert first["source"].startswith("/autoscaler/")
    assert parse(first["time"]) == NOW
    assert first["datacontenttype"] == "application/json"
    assert first["data"]["title"] == "short at max: web-0"
    assert first["data"]["problems"] == [
        {"workload": "web-0", "policy": "web", "labels": {"t": "a"}, "text": "short at max 5, asks for 7"}
    ]
    assert second["data"]["title"] == "over: short at max: web-0 and 8 more"
    assert second["data"]["text"].splitlines()[-1] == "and 7 more"
    assert "subject" not in second


@pytest.mark.parametrize("way", ["webhook", "apprise"])
async def test_a_receiver_that_says_no_leads_elsewhere_or_hangs_is_told_without_its_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(webhook, "PATIENCE_S", 0.3)
    monkeypatch.setattr(apprise_sender, "PATIENCE_S", 1.0)
    said: list[str] = []
    async with receiving() as (receiver, url):
        told = url.replace("http", "json") if way == "apprise" else url
        sends = messenger(tmp_path, {way: f"{told}/s3cret-path"})
        for status in (403, 302, 500):
            receiver.status = status
            with pytest.raises(NotifyError) as caught:
                await sends.send(message())
            said.append(str(caught.value))
        arrived = len(receiver.got)
        receiver.status, receiver.hangs = 204, True
        with pytest.raises(NotifyError) as caught:
            await sends.send(message())
        said.append(str(caught.value))
        receiver.done.set()
        await sends.close()
    with pytest.raises(NotifyError) as caught:
        await messenger(tmp_path, {way: f"{told}/s3cret-path"}).send(message())
    said.append(str(caught.value))
    assert arrived == 3, "nobody is followed elsewhere"
    assert not [each for each in [*said, caplog.text] if "s3cret" in each], said
    if way == "webhook":
        assert said[:4] == ["it answered 403", "it answered 302", "it answered 500", "no answer within 0.3 s"]
        assert said[4].startswith("no answer (Client")
    else:
        assert said[0] == "json did not take it"
        assert said[3] == "not sent within 1 s"


async def test_apprise_gets_title_and_text_at_every_url_of_its_file_as_it_is_now(tmp_path: Path) -> None:
    async with receiving() as (receiver, url):
        file, there = tmp_path / "urls", url.replace("http", "json")
        file.write_text(f"# on call\n{there}/one\n\n{there}/two\n")
        sends = messenger(tmp_path, {"apprise_file": "urls"})
        await sends.send(message(count=3))
        assert len(receiver.got) == 2
        told = receiver.got[0][1]
        assert told["title"] == "short at max: web-0 and 2 more"
        assert told["message"].splitlines()[-1] == "and 1 more"
        file.write_text(f"{there}/three\n")
        await sends.send(message(status=Status.RESOLVED))
        assert len(receiver.got) == 3
        assert receiver.got[2][1]["type"] == "success"
        for text, said in (("", "there is no URL in it"), ("what://s3cret\n", r"URL 1 of 1 \(what\) is none")):
            file.write_text(text)
            with pytest.raises(NotifyError, match=said):
                await sends.send(message())
        file.unlink()
        with pytest.raises(NotifyError, match="its file cannot be read: No such file"):
            await sends.send(message())


async def test_a_message_waits_for_no_thread_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apprise_sender, "PATIENCE_S", 0.2)
    async with receiving() as (receiver, url):
        receiver.hangs = True
        sends = messenger(tmp_path, {"apprise": url.replace("http", "json")})
        with pytest.raises(NotifyError, match=r"not sent within 0\.2 s"):
            await sends.send(message())
        with pytest.raises(NotifyError, match="the message before this one is still on its way"):
            await sends.send(message())


def test_a_url_apprise_does_not_know_is_refused_at_the_start_without_telling_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        messenger(tmp_path, {"apprise": "nowhere://user:s3cret@host"})
    said = "notify.oncall.apprise: URL 1 of 1 (nowhere) is none that apprise knows"
    assert str(caught.value).startswith(said)
    assert "s3cret" not in str(caught.value)


async def test_the_command_sends_a_test_and_says_how_that_went(tmp_path: Path) -> None:
    async with receiving() as (receiver, url):
        told = {"good": {"webhook": url}, "bad": {"webhook": f"{url}/x", "bearer_file": "nowhere"}}
        (tmp_path / "autoscaler.yaml").write_text(json.dumps({"notify": told}))

        async def run(*words: str) -> tuple[int, str]:
            words = ("notify", *words, "--config", str(tmp_path / "autoscaler.yaml"))
            done = await asyncio.to_thread(CliRunner().invoke, root, words)
            return done.exit_code, done.output or str(done.exception)

        assert await run("good") == (0, "✓ good: told\n")
        assert "this is only a test" in receiver.got[0][1]["data"]["text"]
        code, said = await run()
        assert code == 1
        assert "✗ bad: " in said
        assert "cannot be read: No such file" in said
        assert url not in said
        _, said = await run("nobody")
        assert "the settings have no receiver nobody" in said
        assert "good, bad" in said


def test_apprise_is_a_version_whose_plugins_keep_to_time_limits() -> None:
    (plugin,) = apprise_sender.loaded(["json://localhost"])
    assert plugin.socket_connect_timeout + plugin.socket_read_timeout < apprise_sender.PATIENCE_S
    assert apprise.NotifyType("warning")

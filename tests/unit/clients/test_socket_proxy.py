"""The allow-list for socket proxies: what is on it passes, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from autoscaler.clients.docker_engine import DockerEngine
from autoscaler.errors import Refused
from tests.support.front import Front, documented


def passes(call: str) -> bool:
    return any(each.fullmatch(call) for each in documented())


@pytest.mark.parametrize(
    "call",
    [
        "POST /containers/abc/exec", "POST /exec/abc/start", "POST /images/load", "POST /build",
        "DELETE /networks/abc",
        "GET /secrets", "POST /containers/abc/kill", "POST /containers/abc/update", "POST /volumes/prune",
        "DELETE /containers/abc/json", "GET /containers/abc/export", "POST /networks/create", "POST /swarm/init",
        "GET /containers/../secrets/json", "PUT /containers/abc/json", "POST /containers/prune",
    ],
)  # fmt: skip
def test_what_the_daemon_does_not_need_is_not_on_the_list(call: str) -> None:
    assert not passes(call)


async def test_a_call_that_is_not_on_the_list_is_refused_before_the_engine_hears_of_it(tmp_path: Path) -> None:
    heard: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        heard.append(request.path)
        return web.json_response({"Id": "abc", "ApiVersion": "1.41", "State": {}})

    application = web.Application()
    application.router.add_route("*", "/{any:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "real.sock")).start()
    front = Front(tmp_path / "front.sock", f"unix://{tmp_path / 'real.sock'}", documented())
    front.start()
    engine = DockerEngine(front.host)
    try:
        assert (await engine.inspect("abc"))["Id"] == "abc"
        with pytest.raises(Refused, match="not on the allow-list"):
            await engine.ask(lambda api: api.kill("abc"))
        assert any("/containers/abc/json" in path for path in heard)
        assert not any("kill" in path for path in heard)
    finally:
        await engine.close()
        front.stop()
        await runner.cleanup()

"""Every way in at a real Prometheus behind a real nginx: both clients go it, and say so when they are not let in."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from autoscaler.clients.access import Access
from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.clients.prometheus_range import RangeClient
from autoscaler.errors import SourceError
from tests.parts.certificates import Authority
from tests.parts.nginx import Nginx, NginxMaker, basic, token
from tests.parts.process import free_port
from tests.parts.prometheus import PrometheusMaker, PrometheusServer
from tests.support.proxy import proxy
from tests.support.wait import auntil

pytestmark = pytest.mark.prometheus

SECRET = "open-sesame-1001"


@pytest.fixture
def server(prometheus_server: PrometheusMaker) -> PrometheusServer:
    now = time.time()
    lines = [f"load 12 {now - 5 * back:.3f}" for back in range(60, 0, -1)]
    return prometheus_server(openmetrics="\n".join(["# TYPE load gauge", *lines, "# EOF\n"]))


async def asked(access: Access) -> tuple[str, str]:
    """What each client is told: a value, or why it has none."""
    now, hot, cold = time.time(), PrometheusClient(access), RangeClient(access)
    told = []
    try:
        told.append((await hot.instant("sum(load)", 5.0)).samples[0].value[1])
    except SourceError as error:
        told.append(error.message)
    try:
        ranged = await cold.window("sum(load)", int(now) - 60, int(now) - 30, 15)
        told.append(next(iter(ranged.series[0].values.values())))
    except SourceError as error:
        told.append(error.message)
    await hot.close()
    await cold.close()
    for message in told:
        assert SECRET not in message
        assert "object at" not in message
        assert len(message) < 300
    return told[0], told[1]


READ = ("12", "12")


def away(folder: Path, word: str = SECRET) -> str:
    file = folder / "secret"
    file.write_text(f"{word}\n")
    return str(file)


async def test_a_user_and_a_password(server: PrometheusServer, nginx_front: NginxMaker, tmp_path: Path) -> None:
    door = nginx_front(server.url, *basic(tmp_path, "ann", SECRET))
    assert await asked(Access(url=door.url, user="ann", password=SECRET)) == READ
    assert await asked(Access(url=door.url, user="ann", password_file=away(tmp_path))) == READ
    assert await asked(Access(url=door.url.replace("://", f"://ann:{SECRET}@"))) == READ
    for wrong in (Access(url=door.url), Access(url=door.url, user="ann", password=f"{SECRET}2")):
        hot, cold = await asked(wrong)
        assert "HTTP 401" in hot
        assert "401" in cold


async def test_a_token_that_is_rotated_while_it_runs(
    server: PrometheusServer, nginx_front: NginxMaker, tmp_path: Path
) -> None:
    door = nginx_front(server.url, *token(SECRET))
    file = away(tmp_path)
    client = PrometheusClient(Access(url=door.url, bearer_file=file))
    assert (await client.instant("sum(load)", 5.0)).samples[0].value[1] == "12"
    door.guard(token("another-word-2002"))

    async def refused() -> bool:
        try:
            await client.instant("sum(load)", 5.0)
        except SourceError as error:
            return "HTTP 401" in error.message
        return False

    await auntil(refused, "the old token is refused")
    away(tmp_path, "another-word-2002")
    assert (await client.instant("sum(load)", 5.0)).samples[0].value[1] == "12"
    await client.close()
    assert await asked(Access(url=door.url, bearer_file=file)) == READ


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read: No such file"), ("", "is empty"), ("a\nb", "more than one line")]
)
async def test_a_token_file_that_holds_none_is_told_and_nothing_is_sent(
    tmp_path: Path, content: str | None, said: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    for message in await asked(Access(url=f"http://127.0.0.1:{free_port()}", bearer_file=str(file))):
        assert said in message
        assert "bearer_file" in message


async def test_an_authority_of_our_own(server: PrometheusServer, nginx_front: NginxMaker, tmp_path: Path) -> None:
    door = nginx_front(server.url, tls=True)
    assert await asked(Access(url=door.url, ca=str(door.ca))) == READ
    other = Authority(tmp_path, "other")
    for access in (Access(url=door.url), Access(url=door.url, ca=str(other.certificate))):
        for message in await asked(access):
            assert "its certificate is not trusted" in message


async def test_a_certificate_of_ours(server: PrometheusServer, nginx_front: NginxMaker) -> None:
    door = nginx_front(server.url, mutual=True)
    ca = str(door.ca)
    assert await asked(Access(url=door.url, ca=ca, cert=str(door.cert), key=str(door.key))) == READ
    hot, cold = await asked(Access(url=door.url, ca=ca))
    assert "HTTP 400" in hot
    assert "400" in cold


async def test_a_certificate_that_is_renewed_while_it_runs(server: PrometheusServer, nginx_front: NginxMaker) -> None:
    door = nginx_front(server.url, mutual=True)
    client = PrometheusClient(Access(url=door.url, ca=str(door.ca), cert=str(door.cert), key=str(door.key)))
    assert (await client.instant("sum(load)", 5.0)).samples
    renewed(door)
    assert (await client.instant("sum(load)", 5.0)).samples
    await client.close()


def renewed(door: Nginx) -> None:
    """Another authority on both sides, and what it signed."""
    authority = Authority(door.folder, "ca")
    authority.sign("server", "server", names=["127.0.0.1"])
    authority.sign("client", "autoscaler")
    door.process.stop()
    door.start()


async def test_headers_go_with_every_query(server: PrometheusServer, nginx_front: NginxMaker) -> None:
    door = nginx_front(server.url, 'if ($http_x_scope_orgid != "shop") { return 403; }')
    assert await asked(Access(url=door.url, headers={"X-Scope-OrgID": "shop"})) == READ
    hot, _ = await asked(Access(url=door.url, headers={"X-Scope-OrgID": "other"}))
    assert "HTTP 403" in hot


async def test_a_secret_the_server_says_back_is_taken_out(
    server: PrometheusServer, nginx_front: NginxMaker, tmp_path: Path
) -> None:
    said = 'return 500 "got $http_authorization and $http_x_api_key ";'
    door = nginx_front(server.url, said)
    for access in (
        Access(url=door.url, bearer_file=away(tmp_path), headers={"X-Api-Key": f"{SECRET}-key"}),
        Access(url=door.url, user="ann", password=SECRET),
        Access(url=door.url, user="ann", password_file=away(tmp_path)),
    ):
        for message in await asked(access):
            assert "500" in message
            assert "[redacted]" in message
            assert "YW5uOm" not in message  # `ann:` as Basic would say it


async def test_nobody_is_followed_elsewhere_with_our_secrets(
    server: PrometheusServer, nginx_front: NginxMaker, tmp_path: Path
) -> None:
    door = nginx_front(server.url, f"return 307 {server.url}$request_uri;")
    for message in await asked(Access(url=door.url, bearer_file=away(tmp_path))):
        assert f"sends us on to {server.url}" in message


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_a_proxy_on_the_way(server: PrometheusServer, nginx_front: NginxMaker, tls: bool) -> None:
    door = nginx_front(server.url, tls=tls)
    async with proxy() as between:
        way = between.url.replace("://", f"://bob:{SECRET}@")
        assert await asked(Access(url=door.url, ca=str(door.ca) if tls else "", proxy=way)) == READ
        assert len(between.asked) == 2
        assert all(str(door.port) in each for each in between.asked)
        assert {each.split(" ")[0] for each in between.asked} == {"CONNECT" if tls else "POST"}
        assert {each.split(" ")[0] for each in between.authorization} == {"basic"}


async def test_a_proxy_that_is_away(server: PrometheusServer) -> None:
    hot, cold = await asked(Access(url=server.url, proxy=f"http://bob:{SECRET}@127.0.0.1:{free_port()}"))
    assert "cannot connect to the proxy: Connection refused" in hot
    assert "proxy" in cold


async def test_a_server_that_says_nothing_is_given_up_in_time(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as hang:
        url = f"http://127.0.0.1:{hang.sockets[0].getsockname()[1]}"
        client = PrometheusClient(Access(url=url, bearer_file=away(tmp_path)))
        with pytest.raises(SourceError, match=r"no answer within 0\.5 s"):
            await client.instant("1", 0.5)
        await client.close()

"""Two daemons that share a lease: what one that stands by is asked, the one that acts answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from autoscaler import settings
from autoscaler.clients import control
from autoscaler.errors import SettingsError
from autoscaler.settings import WebSettings
from autoscaler.web.guard import Tokens
from autoscaler.web.relay import HOLDS_S, SIGNED, SPEAKER, Relay, _signature
from autoscaler.web.server import serve
from tests.parts.certificates import Authority
from tests.parts.process import free_port
from tests.unit.web.test_doors import House

SECRET = "between-the-daemons-only"
FILE = f"alice write alice-alice-alice-1\nbob read bob-bob-bob-bob-2\npods peer {SECRET}\n"
PAUSE = "/api/v1/pause/web"


class Seat:
    """A lease as one of two sees it."""

    def __init__(self, me: str) -> None:
        self.me = me
        self.seen: str | None = None
        self.at = ""

    async def hold(self) -> bool:
        return self.remaining() > 0

    def holder(self) -> str | None:
        return self.seen

    def address(self) -> str:
        return self.at

    def remaining(self) -> float:
        return 10.0 if self.seen == self.me else 0.0

    async def release(self) -> None:
        self.seen = None

    async def close(self) -> None:
        pass


class Pod:
    """A daemon's doors, its seat and its relay."""

    def __init__(self, folder: Path, name: str, text: str = FILE, *, cert: str | None = None) -> None:
        folder.mkdir()
        self.cert = cert
        self.house = House(folder)
        self.house.decided()
        self.seat = Seat(f"{name}_1")
        self.port = free_port()
        self.url = f"http{'s' if cert else ''}://127.0.0.1:{self.port}"
        self.tokens = folder / "tokens"
        self.tokens.write_text(text)
        self.relay = Relay(self.seat, Tokens(self.tokens), self.house.clock.now, reachable=True, certificate=cert)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        key = self.cert and self.cert.replace(".crt", ".key")
        house, web = self.house, WebSettings(tokens=str(self.tokens), cert=self.cert, key=key)
        async with serve(house.rooms, house.vitals, house.socket, ("127.0.0.1", self.port), web, relay=self.relay):
            yield

    async def ask(self, method: str, target: str, body: bytes | None = None) -> tuple[int, bytes]:
        """By the socket, as a command does."""
        return await asyncio.to_thread(control.ask, self.house.socket, method, target, body)

    async def lines(self) -> list[Any]:
        return list((await self.house.desk.history("web")).lines)


@pytest.fixture
async def pods(tmp_path: Path) -> AsyncIterator[tuple[Pod, Pod]]:
    """One that acts, and one that stands by and knows where the first is."""
    acts, stands = Pod(tmp_path / "acts", "acts"), Pod(tmp_path / "stands", "stands")
    for each in (acts, stands):
        each.seat.seen, each.seat.at = acts.seat.me, acts.url
    async with acts.open(), stands.open():
        yield acts, stands


async def over_tcp(
    pod: Pod, method: str, target: str, headers: dict[str, str], body: bytes = b"{}"
) -> tuple[int, dict[str, Any]]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method, pod.url + target, data=body, headers={"Content-Type": "application/json", **headers}
        ) as answer,
    ):
        return answer.status, await answer.json()


async def test_a_word_said_at_the_socket_of_one_that_stands_by_is_kept_by_the_one_that_acts(
    pods: tuple[Pod, Pod],
) -> None:
    acts, stands = pods
    status, answer = await stands.ask("POST", PAUSE, b'{"by": "carol", "why": "release"}')
    assert (status, b"is paused until resumed" in answer) == (200, True)
    assert [(line.by, line.reason) for line in await acts.lines()] == [("carol", "paused")]
    assert await stands.lines() == []
    status, answer = await stands.ask("GET", "/api/v1/explain/web")
    assert (status, b"within_tolerance" in answer) == (200, True)
    status, answer = await stands.ask("GET", "/api/v1/history?workload=web&limit=5")
    assert b"carol" in answer, "what is asked for goes along"
    status, answer = await stands.ask("POST", "/api/v1/override/web", b'{"count": 99, "for_s": 60}')
    assert (status, b"above replicas.max" in answer) == (400, True), "and so does what is refused"


async def test_over_tcp_the_token_s_name_is_kept_and_its_rights_are_judged_where_it_was_shown(
    pods: tuple[Pod, Pod],
) -> None:
    acts, stands = pods
    acts.tokens.write_text(f"pods peer {SECRET}\n")  # the one that acts need not know alice
    by = {"Authorization": "Bearer alice-alice-alice-1"}
    status, _ = await over_tcp(stands, "POST", PAUSE, by, b'{"by": "somebody else"}')
    assert status == 200
    assert [line.by for line in await acts.lines()] == ["alice"]
    status, told = await over_tcp(stands, "POST", PAUSE, {"Authorization": "Bearer bob-bob-bob-bob-2"})
    assert (status, told["error"]) == (403, "the token of bob may read, not write")
    status, told = await over_tcp(stands, "GET", "/api/v1/whoami", by)
    assert (status, told["name"]) == (200, "alice")


async def test_events_of_the_one_that_acts_come_through(pods: tuple[Pod, Pod]) -> None:
    acts, stands = pods
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{stands.url}/api/v1/events?workload=web") as answer,
    ):
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        await answer.content.readuntil(b"\n\n")
        await acts.ask("POST", PAUSE, b'{"by": "carol"}')
        assert b"event: line" in await answer.content.readuntil(b"\n\n")


async def test_what_was_handed_on_is_not_handed_on_again(pods: tuple[Pod, Pod]) -> None:
    acts, stands = pods
    acts.seat.seen, acts.seat.at = stands.seat.me, stands.url  # each believes that the other one acts
    status, answer = await stands.ask("POST", PAUSE, b"{}")
    assert (status, b"does not act any more" in answer, b"ask again" in answer) == (503, True, True)


async def test_nobody_known_or_nobody_there_is_told_with_what_to_do(pods: tuple[Pod, Pod]) -> None:
    _, stands = pods
    stands.seat.seen = None
    status, answer = await stands.ask("POST", PAUSE, b"{}")
    assert (status, b"nobody yet holds the lease" in answer) == (503, True)
    stands.seat.seen, stands.seat.at = "acts_1", f"http://127.0.0.1:{free_port()}"
    status, answer = await stands.ask("POST", PAUSE, b"{}")
    assert (status, b"does not answer" in answer, b"within 15 s" in answer) == (503, True, True)
    stands.seat.at = ""
    status, answer = await stands.ask("POST", PAUSE, b"{}")
    assert (status, b"ask acts; to have it handed on, set kubernetes.address" in answer) == (503, True)
    status, _ = await stands.ask("GET", "/api/v1/status")
    assert status == 200, "what it knows itself it says itself"


def signed(pod: Pod, *, secret: str = SECRET, holder: str = "acts_1", ago: float = 0.0, body: bytes = b"{}") -> str:
    stamp = f"{pod.house.clock.now() - ago:.3f} nonce"
    return f"{stamp} {_signature(secret.encode(), holder, stamp, 'POST', PAUSE, 'dave', body)}"


@pytest.mark.parametrize(
    ("told", "status", "said"),
    [
        ({}, 200, ""),
        ({"ago": HOLDS_S - 1}, 200, ""),
        ({"ago": HOLDS_S - 180 + 1}, 200, ""),
        ({"ago": HOLDS_S + 1}, 401, "are the clocks right?"),
        ({"secret": "some-other-secret-of-length"}, 401, "not signed by a daemon of this lease"),
        ({"holder": "acts_0"}, 401, "not signed by a daemon of this lease"),
        ({"body": b'{"for_s": 5}'}, 401, "not signed by a daemon of this lease"),
    ],
)
async def test_only_what_a_daemon_of_this_lease_signed_now_for_this_one_is_believed(
    pods: tuple[Pod, Pod], told: dict[str, Any], status: int, said: str
) -> None:
    acts, _ = pods
    got, answer = await over_tcp(acts, "POST", PAUSE, {SIGNED: signed(acts, **told), SPEAKER: "dave"})
    assert (got, said in answer.get("error", "")) == (status, True)
    assert [line.by for line in await acts.lines()] == (["dave"] if status == 200 else [])


async def test_a_signature_is_taken_once_and_garbage_is_none(pods: tuple[Pod, Pod]) -> None:
    acts, _ = pods
    headers = {SIGNED: signed(acts), SPEAKER: "dave"}
    status, _ = await over_tcp(acts, "POST", PAUSE, {**headers, SPEAKER: "mallory"})
    assert status == 401, "whose word it is is signed too"
    assert (await over_tcp(acts, "POST", PAUSE, headers))[0] == 200
    status, told = await over_tcp(acts, "POST", PAUSE, headers)
    assert (status, told["error"]) == (401, "this request has come before")
    for wrong in ("", "now a b", "nan a b", "1 2"):
        assert (await over_tcp(acts, "POST", PAUSE, {SIGNED: wrong}))[0] == 401
    status, _ = await over_tcp(acts, "POST", PAUSE, {"Authorization": f"Bearer {SECRET}"})
    assert status == 401, "the secret is no token"


async def test_a_secret_is_replaced_without_a_moment_in_which_nothing_is_handed_on(pods: tuple[Pod, Pod]) -> None:
    acts, stands = pods
    acts.tokens.write_text(f"new peer the-secret-that-comes-next\npods peer {SECRET}\n")
    assert (await stands.ask("POST", PAUSE, b"{}"))[0] == 200
    stands.tokens.write_text("new peer the-secret-that-comes-next\n")
    assert (await stands.ask("POST", PAUSE, b"{}"))[0] == 200


async def test_over_https_only_the_certificate_that_all_daemons_have_is_trusted(tmp_path: Path) -> None:
    ca = Authority(tmp_path, "ca")
    for name in ("ours", "theirs"):
        ca.sign(name, f"{name}.example.com", names=(f"{name}.example.com",))
    acts = Pod(tmp_path / "acts", "acts", cert=str(tmp_path / "ours.crt"))
    for name, status in (("ours", 200), ("theirs", 503)):
        stands = Pod(tmp_path / name, "stands", cert=str(tmp_path / f"{name}.crt"))
        for each in (acts, stands):
            each.seat.seen, each.seat.at = acts.seat.me, acts.url
        async with acts.open(), stands.open():
            assert (await stands.ask("POST", PAUSE, b"{}"))[0] == status
    assert len(await acts.lines()) == 1


def test_an_address_without_a_secret_a_lease_or_a_port_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("alice write alice-alice-alice-1\n")
    relay = Relay(Seat("a"), Tokens(tmp_path / "tokens"), lambda: 0.0, reachable=True)
    with pytest.raises(SettingsError, match="no line NAME peer SECRET"):
        relay.check()
    (tmp_path / "autoscaler.yaml").write_text("kubernetes: {address: 10.1.2.3}\nlisten: 'off'\n")
    with pytest.raises(SettingsError, match=r"does nothing without kubernetes\.lease, listen, web\.tokens"):
        settings.load(tmp_path / "autoscaler.yaml", {})
    (tmp_path / "autoscaler.yaml").write_text(
        "kubernetes: {lease: ops/a, address: 'fd00::1'}\nlisten: '[::]:8730'\nweb: {tokens: tokens}\n"
    )
    assert settings.load(tmp_path / "autoscaler.yaml", {}).url == "http://[fd00::1]:8730"

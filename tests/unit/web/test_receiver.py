"""The door for what is pushed: who may come in, what they are told, and how much is too much."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from autoscaler import settings
from autoscaler.clients import remote_write
from autoscaler.errors import SettingsError
from autoscaler.servers import Receiver
from autoscaler.sources.push import PushSource
from autoscaler.web import receiver
from autoscaler.web.metrics import text
from autoscaler.web.receiver import Door, receive
from tests.parts.certificates import Authority
from tests.parts.process import free_port
from tests.unit.sources.test_push import NOW, ask, value

HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
BODY = remote_write.packed([({"__name__": "load"}, [(NOW, 7.0)])])


class Place:
    """An open door and what is behind it."""

    def __init__(self, source: PushSource, door: Door, url: str) -> None:
        self.source = source
        self.door = door
        self.url = url

    async def push(
        self, body: bytes = BODY, *, tls: ssl.SSLContext | None = None, **headers: str
    ) -> tuple[int, str, str]:
        """Status, text and Retry-After of one request."""
        told = {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url, data=body, headers=told, ssl=tls or True) as answer,
        ):
            return answer.status, await answer.text(), answer.headers.get("Retry-After", "")


@asynccontextmanager
async def opened(**keys: str) -> AsyncIterator[Place]:
    source, port = PushSource(), free_port()
    door = Door(Receiver(listen=f"127.0.0.1:{port}", **keys), source, lambda: NOW)
    await source.read([ask()], NOW)
    async with receive(door, ("127.0.0.1", port)):
        yield Place(source, door, f"http{'s' if 'cert' in keys else ''}://127.0.0.1:{port}{receiver.PATH}")


async def test_what_is_pushed_is_read() -> None:
    async with opened() as place:
        assert await place.push() == (204, "", "")
        assert value((await place.source.read([ask()], NOW))[0]) == 7.0
        assert (await place.push())[0] == 204, "sent twice is taken twice"


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        (b"nonsense", {}, 400, "snappy"),
        (remote_write.packed([({"pod": "a"}, [(NOW, 1.0)])]), {}, 400, "without a name"),
        (remote_write.packed([({"__name__": "load"}, [(NOW + 1e6, 1.0)])]), {}, 400, "in the future"),
        (BODY, {"Content_Encoding": "identity"}, 415, "snappy"),
        (BODY, {"Content_Type": "application/json"}, 415, "protobuf"),
        (BODY, {"Content_Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}, 415, "1.0"),
    ],
)
async def test_what_will_never_be_taken_is_answered_so_that_nobody_sends_it_again(
    body: bytes, headers: dict[str, str], status: int, said: str
) -> None:
    async with opened() as place:
        got, told, again = await place.push(body, **headers)
        assert (got, again) == (status, "")
        assert said in told


async def test_too_large_a_request_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "MOST_BYTES", 1000)
    async with opened() as place:
        assert (await place.push(b"x" * 2000))[0] == 413
        assert place.door.answers == {413: 1}


async def test_a_sender_is_told_to_come_back_while_too_many_are_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "IN_FLIGHT", 1)
    async with opened() as place:

        async def slowly() -> AsyncIterator[bytes]:
            yield BODY[:5]
            while place.door.answers[503] == 0:
                await asyncio.sleep(0.01)
            yield BODY[5:]

        async with aiohttp.ClientSession() as session:
            first = asyncio.create_task(session.post(place.url, data=slowly(), headers=HEADERS).__aenter__())
            while True:
                status, _, again = await place.push()
                if status == 503:
                    break
            assert again == "1"
            answer = await first
            assert answer.status == 204
            answer.release()
        assert (await place.push())[0] == 204


async def test_a_request_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "READ_S", 0.1)
    async with opened() as place:

        async def never() -> AsyncIterator[bytes]:
            yield BODY[:5]
            await asyncio.sleep(2)

        async with aiohttp.ClientSession() as session, session.post(place.url, data=never(), headers=HEADERS) as answer:
            assert answer.status == 503


async def test_who_does_not_show_the_token_stays_outside(tmp_path: Path) -> None:
    token = tmp_path / "token"
    async with opened(bearer_file=str(token)) as place:
        assert (await place.push(Authorization="Bearer "))[0] == 401, "a token that is not there fits nobody"
        token.write_text("correct horse\n")
        for shown in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "correct horse"}):
            assert (await place.push(**shown))[0] == 401
        assert (await place.push(Authorization="Bearer correct horse"))[0] == 204
        token.write_text("another one\n")
        assert (await place.push(Authorization="Bearer correct horse"))[0] == 401, "it is read again"
        assert place.source.samples["taken"] == 1


async def test_only_who_shows_a_certificate_of_ours_comes_in(tmp_path: Path) -> None:
    ours, others = Authority(tmp_path, "ours"), Authority(tmp_path, "others")
    ours.sign("server", "autoscaler", names=["127.0.0.1"])
    ours.sign("sender", "prometheus")
    others.sign("stranger", "prometheus")
    files = {"cert": "server.crt", "key": "server.key", "client_ca": "ours.crt"}
    async with opened(**{key: str(tmp_path / file) for key, file in files.items()}) as place:

        def shown(name: str = "") -> ssl.SSLContext:
            context = ssl.create_default_context(cafile=str(ours.certificate))
            if name:
                context.load_cert_chain(tmp_path / f"{name}.crt", tmp_path / f"{name}.key")
            return context

        assert (await place.push(tls=shown("sender")))[0] == 204
        for name in ("", "stranger"):
            with pytest.raises(aiohttp.ClientError):
                await place.push(tls=shown(name))
        new = Authority(tmp_path, "new")
        new.sign("server", "autoscaler", names=["127.0.0.1"])
        assert (await place.push(tls=shown("sender")))[0] == 204  # this one finds the new files
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await place.push(tls=shown("sender"))


def test_certificates_that_cannot_be_used_are_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "none").write_text("no certificate")
    keys = {"cert": str(tmp_path / "none"), "key": str(tmp_path / "none")}
    with pytest.raises(SettingsError, match=r"push\.cert"):
        Door(Receiver(listen="127.0.0.1:1", **keys), PushSource(), lambda: NOW)


async def test_metrics_tell_what_became_of_samples_and_requests(tmp_path: Path) -> None:
    from autoscaler.loop.board import Board

    async with opened() as place:
        await place.push()
        await place.push(b"nonsense")
        told = (await text(Board(), leading=True, store_failing=False, more=place.door.families())).decode()
    assert 'autoscaler_push_samples_total{became="taken"} 1' in told
    assert 'autoscaler_push_requests_total{status="400"} 1' in told
    assert "autoscaler_push_series 1" in told


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("push: {listen: 0.0.0.0:8731}", "push.listen: anybody who reaches 0.0.0.0:8731 could push"),
        ("push: {listen: ':8731'}", "push.listen: anybody who reaches"),
        ("push: {listen: nowhere}", "push.listen: expected host:port or off, got nowhere"),
        ("push: {listen: 127.0.0.1:8731, cert: a}", "push: key is missing"),
        ("push: {listen: 127.0.0.1:8731, client_ca: a}", "push.client_ca: does nothing without TLS"),
    ],
)
def test_settings_that_let_anybody_in_or_mean_nothing_are_refused(tmp_path: Path, written: str, said: str) -> None:
    file = tmp_path / "autoscaler.yaml"
    file.write_text(written)
    with pytest.raises(SettingsError) as refused:
        settings.load(file, {})
    assert said in str(refused.value)


def test_files_of_the_receiver_mean_beside_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "autoscaler.yaml"
    file.write_text("push: {bearer_file: token}")
    found = settings.load(file, {"AUTOSCALER_PUSH_LISTEN": "0.0.0.0:8731"}).push
    assert (found.bearer_file, found.address) == (str(tmp_path / "token"), ("0.0.0.0", 8731))

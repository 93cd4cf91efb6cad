"""Who may ask what over TCP: the whole matrix of callers, names and pages of other sites."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from autoscaler.errors import SettingsError
from autoscaler.settings import WebSettings
from autoscaler.web.caller import Caller, Refusal
from autoscaler.web.guard import Guard, Tokens, tokens

NOW = 1_800_000_000.0
ALICE, BOB, OLD = "alice-alice-alice-1", "bob-bob-bob-bob-bob-2", "gone-gone-gone-gone-3"
FILE = f"""\
# who may do what
alice write sha256:{hashlib.sha256(ALICE.encode()).hexdigest()}
bob   read  {BOB}
carol write {OLD} until 2026-12-31T00:00:00Z
"""


class Wire:
    """A connection from an address."""

    def __init__(self, peer: str) -> None:
        self._told = {"peername": (peer, 1234)}

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._told.get(name, default)


def request(peer: str = "127.0.0.1", token: str = "", *, tls: bool = False, **headers: str) -> web.Request:
    told = {"Host": "127.0.0.1:8730", **{key.replace("_", "-"): value for key, value in headers.items()}}
    if token:
        told["Authorization"] = f"Bearer {token}"
    context = ssl.create_default_context() if tls else None
    return make_mocked_request("GET", "/", told, transport=Wire(peer), sslcontext=context)  # type: ignore[arg-type]


def guard(folder: Path, text: str = FILE, **told: object) -> Guard:
    file = folder / "tokens"
    file.write_text(text)
    return Guard(WebSettings(tokens=str(file), **told), "127.0.0.1", lambda: NOW)  # type: ignore[arg-type]


def status(answer: Caller | Refusal) -> int | str:
    return answer.status if isinstance(answer, Refusal) else answer.name or "anybody"


@pytest.mark.parametrize(
    ("token", "read", "write"),
    [
        ("", "anybody", 401),
        ("nobody-knows-this-one", 401, 401),
        (OLD, 401, 401),
        (BOB, "bob", 403),
        (ALICE, "alice", "alice"),
    ],
)
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
async def test_on_this_machine_anybody_reads_and_only_a_token_that_may_writes(
    tmp_path: Path, peer: str, token: str, read: int | str, write: int | str
) -> None:
    door = guard(tmp_path)
    assert status(await door.caller(request(peer, token), write=False)) == read
    assert status(await door.caller(request(peer, token), write=True)) == write


@pytest.mark.parametrize(
    ("token", "tls", "plain", "read", "write"),
    [
        ("", False, False, 401, 401),
        ("", True, False, 401, 401),
        (ALICE, False, False, 403, 403),
        (ALICE, False, True, "alice", "alice"),
        (ALICE, True, False, "alice", "alice"),
        (BOB, True, False, "bob", 403),
    ],
)
async def test_from_elsewhere_a_token_is_needed_for_everything_and_is_not_taken_unencrypted(
    tmp_path: Path, token: str, tls: bool, plain: bool, read: int | str, write: int | str
) -> None:
    door = guard(tmp_path, plain=plain)
    assert status(await door.caller(request("10.1.2.3", token, tls=tls), write=False)) == read
    assert status(await door.caller(request("10.1.2.3", token, tls=tls), write=True)) == write


async def test_reading_may_need_a_token_on_this_machine_too(tmp_path: Path) -> None:
    door = guard(tmp_path, open=False)
    assert status(await door.caller(request(), write=False)) == 401
    assert status(await door.caller(request(token=BOB), write=False)) == "bob"


async def test_without_a_file_of_tokens_nobody_writes_and_the_hint_says_what_to_set() -> None:
    refusal = await Guard(WebSettings(), "127.0.0.1", lambda: NOW).caller(request(), write=True)
    assert isinstance(refusal, Refusal)
    assert "web.tokens" in refusal.hint


async def test_tokens_are_read_again_when_their_file_changes(tmp_path: Path) -> None:
    door = guard(tmp_path)
    (tmp_path / "tokens").write_text("dora write a-token-that-is-new-here\n")
    assert status(await door.caller(request(token=ALICE), write=True)) == 401
    assert status(await door.caller(request(token="a-token-that-is-new-here"), write=True)) == "dora"
    (tmp_path / "tokens").unlink()
    assert status(await door.caller(request(token=ALICE), write=True)) == 503


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("alice", "expected NAME read|write TOKEN"),
        ("alice admin a-token-that-is-long-enough", "expected NAME read|write TOKEN"),
        ("alice write short", "at least 16 characters"),
        ("alice write sha256:abcd", "64 digits"),
        ("pods peer sha256:long-enough", "needs the secret itself"),
        ("pods peer short", "at least 16 characters"),
        ("alice write a-token-that-is-long-enough until soon", "tokens:1:1: Invalid isoformat"),
    ],
)
def test_a_line_that_is_wrong_is_told_with_its_place_and_without_the_token(line: str, said: str) -> None:
    with pytest.raises(SettingsError) as told:
        tokens("tokens", f"{line}\n")
    assert said in str(told.value)
    assert "long-enough" not in str(told.value)


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:8730", True),
        ("localhost:8730", True),
        ("[::1]:8730", True),
        ("scaler.example.com", True),
        ("SCALER.example.com:443", True),
        ("evil.example.com:8730", False),
        ("127.0.0.1.evil.example.com", False),
        ("", False),
        ("[evil", False),
    ],
)
def test_a_name_that_is_not_ours_is_refused_so_that_no_page_leads_a_browser_here_by_its_own(
    tmp_path: Path, host: str, known: bool
) -> None:
    door = guard(tmp_path, hosts=("scaler.example.com",))
    assert (door.misnamed(request(Host=host)) is None) is known


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, True),
        ({"Origin": "http://127.0.0.1:8730", "Sec_Fetch_Site": "same-origin"}, True),
        ({"Origin": "http://evil.example.com", "Sec_Fetch_Site": "cross-site"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "https://127.0.0.1:8730"}, False),
        ({"Origin": "http://127.0.0.1:9999", "Sec_Fetch_Site": "same-site"}, False),
        ({"Sec_Fetch_Site": "cross-site"}, False),
    ],
)
def test_pages_of_other_sites_are_refused(tmp_path: Path, headers: dict[str, str], ours: bool) -> None:
    assert (guard(tmp_path).foreign(request(**headers)) is None) is ours


def test_what_is_no_text_is_nobodys_token(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(FILE)
    assert Tokens(tmp_path / "tokens").of("\udcff-as-aiohttp-gives-it") is None

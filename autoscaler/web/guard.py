"""Who may ask what over TCP: names, tokens, encryption, and pages of other sites.

The unix socket needs none of it: its file says who may open it. Over TCP whoever is on this machine may read (unless
the settings say otherwise), everybody else shows a token, and every word (pause, resume, override) needs a token that
may write. Tokens stand in a file, or are the cluster's. A token never travels unencrypted between machines unless the
settings say so.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
from aiohttp import web

from autoscaler.clock import parse
from autoscaler.errors import SettingsError
from autoscaler.settings import WebSettings
from autoscaler.web.caller import Caller, Refusal
from autoscaler.web.cluster_callers import TOKEN, Callers

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
DIGEST = "sha256:"
RIGHTS = ("read", "write")
PEER = "peer"  # no right to ask: the secret by which daemons of one lease sign what they hand on
SHORTEST = 16

_HOST = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<name>[^:\[\]]*))(?::\d+)?")


class Token(msgspec.Struct, frozen=True):
    """Whose a token is, whether it may write, and until when it holds (None: for ever)."""

    name: str
    write: bool
    until: float | None = None


class Peer(msgspec.Struct, frozen=True):
    """A secret that daemons share, and until when it holds (None: for ever)."""

    secret: bytes
    until: float | None = None


class Known(msgspec.Struct, frozen=True):
    """What a file of tokens holds: tokens by their digests, and the secrets of daemons, in order."""

    tokens: dict[bytes, Token] = {}
    peers: tuple[Peer, ...] = ()


class Tokens:
    """The tokens of a file, read again when it changes: `NAME read|write TOKEN|sha256:HEX [until TIME]` a line.

    `NAME peer SECRET` is the secret by which the daemons of one lease know each other.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._mark: tuple[int, int, int] | None = None
        self._known = Known()

    def check(self) -> None:
        """Raises SettingsError for a file that cannot be used."""
        self._look()

    def of(self, secret: str) -> Token | None:
        """Whose this is; found by its digest, so that how long it takes tells nothing. Raises SettingsError."""
        self._look()
        return self._known.tokens.get(hashlib.sha256(secret.encode(errors="surrogateescape")).digest())

    def peers(self, now: float) -> list[bytes]:
        """The secrets that hold, the first one first: that is signed by. Raises SettingsError."""
        self._look()
        return [each.secret for each in self._known.peers if each.until is None or now < each.until]

    def _look(self) -> None:
        if self._file is None:
            return
        try:
            stat = self._file.stat()
            mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if mark != self._mark:
                self._known = tokens(str(self._file), self._file.read_text(encoding="utf-8"))
                self._mark = mark
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "this is not UTF-8 text"
            raise SettingsError(f"{self._file}: cannot be read: {why}", hint="see web.tokens") from None


def tokens(file: str, text: str) -> Known:
    """What a file's text holds. Raises SettingsError, which never shows a token."""
    known: dict[bytes, Token] = {}
    peers: list[Peer] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        problem = "expected NAME read|write TOKEN, or NAME read|write TOKEN until TIME; or NAME peer SECRET"
        if len(words) not in (3, 5) or words[1] not in (*RIGHTS, PEER) or (len(words) == 5 and words[3] != "until"):
            raise SettingsError(f"{file}:{number}:1: {problem}", hint="alice write sha256:… until 2027-01-31T00:00:00Z")
        try:
            until = parse(words[4]) if len(words) == 5 else None
            if words[1] == PEER:
                peers.append(Peer(_secret(words[2]), until))
                continue
            digest = _digest(words[2])
        except ValueError as error:
            raise SettingsError(f"{file}:{number}:1: {error}", hint="a time such as 2027-01-31T00:00:00Z") from None
        known[digest] = Token(words[0], words[1] == "write", until)
    return Known(known, tuple(peers))


def _secret(word: str) -> bytes:
    if word.startswith(DIGEST):
        raise ValueError("a peer line needs the secret itself, not its digest: requests are signed by it")
    if len(word) < SHORTEST:
        raise ValueError(f"a secret has at least {SHORTEST} characters")
    return word.encode()


def _digest(word: str) -> bytes:
    if not word.startswith(DIGEST):
        if len(word) < SHORTEST:
            raise ValueError(f"a token has at least {SHORTEST} characters")
        return hashlib.sha256(word.encode()).digest()
    digest = bytes.fromhex(word.removeprefix(DIGEST))
    if len(digest) != 32:
        raise ValueError("a sha256 has 64 digits")
    return digest


class Guard:
    """Decides about every request to the API and the dashboard over TCP.

    `host` is the address that is listened on, `names` are others that it goes by beside those of the settings.
    `callers` tells of those that a cluster knows.
    """

    def __init__(
        self, settings: WebSettings, host: str, now: Callable[[], float], *names: str, callers: Callers | None = None
    ) -> None:
        self._callers = callers
        self._settings = settings
        self._tokens = Tokens(Path(settings.tokens) if settings.tokens else None)
        self._names = LOCAL_NAMES | {each.lower() for each in (host, *names, *settings.hosts)}
        self._now = now
        self._tokens.check()

    def misnamed(self, request: web.Request) -> Refusal | None:
        """A request for another name than ours: some page may have led a browser here by its own name."""
        host = _HOST.fullmatch(request.headers.get("Host", ""))
        name = ((host["six"] or host["name"]) if host is not None else "").lower()
        if name not in self._names:
            return Refusal(421, f"this daemon does not go by the name {name or '(none)'}", "add it to web.hosts")
        return None

    def foreign(self, request: web.Request) -> Refusal | None:
        """A request that a page of another site makes."""
        origin = request.headers.get("Origin")
        here = f"{'https' if request.secure else 'http'}://{request.headers.get('Host', '')}"
        site = request.headers.get("Sec-Fetch-Site", "none")
        if (origin is not None and origin != here) or site in ("cross-site", "same-site"):
            return Refusal(403, "pages of other sites may not ask this daemon")
        return None

    async def caller(self, request: web.Request, *, write: bool) -> Caller | Refusal:
        """Who asks, or why not."""
        near = _near(request)
        said = request.headers.get("Authorization")
        if said is None:
            return self._without(near, write=write)
        kind, _, secret = said.partition(" ")
        if kind.lower() != "bearer":
            return Refusal(401, "expected Authorization: Bearer TOKEN")
        if not (near or request.secure or self._settings.plain):
            return Refusal(
                403, "tokens are not taken unencrypted from another machine", "set web.cert and web.key, or web.plain"
            )
        try:
            token = self._tokens.of(secret.strip())
        except SettingsError as error:
            return Refusal(503, error.message, error.hint)
        if token is None and self._callers is not None:
            return await self._callers.judge(secret.strip(), write=write)
        if token is None:
            return Refusal(401, "this token is not known")
        if token.until is not None and self._now() >= token.until:
            return Refusal(401, f"the token of {token.name} has expired")
        if write and not token.write:
            return Refusal(403, f"the token of {token.name} may read, not write")
        return Caller(token.name, token.write)

    def _without(self, near: bool, *, write: bool) -> Caller | Refusal:
        hint = "send Authorization: Bearer TOKEN"
        if self._callers is not None:
            hint += f"; {TOKEN}"
        elif not self._settings.tokens:
            hint = "name a file of tokens in the settings: web.tokens"
        if write:
            return Refusal(401, "this needs a token that may write", hint)
        if near and self._settings.open:
            return Caller()
        return Refusal(401, "this needs a token", hint)


def _near(request: web.Request) -> bool:
    """True for a connection from this machine."""
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    try:
        address = ipaddress.ip_address(peer[0].partition("%")[0]) if peer else None
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address is not None and (mapped or address).is_loopback


HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

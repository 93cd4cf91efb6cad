"""Who we are to GitHub: an App, with a token for each purpose that can do no more, or a token of somebody's."""

from __future__ import annotations

import asyncio
import enum
import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from autoscaler.clients.access import Kept, word
from autoscaler.clients.github_wire import Exchange, Wire
from autoscaler.errors import GitHubError, SettingsError, SourceError

T = TypeVar("T")

BACK_S, LONG_S = 60, 540  # a JWT is issued so long ago and lasts so long: GitHub refuses more than ten minutes
RENEW_S = 300.0  # before its end a token is renewed


class Purpose(enum.Enum):
    """What a token is for. The values are the permissions it has, and no others."""

    POLICIES = (("contents", "read"), ("metadata", "read"))
    PLAN = (("checks", "write"), ("contents", "read"), ("metadata", "read"), ("pull_requests", "write"))
    DEPLOYMENTS = (("deployments", "write"), ("metadata", "read"))
    STATUSES = (("metadata", "read"), ("statuses", "write"))
    PULLS = (("contents", "read"), ("metadata", "read"), ("pull_requests", "read"))
    RULES = (("metadata", "read"),)

    @property
    def permissions(self) -> dict[str, str]:
        """The permissions by their names in the API."""
        return dict(self.value)


class Login(Protocol):
    """Where tokens come from."""

    @property
    def name(self) -> str:
        """Who we are, for people."""
        ...

    def identity(self, purpose: Purpose) -> str:
        """What tells answers to one apart from answers to another; no secret."""
        ...

    async def token(self, purpose: Purpose) -> str:
        """A token that is good now. Raises GitHubError."""
        ...

    def refused(self, purpose: Purpose, token: str) -> bool:
        """It was not taken: whether another may be had."""
        ...


class TokenLogin:
    """A token in a file, read again when that changes, or one that the environment holds (`GITHUB_TOKEN`)."""

    def __init__(self, *, file: str = "", token: str = "") -> None:
        self._file, self._token = file, token
        self._kept = Kept[str]((file,))

    @property
    def name(self) -> str:
        """Who we are, for people."""
        return f"the token in {self._file}" if self._file else "the token of the environment"

    def identity(self, purpose: Purpose) -> str:
        """The token's digest: another token may see another answer."""
        return hashlib.sha256((self._token or self._kept.value or "").encode()).hexdigest()[:16]

    async def token(self, purpose: Purpose) -> str:
        """The token as it is now."""
        if not self._file:
            return self._token
        try:
            return self._kept.now(lambda: word(self._file))
        except SourceError as error:
            raise GitHubError(f"github.token_file: {error.message}") from None
        except OSError as error:
            raise GitHubError(f"github.token_file: {self._file} cannot be read: {error.strerror}") from None

    def refused(self, purpose: Purpose, token: str) -> bool:
        """Whether the file holds another by now."""
        try:
            return bool(self._file) and word(self._file) != token
        except (OSError, SourceError):
            return False


class _Token(msgspec.Struct, frozen=True):
    text: str
    until: float  # by GitHub's clock


class AppLogin:
    """A GitHub App at one repository. `key_file` is its private key, read again when it changes."""

    def __init__(self, app: str, key_file: str, repository: str, wire: Wire, now: Callable[[], float]) -> None:
        self._app, self._key_file, self._repository = app, key_file, repository
        self._wire, self._now = wire, now
        self._key = Kept[str]((key_file,))
        self._tokens: dict[Purpose, _Token] = {}
        self._installation: int | None = None
        self._one = asyncio.Lock()

    @property
    def name(self) -> str:
        """Who we are, for people."""
        return f"App {self._app}"

    def identity(self, purpose: Purpose) -> str:
        """The App and what it asks for."""
        return f"app {self._app} {purpose.name}"

    async def token(self, purpose: Purpose) -> str:
        """A token for this purpose alone; one request for many who ask at once."""
        async with self._one:
            kept = self._tokens.get(purpose)
            if kept is None or kept.until - RENEW_S <= self._now() + self._wire.skew_s:
                fresh = await self._mint(purpose)
                if kept is not None:
                    self._wire.forget(kept.text)
                self._tokens[purpose] = kept = fresh
            return kept.text

    def refused(self, purpose: Purpose, token: str) -> bool:
        """The App may have been installed anew: that is looked up again as well."""
        if (kept := self._tokens.get(purpose)) is not None and kept.text == token:
            del self._tokens[purpose]
            self._installation = None
        return True

    async def app(self) -> dict[str, Any]:
        """What GitHub knows of the App itself. Raises GitHubError."""
        return _object(await self._asked("GET", "/app"))

    async def installation(self) -> dict[str, Any]:
        """Its installation that has the repository, with the permissions it holds. Raises GitHubError."""
        found = await self._asked("GET", f"/repos/{self._repository}/installation")
        if found.status == 404:
            said = f"App {self._app} is not installed at {self._repository}"
            raise GitHubError(said, hint="install it: on the App's page, Install App", status=404)
        return _object(found)

    async def _mint(self, purpose: Purpose) -> _Token:
        if self._installation is None:
            self._installation = _field(await self.installation(), "id", int)
        wanted = {"repositories": [self._repository.partition("/")[2]], "permissions": purpose.permissions}
        path = f"/app/installations/{self._installation}/access_tokens"
        found = await self._asked("POST", path, msgspec.json.encode(wanted))
        if found.status in (404, 422):
            self._installation = None
            needs = ", ".join(f"{name} {level}" for name, level in purpose.permissions.items())
            raise GitHubError(
                f"App {self._app} gets no token for {purpose.name.lower()} at {self._repository}: {said(found)}",
                hint=f"the App needs {needs}, approved where it is installed: see `autoscaler github doctor`",
                status=found.status,
            )
        answer = _object(found)
        return _Token(_field(answer, "token", str), _time(str(answer.get("expires_at", ""))))

    async def _asked(self, method: str, path: str, body: bytes | None = None) -> Exchange:
        """Ask as the App. Where our clock is wrong, once more by GitHub's."""
        found = await self._wire.send(method, path, token=self._jwt(0.0), body=body)
        if found.status == 401 and abs(self._wire.skew_s) > BACK_S / 2:
            found = await self._wire.send(method, path, token=self._jwt(self._wire.skew_s), body=body)
        if found.status in (200, 201, 404, 422):
            return found
        why = f"GitHub does not take App {self._app}" if found.status == 401 else f"App {self._app}"
        hint = "are github.app and its key_file of the same App, and is the clock right?" if found.status == 401 else ""
        raise GitHubError(f"{why}: {said(found)}", hint=hint, status=found.status)

    def _jwt(self, skew_s: float) -> str:
        try:
            import jwt
        except ImportError:
            raise SettingsError("a GitHub App needs PyJWT", hint="pip install 'autoscaler[github]'") from None
        issued = int(self._now() + skew_s) - BACK_S
        claims = {"iat": issued, "exp": issued + LONG_S, "iss": self._app}
        try:
            made = jwt.encode(claims, self._key.now(lambda: private_key(self._key_file)), algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError):
            said = f"github.key_file: {self._key_file} holds no RSA private key"
            raise GitHubError(said, hint="PEM is expected, as GitHub gives it") from None
        self._wire.secrets = {each for each in self._wire.secrets if each.count(".") != 2} | {made}
        return made


def private_key(file: str) -> str:
    """The key, from a file that is not everybody's. Raises GitHubError."""
    try:
        if everybodys(Path(file)):
            said = f"github.key_file: everybody on this machine may read {file}"
            raise GitHubError(said, hint=f"chmod 600 {file}")
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise GitHubError(f"github.key_file: {file} cannot be read: {why}") from None


def everybodys(file: Path) -> bool:
    """Whether others than owner and group may read it. A Secret's folder is its pod's alone, whatever its modes say."""
    mounted = (file.parent / "..data").exists() or str(file).startswith("/run/secrets/")
    return not mounted and bool(os.stat(file).st_mode & (stat.S_IROTH | stat.S_IWOTH))


def said(found: Exchange) -> str:
    """What an answer says went wrong, in one line."""
    told = _decoded(found)
    words = [str(found.status)]
    if isinstance(told, Mapping):
        words += [str(told["message"])] if told.get("message") else []
        for each in told.get("errors") or () if isinstance(told.get("errors"), list) else ():
            words.append(_fault(each))
    return " · ".join(words).replace("\n", " ")[:500]


def _decoded(found: Exchange) -> Any:
    """What an answer holds; None where it is no JSON."""
    try:
        return msgspec.json.decode(found.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _fault(each: object) -> str:
    if not isinstance(each, Mapping):
        return str(each)
    return str(each.get("message") or " ".join(str(each[key]) for key in ("field", "code") if key in each))


def _object(found: Exchange) -> dict[str, Any]:
    told = _decoded(found)
    if not isinstance(told, dict) or found.status >= 400:
        raise GitHubError(f"GitHub answered no object: {said(found)}", status=found.status)
    return told


def _field(told: Mapping[str, Any], key: str, kind: type[T]) -> T:
    """What an answer must have. Raises GitHubError: a proxy may answer in GitHub's place."""
    value = told.get(key)
    if not isinstance(value, kind):
        raise GitHubError(f"GitHub's answer has no {key}", hint="does something on the way answer in its place?")
    return value


def _time(text: str) -> float:
    """When a token is over; an hour is the usual span, so one without a time is renewed each time."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0

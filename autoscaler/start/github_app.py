"""A GitHub App by GitHub's manifest flow: a page on this machine leads there, and takes what comes back."""

from __future__ import annotations

import asyncio
import hmac
import html
import json
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec
from aiohttp import web

from autoscaler.clients.github_login import Purpose, said
from autoscaler.clients.github_wire import Host, Wire
from autoscaler.errors import GitHubError, UsageError

WAIT_S = 1800.0  # for a person to press two buttons
_CODE = re.compile(r"[A-Za-z0-9_-]{1,200}")
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_PAGE = """<!doctype html><meta charset="utf-8"><title>autoscaler</title>
<h1>A GitHub App for autoscaler</h1>
<p>It may: {permissions}. It is private, and GitHub calls nothing here.</p>
<form action="{action}" method="post"><input type="hidden" name="manifest" value="{manifest}">
<button>Create it at {host}</button></form>
"""
_DONE = (
    '<!doctype html><meta charset="utf-8"><title>autoscaler</title><p>The App is there. Go back to the terminal.</p>'
)


class MadeApp(msgspec.Struct, frozen=True, kw_only=True):
    """An App as it was made, without its secrets; its private key is in `key_file`."""

    id: int
    slug: str
    url: str
    key_file: str

    @property
    def install(self) -> str:
        """Where it is installed."""
        return f"{self.url}/installations/new"


class _Converted(msgspec.Struct, frozen=True):
    id: int
    slug: str
    html_url: str
    pem: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The App to make: its name, whose it is (a user's where `organization` is empty), and what it is for."""

    name: str
    organization: str = ""
    purposes: tuple[Purpose, ...]
    key_file: Path

    @property
    def permissions(self) -> dict[str, str]:
        """The most that any of its purposes needs."""
        found: dict[str, str] = {}
        for purpose in self.purposes:
            for name, level in purpose.permissions.items():
                found[name] = "write" if "write" in (level, found.get(name)) else level
        return dict(sorted(found.items()))

    def manifest(self, back: str) -> dict[str, object]:
        """The App's manifest. There is no webhook, so `hook_attributes` must not be there at all, nor any event."""
        return {
            "name": self.name,
            "url": "https://github.com/",
            "redirect_url": back,
            "public": False,
            "default_permissions": self.permissions,
        }


async def create(
    host: Host, wanted: Wanted, *, tell: Callable[[str], None], port: int = 0, wait_s: float = WAIT_S
) -> MadeApp:
    """Show the page at a port of this machine, wait for GitHub to send the browser back, and keep the key.

    `tell` is handed the page's address. Raises GitHubError and UsageError.
    """
    if wanted.key_file.exists():
        raise UsageError(f"{wanted.key_file} is there already", hint="name another with --key-file")
    if not os.access(wanted.key_file.parent, os.W_OK):
        raise UsageError(f"{wanted.key_file} cannot be written", hint="name another with --key-file")
    page = _Flow(host, wanted)
    runner = web.AppRunner(page.app(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError as error:
            raise UsageError(f"port {port} cannot be used: {error.strerror}", hint="name another with --port") from None
        page.port = runner.addresses[0][1]
        tell(f"http://127.0.0.1:{page.port}/{page.word}")
        async with asyncio.timeout(wait_s):
            return await page.made
    except TimeoutError:
        raise GitHubError(f"nobody made the App within {wait_s / 60:g} minutes", hint="try again") from None
    finally:
        await runner.cleanup()
        await page.wire.close()


class _Flow:
    """The page, and the way back to it. Whoever comes back must bring the word that went with the form."""

    def __init__(self, host: Host, wanted: Wanted) -> None:
        self.wire = Wire(host, _no_time)
        self.made: asyncio.Future[MadeApp] = asyncio.get_running_loop().create_future()
        self.port = 0
        self.word = secrets.token_urlsafe(16)  # others on this machine do not know where the form is
        self._host, self._wanted = host, wanted
        self._state = secrets.token_urlsafe(32)

    def app(self) -> web.Application:
        """Its two addresses."""
        app = web.Application(middlewares=[self._guarded])
        app.router.add_get(f"/{self.word}", self._form)
        app.router.add_get("/created", self._created)
        return app

    @web.middleware
    async def _guarded(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Nobody comes here by a name of theirs that leads to this machine."""
        if request.headers.get("Host") not in (f"127.0.0.1:{self.port}", f"localhost:{self.port}"):
            return web.Response(status=403, text="forbidden")
        answer = await handler(request)
        answer.headers.update(_HEADERS)
        return answer

    async def _form(self, request: web.Request) -> web.Response:
        web_address = "{0.scheme}://{0.netloc}".format(urlsplit(self._host.url))
        whose = f"/organizations/{quote(self._wanted.organization, safe='')}" if self._wanted.organization else ""
        action = f"{web_address}{whose}/settings/apps/new?state={self._state}"
        manifest = json.dumps(self._wanted.manifest(f"http://127.0.0.1:{self.port}/created"))
        permissions = ", ".join(f"{name.replace('_', ' ')} {level}" for name, level in self._wanted.permissions.items())
        text = _PAGE.format(
            action=html.escape(action), manifest=html.escape(manifest), host=html.escape(web_address),
            permissions=html.escape(permissions),
        )  # fmt: skip
        policy = f"default-src 'none'; form-action {web_address}; frame-ancestors 'none'"
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def _created(self, request: web.Request) -> web.Response:
        state, code = request.query.get("state", ""), request.query.get("code", "")
        if not hmac.compare_digest(state.encode(), self._state.encode()) or not _CODE.fullmatch(code):
            return web.Response(status=400, text="this is not what was asked for here")
        self._state = secrets.token_urlsafe(32)  # it counts once
        try:
            made = await self._convert(code)
        except (GitHubError, UsageError) as error:
            if not self.made.done():
                self.made.set_exception(error)
            return web.Response(status=502, text="it did not work; the terminal tells why")
        if not self.made.done():
            self.made.set_result(made)
        return web.Response(text=_DONE, content_type="text/html")

    async def _convert(self, code: str) -> MadeApp:
        """The code against the App's number and key; it is good once, for an hour."""
        found = await self.wire.send("POST", f"/app-manifests/{code}/conversions", token="")
        if found.status != 201:
            raise GitHubError(f"GitHub gives no App for what came back: {said(found)}", hint="try again")
        try:
            told = msgspec.json.decode(found.body, type=_Converted)
        except (msgspec.DecodeError, UnicodeDecodeError):
            hint = "if it is on GitHub's list of Apps, make a key on its page: Private keys"
            raise GitHubError("GitHub's answer does not tell of the App", hint=hint) from None
        key_file = self._wanted.key_file.resolve()
        write_secret(key_file, told.pem)
        return MadeApp(id=told.id, slug=told.slug, url=told.html_url, key_file=str(key_file))


def write_secret(file: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first byte on. Never over another. Raises UsageError."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            os.fchmod(out.fileno(), 0o600)
            out.write(text)
    except OSError as error:
        said = f"{file} cannot be written: {error.strerror}; the App is there, and its key is lost"
        raise UsageError(said, hint="make a new key on the App's page: Private keys") from None


def purposes(features: Sequence[str]) -> tuple[Purpose, ...]:
    """What these features need, each once."""
    return tuple(dict.fromkeys(Purpose[each.upper()] for each in features))


def _no_time() -> float:
    """Nothing here depends on the time."""
    return 0.0

"""GitHub's REST API for one repository: asked by purpose, within its limits, and only anew where something changed.

github = GitHub(Host(url="https://github.com"), "acme/infra", clock, token_file="…")
answer = await github.get(github.at("/pulls"), purpose=Purpose.PLAN, params={"state": "open"})
if answer.changed: …
await github.post(github.at("/check-runs"), {"name": …}, purpose=Purpose.PLAN)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from autoscaler.clients.github_etags import Etags, Kept, Key
from autoscaler.clients.github_governor import Clock, Governor, Urgency
from autoscaler.clients.github_login import AppLogin, Login, Purpose, TokenLogin, said
from autoscaler.clients.github_wire import ACCEPT, Exchange, Host, Wire
from autoscaler.errors import GitHubBusy, GitHubError

TRIES = 3  # of what can be asked twice, where the server fails
RETRY_S = 1.0  # before the second, doubled
MOST_PAGES = 50
REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_NEXT = re.compile(r'<([^<>]+)>\s*;[^,]*rel="next"')
_URGENCY = {
    Purpose.POLICIES: Urgency.FIRST,
    Purpose.DEPLOYMENTS: Urgency.REPORT,
    Purpose.STATUSES: Urgency.REPORT,
}


class Answer(msgspec.Struct, frozen=True):
    """What was answered, from JSON. `changed` is False where GitHub says it is as it was when we asked last."""

    status: int
    body: Any
    changed: bool = True
    next: str = ""  # the URL of the next page


class GitHub:
    """One repository at one GitHub. Raises GitHubError, and GitHubBusy where a limit would be passed."""

    def __init__(
        self, host: Host, repository: str, clock: Clock, *,
        app: str = "", key_file: str = "", token_file: str = "", token: str = "",
    ) -> None:  # fmt: skip
        if not REPOSITORY.fullmatch(repository) or set(repository.split("/")) & {".", ".."}:
            raise GitHubError(f"expected OWNER/NAME of a repository, got {repository!r}")
        self.repository = repository
        self.wire = Wire(host, clock.now)
        self.login: Login = (
            AppLogin(app, key_file, repository, self.wire, clock.now)
            if app
            else TokenLogin(file=token_file, token=token)
        )
        self.governor = Governor(clock)
        self.etags = Etags()
        self._clock = clock

    def at(self, path: str = "") -> str:
        """A path of this repository: `at("/pulls")`."""
        return f"/repos/{self.repository}{path}"

    async def get(self, path: str, *, purpose: Purpose, params: Mapping[str, str | int] | None = None) -> Answer:
        """Ask. What did not change since it was asked last costs nothing, and says so."""
        return await self._ask("GET", self._own(path) + (f"?{urlencode(params)}" if params else ""), purpose)

    async def pages(
        self, path: str, *, purpose: Purpose, params: Mapping[str, str | int] | None = None, key: str = ""
    ) -> list[Any]:
        """Everything of a list, page by page; of the list below `key` where the answer is an object."""
        answer = await self.get(path, purpose=purpose, params={"per_page": 100, **(params or {})})
        found: list[Any] = []
        for _ in range(MOST_PAGES):
            listed = answer.body.get(key) if key and isinstance(answer.body, dict) else answer.body
            if not isinstance(listed, list):
                raise GitHubError(f"{self.wire.api}{path} answered no list")
            found += listed
            if not answer.next:
                return found
            answer = await self._ask("GET", answer.next, purpose)
        raise GitHubError(f"{self.wire.api}{path} has more than {MOST_PAGES} pages")

    async def post(self, path: str, body: object, *, purpose: Purpose) -> Answer:
        """Make something. Never asked twice: it may be there although the answer was lost."""
        return await self._ask("POST", self._own(path), purpose, msgspec.json.encode(body))

    async def patch(self, path: str, body: object, *, purpose: Purpose) -> Answer:
        """Change something."""
        return await self._ask("PATCH", self._own(path), purpose, msgspec.json.encode(body))

    async def delete(self, path: str, *, purpose: Purpose) -> Answer:
        """Take something away. What is gone already is no error."""
        return await self._ask("DELETE", self._own(path), purpose)

    async def token(self, purpose: Purpose, refused: str = "") -> str:
        """A token for another program, as git; another one than what was refused there."""
        if refused:
            self.login.refused(purpose, refused)
        return await self._token(purpose)

    def redact(self, text: str) -> str:
        """A text without our secrets."""
        return self.wire.redact(text)

    async def close(self) -> None:
        """Let go of connections."""
        await self.wire.close()

    def _own(self, path: str) -> str:
        """A path, if it is of our repository or of none. Raises GitHubError."""
        parts = path.partition("?")[0].split("/")
        if parts[1:2] == ["repos"] and "/".join(parts[2:4]).lower() != self.repository.lower():
            raise GitHubError(f"{path} is not of {self.repository}, which the settings name")
        return quote(path, safe="/%?&=:+,~@!$'()*;-._")

    async def _ask(self, method: str, place: str, purpose: Purpose, body: bytes | None = None) -> Answer:
        url = self.wire.url(place)
        wait = RETRY_S
        for left in range(TRIES - 1 if method != "POST" else 0, -1, -1):
            try:
                found = await self._within_limits(method, url, purpose, body)
                if found.status < 500 or not left:
                    return self._answer(method, url, purpose, found)
            except GitHubError as error:
                if error.status or isinstance(error, GitHubBusy) or not left:
                    raise
            await self._clock.sleep(wait)
            wait *= 2
        raise AssertionError("the last try answers or raises")

    async def _within_limits(self, method: str, url: str, purpose: Purpose, body: bytes | None) -> Exchange:
        """Ask when it is our turn, with a token that is good.

        Once more with another token where it is not taken, and once more after a limit that we can wait for: what is
        refused for that was not done.
        """
        urgency = _URGENCY.get(purpose, Urgency.PLAN)
        renewed = limited = False
        while True:
            async with self.governor.turn(urgency, write=method != "GET"):
                token = await self._token(purpose)
                kept = self.etags.get(self._key(url, purpose)) if method == "GET" else None
                headers = {"If-None-Match": kept.etag} if kept is not None else {}
                found = await self.wire.send(method, url, token=token, body=body, headers=headers)
            wait = self.governor.heard(found.status, found.headers, found.body, self.wire.skew_s)
            if wait is not None:
                if limited:
                    text = self.redact(f"GitHub limits us: {said(found)}; it is not asked for {wait:.0f} s")
                    raise GitHubBusy(text, retry_after_s=wait, status=found.status)
                limited = True
            elif found.status == 401 and not renewed and self.login.refused(purpose, token):
                renewed = True
            else:
                return found

    async def _token(self, purpose: Purpose) -> str:
        try:
            return await self.login.token(purpose)
        except GitHubError as error:
            raise GitHubError(self.redact(error.message), hint=error.hint, status=error.status) from None

    def _key(self, url: str, purpose: Purpose) -> Key:
        return Key(url, ACCEPT, self.login.identity(purpose))

    def _answer(self, method: str, url: str, purpose: Purpose, found: Exchange) -> Answer:
        key = self._key(url, purpose)
        kept = self.etags.get(key)
        if found.status == 304 and kept is not None:
            return Answer(304, self._decoded(url, kept.body), changed=False, next=kept.link)
        if found.status >= 300 and not (method == "DELETE" and found.status == 404):
            self.etags.drop(key)
            raise self._error(method, url, found)
        link = _next(found.headers.get("link", ""))
        if method == "GET" and (etag := found.headers.get("etag")):
            self.etags.put(key, Kept(etag, found.body, link))
        return Answer(found.status, self._decoded(url, found.body), next=link)

    def _decoded(self, url: str, body: bytes) -> Any:
        if not body:
            return None
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise GitHubError(f"{urlsplit(url).path}: the answer is no JSON") from None

    def _error(self, method: str, url: str, found: Exchange) -> GitHubError:
        """What went wrong, and the way out where it is a matter of rights."""
        wants = self.redact(found.headers.get("x-accepted-github-permissions", ""))
        text = self.redact(f"GitHub: {method} {urlsplit(url).path}: {said(found)}")
        hint = ""
        if found.status == 401:
            hint = f"is {self.login.name} still good?"
        elif found.status in (403, 404) and wants:
            hint = f"{self.login.name} needs one of: {wants.replace('; ', ' or ')}"
        return GitHubError(text, hint=hint, status=found.status, wants=wants)


def _next(link: str) -> str:
    """The next page by a `Link` header; nothing at the last."""
    found = _NEXT.search(link)
    return found[1] if found else ""

"""A small GitHub for tests. GitHub's own OpenAPI description judges every request of ours and every answer of its.

It has one repository, `acme/infra`, an App that is installed there, deployments, statuses, checks, comments and
pull requests. What it answers is an example of the description with what a test made of it put over it.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from functools import cache
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from tests.support.wire import served

Fault = Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse] | None]
REPOSITORY = "acme/infra"
INSTALLATION = 77


class Description:
    """GitHub's description of its API: a judge, and a source of whole answers."""

    def __init__(self, file: Path) -> None:
        self._raw = json.loads(file.read_text(encoding="utf-8"), object_hook=_nullable)
        self._judged: dict[tuple[object, ...], list[str]] = {}
        self._judge = OpenAPI.from_dict(copy.deepcopy(self._raw))

    def faults(self, method: str, path: str, query: dict[str, Any], body: bytes, answer: web.Response) -> list[str]:
        """What is wrong with a request and its answer. What was judged before is not judged again."""
        told = answer.body if isinstance(answer.body, bytes) else b""
        key = (method, path, str(query), body, answer.status, told)
        if key not in self._judged:
            self._judged[key] = self._faults(method, path, query, body, answer.status, told)
        return self._judged[key]

    def request_faults(self, method: str, path: str, query: dict[str, Any], body: bytes) -> list[str]:
        """What is wrong with a request."""
        try:
            self._judge.validate_request(_request(method, path, query, body))
        except OpenAPIError as error:
            return [f"request {method} {path}: {_why(error)}"]
        return []

    def _faults(
        self, method: str, path: str, query: dict[str, Any], body: bytes, status: int, told: bytes
    ) -> list[str]:
        found = self.request_faults(method, path, query, body)
        if status >= 400:
            return found
        response = MockResponse(told, status_code=status, content_type="application/json")
        try:
            self._judge.validate_response(_request(method, path, query, body), response)
        except OpenAPIError as error:
            found.append(f"answer {status} to {method} {path}: {_why(error)}")
        return found

    def example(self, method: str, path: str, status: str = "200") -> Any:
        """An example answer; of an operation named as the description does."""
        return copy.deepcopy(_examples(str(path), method, status, self))

    def content(self, method: str, path: str, status: str) -> dict[str, Any]:
        """The content that an operation answers with a status."""
        told: dict[str, Any] = self._raw["paths"][path][method]["responses"][status]["content"]["application/json"]
        return told

    def resolved(self, told: Any) -> Any:
        """A `$ref` followed."""
        while isinstance(told, dict) and "$ref" in told:
            at: Any = self._raw
            for part in told["$ref"].removeprefix("#/").split("/"):
                at = at[part]
            told = at
        return told


def _request(method: str, path: str, query: dict[str, Any], body: bytes) -> MockRequest:
    return MockRequest(
        "https://api.github.com", method.lower(), path, args=query, data=body or None, content_type="application/json"
    )


def _nullable(told: dict[str, Any]) -> dict[str, Any]:
    """Null is one of the values where it may be null: GitHub means so, and its description forgets it."""
    if told.get("nullable") is True and None not in told.get("enum", [None]):
        told["enum"].append(None)
    return told


def _examples(path: str, method: str, status: str, description: Description) -> Any:
    content = description.content(method, path, status)
    first = next(iter(content["examples"].values()))
    return description.resolved(first)["value"]


def _why(error: BaseException) -> str:
    """What is wrong and where, from the bottom of the chain: the top says only that something is."""
    words: list[str] = []
    at: BaseException | None = error
    while at is not None:
        faults = list(getattr(at, "schema_errors", ()))
        words += [f"{'.'.join(map(str, each.path))}: {each.message[:200]}" for each in faults] or [str(at)[:200]]
        at = at.__cause__ or at.__context__
    return " ← ".join(dict.fromkeys(words))


@cache
def description(file: Path) -> Description:
    """Read once in a process: it takes two seconds."""
    return Description(file)


class StandIn:
    """GitHub, as far as we use it. `violations` must be empty at the end; `asked` are method and path of each request.

    `permissions` are those of the installation, `next` faults: each is tried at one request and may answer it. With
    `limit` set there is a primary limit of so many requests.
    """

    def __init__(self, told: Description, now: Callable[[], float], public_key: bytes = b"") -> None:
        self.told, self.now, self.public_key = told, now, public_key
        self.violations: list[str] = []
        self.asked: list[str] = []
        self.bodies: list[tuple[str, Any]] = []
        self.secrets: list[str] = []  # of what was handed out
        self.authorizations: list[str] = []
        self.next: list[Fault] = []
        self.away = False
        self.installed = True
        self.permissions = {
            "metadata": "read", "contents": "read", "checks": "write", "pull_requests": "write",
            "deployments": "write", "statuses": "write",
        }  # fmt: skip
        self.tokens: dict[str, dict[str, Any]] = {}
        self.static: set[str] = set()  # tokens of people
        self.token_life_s = 3600.0
        self.skew_s = 0.0
        self.limit: int | None = None
        self.remaining = 0
        self.reset = 0.0
        self.deployments: list[dict[str, Any]] = []
        self.deployment_statuses: dict[int, list[dict[str, Any]]] = {}
        self.statuses: list[dict[str, Any]] = []
        self.check_runs: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.pulls: dict[str, list[int]] = {}  # by commit
        self.open_pulls: list[dict[str, Any]] = []  # put over the example
        self.files: dict[int, list[str]] = {}
        self.roles: dict[str, str] = {}
        self.rules: list[dict[str, Any]] = []
        self.commit = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
        self.manifest_code = ""
        self.base = ""
        self.page_size = 100
        self._serial = 1000

    @contextmanager
    def threaded(self) -> Iterator[str]:
        """The same on a thread of its own, for a daemon that is another process."""
        loop, away = asyncio.new_event_loop(), asyncio.Event()
        known: Future[str] = Future()

        async def serve() -> None:
            async with self.serving() as url:
                known.set_result(url)
                await away.wait()

        thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
        thread.start()
        try:
            yield known.result(10)
        finally:
            loop.call_soon_threadsafe(away.set)
            thread.join(10)
            loop.close()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Its web address: the API is below /api/v3, as on an Enterprise Server."""
        async with served(self._handle) as url:
            self.base = url
            yield url

    # one request

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/api/v3")
        self.asked.append(f"{request.method} {path}")
        self.authorizations.append(request.headers.get("Authorization", ""))
        token = self.authorizations[-1].removeprefix("Bearer ")
        if token and (token in str(request.url) or any(each in str(request.url) for each in self.secrets)):
            self.violations.append(f"a secret is in a URL: {request.method} {path}")
        body = await request.read()
        self.bodies.append((f"{request.method} {path}", json.loads(body) if body else None))
        if self.away:
            return web.Response(status=503)
        if self.next:
            said = self.next.pop(0)(request)
            said = await said if asyncio.iscoroutine(said) else said  # type: ignore[assignment]
            if said is not None:
                return self._dated(said)  # type: ignore[arg-type]
        answer = self._limited(request) or self._authorized(request, path) or self._route(request, path, body)
        self.violations += self.told.faults(request.method, path, dict(request.query), body, answer)
        return self._dated(self._with_etag(request, answer))

    def _dated(self, answer: web.StreamResponse) -> web.StreamResponse:
        answer.headers["Date"] = formatdate(self.now() + self.skew_s, usegmt=True)
        if self.limit is not None:
            answer.headers["x-ratelimit-limit"] = str(self.limit)
            answer.headers["x-ratelimit-remaining"] = str(self.remaining)
            answer.headers["x-ratelimit-reset"] = str(int(self.reset))
        return answer

    def _limited(self, request: web.Request) -> web.Response | None:
        if self.limit is None:
            return None
        if self.now() + self.skew_s >= self.reset:
            self.remaining, self.reset = self.limit, self.now() + self.skew_s + 3600
        if not self.remaining:
            return _said(403, "API rate limit exceeded for installation ID 77.")
        self.remaining -= 1
        return None

    def _with_etag(self, request: web.Request, answer: web.Response) -> web.Response:
        if request.method != "GET" or answer.status != 200:
            return answer
        assert isinstance(answer.body, bytes)
        etag = f'W/"{hashlib.sha256(answer.body + request.headers.get("Accept", "").encode()).hexdigest()[:20]}"'
        if request.headers.get("If-None-Match") == etag:
            if self.limit is not None:
                self.remaining += 1
            return web.Response(status=304, headers={"ETag": etag})
        answer.headers["ETag"] = etag
        return answer

    # who asks

    def _authorized(self, request: web.Request, path: str) -> web.Response | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if path.startswith("/app-manifests/"):
            return None
        if path.startswith("/app") or path.endswith("/installation"):
            return self._app(token)
        if token in self.static:
            return None
        known = self.tokens.get(token)
        if known is None or self.now() + self.skew_s >= known["until"]:
            return _said(401, "Bad credentials")
        needs = _needs(request.method, path)
        if needs and not any(_holds(known["permissions"], each) for each in needs):
            return _said(
                403,
                "Resource not accessible by integration",
                {"x-accepted-github-permissions": "; ".join(f"{n}={v}" for n, v in needs)},
            )
        return None

    def _app(self, token: str) -> web.Response | None:
        try:
            claims = jwt.decode(
                token, self.public_key, algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False}
            )
        except jwt.PyJWTError:
            return _said(401, "A JSON web token could not be decoded")
        now = self.now() + self.skew_s
        if claims["iat"] > now:
            return _said(401, "'Issued at' claim ('iat') must be an Integer representing the time")
        if claims["exp"] <= now or claims["exp"] - claims["iat"] > 600 or claims["exp"] > now + 600:
            return _said(401, "'Expiration time' claim ('exp') is too far in the future")
        return None if claims["iss"] == "12345" else _said(404, "Integration not found")

    # what is asked

    def _route(self, request: web.Request, path: str, body: bytes) -> web.Response:
        told = json.loads(body) if body else {}
        asked = f"{request.method} {path}"
        for pattern, method in self._routes():
            if found := re.fullmatch(pattern, asked):
                return method(request, told, *found.groups())
        return _said(404, "Not Found")

    def _routes(self) -> Iterator[tuple[str, Callable[..., web.Response]]]:
        here = f"/repos/{REPOSITORY}"
        yield r"GET /app", self._get_app
        yield r"GET /rate_limit", self._rate_limit
        yield rf"GET {here}/installation", self._get_installation
        yield r"POST /app/installations/(\d+)/access_tokens", self._mint
        yield r"POST /app-manifests/([^/]+)/conversions", self._convert
        yield rf"GET {here}", self._repository
        yield rf"GET {here}/commits/([^/]+)/pulls", self._commit_pulls
        yield rf"GET {here}/commits/([^/]+)/check-runs", self._list_checks
        yield rf"GET {here}/commits/([^/]+)/status", self._combined
        yield rf"GET {here}/commits/([^/]+)", self._commit
        yield rf"GET {here}/deployments", self._list_deployments
        yield rf"POST {here}/deployments", self._deploy
        yield rf"GET {here}/deployments/(\d+)/statuses", self._list_deployment_statuses
        yield rf"POST {here}/deployments/(\d+)/statuses", self._deployment_status
        yield rf"POST {here}/statuses/([0-9a-f]+)", self._status
        yield rf"POST {here}/check-runs", self._check
        yield rf"PATCH {here}/check-runs/(\d+)", self._update_check
        yield rf"GET {here}/pulls", self._list_pulls
        yield rf"GET {here}/pulls/(\d+)", self._pull
        yield rf"GET {here}/pulls/(\d+)/files", self._pull_files
        yield rf"GET {here}/issues/(\d+)/comments", self._list_comments
        yield rf"POST {here}/issues/(\d+)/comments", self._comment
        yield rf"PATCH {here}/issues/comments/(\d+)", self._update_comment
        yield rf"DELETE {here}/issues/comments/(\d+)", self._delete_comment
        yield rf"GET {here}/collaborators/([^/]+)/permission", self._role
        yield rf"GET {here}/rules/branches/(.+)", self._list_rules

    def _get_app(self, request: web.Request, told: Any) -> web.Response:
        return _json(self._like("get", "/app", id=12345, permissions=self.permissions))

    def _rate_limit(self, request: web.Request, told: Any) -> web.Response:
        return _json(self.told.example("get", "/rate_limit"))

    def _get_installation(self, request: web.Request, told: Any) -> web.Response:
        if not self.installed:
            return _said(404, "Not Found")
        return _json(self._like("get", "/repos/{owner}/{repo}/installation", id=INSTALLATION, app_id=12345,
                                permissions=self.permissions))  # fmt: skip

    def _mint(self, request: web.Request, told: Any, installation: str) -> web.Response:
        if not self.installed or int(installation) != INSTALLATION:
            return _said(404, "Not Found")
        if told.get("repositories") != ["infra"] or not told.get("permissions"):
            self.violations.append(f"a token that is not narrowed was asked for: {told}")
        wanted = told.get("permissions", self.permissions)
        if not all(_holds(self.permissions, each) for each in wanted.items()):
            return _said(422, "The permissions requested are not granted to this installation.")
        self._serial += 1
        token = f"ghs_{hashlib.sha256(str(self._serial).encode()).hexdigest()[:36]}"
        until = self.now() + self.skew_s + self.token_life_s
        self.tokens[token] = {"permissions": wanted, "until": until}
        self.secrets.append(token)
        when = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return _json({"token": token, "expires_at": when, "permissions": wanted}, 201)

    def _convert(self, request: web.Request, told: Any, code: str) -> web.Response:
        if code != self.manifest_code:
            return _said(404, "Not Found")
        made = self.told.example("post", "/app-manifests/{code}/conversions", "201")
        self.secrets += [each for each in (made["pem"], made["client_secret"], made["webhook_secret"]) if each]
        return _json(made, 201)

    def _repository(self, request: web.Request, told: Any) -> web.Response:
        told = self._like("get", "/repos/{owner}/{repo}", full_name=REPOSITORY, name="infra", language="HCL")
        return _json({key: value for key, value in told.items() if key not in ("source", "parent")})

    def _commit(self, request: web.Request, told: Any, ref: str) -> web.Response:
        return _json(self._like("get", "/repos/{owner}/{repo}/commits/{ref}", sha=self.commit, files=[]))

    def _commit_pulls(self, request: web.Request, told: Any, sha: str) -> web.Response:
        like = self.told.example("get", "/repos/{owner}/{repo}/commits/{commit_sha}/pulls")[0]
        return self._listed(
            request, [{**like, "requested_teams": [], "number": each} for each in self.pulls.get(sha, [])]
        )

    def _list_deployments(self, request: web.Request, told: Any) -> web.Response:
        asked = {key: value for key, value in request.query.items() if key in ("sha", "environment", "task")}
        found = [each for each in self.deployments if all(each[key] == value for key, value in asked.items())]
        return self._listed(request, found[::-1])

    def _deploy(self, request: web.Request, told: Any) -> web.Response:
        like = self.told.example("post", "/repos/{owner}/{repo}/deployments", "201")
        self._serial += 1
        own = {key: told.get(key, like[key]) for key in ("ref", "task", "environment", "description", "payload")}
        made = {**like, **own, "sha": told["ref"], "id": self._serial}
        self.deployments.append(made)
        return _json(made, 201)

    def _list_deployment_statuses(self, request: web.Request, told: Any, number: str) -> web.Response:
        return self._listed(request, self.deployment_statuses.get(int(number), [])[::-1])

    def _deployment_status(self, request: web.Request, told: Any, number: str) -> web.Response:
        if len(told.get("description", "")) > 140:
            return _rejected("description is too long (maximum is 140 characters)")
        like = self.told.example("post", "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses", "201")
        own = {key: told.get(key, like.get(key, "")) for key in ("state", "description", "environment")}
        made = {**like, **own}
        self.deployment_statuses.setdefault(int(number), []).append(made)
        return _json(made, 201)

    def _status(self, request: web.Request, told: Any, sha: str) -> web.Response:
        if len(told.get("description") or "") > 140:
            return _rejected("description is too long (maximum is 140 characters)")
        like = self.told.example("post", "/repos/{owner}/{repo}/statuses/{sha}", "201")
        own = {key: told.get(key, like[key]) for key in ("state", "description", "context", "target_url")}
        made = {**like, **own}
        self.statuses.append({**made, "sha": sha})
        return _json(made, 201)

    def _combined(self, request: web.Request, told: Any, sha: str) -> web.Response:
        newest = {each["context"]: each for each in self.statuses if each["sha"] == sha}
        like = self.told.example("get", "/repos/{owner}/{repo}/commits/{ref}/status")
        listed = [{**like["statuses"][0], "target_url": "https://ci.example/", **{
            key: each[key] for key in ("state", "description", "context")
        }} for each in newest.values()]  # fmt: skip
        return _json({**like, "sha": sha, "statuses": listed, "total_count": len(listed)})

    def _check(self, request: web.Request, told: Any) -> web.Response:
        if told.get("status") == "completed" and "conclusion" not in told:
            return _rejected("conclusion is missing")
        self._serial += 1
        like = self.told.example("post", "/repos/{owner}/{repo}/check-runs", "201")
        like["output"]["annotations_count"] = 0
        made = {**like, "id": self._serial, **_check_parts(like, told)}
        self.check_runs.append(made)
        return _json(made, 201)

    def _update_check(self, request: web.Request, told: Any, number: str) -> web.Response:
        found = next((each for each in self.check_runs if each["id"] == int(number)), None)
        if found is None:
            return _said(404, "Not Found")
        found.update(_check_parts(found, told))
        return _json(found)

    def _list_checks(self, request: web.Request, told: Any, ref: str) -> web.Response:
        name = request.query.get("check_name")
        found = [each for each in self.check_runs if each["head_sha"] == ref and name in (None, each["name"])]
        return _json({"total_count": len(found), "check_runs": found[: self.page_size]})

    def _list_pulls(self, request: web.Request, told: Any) -> web.Response:
        like = self.told.example("get", "/repos/{owner}/{repo}/pulls")[0]
        return self._listed(request, [{**like, "requested_teams": [], **each} for each in self.open_pulls])

    def _pull(self, request: web.Request, told: Any, number: str) -> web.Response:
        like = self.told.example("get", "/repos/{owner}/{repo}/pulls/{pull_number}")
        found = next((each for each in self.open_pulls if each["number"] == int(number)), None)
        return _json({**like, "requested_teams": [], **found}) if found is not None else _said(404, "Not Found")

    def _pull_files(self, request: web.Request, told: Any, number: str) -> web.Response:
        like = self.told.example("get", "/repos/{owner}/{repo}/pulls/{pull_number}/files")[0]
        return self._listed(request, [{**like, "filename": each} for each in self.files.get(int(number), [])])

    def _list_comments(self, request: web.Request, told: Any, number: str) -> web.Response:
        return self._listed(request, [each for each in self.comments if each["issue_url"].endswith(f"/{number}")])

    def _comment(self, request: web.Request, told: Any, number: str) -> web.Response:
        if len(told["body"]) > 65536:
            return _rejected("body is too long (maximum is 65536 characters)")
        self._serial += 1
        like = self.told.example("post", "/repos/{owner}/{repo}/issues/{issue_number}/comments", "201")
        app = {**like["user"], "login": "autoscaler[bot]", "type": "Bot"}
        issue = f"https://api.github.com/repos/{REPOSITORY}/issues/{number}"
        made = {**like, "id": self._serial, "body": told["body"], "user": app, "issue_url": issue}
        self.comments.append(made)
        return _json(made, 201)

    def _update_comment(self, request: web.Request, told: Any, number: str) -> web.Response:
        found = next((each for each in self.comments if each["id"] == int(number)), None)
        if found is None:
            return _said(404, "Not Found")
        if len(told["body"]) > 65536:
            return _rejected("body is too long (maximum is 65536 characters)")
        found["body"] = told["body"]
        return _json(found)

    def _delete_comment(self, request: web.Request, told: Any, number: str) -> web.Response:
        before = len(self.comments)
        self.comments = [each for each in self.comments if each["id"] != int(number)]
        return web.Response(status=204) if len(self.comments) < before else _said(404, "Not Found")

    def _role(self, request: web.Request, told: Any, who: str) -> web.Response:
        like = self.told.example("get", "/repos/{owner}/{repo}/collaborators/{username}/permission")
        return _json({**like, "permission": self.roles.get(who, "read"), "role_name": self.roles.get(who, "read")})

    def _list_rules(self, request: web.Request, told: Any, branch: str) -> web.Response:
        return self._listed(request, self.rules)

    # helpers

    def _like(self, method: str, path: str, **own: Any) -> Any:
        return {**self.told.example(method, path), **own}

    def _listed(self, request: web.Request, found: list[Any]) -> web.Response:
        """A page of a list, with a link to the next one; its path is another, as GitHub's is."""
        size = min(int(request.query.get("per_page", "30")), self.page_size)
        page = int(request.query.get("page", "1"))
        answer = _json(found[(page - 1) * size : page * size])
        if page * size < len(found):
            query = {**request.query, "page": str(page + 1)}
            url = request.url.with_query(query)
            origin = f"{self.base}{url.path_qs}"
            answer.headers["Link"] = f'<{origin}>; rel="next", <{origin}>; rel="last"'
        return answer


def _needs(method: str, path: str) -> list[tuple[str, str]]:
    """The permissions of which one is needed, as GitHub documents them."""
    level = "read" if method == "GET" else "write"
    for part, name in (
        ("/deployments", "deployments"), ("/statuses", "statuses"), ("/check-runs", "checks"),
        ("/pulls", "pull_requests"), ("/issues", "pull_requests"), ("/commits", "contents"), ("/contents", "contents"),
    ):  # fmt: skip
        if path.startswith(f"/repos/{REPOSITORY}{part}"):
            if path.endswith("/check-runs"):
                return [("checks", level)]
            if path.endswith("/status"):
                return [("statuses", "read")]
            if path.endswith("/pulls") and "/commits/" in path:
                return [("contents", "read"), ("pull_requests", "read")]
            return [(name, level)]
    return []


def _holds(held: dict[str, str], needed: tuple[str, str]) -> bool:
    name, level = needed
    return held.get(name) in ((level, "write") if level == "read" else (level,))


def _check_parts(like: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    keys = ("name", "head_sha", "status", "conclusion", "external_id", "details_url", "started_at", "completed_at")
    found = {key: told[key] for key in keys if key in told}
    if "conclusion" in told:
        found["status"] = "completed"
    elif "status" in told:
        found["conclusion"], found["completed_at"] = None, None
    if "output" in told:
        before = like["output"]
        more = len(told["output"].get("annotations", ()))
        own = {key: told["output"].get(key, before.get(key)) for key in ("title", "summary", "text")}
        found["output"] = {**before, **own, "annotations_count": more + before["annotations_count"]}
    return found


def _json(told: Any, status: int = 200) -> web.Response:
    return web.json_response(told, status=status)


def _said(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    url = "https://docs.github.com/rest"
    return web.json_response({"message": message, "documentation_url": url}, status=status, headers=headers)


def _rejected(message: str) -> web.Response:
    told = {"message": "Validation Failed", "errors": [{"message": message, "code": "custom", "resource": "Body"}]}
    return web.json_response(told, status=422)


def limited(message: str = "You have exceeded a secondary rate limit", **headers: str) -> Fault:
    """A refusal for a secondary limit; `retry_after="30"` is a header."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: _said(403, message, told)


def answers(status: int, message: str = "", **headers: str) -> Fault:
    """This status once."""
    return lambda request: _said(status, message or str(status), {k.replace("_", "-"): v for k, v in headers.items()})

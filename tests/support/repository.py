"""A real git repository that a test commits to, and a real smart-HTTP server behind TLS and a password before it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import ssl
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from tests.parts.certificates import Authority

WHO = ["-c", "user.name=ann", "-c", "user.email=ann@shop.example", "-c", "init.defaultBranch=main"]
POLICY = """\
name: {name}
target: {{compose: {{project: shop, service: {name}}}}}
replicas: {{min: 1, max: {most}}}
signals: [{{name: load, prometheus: load, per_replica: 100}}]
"""


class Repository:
    """A work tree in `folder` with a bare repository beside it, which is what others fetch from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.bare = folder / "shop.git"
        self.folder.mkdir(parents=True)
        self.git("init", "--quiet")
        subprocess.run(["git", *WHO, "init", "--quiet", "--bare", str(self.bare)], check=True)
        for key in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
            subprocess.run(["git", f"--git-dir={self.bare}", "config", key, "true"], check=True)
        self.git("remote", "add", "origin", str(self.bare))

    @property
    def url(self) -> str:
        """Where it is, for git."""
        return f"file://{self.bare}"

    def git(self, *words: str, env: Mapping[str, str] | None = None) -> str:
        """What git prints in the work tree."""
        told = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **(env or {})}
        done = subprocess.run(["git", *WHO, *words], cwd=self.folder, env=told, capture_output=True, text=True)
        assert done.returncode == 0, f"git {words}: {done.stderr}"
        return done.stdout.strip()

    def write(self, name: str, text: str | bytes) -> Path:
        """Put a file into the work tree."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def push(self, *signed: str, env: Mapping[str, str] | None = None) -> str:
        """Commit everything there is and push it, with these words of `git commit`; the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a change", *signed, env=env)
        self.git("push", "--quiet", "--force", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def import_(self, files: Mapping[str, str]) -> str:
        """Push one commit of these many files, past the work tree; the commit."""
        lines = ["commit refs/heads/main", "committer ann <ann@shop.example> 1764000000 +0000", "data 0"]
        for name, text in files.items():
            lines += [f"M 100644 inline {name}", f"data {len(text)}", text]
        git = ["git", f"--git-dir={self.bare}"]
        subprocess.run([*git, "fast-import", "--quiet"], input="\n".join([*lines, ""]), text=True, check=True)
        done = subprocess.run([*git, "rev-parse", "main"], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def policy(self, most: int = 5, name: str = "web") -> str:
        """Push one policy with this maximum; the commit."""
        self.write(f"policies/{name}.yaml", POLICY.format(name=name, most=most))
        return self.push()


class Server:
    """`git http-backend` over https with basic auth, on a thread of its own; `token` None lets nobody in.

    `asked` are the requests: method, path and status; `leaks` arguments of processes that hold the password.
    """

    def __init__(self, folder: Path, root: Path, token: str) -> None:
        authority = Authority(folder, "authority")
        authority.sign("server", "127.0.0.1", names=["127.0.0.1"])
        self.ca = authority.certificate
        self.token: str | None = token
        self.asked: list[tuple[str, str, int]] = []
        self.leaks: list[str] = []
        self.redirect = ""
        self.port = 0
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(folder / "server.crt", folder / "server.key")
        self._root = root
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None

    def url(self, name: str) -> str:
        """Where a repository of the root is."""
        return f"https://127.0.0.1:{self.port}/{name}"

    def __enter__(self) -> Server:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self) -> None:
        """Listen, at the same port as before."""
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    def stop(self) -> None:
        """Be away."""
        if self._runner is not None:
            asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._runner = None

    async def _start(self) -> None:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls)
        await site.start()
        assert site._server is not None
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def _handle(self, request: web.Request) -> web.Response:
        answer = await self._answer(request)
        self.asked.append((request.method, request.path, answer.status))
        return answer

    def _look_around(self, pair: str) -> None:
        """Whose arguments, of all processes here, hold the password now."""
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = file.read_text(errors="replace")
                if pair in words or (self.token is not None and self.token in words):
                    self.leaks.append(words)

    async def _answer(self, request: web.Request) -> web.Response:
        if self.redirect:
            return web.Response(status=301, headers={"Location": self.redirect + request.path_qs})
        pair = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
        if self.token is None or request.headers.get("Authorization") != f"Basic {pair}":
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        self._look_around(pair)
        body = await request.read()  # unpacked
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self._root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "x-access-token",
            "REMOTE_ADDR": "127.0.0.1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        process = await asyncio.create_subprocess_exec(
            "git", "http-backend", env=env, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate(body)
        head, _, rest = out.partition(b"\r\n\r\n")
        headers = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n") if line)
        status = int(headers.pop("Status", "200 OK").split()[0])
        return web.Response(status=status, body=rest, headers=headers)

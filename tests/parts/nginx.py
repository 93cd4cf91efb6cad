"""A real nginx as a door before another server: TLS, client certificates, passwords and tokens."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from tests.parts.catalogue import program
from tests.parts.certificates import Authority
from tests.parts.process import Process, free_port, tail
from tests.support.wait import until

CONFIG = """\
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port}{ssl};
{lines}
    location / {{ proxy_pass {upstream}; }}
  }}
}}
"""


class Nginx:
    """One door before `upstream`; `authority` signs its certificate, and with `mutual` must have signed the client's.

    `ca`, `cert` and `key` are the files a client needs.
    """

    def __init__(self, folder: Path, upstream: str, *, tls: bool, mutual: bool) -> None:
        folder.mkdir()
        self.folder = folder
        self.port = free_port()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.ca, self.cert, self.key = folder / "ca.crt", folder / "client.crt", folder / "client.key"
        self._upstream = upstream
        self._tls: list[str] = []
        if tls:
            authority = Authority(folder, "ca")
            authority.sign("server", "server", names=["127.0.0.1", "localhost"])
            authority.sign("client", "autoscaler")
            self._tls = [f"ssl_certificate {folder}/server.crt;", f"ssl_certificate_key {folder}/server.key;"]
        if mutual:
            self._tls += [f"ssl_client_certificate {self.ca};", "ssl_verify_client on;"]
        config = folder / "nginx.conf"
        argv = [program("nginx"), "-p", folder, "-c", config, "-e", folder / "error.log"]
        self.process = Process("nginx", argv, log=folder / "nginx.log")

    def write(self, lines: Sequence[str]) -> None:
        """Its configuration, with these lines of the server block."""
        text = CONFIG.format(
            folder=self.folder,
            port=self.port,
            ssl=" ssl" if self._tls else "",
            lines="\n".join(f"    {line}" for line in [*self._tls, *lines]),
            upstream=self._upstream,
        )
        (self.folder / "nginx.conf").write_text(text)

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self.process.start()
        until(self._listens, f"nginx listens on {self.port}")

    def guard(self, lines: Sequence[str]) -> None:
        """Let it take up other lines while it runs; connections that are open keep the old ones."""
        self.write(lines)
        os.kill(self.process.pid, signal.SIGHUP)

    def _listens(self) -> bool:
        self.process.check()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class NginxMaker:
    """Calling it starts a door; all are stopped after the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[Nginx] = []

    def __call__(self, upstream: str, *lines: str, tls: bool = False, mutual: bool = False) -> Nginx:
        """A started door before `upstream`, guarded by these lines of an nginx server block."""
        door = Nginx(self._folder / f"nginx-{len(self._made)}", upstream, tls=tls or mutual, mutual=mutual)
        door.write(lines)
        self._made.append(door)
        door.start()
        return door

    def logs(self) -> dict[str, str]:
        """What they said last."""
        return {f"nginx {door.port}": tail(door.folder / "error.log") + tail(door.process.log) for door in self._made}

    def stop(self) -> None:
        """Stop all."""
        while self._made:
            self._made.pop().process.stop()


def basic(folder: Path, user: str, password: str) -> list[str]:
    """The lines that ask for a user and a password."""
    file = folder / "passwords"
    file.write_text(f"{user}:{{PLAIN}}{password}\n")
    return ['auth_basic "here";', f"auth_basic_user_file {file};"]


def token(word: str) -> list[str]:
    """The lines that ask for a token."""
    return [f'if ($http_authorization != "Bearer {word}") {{ return 401; }}']

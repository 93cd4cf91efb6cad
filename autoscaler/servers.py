"""Where servers are and how to get in, as the settings say it: Prometheus servers and Docker engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from autoscaler.model.policy import Node
from autoscaler.policy.convert import Fault

Url = Annotated[
    str,
    Meta(
        pattern="^https?://",
        examples=["https://prometheus:9090"],
        description="the server's base URL; a user and password may stand in it",
    ),
]


class Basic(Node, frozen=True, kw_only=True):
    """A user and a password; exactly one of the two ways to tell the password."""

    username: Annotated[str, Meta(min_length=1, description="the user")]
    password: Annotated[str, Meta(min_length=1, description="the password")] | None = None
    password_file: Annotated[str, Meta(min_length=1, description="a file with the password, read again")] | None = None


class PrometheusServer(Node, frozen=True, kw_only=True):
    """Where queries are asked, and how to get in."""

    url: Url
    basic: Annotated[Basic, Meta(description="a user and a password")] | None = None
    bearer_file: Annotated[str, Meta(min_length=1, description="a file with a token, read again")] | None = None
    ca: Annotated[str, Meta(min_length=1, description="a file with the authorities its certificate is checked by")] | (
        None
    ) = None
    cert: Annotated[str, Meta(min_length=1, description="a file with our own certificate")] | None = None
    key: Annotated[str, Meta(min_length=1, description="a file with its key")] | None = None
    headers: Annotated[dict[str, str], Meta(description="sent with every query: X-Scope-OrgID")] = {}
    proxy: (
        Annotated[
            str,
            Meta(pattern="^https?://", examples=["http://proxy:3128"], description="the proxy on the way to it"),
        ]
        | None
    ) = None


class PrometheusSettings(PrometheusServer, frozen=True, kw_only=True):
    """The server that signals ask which name none."""

    url: Url = "http://127.0.0.1:9090"


class Engine(Node, frozen=True, kw_only=True):
    """A Docker engine that policies name."""

    host: Annotated[str, Meta(min_length=1, description="its socket: unix:///run/docker.sock, tcp://host:2375")]


AnyServer = TypeVar("AnyServer", bound=PrometheusServer)


def rules(struct: object) -> Iterator[Fault]:
    """What is wrong with one of these as a whole."""
    if isinstance(struct, Basic) and (struct.password is None) == (struct.password_file is None):
        got = "none" if struct.password is None else "both"
        yield (), f"expected exactly one of password, password_file, got {got}", "a file can be read again"
    if isinstance(struct, PrometheusServer):
        if (struct.cert is None) != (struct.key is None):
            missing = "key" if struct.key is None else "cert"
            yield (), f"{missing} is missing: a certificate and its key go together", f"add {missing}: FILE"
        ways = [key for key in ("basic", "bearer_file") if getattr(struct, key) is not None]
        ways += ["a user in url"] if "@" in struct.url.split("/")[2] else []
        ways += [f"headers.{key}" for key in struct.headers if key.lower() == "authorization"]
        if len(ways) > 1:
            yield (), f"expected one way to say who asks, got {' and '.join(ways)}", "keep one"


def near(server: AnyServer, folder: Path) -> AnyServer:
    """The server with relative paths of files meant from this folder."""
    files = {key: getattr(server, key) for key in ("bearer_file", "ca", "cert", "key")}
    beside: dict[str, Any] = {key: str(folder / file) for key, file in files.items() if file is not None}
    if server.basic is not None and server.basic.password_file is not None:
        password_file = str(folder / server.basic.password_file)
        beside["basic"] = msgspec.structs.replace(server.basic, password_file=password_file)
    return msgspec.structs.replace(server, **beside) if beside else server

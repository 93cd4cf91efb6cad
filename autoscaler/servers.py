"""Where servers are and how to get in, as the settings say it: Prometheus servers, Docker engines, our receiver."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from autoscaler.model.policy import DURATION, Node
from autoscaler.policy.convert import Fault

OFF = "off"


class Trust(enum.Enum):
    """Whose commits are taken."""

    ANY = "any"
    SIGNERS = "signers"


_FILES = (
    "bearer_file", "ca", "cert", "key", "client_ca", "signers", "keys", "token_file", "key_file", "tokens", "file",
    "apprise_file",
)  # fmt: skip
_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[^:\[\]]*):(?P<port>[0-9]{1,5})")

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


class Receiver(Node, frozen=True, kw_only=True):
    """Where series are pushed to by remote write, and who may."""

    listen: Annotated[str, Meta(description="host:port, or off", examples=["0.0.0.0:8731"])] = OFF
    bearer_file: (
        Annotated[str, Meta(min_length=1, description="a file with the token that senders must show, read again")]
        | None
    ) = None
    cert: Annotated[str, Meta(min_length=1, description="a file with our certificate: TLS, read again")] | None = None
    key: Annotated[str, Meta(min_length=1, description="a file with its key")] | None = None
    client_ca: (
        Annotated[
            str,
            Meta(min_length=1, description="a file with the authorities by which senders' certificates are checked"),
        ]
        | None
    ) = None

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port to listen on; None for `off`."""
        return place(self.listen)


class Engine(Node, frozen=True, kw_only=True):
    """A Docker engine that policies name."""

    host: Annotated[str, Meta(min_length=1, description="its socket: unix:///run/docker.sock, tcp://host:2375")]


class GitSettings(Node, frozen=True, kw_only=True):
    """The repository that policies come from, instead of files and folders here."""

    url: (
        Annotated[
            str,
            Meta(
                pattern=r"^(https|ssh|file)://[^\s]+$",
                examples=["https://github.com/acme/infra.git"],
                description="its URL: https, ssh or file; without it nothing here counts",
            ),
        ]
        | None
    ) = None
    ref: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._/+@-]*$",
            examples=["main"],
            description="the branch or tag that is followed; the repository's usual branch by default",
        ),
    ] = "HEAD"
    path: Annotated[str, Meta(description="the folder or file in it; all of it by default")] = ""
    every: Annotated[float, Meta(ge=1, le=86400, description="time between two looks at it", extra=DURATION)] = 60.0
    processes: Annotated[
        bool, Meta(description="policies may start programs here, as the daemon's user: targets of kind process")
    ] = False
    pin: Annotated[str, Meta(pattern="^[0-9a-f]{40}$", description="this commit, wherever the ref is at")] | None = None
    trust: Annotated[Trust, Meta(description="whose commits are taken: anybody's, or only those signed")] = Trust.ANY
    signers: (
        Annotated[str, Meta(min_length=1, description="a file of who may sign by ssh, as ssh-keygen's ALLOWED SIGNERS")]
        | None
    ) = None
    keys: Annotated[str, Meta(min_length=1, description="a file of OpenPGP keys that may sign")] | None = None
    username: Annotated[str, Meta(min_length=1, description="the user that goes with the token")] = "x-access-token"
    token_file: Annotated[str, Meta(min_length=1, description="a file with a token or password, read again")] | None = (
        None
    )
    ca: Annotated[str, Meta(min_length=1, description="a file with the authorities its certificate is checked by")] | (
        None
    ) = None

    @property
    def may_start(self) -> bool:
        """Whether policies may start programs: those from files may, for whoever writes here has this machine."""
        return self.url is None or self.processes


AnyNode = TypeVar("AnyNode", bound=Node)


def place(listen: str) -> tuple[str, int] | None:
    """Host and port of a `host:port`; None for `off`. Raises ValueError for anything else.

    >>> place("[::1]:80"), place(":80"), place("off")
    (('::1', 80), ('0.0.0.0', 80), None)
    """
    if listen == OFF:
        return None
    found = _ADDRESS.fullmatch(listen)
    if found is None or int(found["port"]) >= 65536:
        raise ValueError(f"expected host:port or off, got {listen}")
    return found["host"].strip("[]") or "0.0.0.0", int(found["port"])


def rules(struct: object) -> Iterator[Fault]:
    """What is wrong with one of these as a whole."""
    if isinstance(struct, Basic) and (struct.password is None) == (struct.password_file is None):
        got = "none" if struct.password is None else "both"
        yield (), f"expected exactly one of password, password_file, got {got}", "a file can be read again"
    if isinstance(struct, Receiver):
        yield from _receiver(struct)
    if isinstance(struct, GitSettings):
        yield from _git(struct)
    if isinstance(struct, PrometheusServer | Receiver) and (struct.cert is None) != (struct.key is None):
        missing = "key" if struct.key is None else "cert"
        yield (), f"{missing} is missing: a certificate and its key go together", f"add {missing}: FILE"
    if isinstance(struct, PrometheusServer):
        ways = [key for key in ("basic", "bearer_file") if getattr(struct, key) is not None]
        ways += ["a user in url"] if "@" in struct.url.split("/")[2] else []
        ways += [f"headers.{key}" for key in struct.headers if key.lower() == "authorization"]
        if len(ways) > 1:
            yield (), f"expected one way to say who asks, got {' and '.join(ways)}", "keep one"


def _receiver(receiver: Receiver) -> Iterator[Fault]:
    """Whoever can push can raise counts: from elsewhere only who is known."""
    if receiver.client_ca is not None and receiver.cert is None:
        yield ("client_ca",), "does nothing without TLS", "add cert: FILE and key: FILE"
    try:
        address = receiver.address
    except ValueError as error:
        yield ("listen",), str(error), "127.0.0.1:8731"
        return
    if address is None or address[0] in ("localhost", "::1") or address[0].startswith("127."):
        return
    if receiver.bearer_file is None and receiver.client_ca is None:
        said = f"anybody who reaches {receiver.listen} could push"
        yield ("listen",), said, "add bearer_file: FILE, or cert, key and client_ca; or listen on 127.0.0.1"


def _git(git: GitSettings) -> Iterator[Fault]:
    """Rules of who is trusted must mean something, and a secret belongs in a file."""
    if git.url is None:
        told = [name for name in git.__struct_fields__ if getattr(git, name) != getattr(GitSettings(), name)]
        if told:
            yield ("url",), f"is missing, and {told[0]} does nothing without it", "url: https://…"
        return
    parts = urlsplit(git.url)
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        yield ("url",), "holds a user or password, which logs and errors would tell", "write username and token_file"
    if git.token_file is not None and parts.scheme != "https":
        yield ("token_file",), f"is not sent by {parts.scheme}", "use an https URL, or remove it"
    if any(part in ("", ".", "..") for part in git.path.strip("/").split("/")) and git.path.strip("/"):
        yield ("path",), f"expected a path in the repository, got {git.path}", "path: policies"
    files = [name for name in ("signers", "keys") if getattr(git, name) is not None]
    if git.trust is Trust.SIGNERS and not files:
        yield ("trust",), "signers are trusted, and none are named", "add signers: FILE (ssh) or keys: FILE (OpenPGP)"
    if git.trust is Trust.ANY and files:
        yield ("trust",), f"any commit is trusted, so {files[0]} does nothing", "write trust: signers"


def near(told: AnyNode, folder: Path) -> AnyNode:
    """The same with relative paths of files meant from this folder."""
    files = {key: getattr(told, key, None) for key in _FILES}
    beside: dict[str, Any] = {key: str(folder / file) for key, file in files.items() if file is not None}
    if isinstance(told, PrometheusServer) and told.basic is not None and told.basic.password_file is not None:
        password_file = str(folder / told.basic.password_file)
        beside["basic"] = msgspec.structs.replace(told.basic, password_file=password_file)
    return msgspec.structs.replace(told, **beside) if beside else told

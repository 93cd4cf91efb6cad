"""How to get in at GitHub, and what is told there, as the settings say it."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from msgspec import Meta

from autoscaler.model.policy import Node
from autoscaler.policy.convert import Fault
from autoscaler.servers import GitSettings


class Report(enum.Enum):
    """How GitHub is told which revision is live where."""

    OFF = "off"
    DEPLOYMENTS = "deployments"
    STATUSES = "statuses"


class GitHubSettings(Node, frozen=True, kw_only=True):
    """GitHub's API: who we are there, and what is told there."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^https?://[^\s@?#]+$",
            examples=["https://ghes.example"],
            description="its web address; the API is found by it",
        ),
    ] = "https://github.com"
    repository: (
        Annotated[
            str,
            Meta(
                pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*/(?!\.{1,2}$)[A-Za-z0-9_.-]+$",
                examples=["acme/infra"],
                description="the repository that is asked about; the one of git.url by default",
            ),
        ]
        | None
    ) = None
    app: (
        Annotated[str, Meta(pattern="^[A-Za-z0-9.]+$", description="the number or client ID of a GitHub App")] | None
    ) = None
    key_file: Annotated[str, Meta(min_length=1, description="a file with its private key, read again")] | None = None
    token_file: (
        Annotated[str, Meta(min_length=1, description="a file with a fine-grained token, instead of an App")] | None
    ) = None
    ca: Annotated[str, Meta(min_length=1, description="a file with the authorities its certificate is checked by")] | (
        None
    ) = None
    proxy: Annotated[str, Meta(pattern="^https?://", description="the proxy on the way to it")] | None = None
    report: Annotated[Report, Meta(description="how it is told which commit's policies are in force")] = Report.OFF
    environment: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$",
            examples=["production"],
            description="what this daemon is called there; two daemons of a repository have two names",
        ),
    ] = "autoscaler"

    @property
    def known(self) -> bool:
        """Whether we are anybody there."""
        return self.app is not None or self.token_file is not None


def rules(struct: object) -> Iterator[Fault]:
    """What is wrong with the settings of GitHub as a whole."""
    if not isinstance(struct, GitHubSettings):
        return
    parts = _split(struct.url)
    if parts is None:
        yield ("url",), "this is no URL", "https://github.com"
    elif parts.scheme == "http" and (parts.hostname or "") not in ("localhost", "127.0.0.1", "::1"):
        yield ("url",), "tokens would go there unencrypted", f"https://{parts.netloc}"
    if (struct.app is None) != (struct.key_file is None):
        missing = "key_file" if struct.key_file is None else "app"
        yield (), f"{missing} is missing: an App and its key go together", "see `autoscaler github create-app`"
    if struct.app is not None and struct.token_file is not None:
        yield ("token_file",), "does nothing beside an App", "keep one"
    if struct.report is not Report.OFF and not struct.known:
        yield ("report",), "needs a way to get in", "add app and key_file, or token_file"


def repository(github: GitHubSettings, git: GitSettings) -> str:
    """The repository that GitHub is asked about; empty where none is known.

    >>> repository(GitHubSettings(), GitSettings(url="https://github.com/acme/infra.git"))
    'acme/infra'
    """
    return github.repository or _of(git, github)


def lends_token(github: GitHubSettings, git: GitSettings) -> bool:
    """Whether git gets in by what GitHub's API gives us: at this repository, if no other token is named."""
    parts, ours = _split(git.url or ""), _of(git, github)
    free = github.known and git.token_file is None and parts is not None and parts.scheme == "https"
    return free and bool(ours) and ours.lower() == repository(github, git).lower()


def _of(git: GitSettings, github: GitHubSettings) -> str:
    """Owner and name by the URL of git, where that is at this GitHub."""
    parts, host = _split(git.url or ""), _split(github.url)
    if parts is None or host is None:
        return ""
    names = parts.path.strip("/").removesuffix(".git").split("/")
    same = (parts.hostname or "").lower() == (host.hostname or "").lower() and parts.scheme in ("https", "ssh")
    if parts.scheme == "https":  # who listens at another port of the host is somebody else
        same = same and (parts.port or 443) == (host.port or 443)
    return "/".join(names) if same and len(names) == 2 and all(names) else ""


def _split(url: str) -> SplitResult | None:
    """A URL in parts; None where it is none, as with a port that there is not."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts

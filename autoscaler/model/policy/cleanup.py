"""What is taken away after containers and images that nobody needs any more."""

import enum
from typing import Annotated

from msgspec import Meta

from autoscaler.model.policy.node import DURATION, Name, Node
from autoscaler.model.policy.policy import Mode


class Orphans(enum.Enum):
    """Which anonymous volumes without a container may go: those the daemon saw a container of the project have."""

    SEEN = "seen"


class CleanupKind(enum.Enum):
    """What the document is."""

    CLEANUP = "cleanup"


class Removals(Node, frozen=True, kw_only=True):
    """A budget: so many removals in any period."""

    count: Annotated[int, Meta(ge=1, le=10_000, description="so many removals")]
    per: Annotated[float, Meta(ge=1, le=2678400, description="the period", extra=DURATION)]


class Cleanup(Node, frozen=True, kw_only=True):
    """One clean-up: what of a compose project is taken away, and when. Nothing goes that is not written here."""

    name: Annotated[Name, Meta(description="the clean-up's name, unique in the set")]
    project: Annotated[Name, Meta(description="the compose project's name")]
    cron: Annotated[str, Meta(min_length=1, description="when it runs: minute hour day month weekday")]
    timezone: Annotated[Name, Meta(description="whose clock the cron line follows, by its IANA name")] = "UTC"
    engine: Annotated[Name, Meta(description="the engine, by its name in the daemon's settings")] | None = None
    exited_after: (
        Annotated[float, Meta(gt=0, description="containers that ended this long ago go", extra=DURATION)] | None
    ) = None
    dangling_images: Annotated[bool, Meta(description="images of the project that have no name any more go")] = False
    keep_images: (
        Annotated[int, Meta(ge=1, le=1000, description="images older than the newest so many of their name go")] | None
    ) = None
    orphan_volumes: (
        Annotated[Orphans, Meta(description="anonymous volumes that no container has any more go, if seen in use")]
        | None
    ) = None
    budget: Annotated[Removals, Meta(description="at most so many removals in a period")] = Removals(
        count=20, per=3600.0
    )
    mode: Annotated[Mode, Meta(description="act, or observe: decide and record only")] = Mode.ACT
    labels: Annotated[dict[str, str], Meta(description="for people and filters")] = {}
    kind: Annotated[CleanupKind, Meta(description="what the document is")] = CleanupKind.CLEANUP
    version: Annotated[int, Meta(ge=1, le=1, description="the language's version")] = 1

"""Where the daemon's doings are told, as the settings say it: the audit's file, and who is notified of what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from autoscaler.model.notice import Kind
from autoscaler.model.policy import DURATION, Node
from autoscaler.policy.convert import Fault


class AuditSettings(Node, frozen=True, kw_only=True):
    """The file that every action is written to as a line of JSON."""

    file: Annotated[str, Meta(min_length=1, description="the file; without one nothing is written")] | None = None
    megabytes: Annotated[float, Meta(ge=0.01, le=1_000_000, description="at which a new file begins")] = 50.0
    keep: Annotated[int, Meta(ge=1, le=1000, description="how many former files stay beside it")] = 10


class Notified(Node, frozen=True, kw_only=True):
    """One receiver: the way to it (exactly one of webhook, apprise and apprise_file), and what it wants to know."""

    webhook: (
        Annotated[
            str,
            Meta(
                pattern="^https?://",
                examples=["https://hooks.example.com"],
                description="CloudEvents are posted here",
            ),
        ]
        | None
    ) = None
    bearer_file: (
        Annotated[str, Meta(min_length=1, description="a file with the token the webhook wants, read again")] | None
    ) = None
    ca: (
        Annotated[str, Meta(min_length=1, description="a file with the authorities its certificate is checked by")]
        | None
    ) = None
    apprise: (
        Annotated[str, Meta(min_length=1, examples=["mailto://user:pass@host"], description="a URL of apprise")] | None
    ) = None
    apprise_file: (
        Annotated[str, Meta(min_length=1, description="a file with URLs of apprise, one a line, read again")] | None
    ) = None
    kinds: Annotated[tuple[Kind, ...], Meta(description="what it is told of; everything by default")] = ()
    labels: Annotated[dict[str, str], Meta(description="only of workloads whose policies have all of these")] = {}
    after: Annotated[
        float, Meta(ge=0, le=86400, description="a problem that is over sooner is not told", extra=DURATION)
    ] = 120.0
    repeat: Annotated[
        float, Meta(ge=60, le=2678400, description="one that stays is told again after so long", extra=DURATION)
    ] = 14_400.0
    most: Annotated[int, Meta(ge=1, le=1000, description="messages within an hour")] = 20


def rules(struct: object) -> Iterator[Fault]:
    """What is wrong with one of these as a whole."""
    if not isinstance(struct, Notified):
        return
    ways = [key for key in ("webhook", "apprise", "apprise_file") if getattr(struct, key) is not None]
    if len(ways) != 1:
        got = " and ".join(ways) or "none"
        yield (), f"expected exactly one of webhook, apprise, apprise_file, got {got}", "two receivers have two names"
    for key in ("bearer_file", "ca"):
        if getattr(struct, key) is not None and struct.webhook is None:
            yield (key,), "does nothing without a webhook", "what apprise needs stands in its URL"

"""How fast a count may change, HPA v2 shape and defaults."""

import enum
from typing import Annotated

from msgspec import Meta

from autoscaler.model.policy.node import DURATION, PERCENT, Node


class Select(enum.Enum):
    """Which of several rates counts: the one that allows most, least, or none at all."""

    MAX = "max"
    MIN = "min"
    DISABLED = "disabled"


class Rate(Node, frozen=True, kw_only=True):
    """At most this much change in any period: `replicas` or `percent`, exactly one."""

    per: Annotated[float, Meta(ge=1, le=1800, description="the period", extra=DURATION)]
    replicas: Annotated[int, Meta(ge=1, description="so many replicas")] | None = None
    percent: Annotated[int, Meta(ge=1, description="so many percent of the count at the period's start")] | None = None


class Direction(Node, frozen=True, kw_only=True):
    """How fast one direction may go. What is not written has the HPA's default."""

    stabilization: (
        Annotated[float, Meta(ge=0, le=3600, description="how far back a gentler wish still counts", extra=DURATION)]
        | None
    ) = None
    tolerance: (
        Annotated[float, Meta(ge=0, description="deviation from the target that is left alone", extra=PERCENT)] | None
    ) = None
    rates: Annotated[tuple[Rate, ...], Meta(min_length=1, description="limits of speed")] | None = None
    select: Annotated[Select, Meta(description="which of several rates counts")] = Select.MAX


class Reversals(Node, frozen=True, kw_only=True):
    """A budget for changes of direction; once it is spent, shrinking waits and growing does not."""

    count: Annotated[int, Meta(ge=1, le=1000, description="so many changes of direction")]
    per: Annotated[float, Meta(ge=1, le=86400, description="the period", extra=DURATION)]


class Behavior(Node, frozen=True, kw_only=True):
    """Speed and smoothing, HPA v2 shape and defaults."""

    up: Annotated[Direction, Meta(description="growing")] = Direction()
    down: Annotated[Direction, Meta(description="shrinking")] = Direction()
    reversals: Annotated[Reversals, Meta(description="a budget for changes of direction")] | None = None


class Legacy(enum.Enum):
    """An HPA that has no `behavior`: doubling at most, five minutes of smoothing downwards."""

    LEGACY = "legacy"


HPA_BEHAVIOR = Behavior(
    up=Direction(stabilization=0.0, tolerance=0.1, rates=(Rate(replicas=4, per=15.0), Rate(percent=100, per=15.0))),
    down=Direction(stabilization=300.0, tolerance=0.1, rates=(Rate(percent=100, per=15.0),)),
)  # the defaults of autoscaling/v2

"""How an instance comes and goes, and when a new one takes its place."""

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from autoscaler.model.policy.node import DURATION, Name, Node


class BeforeStop(Node, frozen=True, kw_only=True):
    """A call to an instance that is about to leave."""

    http: Annotated[
        str,
        Meta(pattern="^:[0-9]+/|^/", examples=[":8000/drain"], description="POST to this port and path of it"),
    ]


class Lifecycle(Node, frozen=True, kw_only=True):
    """How an instance comes and goes."""

    ready_within: Annotated[
        float, Meta(gt=0, le=3600, description="a new instance not ready by then has failed", extra=DURATION)
    ] = 120.0
    warm_up: Annotated[
        float, Meta(ge=0, le=3600, description="time after ready until it carries its full load", extra=DURATION)
    ] = 0.0
    before_stop: Annotated[BeforeStop, Meta(description="told to an instance before it drains")] | None = None
    drain: Annotated[
        float, Meta(ge=0, le=3600, description="time between leaving the count and being stopped", extra=DURATION)
    ] = 0.0
    stop_within: (
        Annotated[
            float, Meta(gt=0, le=3600, description="grace to stop; the container's own by default", extra=DURATION)
        ]
        | None
    ) = None


class Times(Node, frozen=True, kw_only=True):
    """So many within a period."""

    count: Annotated[int, Meta(ge=1, le=1000, description="so many")]
    per: Annotated[float, Meta(ge=1, le=604800, description="the period", extra=DURATION)]


class Exited(enum.Enum):
    """Which ends make an instance due: `error` is any exit code but 0."""

    ERROR = "error"


GROWTH_PARTS = 8  # of a period of growth; the least of each counts, so that what is given back again is no growth


class Growth(Node, frozen=True, kw_only=True):
    """Its memory grew by so much within a period, and steadily: in either half of it."""

    percent: Annotated[int, Meta(ge=1, le=100_000, description="by more than this share of what it was")]
    per: Annotated[float, Meta(ge=8, le=604800, description="the period", extra=DURATION)]


class Outlier(Node, frozen=True, kw_only=True):
    """What is measured of it is many times the median of all instances, for so long."""

    prometheus: Annotated[str, Meta(min_length=1, description="a PromQL query with one series for each instance")]
    server: Annotated[Name, Meta(description="the Prometheus, by its name in the daemon's settings")] | None = None
    times_median: Annotated[float, Meta(gt=1, le=1_000_000, description="more than so many times the median")]
    lasts: Annotated[float, Meta(gt=0, le=86400, description="without a break for so long", extra=DURATION)] = (
        msgspec.field(name="for")
    )


class When(Node, frozen=True, kw_only=True):
    """What makes an instance due for replacement: any of these."""

    unhealthy_for: (
        Annotated[float, Meta(gt=0, description="it was ready once and has not been for this long", extra=DURATION)]
        | None
    ) = None
    never_ready_after: (
        Annotated[float, Meta(gt=0, description="it is this old and was never ready", extra=DURATION)] | None
    ) = None
    restarts: Annotated[Times, Meta(description="the engine or kubelet restarted it so often")] | None = None
    oom_kills: Annotated[Times, Meta(description="it ran out of memory so often")] | None = None
    exited: Annotated[Exited, Meta(description="it ended and nobody starts it again")] | None = None
    memory_growth: Annotated[Growth, Meta(description="its memory grew steadily by so much")] | None = None
    outlier: Annotated[Outlier, Meta(description="what is measured of it stands far out from the others")] | None = None
    older_than: (
        Annotated[float, Meta(gt=0, description="its age; spread by up to 20 % more, each its own", extra=DURATION)]
        | None
    ) = None
    image_changed: Annotated[bool, Meta(description="its tag means another image by now")] = False
    config_changed: Annotated[bool, Meta(description="newer ones are made from another configuration")] = False


class How(enum.Enum):
    """How one takes another's place. `auto`: the new one first, where two can run side by side; else the old one
    stops first. `surge`: the new one first, or not at all."""

    AUTO = "auto"
    SURGE = "surge"


class Method(enum.Enum):
    """How a pod is taken away: `evict` asks disruption budgets, `delete` does not. With `restart` sick pods are
    evicted, and for an old or changed one its owner replaces all of them by a rollout."""

    EVICT = "evict"
    DELETE = "delete"
    RESTART = "restart"


class Breaker(Node, frozen=True, kw_only=True):
    """Too many sick at once are not their own fault: then one is replaced at a time, to see whether it helps."""

    percent: Annotated[int, Meta(ge=1, le=100, description="more than this share is sick")] = 50
    least: Annotated[int, Meta(ge=1, le=100_000, description="and at least so many are")] = msgspec.field(
        name="from", default=3
    )


class Opening(Node, frozen=True, kw_only=True):
    """A time in which what serves may be replaced."""

    cron: Annotated[str, Meta(min_length=1, description="its starts: minute hour day month weekday")]
    lasts: Annotated[float, Meta(gt=0, le=2678400, description="elapsed time from start to end", extra=DURATION)] = (
        msgspec.field(name="for")
    )
    timezone: Annotated[Name, Meta(description="whose clock the cron line follows, by its IANA name")] = "UTC"
    excepted: Annotated[tuple[str, ...], Meta(description="start dates on which it stays closed")] = msgspec.field(
        name="except", default=()
    )


class Pull(Node, frozen=True, kw_only=True):
    """When the engine is told to pull the images of containers again."""

    cron: Annotated[str, Meta(min_length=1, description="its times: minute hour day month weekday")]
    timezone: Annotated[Name, Meta(description="whose clock the cron line follows, by its IANA name")] = "UTC"


class Recycle(Node, frozen=True, kw_only=True):
    """Instances are never repaired, they are replaced."""

    when: Annotated[When, Meta(description="any of these makes an instance due")]
    how: Annotated[How, Meta(description="the new one first, or the old one first")] = How.AUTO
    unavailable: Annotated[int, Meta(ge=1, le=1000, description="so many may be out of service at once")] = 1
    budget: Annotated[Times, Meta(description="no more replacements than this")] | None = None
    breaker: Annotated[Breaker, Meta(description="when too many are sick at once")] = Breaker()
    pull: Annotated[Pull, Meta(description="when images are pulled again; never if not said")] | None = None
    windows: Annotated[
        tuple[Opening, ...], Meta(description="when the old and the changed are replaced; any time if none")
    ] = ()
    method: Annotated[Method, Meta(description="how a pod is taken away")] = Method.EVICT

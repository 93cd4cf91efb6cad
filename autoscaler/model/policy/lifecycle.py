"""How an instance comes and goes, and when a new one takes its place."""

from typing import Annotated

from msgspec import Meta

from autoscaler.model.policy.node import DURATION, Node


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


class When(Node, frozen=True, kw_only=True):
    """What makes an instance due for replacement: any of these."""

    unhealthy_for: (
        Annotated[float, Meta(gt=0, description="it was ready once and has not been for this long", extra=DURATION)]
        | None
    ) = None


class Recycle(Node, frozen=True, kw_only=True):
    """Instances are never repaired, they are replaced."""

    when: Annotated[When, Meta(description="any of these makes an instance due")]

"""What the owner asked for. These structs are the single source of loader, schema and reference.

Each field carries its unit, bounds, default and sentence: `Annotated[type, Meta(ge=…, description=…), …]`. The
loader turns text into these types (`30s`, `70%`) by the marker in `extra`; nothing else knows the keys.
"""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

DURATION = {"unit": "duration"}  # text: 250ms 15s 5m 2h 1d; held as seconds
PERCENT = {"unit": "percent"}  # text: 70%; held as a fraction
NUMBER = {"unit": "number"}  # a plain number, or a duration: 300ms; held as seconds

Name = Annotated[str, Meta(min_length=1, max_length=253)]
Seconds = Annotated[float, Meta(ge=0, extra=DURATION)]


class Mode(enum.Enum):
    """`observe` decides and records, and changes nothing."""

    ACT = "act"
    OBSERVE = "observe"


class Select(enum.Enum):
    """Which of several rates counts: the one that allows most, least, or none at all."""

    MAX = "max"
    MIN = "min"
    DISABLED = "disabled"


class Node(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A map in a policy file."""


class ComposeTarget(Node, frozen=True, kw_only=True):
    """A service of a compose project on a Docker engine."""

    project: Annotated[Name, Meta(description="the compose project's name")]
    service: Annotated[Name, Meta(description="the service's name in the compose file")]


class KubernetesTarget(Node, frozen=True, kw_only=True):
    """A workload in a Kubernetes cluster."""

    namespace: Annotated[Name, Meta(description="the namespace")]
    name: Annotated[Name, Meta(description="the workload's name")]
    kind: Annotated[str, Meta(description="the workload's kind", pattern="^Deployment$")] = "Deployment"


class Ready(Node, frozen=True, kw_only=True):
    """How a worker process says that it is ready: GET answers 2xx."""

    path: Annotated[str, Meta(description="path asked for on the worker's port", pattern="^/")] = "/"
    every: Annotated[float, Meta(gt=0, description="time between two probes", extra=DURATION)] = 1.0
    failures: Annotated[int, Meta(ge=1, description="probes in a row that must fail before it counts as sick")] = 3


class ProcessTarget(Node, frozen=True, kw_only=True):
    """Worker processes on this machine, supervised by the daemon, each on a port of its own (`PORT`)."""

    command: Annotated[tuple[str, ...], Meta(min_length=1, description="program and arguments; {port} is filled in")]
    env: Annotated[dict[str, str], Meta(description="environment added to the daemon's own")] = {}
    ready: Annotated[Ready, Meta(description="how readiness is probed")] = Ready()


class TargetSpec(Node, frozen=True, kw_only=True):
    """What is scaled: exactly one of these."""

    compose: Annotated[ComposeTarget, Meta(description="a compose service")] | None = None
    kubernetes: Annotated[KubernetesTarget, Meta(description="a Kubernetes workload")] | None = None
    process: Annotated[ProcessTarget, Meta(description="worker processes")] | None = None


class Replicas(Node, frozen=True, kw_only=True):
    """The owner's bounds; they are law."""

    max: Annotated[int, Meta(ge=1, le=100_000, description="never more than this")]
    min: Annotated[int, Meta(ge=1, le=100_000, description="never fewer than this")] = 1


class ScrapeMode(enum.Enum):
    """`rate` for a counter (per second between two reads), `gauge` for a value as it is."""

    RATE = "rate"
    GAUGE = "gauge"


class Scrape(Node, frozen=True, kw_only=True):
    """A metric read from every instance directly."""

    metric: Annotated[Name, Meta(description="the metric's name; series of one instance are added up")]
    mode: Annotated[ScrapeMode, Meta(description="rate for a counter, gauge for a value")] = msgspec.field(name="as")
    port: (
        Annotated[int, Meta(ge=1, le=65535, description="the instance's port; a process worker's own by default")]
        | None
    ) = None
    path: Annotated[str, Meta(description="where the metrics are", pattern="^/")] = "/metrics"
    match: Annotated[dict[str, str], Meta(description="only series with these labels")] = {}


class Signal(Node, frozen=True, kw_only=True):
    """A named measurement with exactly one source and one goal."""

    name: Annotated[Name, Meta(description="the signal's name, unique in the policy")]
    prometheus: Annotated[str, Meta(min_length=1, description="a PromQL query that gives one series")] | None = None
    scrape: Annotated[Scrape, Meta(description="a metric read from every instance directly")] | None = None
    per_replica: (
        Annotated[float, Meta(gt=0, description="load that one replica should carry: replicas = load ÷ this")] | None
    ) = None
    value: (
        Annotated[
            float, Meta(gt=0, description="target of the value: replicas = ready replicas × value ÷ this", extra=NUMBER)
        ]
        | None
    ) = None
    utilization: (
        Annotated[
            float,
            Meta(
                gt=0, description="target of a reading that is itself a fraction of one replica's limit", extra=PERCENT
            ),
        ]
        | None
    ) = None
    max_age: (
        Annotated[
            float,
            Meta(
                gt=0,
                description="samples older than this are missing; two intervals as seen by default, 2m until then",
                extra=DURATION,
            ),
        ]
        | None
    ) = None

    @property
    def source(self) -> str:
        """The name of the source that reads it."""
        return "scrape" if self.scrape is not None else "prometheus"


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


class Behavior(Node, frozen=True, kw_only=True):
    """Speed and smoothing, HPA v2 shape and defaults."""

    up: Annotated[Direction, Meta(description="growing")] = Direction()
    down: Annotated[Direction, Meta(description="shrinking")] = Direction()


HPA_BEHAVIOR = Behavior(
    up=Direction(stabilization=0.0, tolerance=0.1, rates=(Rate(replicas=4, per=15.0), Rate(percent=100, per=15.0))),
    down=Direction(stabilization=300.0, tolerance=0.1, rates=(Rate(percent=100, per=15.0),)),
)  # the defaults of autoscaling/v2


class Lifecycle(Node, frozen=True, kw_only=True):
    """How an instance comes and goes."""

    ready_within: Annotated[
        float, Meta(gt=0, le=3600, description="a new instance not ready by then has failed", extra=DURATION)
    ] = 120.0
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


class Policy(Node, frozen=True, kw_only=True):
    """One policy: what is scaled, by what, how far and how fast."""

    name: Annotated[Name, Meta(description="the policy's name, unique in the set")]
    target: Annotated[TargetSpec, Meta(description="what is scaled")]
    replicas: Annotated[Replicas, Meta(description="the bounds; optional for a policy that only recycles")] | None = (
        None
    )
    signals: Annotated[tuple[Signal, ...], Meta(description="what the count follows")] = ()
    mode: Annotated[Mode, Meta(description="act, or observe: decide and record only")] = Mode.ACT
    labels: Annotated[dict[str, str], Meta(description="for people and filters")] = {}
    behavior: Annotated[Behavior, Meta(description="speed and smoothing")] = Behavior()
    lifecycle: Annotated[Lifecycle, Meta(description="how an instance comes and goes")] = Lifecycle()
    recycle: Annotated[Recycle, Meta(description="replacement of sick instances")] | None = None
    version: Annotated[int, Meta(ge=1, le=1, description="the language's version")] = 1


class Placed(msgspec.Struct, frozen=True):
    """A policy with the place it was read from: `file:line`."""

    policy: Policy
    file: str
    line: int


class PolicySet(msgspec.Struct, frozen=True):
    """Everything that loaded as one whole, and the revision it came from."""

    revision: str
    placed: tuple[Placed, ...] = ()

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies without their places."""
        return tuple(each.policy for each in self.placed)

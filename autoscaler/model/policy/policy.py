"""One policy as a whole."""

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from autoscaler.model.policy.behavior import Behavior, Legacy
from autoscaler.model.policy.lifecycle import Lifecycle, Recycle
from autoscaler.model.policy.node import DURATION, PERCENT, Name, Node
from autoscaler.model.policy.signal import Signal
from autoscaler.model.policy.target import Replicas, TargetSpec


class Kind(enum.Enum):
    """What a document is."""

    POLICY = "policy"


class Mode(enum.Enum):
    """`observe` decides and records, and changes nothing."""

    ACT = "act"
    OBSERVE = "observe"


class Combine(enum.Enum):
    """`max`: the largest wish wins. `all`: change only where every signal agrees on the direction."""

    MAX = "max"
    ALL = "all"


class Parity(enum.Enum):
    """`strict`: the HPA's decisions without our guards."""

    GUARDED = "guarded"
    STRICT = "strict"


class Algorithm(enum.Enum):
    """`hpa`: the count follows the load of now. `adaptive`: what is to be expected, learned from own errors."""

    HPA = "hpa"
    ADAPTIVE = "adaptive"


class Objective(Node, frozen=True, kw_only=True):
    """How well requests are to be answered: a mean latency, a share that is good, or both.

    With a latency small fleets get more room per replica than large ones; with a share the room follows what it is.
    """

    latency: (
        Annotated[float, Meta(gt=0, le=3600, description="mean time a request may take", extra=DURATION)] | None
    ) = None
    service_time: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=3600,
                description="what a request takes on an idle replica; 1 ÷ capacity if not said",
                extra=DURATION,
            ),
        ]
        | None
    ) = None
    good: Annotated[Name, Meta(description="the signal that counts the good requests, per second")] | None = None
    total: Annotated[Name, Meta(description="the signal that counts all requests, per second")] | None = None
    target: (
        Annotated[float, Meta(gt=0, lt=1, description="share of requests that are to be good", extra=PERCENT)] | None
    ) = None


class OnDoubt(enum.Enum):
    """What an idle workload does while no wake signal can be read."""

    STAY = "stay"
    WAKE = "wake"


class Idle(Node, frozen=True, kw_only=True):
    """Fewer than the minimum while nobody needs it."""

    after: Annotated[float, Meta(gt=0, le=604800, description="so long must nothing be asked for", extra=DURATION)]
    replicas: Annotated[int, Meta(ge=0, le=100_000, description="the count while idle")] = 0
    on_doubt: Annotated[OnDoubt, Meta(description="what to do while no wake signal can be read")] = OnDoubt.STAY


class Window(Node, frozen=True, kw_only=True):
    """A time in which other bounds hold: `min`, `max` or both."""

    name: Annotated[Name, Meta(description="the window's name, unique in the policy")]
    cron: Annotated[str, Meta(min_length=1, description="its starts: minute hour day month weekday")]
    lasts: Annotated[float, Meta(gt=0, le=2678400, description="elapsed time from start to end", extra=DURATION)] = (
        msgspec.field(name="for")
    )
    timezone: Annotated[Name, Meta(description="whose clock the cron line follows, by its IANA name")] = "UTC"
    min: Annotated[int, Meta(ge=1, le=100_000, description="never fewer while it is open")] | None = None
    max: Annotated[int, Meta(ge=1, le=100_000, description="never more while it is open")] | None = None
    excepted: Annotated[tuple[str, ...], Meta(description="start dates on which it stays closed")] = msgspec.field(
        name="except", default=()
    )


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
    every: Annotated[float, Meta(gt=0, le=3600, description="time between decisions", extra=DURATION)] | None = None
    idle: Annotated[Idle, Meta(description="fewer than the minimum while nobody needs it")] | None = None
    combine: Annotated[Combine, Meta(description="how the signals' wishes become one")] = Combine.MAX
    schedule: Annotated[tuple[Window, ...], Meta(description="times in which other bounds hold")] = ()
    algorithm: Annotated[Algorithm, Meta(description="what a signal with capacity asks for")] = Algorithm.HPA
    compare: (
        Annotated[Algorithm, Meta(description="the other algorithm, reckoned beside and never acted on")] | None
    ) = None
    objective: Annotated[Objective, Meta(description="how well adaptive is to have requests answered")] | None = None
    parity: Annotated[Parity, Meta(description="guarded, or strict: the HPA without our guards")] = Parity.GUARDED
    behavior: Annotated[Behavior | Legacy, Meta(description="speed and smoothing")] = Behavior()
    lifecycle: Annotated[Lifecycle, Meta(description="how an instance comes and goes")] = Lifecycle()
    recycle: Annotated[Recycle, Meta(description="replacement of sick instances")] | None = None
    kind: Annotated[Kind, Meta(description="what the document is")] = Kind.POLICY
    version: Annotated[int, Meta(ge=1, le=1, description="the language's version")] = 1


class Scope(Node, frozen=True, kw_only=True):
    """Which policies a document of defaults is for: those of one namespace or of one compose project."""

    namespace: Annotated[Name, Meta(description="policies of this Kubernetes namespace")] | None = None
    project: Annotated[Name, Meta(description="policies of this compose project")] | None = None

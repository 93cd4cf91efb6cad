"""What is scaled and how it stands: workloads, their instances and counts."""

from __future__ import annotations

import msgspec

from autoscaler.model.pod import PodFacts


class WorkloadRef(msgspec.Struct, frozen=True, order=True, gc=False):
    """The identity of a workload, whatever the policy that steers it is called.

    `instance` is the engine or cluster; `namespace` the compose project or Kubernetes namespace.
    """

    platform: str
    namespace: str
    kind: str
    name: str
    instance: str = "default"

    @property
    def key(self) -> str:
        """`platform/instance/namespace/kind/name`: the word for this workload everywhere.

        >>> WorkloadRef("compose", "shop", "service", "web").key
        'compose/default/shop/service/web'
        """
        return f"{self.platform}/{self.instance}/{self.namespace}/{self.kind}/{self.name}"

    @property
    def place(self) -> str:
        """The platform it is on, with the engine or cluster where that is a named one.

        >>> WorkloadRef("compose", "shop", "service", "web", "edge").place
        'compose/edge'
        """
        return self.platform if self.instance == "default" else f"{self.platform}/{self.instance}"


class Instance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One pod or container as last seen."""

    id: str
    name: str
    created: float
    ready: bool
    since: float  # ready since, or unready since
    was_ready: bool = False  # it has been ready at least once
    draining: bool = False  # on its way out by our own hand: not capacity
    running: bool = True
    restarts: int = 0
    exit_code: int | None = None
    ooms: tuple[float, ...] = ()  # when it ran out of memory, as far as the platform remembers
    image: str = ""
    image_id: str = ""  # what its image's name meant when it was made, where `image` is a name
    config_hash: str = ""
    drifted: bool = False  # made from another image or configuration than most of the others
    newer_image: str = ""  # what its tag means by now, where that is another image
    newer_config: str = ""  # what newer ones are made from, where that is another configuration
    node: str = ""
    address: str = ""  # where it can be reached directly, host without port; with port for process workers
    pod: PodFacts | None = None  # on Kubernetes

    @property
    def sick(self) -> bool:
        """It was ready once and is not any more, and nobody takes it away yet."""
        return self.was_ready and not self.ready and not self.draining


class Pool(msgspec.Struct, frozen=True, gc=False):
    """What the workloads of a namespace share on the platform: `left` of it, of which one more instance takes `each`.

    `key` is the same for all that take from it, and `by` says in words what it is.
    """

    key: str
    left: int
    each: int
    by: str

    @property
    def more(self) -> int:
        """How many more instances fit."""
        return self.left // self.each


class TargetState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a workload stands.

    `desired` is the count asked for last where the platform keeps one (None: compose and process keep none, the loop
    fills in its committed intent). `existing` are instances in any state but draining, finished or stopped by a
    person; `ready` are those that serve. `at` is when this was true.
    """

    ref: WorkloadRef
    desired: int | None
    existing: int
    ready: int
    at: float
    instances: tuple[Instance, ...] = ()
    rollout: bool = False
    version: str = ""
    writer: str = ""  # who else wrote the count last, where the platform tells
    remedy: str = ""  # what keeps that one from writing it again, where that is known
    off_by_owner: bool = False  # a zero that the platform does not know to be ours
    pools: tuple[Pool, ...] = ()  # what its instances take from, where the platform tells
    steered_by: str = ""  # which other autoscaler sets the count, where one is known to
    paused_until: float | None = None  # what is written on the workload itself: hands off until then
    pause_fault: str = ""  # what is written there and cannot be read: hands off until it is mended
    foreign_at: float | None = None  # when other hands created or removed instances last, where that can be told

    @property
    def tightest(self) -> Pool | None:
        """The pool that lets the fewest more in; None where nothing limits it."""
        return min(self.pools, key=lambda each: (each.more, each.by), default=None)

"""What is scaled, and how far."""

from typing import Annotated

from msgspec import Meta

from autoscaler.model.policy.node import DURATION, Name, Node

EVERY = "*"
APPS = "apps/v1"
BUILT_IN = ("Deployment", "StatefulSet", "ReplicaSet")  # what needs no apiVersion
GROUP_VERSION = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9]+((alpha|beta)[0-9]+)?$"


class ComposeTarget(Node, frozen=True, kw_only=True):
    """Services of compose projects on a Docker engine: one by its name, or all that carry some labels."""

    project: Annotated[Name, Meta(description='the compose project\'s name, or "*" for every project')]
    service: Annotated[Name, Meta(description="the service's name in the compose file")] | None = None
    selector: Annotated[dict[str, str], Meta(description="every service whose containers carry these labels")] = {}
    engine: Annotated[Name, Meta(description="the engine, by its name in the daemon's settings")] | None = None


class KubernetesTarget(Node, frozen=True, kw_only=True):
    """Workloads in a Kubernetes cluster: one by its name, or all that carry some labels."""

    namespace: Annotated[
        Name | tuple[Name, ...],
        Meta(
            description='the namespace, a list of them, or "*" for every namespace', examples=["shop", ["shop", "pay"]]
        ),
    ]
    name: Annotated[Name, Meta(description="the workload's name")] | None = None
    selector: Annotated[dict[str, str], Meta(description="every workload that carries these labels itself")] = {}
    kind: Annotated[
        str, Meta(min_length=1, description="the workload's kind: any with a scale subresource", examples=[*BUILT_IN])
    ] = "Deployment"
    apiVersion: (
        Annotated[
            str, Meta(pattern=GROUP_VERSION, description="group and version of a kind that is not Kubernetes' own")
        ]
        | None
    ) = None

    adopt: Annotated[
        bool,
        Meta(
            description="whether an HPA of the same workload is deleted, or a ScaledObject paused, on record; else "
            "the count is left to it"
        ),
    ] = False

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces as a list."""
        return (self.namespace,) if isinstance(self.namespace, str) else self.namespace

    @property
    def full_kind(self) -> str:
        """What a workload's identity calls its kind: with version and group, as kubectl writes them, where custom.

        >>> KubernetesTarget(namespace="shop", name="web").full_kind
        'Deployment'
        >>> KubernetesTarget(namespace="shop", name="fruit", kind="Stall", apiVersion="example.com/v1").full_kind
        'Stall.v1.example.com'
        """
        if self.apiVersion is None or (self.kind in BUILT_IN and self.apiVersion == APPS):
            return self.kind
        group, _, version = self.apiVersion.rpartition("/")
        return ".".join(part for part in (self.kind, version, group) if part)


class Ready(Node, frozen=True, kw_only=True):
    """How a worker process says that it is ready: GET answers 2xx."""

    path: Annotated[str, Meta(description="path asked for on the worker's port", pattern="^/", examples=["/ready"])] = (
        "/"
    )
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

    @property
    def explicit(self) -> bool:
        """True when it names one workload; False for a selector."""
        if self.kubernetes is not None:
            one = isinstance(self.kubernetes.namespace, str) and self.kubernetes.namespace != EVERY
            return one and self.kubernetes.name is not None
        return self.compose is None or (self.compose.project != EVERY and self.compose.service is not None)


class Replicas(Node, frozen=True, kw_only=True):
    """The owner's bounds; they are law."""

    max: Annotated[int, Meta(ge=1, le=100_000, description="never more than this")]
    min: Annotated[int, Meta(ge=1, le=100_000, description="never fewer than this")] = 1

"""The parts of Kubernetes objects that we read, as they come over the wire. Everything else is skipped unparsed."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

import msgspec

R = TypeVar("R")

PAUSED = "autoscaling.keda.sh/paused"  # the annotation by which KEDA lets go of a workload
PAUSED_UNTIL = "autoscaler/paused-until"  # the annotation that pauses a workload


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """A JSON object of the API; what is absent has its default."""


class Resource(msgspec.Struct, frozen=True):
    """Where objects of one kind live: `apps/v1` (`v1` for the core group) and the plural."""

    group_version: str
    plural: str

    @property
    def group(self) -> str:
        """The API group as RBAC rules name it; empty for the core group.

        >>> Resource("apps/v1", "deployments").group, Resource("v1", "pods").group
        ('apps', '')
        """
        return self.group_version.rpartition("/")[0]

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """The path of a namespace's objects, of one of them, or of its subresource; of all namespaces where it is "".

        >>> Resource("apps/v1", "deployments").path("shop", "web", "scale")
        '/apis/apps/v1/namespaces/shop/deployments/web/scale'
        >>> Resource("v1", "pods").path("")
        '/api/v1/pods'
        """
        root = "apis" if "/" in self.group_version else "api"
        place = ("namespaces", namespace) if namespace else ()
        parts = (root, self.group_version, *place, self.plural, name, subresource)
        return "/" + "/".join(part for part in parts if part)


class OwnerReference(Wire, frozen=True, gc=False):
    """Who an object belongs to; at most one of them is its controller."""

    uid: str
    name: str = ""
    kind: str = ""
    controller: bool = False


class OwnedSpec(Wire, frozen=True, gc=False):
    """`f:spec` of a managed-fields entry: does it own the count?"""

    replicas: dict[str, str] | None = msgspec.field(name="f:replicas", default=None)


class OwnedFields(Wire, frozen=True, gc=False):
    """`fieldsV1` of a managed-fields entry."""

    spec: OwnedSpec | None = msgspec.field(name="f:spec", default=None)


class ManagedFields(Wire, frozen=True, gc=False):
    """Who wrote which fields. Writes through /scale have no time."""

    manager: str = ""
    operation: str = ""
    time: datetime | None = None
    subresource: str = ""
    fields_v1: OwnedFields | None = msgspec.field(name="fieldsV1", default=None)


class Meta(Wire, frozen=True, gc=False):
    """What every object has."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    owner_references: tuple[OwnerReference, ...] = ()

    @property
    def controller(self) -> OwnerReference | None:
        """The one owner that steers this object."""
        return next((owner for owner in self.owner_references if owner.controller), None)


class LabelledMeta(Meta, frozen=True, gc=False):
    """Metadata with labels."""

    labels: dict[str, str] = {}


class Said(Wire, frozen=True, gc=False):
    """The one annotation of a workload that is meant for us."""

    paused_until: str | None = msgspec.field(name=PAUSED_UNTIL, default=None)


class WrittenMeta(LabelledMeta, frozen=True, gc=False):
    """Metadata with labels, who wrote what, and what is said to us."""

    managed_fields: tuple[ManagedFields, ...] = ()
    annotations: Said = Said()


class Partial(Wire, frozen=True, gc=False):
    """An object of any kind, metadata only."""

    metadata: Meta


class Written(Wire, frozen=True, gc=False):
    """An object of any kind, metadata only, with labels and who wrote what."""

    metadata: WrittenMeta


class RollingUpdate(Wire, frozen=True, gc=False):
    """How far a StatefulSet's rolling update goes: pods with a lower number stay as they are."""

    partition: int = 0


class UpdateStrategy(Wire, frozen=True, gc=False):
    """How a StatefulSet's pods are brought to a new template."""

    type: str = ""
    rolling_update: RollingUpdate | None = None


class Strategy(Wire, frozen=True, gc=False):
    """How a Deployment's pods are brought to a new template."""

    type: str = ""


class WorkloadSpec(Wire, frozen=True, gc=False):
    """What a workload's owner asked for; `replicas` is absent where none was set."""

    replicas: int | None = None
    paused: bool = False
    strategy: Strategy = Strategy()
    update_strategy: UpdateStrategy = UpdateStrategy()
    template: Template | None = None


class WorkloadStatus(Wire, frozen=True, gc=False):
    """What the workload's controller reports; a count that is absent is 0."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    current_revision: str = ""
    update_revision: str = ""


class Workload(Wire, frozen=True, gc=False):
    """A Deployment, StatefulSet or ReplicaSet."""

    metadata: WrittenMeta
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()


class Terminated(Wire, frozen=True, gc=False):
    """How a container ended."""

    exit_code: int = 0
    reason: str = ""
    finished_at: datetime | None = None


class ContainerState(Wire, frozen=True, gc=False):
    """A container's state; only its end is read."""

    terminated: Terminated | None = None


class ContainerStatus(Wire, frozen=True, gc=False):
    """One container of a pod as its node reports it."""

    ready: bool = False
    restart_count: int = 0
    image_id: str = msgspec.field(name="imageID", default="")
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class Condition(Wire, frozen=True, gc=False):
    """One of a pod's conditions; `status` is True, False or Unknown."""

    type: str = ""
    status: str = ""
    last_transition_time: datetime | None = None


class PodStatus(Wire, frozen=True, gc=False):
    """What a pod's node reports."""

    phase: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")
    start_time: datetime | None = None
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class Requested(Wire, frozen=True, gc=False):
    """What is requested, and the most there may be, as quantities by resource."""

    requests: dict[str, str] = {}
    limits: dict[str, str] = {}


class Container(Wire, frozen=True, gc=False):
    """A container as asked for; an init container with `restart_policy` Always is a sidecar."""

    name: str = ""
    image: str = ""
    resources: Requested = Requested()
    restart_policy: str = ""


class PodSpec(Wire, frozen=True, gc=False):
    """What a pod is made of and where it runs; `resources` are those written at the pod itself."""

    node_name: str = ""
    priority_class_name: str = ""
    containers: tuple[Container, ...] | None = None
    init_containers: tuple[Container, ...] = ()
    resources: Requested = Requested()
    overhead: dict[str, str] = {}


class Pod(Wire, frozen=True, gc=False):
    """A pod."""

    metadata: LabelledMeta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class ContainerUsage(Wire, frozen=True, gc=False):
    """What one container used, as quantities by resource."""

    name: str = ""
    usage: dict[str, str] = {}


class PodMetrics(Wire, frozen=True, gc=False):
    """What metrics.k8s.io tells of a pod: used over the `window` (a duration as Go writes it) that ended then."""

    metadata: Meta
    timestamp: datetime | None = None
    window: str = ""
    containers: tuple[ContainerUsage, ...] = ()


class Template(Wire, frozen=True, gc=False):
    """What a workload's pods are made from."""

    spec: PodSpec = PodSpec()


class ScaleSpec(Wire, frozen=True, gc=False):
    """The count of a /scale; absent means 0."""

    replicas: int = 0


class ScaleStatus(Wire, frozen=True, gc=False):
    """What a /scale reports: how many there are, and the label selector of their pods as text."""

    replicas: int = 0
    selector: str = ""


class Scale(Wire, frozen=True, gc=False):
    """The scale subresource."""

    metadata: Meta
    spec: ScaleSpec = ScaleSpec()
    status: ScaleStatus = ScaleStatus()


class Served(Wire, frozen=True, gc=False):
    """One resource of an API group: `plural`, or `plural/subresource`."""

    name: str
    kind: str = ""
    namespaced: bool = False


class ServedList(Wire, frozen=True, gc=False):
    """What an API group's version has."""

    resources: tuple[Served, ...] = ()


class QuotaScope(Wire, frozen=True, gc=False):
    """One condition on the pods that a quota counts."""

    scope_name: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class ScopeSelector(Wire, frozen=True, gc=False):
    """All conditions on the pods that a quota counts."""

    match_expressions: tuple[QuotaScope, ...] = ()


class QuotaSpec(Wire, frozen=True, gc=False):
    """Which pods a quota counts."""

    scopes: tuple[str, ...] = ()
    scope_selector: ScopeSelector = ScopeSelector()


class QuotaStatus(Wire, frozen=True, gc=False):
    """How much a quota allows, and how much of it is used."""

    hard: dict[str, str] = {}
    used: dict[str, str] = {}


class Quota(Wire, frozen=True, gc=False):
    """A ResourceQuota."""

    metadata: Meta
    spec: QuotaSpec = QuotaSpec()
    status: QuotaStatus = QuotaStatus()


class Requirement(Wire, frozen=True, gc=False):
    """What a LimitRange writes into containers that do not say, and the most it lets a container or pod have."""

    type: str = ""
    max: dict[str, str] = {}
    default: dict[str, str] = {}
    default_request: dict[str, str] = {}


class LimitRangeSpec(Wire, frozen=True, gc=False):
    """The items of a LimitRange."""

    limits: tuple[Requirement, ...] = ()


class LimitRange(Wire, frozen=True, gc=False):
    """A LimitRange."""

    metadata: Meta
    spec: LimitRangeSpec = LimitRangeSpec()


class ScaleTarget(Wire, frozen=True, gc=False):
    """Whose count another autoscaler sets; a ScaledObject may leave out the kind."""

    api_version: str = ""
    kind: str = "Deployment"
    name: str = ""


class SteererSpec(Wire, frozen=True, gc=False):
    """The part of another autoscaler that is read."""

    scale_target_ref: ScaleTarget = ScaleTarget()


class SteererSaid(Wire, frozen=True, gc=False):
    """The annotation by which KEDA lets go of a workload."""

    paused: str = msgspec.field(name=PAUSED, default="")


class SteererMeta(Meta, frozen=True, gc=False):
    """Metadata of another autoscaler."""

    annotations: SteererSaid = SteererSaid()


class Steerer(Wire, frozen=True, gc=False):
    """A HorizontalPodAutoscaler or a ScaledObject."""

    metadata: SteererMeta
    spec: SteererSpec = SteererSpec()


class LeaseSpec(Wire, frozen=True, gc=False):
    """Who has a lease; times are kept as they are written: only that they change is of interest."""

    holder_identity: str = ""
    lease_duration_seconds: float = 0.0
    renew_time: str = ""
    lease_transitions: int = 0


class LeaseMeta(Meta, frozen=True, gc=False):
    """What a Lease has beside what every object has."""

    annotations: dict[str, str] = {}


class LeaseObject(Wire, frozen=True, gc=False):
    """A Lease of coordination.k8s.io."""

    metadata: LeaseMeta
    spec: LeaseSpec = LeaseSpec()


class ConfigMap(Wire, frozen=True, gc=False):
    """A ConfigMap's binary part."""

    metadata: Meta
    binary_data: dict[str, bytes] = {}  # base64 in JSON


class Cause(Wire, frozen=True, gc=False):
    """One reason within a refusal."""

    reason: str = ""
    message: str = ""
    field: str = ""


class Details(Wire, frozen=True, gc=False):
    """More about a refusal."""

    causes: tuple[Cause, ...] = ()
    retry_after_seconds: float | None = None


class Status(Wire, frozen=True, gc=False):
    """The API's answer where something did not work."""

    message: str = ""
    reason: str = ""
    code: int = 0
    details: Details = Details()


class ListMeta(Wire, frozen=True, gc=False):
    """Where a list stands, and the token of its next page."""

    resource_version: str = ""
    next_page: str = msgspec.field(name="continue", default="")


class Page(Wire, Generic[R], frozen=True, gc=False):
    """One page of a list."""

    metadata: ListMeta
    items: tuple[R, ...] = ()


class Event(Wire, frozen=True, gc=False):
    """One line of a watch, its object not parsed yet."""

    type: str
    object: msgspec.Raw


class Marked(Wire, frozen=True, gc=False):
    """The metadata of a bookmark."""

    resource_version: str = ""
    annotations: dict[str, str] = {}


class Bookmark(Wire, frozen=True, gc=False):
    """How far a watch has come without an event; `initial` ends the list that opened it."""

    metadata: Marked

    @property
    def initial(self) -> bool:
        """True for the bookmark after the last object of a streamed list."""
        return self.metadata.annotations.get("k8s.io/initial-events-end") == "true"

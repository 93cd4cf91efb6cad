"""What we may not do in a cluster and will have to: asked of the API server, nothing is tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from autoscaler.clients.kubernetes_api import PODS, KubernetesApi
from autoscaler.clients.kubernetes_refusals import Asked, rule
from autoscaler.clients.kubernetes_wire import Resource, Wire
from autoscaler.model.policy import Method, Mode, Policy
from autoscaler.model.target import WorkloadRef
from autoscaler.targets.kubernetes.kinds import Kind
from autoscaler.targets.kubernetes.others import RESOURCES, SCALED_OBJECT

REVIEWS = Resource("authorization.k8s.io/v1", "selfsubjectaccessreviews")


class Verdict(Wire, frozen=True):
    """Whether it is allowed."""

    allowed: bool = False


class Review(Wire, frozen=True):
    """A SelfSubjectAccessReview's answer."""

    status: Verdict = Verdict()


async def lacking(
    api: KubernetesApi, kinds: Mapping[str, Kind], steered: Sequence[tuple[WorkloadRef, Policy]]
) -> list[tuple[str, str]]:
    """Each right that acting on these takes and that we have not, with the rule to add. Raises TargetError."""
    needed = dict.fromkeys(each for ref, policy in steered for each in _needed(kinds.get(ref.kind), ref, policy))
    missing = [asked for asked in needed if not await _allowed(api, asked)]
    return [(f"we may not {each.verb} {each.what} in namespace {each.namespace}", rule(each)) for each in missing]


def _needed(kind: Kind | None, ref: WorkloadRef, policy: Policy) -> Iterator[Asked]:
    if policy.mode is not Mode.ACT or kind is None:
        return
    if policy.replicas is not None:
        yield Asked("patch", kind.resource, ref.namespace, subresource="scale")
    if policy.replicas is not None and policy.target.kubernetes is not None and policy.target.kubernetes.adopt:
        for other, resource in RESOURCES.items():
            yield Asked("get", resource, ref.namespace)
            yield Asked("patch" if other == SCALED_OBJECT else "delete", resource, ref.namespace)
    if policy.recycle is not None and policy.recycle.method is Method.DELETE:
        yield Asked("delete", PODS, ref.namespace)
    elif policy.recycle is not None:
        if policy.recycle.method is Method.RESTART:
            yield Asked("patch", kind.resource, ref.namespace)
        yield Asked("create", PODS, ref.namespace, subresource="eviction")


async def _allowed(api: KubernetesApi, asked: Asked) -> bool:
    attributes = {
        "verb": asked.verb,
        "group": asked.resource.group,
        "resource": asked.resource.plural,
        "subresource": asked.subresource,
        "namespace": asked.namespace,
    }
    review = await api.create(REVIEWS, "", {"spec": {"resourceAttributes": attributes}}, Review)
    return review.status.allowed

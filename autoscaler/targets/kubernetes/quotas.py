"""How many more pods of a workload fit: what the ResourceQuotas and LimitRanges of its namespace leave room for.

Amounts are whole thousandths: a cpu of 100m is 100. What cannot be read is left out: a growth too many is refused by
the platform, one too few would be our fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_quantity import milli
from autoscaler.clients.kubernetes_watch import Listing, Reflector
from autoscaler.clients.kubernetes_wire import Container, LimitRange, PodSpec, Quota, QuotaScope, Requirement, Resource
from autoscaler.ports import Clock
from autoscaler.targets.kubernetes.aside import aside

QUOTAS = Resource("v1", "resourcequotas")
LIMIT_RANGES = Resource("v1", "limitranges")
PODS = ("pods", "count/pods")
REQUESTS, LIMITS = "requests.", "limits."
SHORT = {"cpu": "requests.cpu", "memory": "requests.memory", "ephemeral-storage": "requests.ephemeral-storage"}
ALWAYS = "Always"  # an init container that stays beside the others

Amounts = dict[str, int]


class Room(msgspec.Struct, frozen=True):
    """How many more fit, and what says so."""

    more: int
    by: str


class Quotas:
    """What the quotas and limits of a namespace, or of all, leave room for."""

    def __init__(self, api: KubernetesApi, clock: Clock, namespace: str, said: Callable[[str], None]) -> None:
        self._quotas: dict[str, dict[str, Quota]] = {}  # by namespace and uid
        self._limits: dict[str, dict[str, LimitRange]] = {}
        self._places: dict[str, str] = {}  # uid → namespace
        quotas = Listing(resource=QUOTAS, namespace=namespace, of=Quota)
        limits = Listing(resource=LIMIT_RANGES, namespace=namespace, of=LimitRange)
        self._limits_watch = aside(
            api, clock, limits, self.limit, lost=self._limits.clear, said=said,
            without="what a LimitRange makes of a pod cannot be told",
        )  # fmt: skip
        self.watches: list[Reflector[Quota] | Reflector[LimitRange]] = [
            aside(
                api, clock, quotas, self.quota, lost=self._quotas.clear, said=said,
                without="whether a growth fits a ResourceQuota cannot be told",
            ),
            self._limits_watch,
        ]  # fmt: skip

    def quota(self, uid: str, record: Quota | None) -> None:
        """What the watch of quotas has told."""
        self._quotas.get(self._places.get(uid, ""), {}).pop(uid, None)
        if record is not None:
            self._places[uid] = record.metadata.namespace
            self._quotas.setdefault(record.metadata.namespace, {})[uid] = record

    def limit(self, uid: str, record: LimitRange | None) -> None:
        """What the watch of limit ranges has told."""
        self._limits.get(self._places.get(uid, ""), {}).pop(uid, None)
        if record is not None:
            self._places[uid] = record.metadata.namespace
            self._limits.setdefault(record.metadata.namespace, {})[uid] = record

    def room(self, namespace: str, pod: PodSpec | None) -> Room | None:
        """How many more of such pods fit; None where nothing known says."""
        quotas = self._quotas.get(namespace)
        if not quotas or pod is None or not pod.containers:
            return None
        listed = self._limits_watch.readable
        return room(pod, quotas.values(), self._limits.get(namespace, {}).values() if listed else None)


def room(pod: PodSpec, quotas: Iterable[Quota], limits: Iterable[LimitRange] | None) -> Room | None:
    """The least that any of these quotas leaves room for; None where none of them says.

    Where the `limits` are not known (None), a pod may ask for more than it says itself.
    """
    try:
        needs = cost(pod, list(limits or ()))
    except ValueError:
        return None
    whole = limits is not None
    found = [each for quota in quotas if _covers(quota, pod, needs, whole) for each in _rooms(quota, needs, whole)]
    return min(found, key=lambda each: (each.more, each.by), default=None)


def cost(pod: PodSpec, limits: Iterable[LimitRange]) -> Amounts:
    """What one pod takes of each thing that quotas count, with what limit ranges write into it. Raises ValueError."""
    defaults = [item for each in limits for item in each.spec.limits if item.type == "Container"]
    plain = [_needs(each, defaults) for each in pod.containers or ()]
    beside = [_needs(each, defaults) for each in pod.init_containers if each.restart_policy == ALWAYS]
    first = [_needs(each, defaults) for each in pod.init_containers if each.restart_policy != ALWAYS]
    total = _sum([*plain, *beside])
    for each in first:  # they run one by one before the others: the largest counts
        alone = _sum([each, *beside])
        total = {name: max(total.get(name, 0), alone.get(name, 0)) for name in {*total, *alone}}
    return _sum([total, {name: amount for name, amount in _amounts(REQUESTS, pod.overhead).items() if name in total}])


def _needs(container: Container, defaults: Iterable[Requirement]) -> Amounts:
    requests, limits = dict(container.resources.requests), dict(container.resources.limits)
    for each in defaults:
        limits = {**each.default, **limits}
        requests = {**each.default_request, **{name: limits[name] for name in container.resources.limits}, **requests}
    requests = {**limits, **requests}  # what has a limit alone asks for as much
    return {**_amounts(REQUESTS, requests), **_amounts(LIMITS, limits)}


def _amounts(prefix: str, told: Mapping[str, str]) -> Amounts:
    return {prefix + name: milli(written) for name, written in told.items()}


def _sum(parts: Iterable[Amounts]) -> Amounts:
    total: Amounts = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, 0) + amount
    return total


def _covers(quota: Quota, pod: PodSpec, needs: Amounts, whole: bool) -> bool:
    """Whether a quota counts such pods. One with a scope that is not known here is left out."""
    wanted = quota.spec.scope_selector.match_expressions
    scopes = [QuotaScope(scope_name=name, operator="Exists") for name in quota.spec.scopes]
    return all(_within(scope, pod, needs, whole) for scope in (*scopes, *wanted))


def _within(scope: QuotaScope, pod: PodSpec, needs: Amounts, whole: bool) -> bool:
    if scope.scope_name == "PriorityClass":
        name, values = pod.priority_class_name, scope.values
        said = {
            "In": name in values,
            "NotIn": name not in values,
            "Exists": bool(name),
            "DoesNotExist": not name,
        }
        return said.get(scope.operator, False)
    best_effort = not any(name in needs for name in ("requests.cpu", "requests.memory"))
    known = {"NotTerminating": True, "BestEffort": best_effort and whole, "NotBestEffort": not best_effort}
    return known.get(scope.scope_name, False)


def _rooms(quota: Quota, needs: Amounts, whole: bool) -> Iterable[Room]:
    """What each thing a quota counts leaves room for. What it counts a pod must ask for, or it is not let in: that
    is told only where the `needs` are known as a whole.
    """
    for name, hard in quota.status.hard.items():
        per = 1000 if name in PODS else needs.get(SHORT.get(name, name))
        try:
            most, used = milli(hard), milli(quota.status.used.get(name, "0"))
        except ValueError:
            continue
        told = f"ResourceQuota {quota.metadata.name} ({name}: {quota.status.used.get(name, '0')} of {hard} used)"
        if per:
            yield Room(max(most - used, 0) // per, told)
            continue
        asked = SHORT.get(name, name)
        if whole and per is None and asked.removeprefix(REQUESTS).removeprefix(LIMITS) in ("cpu", "memory"):
            yield Room(0, f"ResourceQuota {quota.metadata.name} (pods must say their {asked})")

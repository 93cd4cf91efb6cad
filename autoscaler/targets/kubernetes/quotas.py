"""What pods of a workload take from the ResourceQuotas of its namespace, and whether LimitRanges let them in at all.

Amounts are whole thousandths: a cpu of 100m is 100. What cannot be read is left out: a growth too many is refused by
the platform, one too few would be our fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_quantity import milli
from autoscaler.clients.kubernetes_watch import Listing, Reflector
from autoscaler.clients.kubernetes_wire import Container, LimitRange, PodSpec, Quota, QuotaScope, Requirement, Resource
from autoscaler.model.target import Pool
from autoscaler.ports import Clock
from autoscaler.targets.kubernetes.aside import aside

QUOTAS = Resource("v1", "resourcequotas")
LIMIT_RANGES = Resource("v1", "limitranges")
PODS = ("pods", "count/pods")
REQUESTS, LIMITS = "requests.", "limits."
SHORT = {"cpu": "requests.cpu", "memory": "requests.memory", "ephemeral-storage": "requests.ephemeral-storage"}
ALWAYS = "Always"  # an init container that stays beside the others

Amounts = dict[str, int]


class Quotas:
    """The quotas and limit ranges of a namespace, or of all."""

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
        self._quotas.get(self._places.pop(uid, ""), {}).pop(uid, None)
        if record is not None:
            self._places[uid] = record.metadata.namespace
            self._quotas.setdefault(record.metadata.namespace, {})[uid] = record

    def limit(self, uid: str, record: LimitRange | None) -> None:
        """What the watch of limit ranges has told."""
        self._limits.get(self._places.pop(uid, ""), {}).pop(uid, None)
        if record is not None:
            self._places[uid] = record.metadata.namespace
            self._limits.setdefault(record.metadata.namespace, {})[uid] = record

    def pools(self, namespace: str, pod: PodSpec | None) -> tuple[Pool, ...]:
        """What such pods take from, as far as it is known."""
        quotas, limits = self._quotas.get(namespace, {}), self._limits.get(namespace, {})
        if not (quotas or limits) or pod is None or not pod.containers:
            return ()
        return pools(pod, quotas.values(), limits.values() if self._limits_watch.readable else None)


def pools(pod: PodSpec, quotas: Iterable[Quota], limits: Iterable[LimitRange] | None) -> tuple[Pool, ...]:
    """What such pods take from these quotas; what lets none of them in is a pool that is empty.

    Where the `limits` are not known (None), a pod may ask for more than it says itself.
    """
    known = tuple(limits or ())
    try:
        needs = cost(pod, known)
    except ValueError:
        return ()
    whole = limits is not None
    taken = [each for quota in quotas if _covers(quota, pod, needs, whole) for each in _taken(quota, needs, whole)]
    return (*taken, *(Pool(f"limit/{said}", 0, 1, said) for said in beyond(pod, known)))


def beyond(pod: PodSpec, limits: Sequence[LimitRange]) -> Iterator[str]:
    """Why limit ranges let no such pod in: what is above a max, and the way out."""
    defaults = _defaults(limits)
    for limit in limits:
        for item in limit.spec.limits:
            if item.type == "Container":
                for each in (*(pod.containers or ()), *pod.init_containers):
                    written = _written(each, defaults)[1]
                    yield from _above(limit, item, f"container {each.name}", written)
            elif item.type == "Pod":
                total = {name: f"{amount}m" for name, amount in cost(pod, limits).items() if name.startswith(LIMITS)}
                whole = {name.removeprefix(LIMITS): amount for name, amount in total.items()}
                yield from _above(limit, item, "all containers together", {**whole, **pod.resources.limits})


def _above(limit: LimitRange, item: Requirement, who: str, limits: Mapping[str, str]) -> Iterator[str]:
    for name, most in item.max.items():
        said = limits.get(name)
        try:
            fits = said is not None and milli(said) <= milli(most)
        except ValueError:
            continue
        if said is None:
            why = f"{who}: no limits.{name}, and the max is {most}; write limits.{name} into the pod template"
        else:
            why = f"{who}: limits.{name} {_plain(said)} is above the max of {most}; lower it in the pod template"
        if not fits:
            yield f"LimitRange {limit.metadata.name} ({why}, or raise the max)"


def _plain(amount: str) -> str:
    """Without thousandths where there are none.

    >>> _plain("2000m"), _plain("1500m"), _plain("1Gi")
    ('2', '1500m', '1Gi')
    """
    return amount.removesuffix("000m") if amount.endswith("000m") else amount


def cost(pod: PodSpec, limits: Iterable[LimitRange]) -> Amounts:
    """What one pod takes of each thing that quotas count, with what limit ranges write into it. Raises ValueError."""
    defaults = _defaults(limits)
    plain = [_needs(each, defaults) for each in pod.containers or ()]
    beside = [_needs(each, defaults) for each in pod.init_containers if each.restart_policy == ALWAYS]
    first = [_needs(each, defaults) for each in pod.init_containers if each.restart_policy != ALWAYS]
    total = _sum([*plain, *beside])
    for each in first:  # they run one by one before the others: the largest counts
        alone = _sum([each, *beside])
        total = {name: max(total.get(name, 0), alone.get(name, 0)) for name in {*total, *alone}}
    return _sum([total, {name: amount for name, amount in _amounts(REQUESTS, pod.overhead).items() if name in total}])


def _defaults(limits: Iterable[LimitRange]) -> list[Requirement]:
    return [item for each in limits for item in each.spec.limits if item.type == "Container"]


def _needs(container: Container, defaults: Iterable[Requirement]) -> Amounts:
    requests, limits = _written(container, defaults)
    return {**_amounts(REQUESTS, requests), **_amounts(LIMITS, limits)}


def _written(container: Container, defaults: Iterable[Requirement]) -> tuple[dict[str, str], dict[str, str]]:
    """Its requests and limits, with what limit ranges write into it."""
    requests, limits = dict(container.resources.requests), dict(container.resources.limits)
    for each in defaults:
        limits = {**each.default, **limits}
        requests = {**each.default_request, **{name: limits[name] for name in container.resources.limits}, **requests}
    return {**limits, **requests}, limits  # what has a limit alone asks for as much


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


def _taken(quota: Quota, needs: Amounts, whole: bool) -> Iterable[Pool]:
    """What a pod takes of each thing that a quota counts. What it counts a pod must ask for, or it is not let in: that
    is told only where the `needs` are known as a whole.
    """
    for name, hard in quota.status.hard.items():
        per = 1000 if name in PODS else needs.get(SHORT.get(name, name))
        try:
            most, used = milli(hard), milli(quota.status.used.get(name, "0"))
        except ValueError:
            continue
        key = f"quota/{quota.metadata.name}/{name}"
        told = f"ResourceQuota {quota.metadata.name} ({name}: {quota.status.used.get(name, '0')} of {hard} used)"
        if per:
            yield Pool(key, max(most - used, 0), per, told)
            continue
        asked = SHORT.get(name, name)
        if whole and per is None and asked.removeprefix(REQUESTS).removeprefix(LIMITS) in ("cpu", "memory"):
            yield Pool(f"{key}/unsaid", 0, 1, f"ResourceQuota {quota.metadata.name} (pods must say their {asked})")

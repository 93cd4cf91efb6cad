"""CPU and memory of pods as metrics.k8s.io tells them: one list per namespace, whatever many workloads are in it.

Which pods count, and for what, is reckoned as the HPA does from these readings, in `decide/per_instance.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from autoscaler.clients.kubernetes_quantity import milli, seconds
from autoscaler.clients.kubernetes_wire import PodMetrics
from autoscaler.decide.hpa.pods import CPU, Failure, requests
from autoscaler.decide.per_instance import as_pod
from autoscaler.errors import Gone, Refused, TargetError
from autoscaler.model.observation import Ask
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import Instance
from autoscaler.sources.instances import expected
from autoscaler.sources.intervals import UNTIL_SEEN_S

if TYPE_CHECKING:
    from autoscaler.clients.kubernetes_api import KubernetesApi

IN_FLIGHT = 10  # namespaces that are asked for at the same time
ROUND_S = 5.0  # all namespaces together, with their waiting for a turn
WINDOW_S = 60.0  # where no window is told, as the HPA has it

Used = Mapping[str, PodMetrics]  # by the pod's name


class PodMetricsSource:
    """Reads a cluster's resource metrics API. `make` connects when the first workload has pods to ask for.

    What has not answered after `round_s` seconds is missing.
    """

    def __init__(self, make: Callable[[], KubernetesApi], *, round_s: float = ROUND_S) -> None:
        self._make = make
        self._round_s = round_s
        self._api: KubernetesApi | None = None

    async def read(self, asks: Sequence[Ask], now: float) -> Sequence[Reading]:
        """One reading per ask, in the same order."""
        namespaces = list(dict.fromkeys(ask.ref.namespace for ask in asks if ask.instances))
        gate = asyncio.Semaphore(IN_FLIGHT)
        told = await asyncio.gather(*(self._used(each, gate) for each in namespaces))
        by = dict(zip(namespaces, told, strict=True))
        return [reading(ask, by.get(ask.ref.namespace, {}), now) for ask in asks]

    async def close(self) -> None:
        """Let go of connections."""
        if self._api is not None:
            await self._api.close()

    async def _used(self, namespace: str, gate: asyncio.Semaphore) -> Used | Missing:
        if self._api is None:
            self._api = self._make()
        try:
            async with asyncio.timeout(self._round_s), gate:
                return {each.metadata.name: each for each in await self._api.usage(namespace)}
        except TimeoutError:
            said = f"metrics.k8s.io did not answer for namespace {namespace} within {self._round_s:g} s of this cycle"
            return Missing(MissingWhy.FAILED, f"{said}, is metrics-server well?")
        except Gone:
            said = "the cluster serves no metrics.k8s.io: install metrics-server, or ask prometheus"
            return Missing(MissingWhy.UNSERVED, said)
        except Refused as error:
            return Missing(MissingWhy.FORBIDDEN, str(error))
        except TargetError as error:
            return Missing(MissingWhy.FAILED, f"metrics.k8s.io does not answer, is metrics-server well? {error}")


def reading(ask: Ask, used: Used | Missing, now: float) -> Reading:
    """What one signal is told by what the pods of its namespace used; pure."""
    if isinstance(used, Missing):
        return used
    if not ask.instances:
        return Missing(MissingWhy.EMPTY, "there are no pods, so there is nothing to measure")
    asked = _requests(ask) if ask.signal.utilization is not None else {}
    if isinstance(asked, Missing):
        return asked
    points: list[Point] = []
    samples: list[tuple[float, float]] = []
    unread: list[str] = []
    should = {each.id for each in expected(ask.instances)}
    try:
        for pod in ask.instances:
            metrics = used.get(pod.name)
            amount = _amount(ask, metrics) if metrics is not None else None
            if metrics is not None and amount is not None and (not asked or asked[pod.id] > 0):
                points.append(Point(amount / asked.get(pod.id, 1000), instance=pod.id))
                samples.append(_when(metrics, now))
            elif pod.id in should:
                unread.append(pod.id)
    except ValueError as error:
        return Missing(MissingWhy.FAILED, f"metrics.k8s.io says what no cluster says: {error}")
    if not points:
        what = f"container {ask.signal.container}" if ask.signal.container else _word(ask)
        said = f"metrics.k8s.io has no {what} of any of {len(ask.instances)} pods yet: they have just begun, or"
        return Missing(MissingWhy.EMPTY, f"{said} metrics-server has")
    age_s = max(0.0, now - max(at for at, _ in samples))
    if age_s > UNTIL_SEEN_S:
        return Missing(MissingWhy.STALE, f"the newest reading in metrics.k8s.io is {age_s:.0f} s old")
    return Series(tuple(points), age_s, tuple(unread), samples=tuple(samples))


def _amount(ask: Ask, metrics: PodMetrics) -> int | None:
    """What a pod, or the one container of it that is asked for, used, in thousandths; None where part is not told."""
    resource, container = _word(ask), ask.signal.container
    parts = [each for each in metrics.containers if container is None or each.name == container]
    if not parts or any(resource not in each.usage for each in parts):
        return None
    return sum(milli(each.usage[resource]) for each in parts)


def _when(metrics: PodMetrics, now: float) -> tuple[float, float]:
    at = metrics.timestamp.timestamp() if metrics.timestamp is not None else now
    return at, seconds(metrics.window) if metrics.window else WINDOW_S


def _requests(ask: Ask) -> dict[str, int] | Missing:
    """What each pod requests, by its id; as with the HPA, one pod that does not say it spoils all."""
    resource, container = _word(ask), ask.signal.container or ""
    found: dict[str, int] = {}
    for each in ask.instances:
        pod = as_pod(each)
        made = requests([pod], resource, container) if pod is not None else Failure.MISSING_REQUEST
        if made is Failure.CONTAINER_NOT_FOUND:
            there = ", ".join(one.name for one in each.pod.containers) if each.pod is not None else ""
            return Missing(MissingWhy.NO_REQUEST, f"pod {each.name} has no container {container}; it has: {there}")
        if isinstance(made, Failure):
            return Missing(MissingWhy.NO_REQUEST, _unasked(each, resource, container))
        found |= made
    return found


def _unasked(pod: Instance, resource: str, container: str) -> str:
    facts = pod.pod
    lacking = [each.name for each in facts.containers if resource not in each.requests] if facts is not None else []
    whose = container or ", ".join(lacking)
    what, unit = ("CPU", "cores: 500m") if resource == CPU else (resource, "bytes: 256Mi")
    said = f"pod {pod.name} has no {what} request{f' for container {whose}' if whose else ''}"
    return f"{said}: set resources.requests.{resource}, or write per_replica in {unit}"


def _word(ask: Ask) -> str:
    assert ask.signal.resource is not None  # only such signals are asked here
    return ask.signal.resource.value

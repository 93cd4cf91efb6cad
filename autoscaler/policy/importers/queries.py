"""CPU and memory of pods as PromQL: series of cAdvisor (kubelet) and of kube-state-metrics under their usual names.

An HPA asks metrics.k8s.io, which is made from the same counters of the kubelet.
"""

from __future__ import annotations

import itertools

import msgspec

from autoscaler.model.policy import Signal

NOISE = "1e-6"  # added before cutting: 100 * 0.29 is a little less than 29 in doubles
WINDOW = "2m"  # four scrapes of 30 s
# Names of a Deployment's pods: a hash and five more, both without vowels, 0, 1 and 3. So none of a DaemonSet or a
# StatefulSet whose name begins alike; pods of longer names are cut. A Rollout (Argo) has ReplicaSets as well.
_FIVE = "[b-df-hj-np-tv-xz24-9]{5}"
_HASHED = f"{{name}}-[b-df-hj-np-tv-xz24-9]{{6,10}}-{_FIVE}"
POD_NAMES = {
    "Deployment": _HASHED,
    "Rollout": _HASHED,
    "ReplicaSet": f"{{name}}-{_FIVE}",
    "StatefulSet": "{name}-[0-9]+",
}
LONGEST_TARGET = 46  # with a hash of ten and two dashes, a generated name is at most 58 long before its last five
_USAGE = {
    "cpu": "rate(container_cpu_usage_seconds_total{%s}[" + WINDOW + "])",
    "memory": "container_memory_working_set_bytes{%s}",
}
_CUT = ("floor(1000 * avg(", f") + {NOISE}) / 1000")
RESOURCES = tuple(_USAGE)


class Usage(msgspec.Struct, frozen=True):
    """Which resource of which pods is meant: `container` empty for whole pods, `strict` for the HPA's own rounding,
    `kind` of the workload they belong to, one of POD_NAMES.
    """

    resource: str
    container: str = ""
    strict: bool = False
    kind: str = "Deployment"


def share(of: Usage) -> str:
    """What is used of what is requested, as a fraction, over the pods that have samples."""
    usage = _used(of)
    asked = f'kube_pod_container_resource_requests{{{_labels(of, plain=True)}, resource="{of.resource}"}}'
    part = f"sum({usage}) / sum({asked} and on (pod) {usage})"
    return f"floor(100 * {part} + {NOISE}) / 100" if of.strict else part


def total(of: Usage) -> str:
    """What is used in all: cores or bytes. In strict parity the average of a pod."""
    return average(f"sum by (pod) ({_used(of)})") if of.strict else f"sum({_used(of)})"


def average(query: str) -> str:
    """The average of a query's series, cut to thousandths as an HPA cuts it."""
    return f"{_CUT[0]}{query}{_CUT[1]}"


def averaged(query: str) -> str | None:
    """The query that such an average is made of; None for any other."""
    return query[len(_CUT[0]) : -len(_CUT[1])] if query.startswith(_CUT[0]) and query.endswith(_CUT[1]) else None


def recognised(signal: Signal) -> Usage | None:
    """The resource that a query of ours asks for; None for any other query."""
    make = share if signal.utilization is not None else total
    containers = [""]
    if signal.prometheus is not None and 'container="' in signal.prometheus:
        containers.append(signal.prometheus.split('container="', 1)[1].split('"', 1)[0])
    for words in itertools.product(RESOURCES, containers, (False, True), POD_NAMES):
        of = Usage(*words)
        if signal.prometheus == make(of):
            return of
    return None


def _used(of: Usage) -> str:
    return _USAGE[of.resource] % _labels(of)


def _labels(of: Usage, *, plain: bool = False) -> str:
    pods = f'namespace="{{namespace}}", pod=~"{POD_NAMES[of.kind]}"'
    if of.container:
        return f'{pods}, container="{of.container}"'
    return pods if plain else f'{pods}, container!=""'

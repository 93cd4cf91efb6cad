"""Metrics of pods as PromQL: which pods are those of a workload, and the average of a pod as an HPA rounds it."""

from __future__ import annotations

NOISE = "1e-6"  # added before cutting: 1000 * 0.29 may be a little less than 290 in doubles
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
_CUT = ("floor(1000 * avg(", f") + {NOISE}) / 1000")


def average(query: str) -> str:
    """The average of a query's series, cut to thousandths as an HPA cuts it."""
    return f"{_CUT[0]}{query}{_CUT[1]}"


def averaged(query: str) -> str | None:
    """The query that such an average is made of; None for any other."""
    return query[len(_CUT[0]) : -len(_CUT[1])] if query.startswith(_CUT[0]) and query.endswith(_CUT[1]) else None

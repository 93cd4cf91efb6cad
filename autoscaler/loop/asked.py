"""How Prometheus is asked for the signals of a workload: together with others or alone, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autoscaler.model.observation import Workload
from autoscaler.policy.placeholders import fill
from autoscaler.policy.sharing import Shared, share


def asked(workload: Workload, fleet: Iterable[Workload]) -> tuple[str, ...]:
    """One sentence per signal that is a query; `fleet` are all workloads that are steered."""
    like: dict[tuple[str, str], set[str]] = {}  # source and template → the workloads with such a query
    for each in fleet:
        for _, source, shared in _queries(each):
            if isinstance(shared, Shared):
                like.setdefault((source, shared.template), set()).add(each.ref.key)
    lines: list[str] = []
    for name, source, shared in _queries(workload):
        if isinstance(shared, str):
            lines.append(f"{name}: its query is asked alone: {shared}")
            continue
        count = len(like.get((source, shared.template), set()) - {workload.ref.key})
        whom = f"those of {count} other{'s' if count > 1 else ''}" if count else "others like it; there are none now"
        lines.append(f"{name}: its query, told apart by {' and '.join(shared.labels)}, is asked together with {whom}")
    return tuple(lines)


def _queries(workload: Workload) -> Iterator[tuple[str, str, Shared | str]]:
    """Name and source of each signal that is a query, and how it shares."""
    for each in workload.policy.signals:
        if each.prometheus is not None:
            yield each.name, each.source, share(fill(each.prometheus, workload.ref))

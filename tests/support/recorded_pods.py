"""Pods of the recorded vectors as the parts of this project know them: a target's instances, what metrics.k8s.io says.

Times of the vectors are seconds after `zero`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from autoscaler.clients.kubernetes_wire import PodMetrics
from autoscaler.decide.hpa.pods import Pod, Sample
from autoscaler.model.pod import PodFacts
from autoscaler.model.target import Instance


def instance_of(given: Pod, zero: float = 0.0) -> Instance:
    """A recorded pod as the target tells of it."""
    started = None if given.started is None else given.started + zero
    facts = PodFacts(
        phase=given.phase, ready=given.ready, started=started, containers=given.containers,
        init_containers=given.init_containers, requests=dict(given.pod_requests), overhead=dict(given.overhead),
    )  # fmt: skip
    return Instance(
        id=given.name, name=given.name, created=0.0, ready=given.ready == "True", since=given.ready_since + zero,
        draining=given.deleting, pod=facts,
    )  # fmt: skip


def stamp(at: float) -> str:
    """A time as the API writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def measured(name: str, at: float, window: str, containers: Mapping[str, Mapping[str, str]]) -> PodMetrics:
    """What metrics.k8s.io says of one pod."""
    parts = [{"name": each, "usage": usage} for each, usage in containers.items()]
    said: dict[str, Any] = {
        "metadata": {"name": name}, "timestamp": stamp(at), "window": window, "containers": parts
    }  # fmt: skip
    return msgspec.convert(said, PodMetrics)


def told(
    samples: Mapping[str, Sample] | None, resource: str, container: str = "", zero: float = 0.0
) -> dict[str, PodMetrics]:
    """What it says of all of them, by their names."""
    return {
        name: measured(
            name, each.at + zero, f"{each.window_s}s", {container or "c": {resource: f"{each.value}m"}}
        )
        for name, each in (samples or {}).items()
    }  # fmt: skip

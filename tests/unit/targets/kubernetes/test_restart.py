"""A rollout restart is ordered only of what replaces all its pods, one after the other."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from autoscaler.clients.kubernetes_wire import Workload
from autoscaler.targets.kubernetes.restart import cannot


def workload(**spec: Any) -> Workload:
    return msgspec.convert({"metadata": {"name": "web"}, "spec": spec}, Workload)


@pytest.mark.parametrize(("kind", "spec", "why"), [
    ("Deployment", {}, ""),
    ("Deployment", {"strategy": {"type": "RollingUpdate"}}, ""),
    ("Deployment", {"strategy": {"type": "Recreate"}}, "Recreate"),
    ("Deployment", {"paused": True}, "paused"),
    ("StatefulSet", {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}}, ""),
    ("StatefulSet", {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}, "partition of 2"),
    ("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, "OnDelete"),
    ("ReplicaSet", {}, "does not roll"),
])  # fmt: skip
def test_what_would_end_all_at_once_or_leave_some_is_refused(kind: str, spec: dict[str, Any], why: str) -> None:
    said = cannot(kind, workload(**spec))
    assert why in said if why else said == ""

"""How people name workloads: by key, by policy, or by any short name that only one workload has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from autoscaler.errors import UsageError
from autoscaler.model.observation import Workload


class UnknownWorkload(UsageError):
    """No workload goes by that name."""


class AmbiguousWorkload(UsageError):
    """Several workloads go by that name."""


def names(workload: Workload) -> tuple[str, ...]:
    """Every name a workload may be called by, the key first."""
    ref = workload.ref
    return (
        ref.key,
        workload.policy.name,
        ref.name,
        f"{ref.namespace}/{ref.name}",
        f"{ref.kind}/{ref.name}",
        f"{ref.namespace}/{ref.kind}/{ref.name}",
        f"{ref.platform}/{ref.namespace}/{ref.name}",
    )


def find(name: str, workloads: Iterable[Workload]) -> Workload:
    """The one workload that goes by `name`. Raises UnknownWorkload with the nearest, AmbiguousWorkload with all."""
    everything = list(workloads)
    for workload in everything:
        if workload.ref.key == name:
            return workload
    fitting = [workload for workload in everything if name in names(workload)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        keys = ", ".join(sorted(workload.ref.key for workload in fitting))
        raise AmbiguousWorkload(f"{name} may be any of: {keys}", hint="use the whole key")
    if not everything:
        raise UnknownWorkload(f"no workload goes by the name {name}: there are none", hint="see `autoscaler status`")
    known = {each for workload in everything for each in names(workload)}
    near = difflib.get_close_matches(name, sorted(known), n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "see `autoscaler status` for the workloads there are"
    raise UnknownWorkload(f"no workload goes by the name {name}", hint=hint)

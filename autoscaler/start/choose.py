"""What was found and what somebody says → what is to be written, or what is missing and how to say it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from autoscaler.backtest.assumed import FULL
from autoscaler.decide.explain import number
from autoscaler.errors import UsageError
from autoscaler.model.target import WorkloadRef
from autoscaler.start.fit import Fit
from autoscaler.start.found import Measured, Workload, shown
from autoscaler.start.past import Carried, bounds, rounded
from autoscaler.start.write import CPU, Chosen

EXAMPLE = """\
  signals:
    - name: requests
      prometheus: …   # a query of yours whose answer rises with the load, and goes on rising when replicas are full
      per_replica: …  # how much of it one replica should carry"""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says by flags or when asked; None is not said."""

    name: str = ""
    per_replica: float | None = None
    capacity: float | None = None
    min: int | None = None
    max: int | None = None
    observe: bool = False


def nothing_fits(ref: WorkloadRef, fits: Sequence[Fit], server: str) -> UsageError:
    """Why there is no query for this workload, and what to do."""
    said = f"{server} has no request counter whose labels name {shown(ref)} and nothing else"
    if fits:
        said += "\n" + "\n".join(f"  {each.metric}: {each.because}" for each in fits)
    needs = "metrics-server and CPU requests" if ref.platform == "kubernetes" else "a CPU limit"
    above = "--metric NAME takes one of those above; " if fits else ""
    return UsageError(
        said,
        hint=f"--metric {CPU} follows CPU as {ref.platform} measures it (needs {needs}); {above}"
        f"or write the policy by hand, docs/policies.md has the rest of it:\n{EXAMPLE}",
    )


def file_name(told: str, workload: Workload) -> str:
    """What the files are called, without an ending: as somebody says, or as the workload is. Raises UsageError.

    A label may call a service anything; a folder in it would lead out of ours.
    """
    name = told or workload.ref.name
    if "/" in name or "\0" in name:
        raise UsageError(f"--name: expected a name that a file can have, got {name}", hint="--name web")
    return name


def chosen_fit(name: str, ref: WorkloadRef, fits: Sequence[Fit]) -> Fit:
    """The counter of this name. Raises UsageError."""
    for each in fits:
        if each.metric == name:
            return each
    there = ", ".join(each.metric for each in fits) or "none"
    raise UsageError(
        f"--metric: no series of {name} name {shown(ref)}; those that do: {there}",
        hint=f"one of those, or {CPU} for CPU as {ref.platform} measures it",
    )


def by_cpu(workload: Workload, told: Told) -> Chosen:
    """A policy that follows the platform's own CPU. Raises UsageError."""
    for option, value in (("--per-replica", told.per_replica), ("--capacity", told.capacity)):
        if value is not None:
            raise UsageError(
                f"{option}: does not go with --metric {CPU}", hint="its target is a share of request or limit"
            )
    return _with_bounds(
        workload, told, None, Chosen(ref=workload.ref, name=told.name or workload.ref.name, min=1, max=1)
    )


def by_requests(workload: Workload, told: Told, fit: Fit, measured: Measured) -> Chosen:
    """A policy that follows a counter. Raises UsageError where what one replica should carry is not known."""
    carried = target(told, measured.carried)
    if carried is None:
        why = measured.why or "nothing came that is known for long enough"
        raise UsageError(
            f"{fit.metric}: {why}, so what one replica should carry is not known",
            hint="--capacity N, the most requests per second that one can carry, or --per-replica N",
        )
    served = fit.rate(measured.window, fit.served) if fit.served else ""
    made = Chosen(
        ref=workload.ref,
        name=told.name or workload.ref.name,
        min=1,
        max=1,
        query=fit.rate(measured.window),
        said=f"{fit.known.what}: {fit.known.where.why}",
        served=served,
        carried=carried,
        capacity=told.capacity,
        observe=carried.thin,
    )
    return _with_bounds(workload, told, carried, made)


def target(told: Told, found: Carried | None) -> Carried | None:
    """What one replica is to carry: as somebody says, by the capacity that somebody says, or as the past does."""
    if told.per_replica is not None:
        if told.capacity is not None and told.capacity < told.per_replica:
            said = (
                f"--capacity: must be at least --per-replica ({number(told.per_replica)}), got {number(told.capacity)}"
            )
            raise UsageError(said, hint="it is the most that one replica can carry")
        needs = 1 if found is None else max(1, round(found.needs * found.per_replica / told.per_replica + 0.5))
        return Carried(per_replica=told.per_replica, because="as you said", needs=needs)
    if told.capacity is not None:
        part = rounded(FULL * told.capacity)
        needs = 1 if found is None else max(1, round(found.needs * found.per_replica / part + 0.5))
        return Carried(per_replica=part, because=f"{FULL:.0%} of the capacity that you said", needs=needs)
    return found


def _with_bounds(workload: Workload, told: Told, carried: Carried | None, made: Chosen) -> Chosen:
    least, most = bounds(workload.count or 0, carried)
    high = max(most, told.min or 1) if told.max is None else told.max
    low = min(least, high) if told.min is None else told.min
    if low > high:
        raise UsageError(f"--max: must be at least --min ({low}), got {high}", hint="raise --max, or lower --min")
    watch = "as you said" if told.observe else made.observe
    return msgspec.structs.replace(made, min=low, max=high, observe=watch)

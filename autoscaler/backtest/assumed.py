"""What a replay takes the service to be like: told by its user, or assumed and said so; absurd values are refused."""

from __future__ import annotations

import math

import msgspec

from autoscaler.backtest.workload import Model
from autoscaler.decide.explain import number, span
from autoscaler.errors import UsageError

FULL = 0.7  # of its capacity is what per_replica is taken to be
STARTUP_S = 30.0
QUEUE_S = 10.0
OBJECTIVE = 3.0  # service times
MOST_S = 3600.0
MOST_REPLICAS = 100_000  # what the policy language allows
GREATEST = 1e9


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the user says of the service; None is not said. Capacity in load per second and instance, spans in seconds.

    `load` is the name of a signal or a query (empty: not said), `count` the instances at the beginning.
    """

    capacity: float | None = None
    startup_s: float | None = None
    queue_s: float | None = None
    objective_s: float | None = None
    count: int | None = None
    load: str = ""


class Assumed(msgspec.Struct, frozen=True, kw_only=True):
    """The service a replay ran against.

    `capacity` is the load that keeps one instance busy all the time, `startup_s` the seconds from order to ready,
    `queue_s` how much work waits before more is dropped, `objective_s` how long a request may take. `said` is the
    whole of it in sentences, with what was told and what is only assumed.
    """

    capacity: float
    startup_s: float
    queue_s: float
    objective_s: float
    said: tuple[str, ...]

    def model(self) -> Model:
        """The same for the simulation."""
        return Model(service_s=1.0 / self.capacity, objective_s=self.objective_s, queue_s=self.queue_s)


def assume(asked: Asked, per_replica: float | None, whose: str) -> Assumed:
    """The service, from what is said and what the load's `per_replica` is. Raises UsageError with one sentence.

    `whose` names the signal that has it, and its policy.
    """
    said: list[str] = []
    capacity = asked.capacity
    if capacity is None:
        if per_replica is None:
            raise UsageError(
                f"{whose}: what one replica can carry is not known",
                hint="say it with --capacity, in the load's own unit",
            )
        capacity = per_replica / FULL
        why = f"assumed: per_replica {number(per_replica)} of {whose} is {FULL:.0%} of it"
        said.append(f"capacity {number(capacity)} per replica ({why}; --capacity)")
    else:
        _within("--capacity", capacity, 0.0, GREATEST, str)
        said.append(f"capacity {number(capacity)} per replica")
    startup = _chosen(asked.startup_s, STARTUP_S, "start-up", "--startup", said)
    queue = _chosen(asked.queue_s, QUEUE_S, "queue", "--queue", said)
    service = 1.0 / capacity
    objective = asked.objective_s
    if objective is None:
        objective = OBJECTIVE * service
        why = f"assumed: {OBJECTIVE:g} times the {_short(service)} that one takes; --objective"
        said.append(f"objective {_short(objective)} per request ({why})")
    else:
        said.append(f"objective {_short(objective)} per request")
    if not service < objective <= MOST_S:
        raise UsageError(
            f"--objective: {_short(objective)} cannot be met, one request takes {_short(service)} by itself",
            hint="allow more time, or tell a larger --capacity",
        )
    return Assumed(capacity=capacity, startup_s=startup, queue_s=queue, objective_s=objective, said=tuple(said))


def fits(assumed: Assumed, peak: float) -> None:
    """Raise UsageError where a load of this height makes the capacity absurd."""
    needed = peak / assumed.capacity
    if needed > MOST_REPLICAS:
        raise UsageError(
            f"--capacity: with {number(assumed.capacity)} per replica the highest load, {number(peak)}, would need "
            f"{needed:.0f} replicas",
            hint="tell the capacity in the load's own unit",
        )


def _chosen(told: float | None, usual: float, what: str, option: str, said: list[str]) -> float:
    chosen = usual if told is None else told
    _within(option, chosen, -1e-9, MOST_S, span)
    said.append(f"{what} {span(chosen)}" + (f" (assumed; {option})" if told is None else ""))
    return chosen


def _within(option: str, value: float, low: float, high: float, words: object) -> None:
    if not (math.isfinite(value) and low < value <= high):
        least = "more than 0" if low == 0.0 else "at least 0s"
        most = f"{high:g}" if words is str else span(high)
        shown = f"{value:g}" if words is str or value < 0 or not math.isfinite(value) else span(value)
        raise UsageError(f"{option}: expected {least} and at most {most}, got {shown}")


def _short(seconds: float) -> str:
    """Seconds down to the microsecond.

    >>> _short(0.0421), _short(0.3), _short(1.5), _short(0.000021)
    ('42.1ms', '300ms', '1.5s', '0.021ms')
    """
    return f"{seconds:.3g}s" if seconds >= 1 else f"{seconds * 1000:.3g}ms"

"""A policy over recorded or simulated time: the product's own `step()`, cycle by cycle, on virtual time.

Nothing here decides, waits or reads a clock. Who calls says what is read at a time and how the service answers to an
order; what comes out is one entry per cycle. Times are seconds, counts are instances.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Plan, prepare
from autoscaler.decide.step import ALONE, applied, step
from autoscaler.model.decision import Decision, Reason
from autoscaler.model.observation import Seen
from autoscaler.model.policy import Mode, Policy
from autoscaler.model.signal import Missing, Reading
from autoscaler.model.target import TargetState, WorkloadRef

Read = Callable[[float], tuple[Reading, ...]]
Vouch = Callable[[float], Mapping[str, Reading]]
Tell = Callable[[int, int], None]

TOLD_EVERY = 4096  # decisions between two words of progress


class Service(Protocol):
    """What a policy steers in a replay.

    `existing` instances were created and not removed, `ready` of them serve; both as of the last `advance`.
    """

    existing: int
    ready: int

    def advance(self, now: float) -> None:
        """Let time pass until `now`, which never goes back."""

    def order(self, count: int, now: float) -> None:
        """Have so many instances: `existing` is the new count at once, `ready` follows as the model says."""


class Run(msgspec.Struct, frozen=True):
    """What a replay gives: one entry per cycle in each column, in the order of time.

    `times` in seconds; `load` is what the first signal read then, all points together (not a number: missing);
    `existing` and `ready` are the counts decided from, `desired` the count ordered, `reasons` why. `changes` are the
    whole decisions of those cycles in which the count changed or the reason was another than before.
    """

    times: array[float]
    load: array[float]
    existing: array[int]
    ready: array[int]
    desired: array[int]
    reasons: list[Reason]
    changes: list[Decision]


def acting(ref: WorkloadRef, policy: Policy) -> Plan:
    """The plan of a policy for a replay: one that only observes acts here, as nothing real is changed."""
    if policy.mode is not Mode.ACT:
        policy = msgspec.structs.replace(policy, mode=Mode.ACT)
    return prepare(ref, policy)


def replay(
    plan: Plan,
    read: Read,
    service: Service,
    *,
    start: float,
    cycles: int,
    every: float = 15.0,
    vouch: Vouch | None = None,
    memory: Memory | None = None,
    progress: Tell | None = None,
) -> Run:
    """Decide for one workload `cycles` times, at `start` and every `every` seconds after it.

    In each cycle time passes for the service, then `read(now)` gives the readings in the order of the policy's signals
    and `vouch(now)` those of its `zero_if` queries, then `step()` decides and the service gets the order. A policy with
    an `every` of its own is decided at every nth of these times only, as the daemon does. `memory` is what is
    remembered of the time before. `progress(done, cycles)` is called now and then.
    """
    stride = plan.stride(every)
    ref, key, plans = plan.ref, plan.key, (plan,)
    times, load = array("d"), array("d")
    existing, ready, desired = array("l"), array("l"), array("l")
    reasons: list[Reason] = []
    changes: list[Decision] = []
    memories: dict[str, Memory] = {} if memory is None else {key: memory}
    fleet, last = ALONE, None
    for beat in range(0, cycles, stride):
        now = start + beat * every
        service.advance(now)
        readings = read(now)
        count, serving = service.existing, service.ready
        state = TargetState(ref=ref, desired=count, existing=count, ready=serving, at=now)
        seen = Seen(state, readings) if vouch is None else Seen(state, readings, dict(vouch(now)))
        stepped = step(plans, (seen,), memories, now, cycle_s=every, fleet=fleet)
        memories, fleet = stepped.memories, stepped.fleet
        decision = stepped.decisions[0]
        wish, reason = decision.desired, decision.reason
        if wish != count:
            service.order(wish, now)
            memories[key] = applied(plan, memories[key], before=count, count=wish, now=now, reason=reason.value)
        if wish != count or reason is not last:
            changes.append(decision)
            last = reason
        times.append(now)
        load.append(_load(readings))
        existing.append(count)
        ready.append(serving)
        desired.append(wish)
        reasons.append(reason)
        if progress is not None and not len(times) % TOLD_EVERY:
            progress(beat, cycles)
    return Run(times, load, existing, ready, desired, reasons, changes)


def _load(readings: tuple[Reading, ...]) -> float:
    """All points of the first reading together."""
    if not readings or isinstance(readings[0], Missing):
        return math.nan
    points = readings[0].points
    return points[0].value if len(points) == 1 else sum([point.value for point in points])

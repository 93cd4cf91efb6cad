"""Which signals of a policy a replay can be honest about, and which tells the load.

What clients ask for is the same however many instances run. What instances measure of themselves is not: with another
count they would have measured something else.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

from autoscaler.backtest.condition import is_rate
from autoscaler.decide.plan import Plan
from autoscaler.errors import UsageError
from autoscaler.model.policy import Policy, Resource, Signal
from autoscaler.policy.placeholders import sample
from autoscaler.policy.promql import Facts, facts
from autoscaler.policy.smells import MEMORY


class How(enum.Enum):
    """How a signal is replayed."""

    HONEST = "honest"  # as recorded, and it would have been the same with another count
    AS_RECORDED = "as_recorded"  # as recorded, though another count might have changed it
    MODELLED = "modelled"  # reckoned from the simulated service
    LEFT_OUT = "left_out"  # the policy is replayed without it


class Treatment(msgspec.Struct, frozen=True):
    """How a signal is replayed, and why so."""

    signal: str
    how: How
    because: str


def treatments(policy: Policy) -> tuple[Treatment, ...]:
    """One per signal, in their order."""
    return tuple(_treatment(each) for each in policy.signals)


def replayable(policy: Policy, told: Sequence[Treatment]) -> Policy:
    """The policy without the signals that are left out. Raises UsageError where none that votes is left."""
    kept = tuple(signal for signal, each in zip(policy.signals, told, strict=True) if each.how is not How.LEFT_OUT)
    if not any(signal.votes for signal in kept):
        why = "; ".join(f"{each.signal}: {each.because}" for each in told) or "it has no signals"
        raise UsageError(
            f"{policy.name} cannot be replayed, no signal of it can: {why}",
            hint="follow a request rate by per_replica, or CPU by utilization",
        )
    return policy if len(kept) == len(policy.signals) else msgspec.structs.replace(policy, signals=kept)


def load_signal(plan: Plan, wanted: str) -> Signal | None:
    """The signal that tells the load: the wanted one, else the most honest that has `per_replica`; None for a query.

    Raises UsageError where nothing tells it.
    """
    policy = plan.workload.policy
    signals = [each for each in policy.signals if each.prometheus is not None]
    named = next((each for each in signals if each.name == wanted), None)
    if named is not None or wanted:
        return named
    totals = [each for each in signals if each.per_replica is not None]
    found = next((each for each in totals if is_rate(sample(each.prometheus or ""))), totals[0] if totals else None)
    if found is None:
        raise UsageError(
            f"{policy.name}: nothing tells the load, as no signal is a total with per_replica",
            hint="name a query of it: --load 'sum(rate(requests_total[1m]))', and --capacity",
        )
    return found


def _treatment(signal: Signal) -> Treatment:
    name = signal.name
    if _of_memory(signal):
        return Treatment(name, How.LEFT_OUT, "how much memory would have been in use is not told by the load")
    if not signal.votes and signal.wake_above is None:
        return Treatment(name, How.LEFT_OUT, "what instances did depends on their count, and it asks for none")
    if signal.utilization is not None:
        said = "what the simulated instances are kept busy by, as a share of their capacity"
        return Treatment(name, How.MODELLED, said)
    if signal.prometheus is None:
        said = "read from instances that ran then, and no Prometheus has it"
        said = said if signal.push is None else "pushed to a daemon that ran then, and was not kept"
        return Treatment(name, How.LEFT_OUT, said)
    if signal.value is not None:
        said = "a value per instance or a latency depends on the count, and what it would have been is not known"
        return Treatment(name, How.LEFT_OUT, said)
    if is_rate(sample(signal.prometheus)):
        return Treatment(name, How.HONEST, "a rate of what came in, which is the same with another count")
    said = "a total that is no rate: what waits or is under way might have been another with another count"
    return Treatment(name, How.AS_RECORDED, said)


def _of_memory(signal: Signal) -> bool:
    """True for what is told by name to be memory: it does not follow the load as CPU does."""
    if signal.resource is Resource.MEMORY:
        return True
    known = facts(sample(signal.prometheus)) if signal.prometheus is not None else None
    names = known.metrics if isinstance(known, Facts) else ()
    return signal.utilization is not None and any(MEMORY.search(each) for each in names)

"""Rules of one signal: which words fit its source and its goal."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from autoscaler.model.policy import Capacity, Fallback, Plausible, Push, Signal, ZeroIf
from autoscaler.policy.convert import Fault
from autoscaler.policy.placeholders import sample
from autoscaler.policy.promql import chosen, facts
from autoscaler.policy.rules.shape import SOURCES, written
from autoscaler.policy.words import Path

GOALS = ("per_replica", "value", "utilization", "steps")

# Words that only make sense for a query, with the reason.
_OF_INSTANCES = {
    "server": "only a query is asked of a server",
    "reduce": "one value comes from each instance, and they are added up",
    "wake_above": "without instances there is nothing to read, so it could never wake",
    "max_age": "instances are read at the moment they are asked",
    "coverage": "every instance is asked",
}
_OF_PUSHED = {"server": "only a query is asked of a server"}


def source(signal: Signal) -> Iterator[Fault]:
    """What is written beside a source that has no use for it."""
    found = written(signal, SOURCES)
    if len(found) == 1 and signal.container is not None and signal.resource is None:
        yield ("container",), f"does not go with {found[0]}: only resource reads single containers", "remove it"
    if len(found) != 1 or signal.prometheus is not None:
        return
    for key, why in (_OF_PUSHED if signal.push is not None else _OF_INSTANCES).items():
        if getattr(signal, key) is not None:
            yield (key,), f"does not go with {found[0]}: {why}", "remove it, or ask prometheus"
    if isinstance(signal.empty, ZeroIf):
        yield ("empty", "zero_if"), f"does not go with {found[0]}: a query vouches only for a query", "remove it"
    if signal.resource is not None and signal.value is not None:
        said = "does not go with resource: more replicas do not lower the sum"
        yield ("value",), said, "utilization: 70%, or per_replica in cores or bytes"


def goal(signal: Signal) -> Iterator[Fault]:
    """At most one goal; rungs that rise. Whether it may have none is told by the policy as a whole."""
    goals = written(signal, GOALS)
    if len(goals) > 1:
        yield (), f"expected exactly one goal of {', '.join(GOALS)}, got {' and '.join(goals)}", "keep one"
    if not goals:
        yield from _voteless(signal)
    yield from _capacity(signal)
    steps = signal.steps or ()
    for index, (lower, upper) in enumerate(itertools.pairwise(steps), start=1):
        path: Path = ("steps", index)
        if upper.above <= lower.above:
            said = f"must be more than in the step before ({lower.above:g}), got {upper.above:g}"
            yield (*path, "above"), said, "steps rise"
        if upper.replicas <= lower.replicas:
            said = f"must be more than in the step before ({lower.replicas}), got {upper.replicas}"
            yield (*path, "replicas"), said, "steps rise; one that asks for no more can go"


def _capacity(signal: Signal) -> Iterator[Fault]:
    """What one can carry at most, beside what one should carry."""
    capacity, target = signal.capacity, signal.per_replica
    if capacity is None:
        for key in written(signal, ("busy", "served")):
            said = "does nothing without capacity: it is what capacity is found out by"
            yield (key,), said, "add capacity: the most that one replica can carry, or learn"
        return
    if target is None:
        said = "goes with per_replica only: a load that adds up"
        yield ("capacity",), said, "add per_replica: the load one replica should carry, or remove capacity"
    elif not isinstance(capacity, Capacity) and capacity < target:
        said = f"must be at least per_replica ({target:g}), got {capacity:g}"
        yield ("capacity",), said, "capacity is the most that one can carry, per_replica what it should"
    if isinstance(capacity, Capacity):
        if signal.busy is None and signal.served is None:
            said = "nothing to learn it from: neither busy nor served names a signal"
            yield ("capacity",), said, "add busy: the signal that says how busy an instance is, as a share of 1"
    elif signal.busy is not None:
        yield ("busy",), "does nothing beside a capacity that is told", "capacity: learn, or remove it"


def words(signal: Signal) -> Iterator[Fault]:
    """Words about the age of data that cannot be told."""
    if signal.prometheus is None or (signal.max_age is None and signal.coverage is None):
        return
    known = facts(sample(signal.prometheus))
    if isinstance(known, str):
        why = f"the query cannot be parsed ({known})"
    elif known.selectors is None:
        why = "a selector of the query cannot be asked about on its own"
    elif not known.selectors:
        why = "the query reads no series"
    else:
        return
    for key, what in (("max_age", "the age of the data"), ("coverage", "which instances are in the data")):
        if getattr(signal, key) is not None:
            yield (key,), f"{what} cannot be told: {why}", "correct the query, or remove the key"


def push(push: Push) -> Iterator[Fault]:
    """A selector that can be followed without a server."""
    meant = chosen(sample(push.match))
    if isinstance(meant, str):
        yield ("match",), f"cannot be followed: {meant}", 'requests_total{job="web"}'


def plausible(given: Plausible) -> Iterator[Fault]:
    """A range that something fits into."""
    if given.min is None and given.max is None:
        yield (), "expected min, max or both, got none", "add min: 0"
    elif given.min is not None and given.max is not None and given.min >= given.max:
        yield ("max",), f"must be more than min ({given.min:g}), got {given.max:g}", "raise max, or lower min"


def _voteless(signal: Signal) -> Iterator[Fault]:
    said = "does nothing: this signal has no goal, so it asks for no replicas"
    if signal.at_most is not None:
        yield ("at_most",), said, "remove it, or add a goal"
    if isinstance(signal.failed, Fallback):
        yield ("failed",), said, "remove it, or add a goal; idle has on_doubt: wake"

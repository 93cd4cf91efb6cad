"""The signals of a workload as its last decision saw them: in words for people, as bare numbers for metrics."""

from __future__ import annotations

import math
from collections.abc import Iterator

from autoscaler.decide.explain import sentence
from autoscaler.decide.plan import aim
from autoscaler.loop.answers import SignalStatus
from autoscaler.loop.board import Entry
from autoscaler.model.decision import Stage, Step
from autoscaler.model.policy import Signal
from autoscaler.model.signal import Missing, Reading, Series
from autoscaler.model.target import WorkloadRef
from autoscaler.policy.placeholders import fill


def signals(entry: Entry) -> tuple[SignalStatus, ...]:
    """Each signal of a workload's policy against its goal, as the last decision saw it."""
    return tuple(_signal(entry.workload.ref, *each) for each in heard(entry))


def heard(entry: Entry) -> Iterator[tuple[Signal, Step | None, Reading | None]]:
    """Each signal of a workload's policy with the step and the reading that the last decision has of it."""
    decision = entry.decision
    by: dict[object, Step] = {}
    for step in decision.steps if decision is not None else ():
        if step.stage in (Stage.SIGNAL, Stage.IDLE) and "signal" in step.facts:
            by.setdefault(step.facts["signal"], step)
    readings = dict(decision.readings) if decision is not None else {}
    for signal in entry.workload.policy.signals:
        yield signal, by.get(signal.name), readings.get(signal.name)


def load_of(step: Step | None, reading: Reading | None) -> float | None:
    """What was read of a signal, as the decision used it; None where nothing was."""
    load = step.facts.get("load") if step is not None else None
    if load is None and isinstance(reading, Series) and len(reading.points) == 1:
        load = reading.points[0].value
    return float(load) if isinstance(load, int | float) and math.isfinite(load) else None


def target_of(signal: Signal) -> float | None:
    """The goal a signal is held against; None where it is not one number."""
    kind, target, _ = aim(signal)
    return target if kind != "steps" else None


def asked_by(step: Step | None) -> int | None:
    """The count that a signal alone asks for; None where it asks for none."""
    return step.after if step is not None and step.stage is Stage.SIGNAL and "load" in step.facts else None


def _signal(ref: WorkloadRef, signal: Signal, step: Step | None, reading: Reading | None) -> SignalStatus:
    expected = step.facts.get("expected") if step is not None else None
    return SignalStatus(
        name=signal.name,
        source=signal.source,
        query=fill(signal.prometheus, ref) if signal.prometheus is not None else "",
        goal=aim(signal)[0],
        target=target_of(signal),
        capacity=signal.capacity if isinstance(signal.capacity, float) else None,
        load=load_of(step, reading),
        expected=float(expected) if isinstance(expected, int | float) and math.isfinite(expected) else None,
        age_s=reading.age_s if isinstance(reading, Series) else None,
        asks=asked_by(step),
        reason=step.reason.value if step is not None else "",
        sentence=sentence(step) if step is not None else "",
        missing=f"{reading.why.value}: {reading.detail}" if isinstance(reading, Missing) else "",
    )

"""The series of every workload, made of a few workloads at a time so that the event loop may breathe between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from autoscaler.decide.explain import asked_for
from autoscaler.decide.proof import Known
from autoscaler.loop.board import Entry
from autoscaler.loop.signal_views import asked_by, heard, load_of, target_of
from autoscaler.model.decision import Decision, Fact, Reason
from autoscaler.model.signal import Missing, Series
from autoscaler.model.target import TargetState
from autoscaler.web.exposition import PREFIX, Family, inner

SLICE = 50  # workloads told of before the event loop may breathe: two or three milliseconds

_OF_WORKLOAD = ("workload", "policy")
_OF_SIGNAL = ("workload", "policy", "signal")
_OF_ALGORITHM = ("workload", "policy", "algorithm")

_CAPACITIES = (Reason.CAPACITY_LEARNED, Reason.CAPACITY_SEEN, Reason.CAPACITY_LOWERED)
_OBJECTIVES = (Reason.OBJECTIVE_COSTS, Reason.OBJECTIVE_UNMET)

FAMILIES = tuple(
    Family(name, "gauge", about, labels)
    for name, about, labels in (
        ("workload_desired_replicas", "The count to have.", _OF_WORKLOAD),
        (
            "workload_asked_replicas",
            "The count its signals ask for, before speed, guards and bounds.",
            _OF_WORKLOAD,
        ),
        ("workload_replicas", "Instances that exist.", _OF_WORKLOAD),
        ("workload_ready_replicas", "Instances that serve.", _OF_WORKLOAD),
        ("workload_sick_instances", "Instances that were ready and are not any more.", _OF_WORKLOAD),
        ("workload_state_missing", "1 while the state of the workload is not known.", _OF_WORKLOAD),
        ("workload_min_replicas", "The lower bound.", _OF_WORKLOAD),
        ("workload_max_replicas", "The upper bound.", _OF_WORKLOAD),
        ("workload_stuck", "1 while the last operation was refused or failed.", _OF_WORKLOAD),
        (
            "workload_left_alone",
            "1 while another autoscaler sets the count and this one leaves it alone.",
            _OF_WORKLOAD,
        ),
        ("signal_present", "1 while the signal has data.", _OF_SIGNAL),
        ("signal_age_seconds", "Age of the signal's newest sample.", _OF_SIGNAL),
        ("signal_value", "What was read, as the decision used it.", _OF_SIGNAL),
        ("signal_target", "The goal the value is held against.", _OF_SIGNAL),
        ("signal_recommended_replicas", "The count this signal alone asks for.", _OF_SIGNAL),
        ("workload_shadow_replicas", "The count the compared algorithm would have.", _OF_ALGORITHM),
        ("signal_learned_seconds", "How much of the signal's load is known to adaptive.", _OF_SIGNAL),
        ("signal_coverage_ratio", "Share of bins in which the load was within what was expected.", _OF_SIGNAL),
        ("signal_forecast_error_ratio", "How far the forecast was off, as a share of the load.", _OF_SIGNAL),
        ("signal_capacity", "The load that one instance carries, where adaptive found it out.", _OF_SIGNAL),
        ("signal_good_ratio", "Share of good requests of about the last day, for an objective.", _OF_SIGNAL),
        ("signal_objective_replicas", "The count that the load takes under its objective.", _OF_SIGNAL),
        ("signal_capacity_replicas", "The count that the same load takes by capacity alone.", _OF_SIGNAL),
        ("signal_objective_unmet", "1 while more instances do not meet the objective, or are not allowed.", _OF_SIGNAL),
    )
)


async def text(entries: Iterable[Entry]) -> list[bytes]:
    """The exposition of these workloads in pieces: of each what is known when its turn comes."""
    now = list(entries)
    pieces: dict[str, list[bytes]] = {each.name: [f"{line}\n".encode() for line in each.lines()] for each in FAMILIES}
    for start in range(0, len(now), SLICE):
        told = _Lines()
        for entry in now[start : start + SLICE]:
            told.add(entry)
        for name, lines in told.of.items():
            if lines:
                pieces[name].append("".join(lines).encode())
        await asyncio.sleep(0)
    return [piece for parts in pieces.values() for piece in parts]


class _Lines:
    """Lines by family."""

    def __init__(self) -> None:
        self.of: dict[str, list[str]] = {each.name: [] for each in FAMILIES}

    def add(self, entry: Entry) -> None:
        """All that is told of one workload."""
        policy, decision = entry.workload.policy, entry.decision
        ours = inner(workload=entry.workload.ref.key, policy=policy.name)
        of = f"{{{ours}}}"
        if policy.replicas is not None:
            self._put("workload_min_replicas", of, policy.replicas.min)
            self._put("workload_max_replicas", of, policy.replicas.max)
        if decision is not None:
            self._counts(entry, decision, of)
            self._signals(entry, decision, ours)
            self._carried(decision, ours)
            if decision.beside is not None:
                by = f"{{{ours},{inner(algorithm=decision.beside.algorithm)}}}"
                self._put("workload_shadow_replicas", by, decision.beside.desired)
        for each in entry.known:
            self._learned(each, ours)

    def _counts(self, entry: Entry, decision: Decision, of: str) -> None:
        put, state = self._put, entry.state
        put("workload_desired_replicas", of, decision.desired)
        put("workload_asked_replicas", of, asked_for(decision))
        if isinstance(state, TargetState):
            put("workload_replicas", of, state.existing)
            put("workload_ready_replicas", of, state.ready)
            put("workload_sick_instances", of, sum([instance.sick for instance in state.instances]))
        put("workload_state_missing", of, int(isinstance(state, Missing)))
        put("workload_stuck", of, int(entry.stuck is not None))
        put("workload_left_alone", of, int(decision.act and decision.reason is Reason.OTHER_AUTOSCALER))

    def _signals(self, entry: Entry, decision: Decision, ours: str) -> None:
        put = self._put
        for name, reading in decision.readings:
            of = f"{{{ours},{inner(signal=name)}}}"
            put("signal_present", of, int(isinstance(reading, Series)))
            put("signal_age_seconds", of, reading.age_s if isinstance(reading, Series) else None)
        for signal, step, read in heard(entry):
            of = f"{{{ours},{inner(signal=signal.name)}}}"
            put("signal_value", of, load_of(step, read))
            put("signal_target", of, target_of(signal))
            put("signal_recommended_replicas", of, asked_by(step))

    def _carried(self, decision: Decision, ours: str) -> None:
        """What one instance was found to carry, and what the objective takes; as the steps of the decision tell it."""
        for step in decision.steps:
            if step.reason not in _CAPACITIES and step.reason not in _OBJECTIVES:
                continue
            of, facts = f"{{{ours},{inner(signal=str(step.facts['signal']))}}}", step.facts
            if step.reason in _CAPACITIES:
                self._put("signal_capacity", of, _number(facts["capacity"]))
                continue
            self._put("signal_good_ratio", of, round(_number(facts["good"]) / 100, 6))
            self._put("signal_objective_replicas", of, _number(facts["needs"]))
            self._put("signal_capacity_replicas", of, _number(facts["bare"]))
            self._put("signal_objective_unmet", of, int(step.reason is Reason.OBJECTIVE_UNMET))

    def _learned(self, known: Known, ours: str) -> None:
        of = f"{{{ours},{inner(signal=known.signal)}}}"
        self._put("signal_learned_seconds", of, known.seconds)
        for name, share in (("signal_coverage_ratio", known.coverage), ("signal_forecast_error_ratio", known.error)):
            self._put(name, of, round(share, 6) if share is not None else None)

    def _put(self, name: str, of: str, value: float | None) -> None:
        """One line; none where nothing is known."""
        if value is not None:
            self.of[name].append(f"{PREFIX}{name}{of} {value}\n")


def _number(fact: Fact) -> float | int:
    """A fact that is one."""
    assert isinstance(fact, float | int)
    return fact

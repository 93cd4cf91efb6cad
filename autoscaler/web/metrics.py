"""The board as Prometheus text: the daemon about itself, and every workload in a handful of series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from autoscaler import __version__
from autoscaler.decide.explain import asked_for
from autoscaler.loop.board import SPANS_S, Board, Entry, Spread
from autoscaler.loop.views import signals
from autoscaler.model.signal import Missing, Series
from autoscaler.model.target import TargetState

Sample = tuple[str, str, float | int]  # suffix of the name, labels, value

PREFIX = "autoscaler_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Family(msgspec.Struct, frozen=True):
    """One metric: its name without the prefix, kind, sentence, labels, and its samples."""

    name: str
    kind: str
    about: str
    labels: tuple[str, ...] = ()
    samples: Iterable[Sample] = ()


def text(board: Board, *, leading: bool, store_failing: bool, clients: int = 0, workloads: bool = True) -> str:
    """The exposition of everything on the board; without `workloads` no series is of one workload alone."""
    lines: list[str] = []
    found = list(_daemon(board, leading=leading, store_failing=store_failing, clients=clients))
    found += _workloads(board) if workloads else ()
    for each in found:
        lines.append(f"# HELP {PREFIX}{each.name} {each.about}")
        lines.append(f"# TYPE {PREFIX}{each.name} {each.kind}")
        lines.extend(f"{PREFIX}{each.name}{suffix}{labels} {value}" for suffix, labels, value in each.samples)
    return "\n".join(lines) + "\n"


def families() -> list[Family]:
    """Every metric there is, without samples."""
    board = Board()
    return [*_daemon(board, leading=False, store_failing=False, clients=0), *_workloads(board)]


def _daemon(board: Board, *, leading: bool, store_failing: bool, clients: int) -> Iterator[Family]:
    def one(value: float | int) -> list[Sample]:
        return [("", "", value)]

    yield Family("build_info", "gauge", "The running version.", ("version",), [("", _labels(version=__version__), 1)])
    yield Family("start_time_seconds", "gauge", "When the daemon started.", (), one(board.started))
    yield Family("leader", "gauge", "1 while this daemon holds the lease.", (), one(int(leading)))
    failing = one(int(store_failing))
    yield Family("store_failing", "gauge", "1 while the store cannot be read or written.", (), failing)
    yield Family("cycles_total", "counter", "Cycles over all workloads.", (), one(board.cycles))
    yield Family("cycle_seconds", "gauge", "The time between two cycles, as set.", (), one(board.cycle_s))
    yield Family("last_cycle_timestamp_seconds", "gauge", "When the last cycle ended.", (), one(board.cycle_at or 0))
    durations, latenesses = _histogram(board.durations), _histogram(board.latenesses)
    yield Family("cycle_duration_seconds", "histogram", "What a cycle took.", ("le",), durations)
    yield Family("cycle_lateness_seconds", "histogram", "How late a cycle began.", ("le",), latenesses)
    yield Family("policies", "gauge", "Workloads steered by a policy.", (), one(len(board.entries)))
    revision = [("", _labels(revision=board.revision), 1)] if board.revision else []
    yield Family("policy_set_info", "gauge", "The policy set in force.", ("revision",), revision)
    rejected = one(int(bool(board.rejected_revision)))
    yield Family("policies_rejected", "gauge", "1 while a newer policy set does not load.", (), rejected)
    yield Family("faults_total", "counter", "Faults survived.", (), one(board.fault_count))
    decisions = _by("reason", board.decisions)
    yield Family("decisions_total", "counter", "Decisions by reason.", ("reason",), decisions)
    changes = _by("direction", board.changes)
    yield Family("changes_total", "counter", "Counts changed, by direction.", ("direction",), changes)
    ends = [("", _labels(kind=k, outcome=o), n) for (k, o), n in sorted(board.outcomes.items())]
    yield Family("operations_total", "counter", "Operations by how they ended.", ("kind", "outcome"), ends)
    missing = [("", _labels(source=s, why=w), n) for (s, w), n in sorted(board.missing.items())]
    about = "Readings that were missing, by source and cause."
    yield Family("readings_missing_total", "counter", about, ("source", "why"), missing)
    yield Family("event_clients", "gauge", "Clients that follow the events.", (), one(clients))


def _workloads(board: Board) -> Iterator[Family]:
    entries = list(board.entries.values())
    of_workload, of_signal = ("workload", "policy"), ("workload", "policy", "signal")
    decided = [(entry, entry.decision, _of(entry)) for entry in entries if entry.decision is not None]

    def each(name: str, about: str, samples: Sequence[Sample], labels: tuple[str, ...] = of_workload) -> Family:
        return Family(name, "gauge", about, labels, samples)

    desired = [("", of, d.desired) for _, d, of in decided]
    yield each("workload_desired_replicas", "The count to have.", desired)
    wishes = [("", of, asked_for(d)) for _, d, of in decided]
    yield each("workload_asked_replicas", "The count its signals ask for, before speed, guards and bounds.", wishes)
    seen = [(entry.state, of) for entry, _, of in decided if isinstance(entry.state, TargetState)]
    yield each("workload_replicas", "Instances that exist.", [("", of, state.existing) for state, of in seen])
    yield each("workload_ready_replicas", "Instances that serve.", [("", of, state.ready) for state, of in seen])
    sick = [("", of, sum(instance.sick for instance in state.instances)) for state, of in seen]
    yield each("workload_sick_instances", "Instances that were ready and are not any more.", sick)
    unknown = [("", of, int(isinstance(entry.state, Missing))) for entry, _, of in decided]
    yield each("workload_state_missing", "1 while the state of the workload is not known.", unknown)
    bounds = [(entry.workload.policy.replicas, _of(entry)) for entry in entries]
    yield each("workload_min_replicas", "The lower bound.", [("", of, both.min) for both, of in bounds if both])
    yield each("workload_max_replicas", "The upper bound.", [("", of, both.max) for both, of in bounds if both])
    stuck = [("", of, int(entry.stuck is not None)) for entry, _, of in decided]
    yield each("workload_stuck", "1 while the last operation was refused or failed.", stuck)
    read = [(_of(entry, name), reading) for entry, d, _ in decided for name, reading in d.readings]
    present = [("", of, int(isinstance(reading, Series))) for of, reading in read]
    yield each("signal_present", "1 while the signal has data.", present, of_signal)
    ages = [("", of, r.age_s) for of, r in read if isinstance(r, Series) and r.age_s is not None]
    yield each("signal_age_seconds", "Age of the signal's newest sample.", ages, of_signal)
    told = [(_of(entry, s.name), s) for entry, _, _ in decided for s in signals(entry)]
    loads = [("", of, s.load) for of, s in told if s.load is not None]
    yield each("signal_value", "What was read, as the decision used it.", loads, of_signal)
    targets = [("", of, s.target) for of, s in told if s.target is not None]
    yield each("signal_target", "The goal the value is held against.", targets, of_signal)
    asks = [("", of, s.asks) for of, s in told if s.asks is not None]
    yield each("signal_recommended_replicas", "The count this signal alone asks for.", asks, of_signal)


def _of(entry: Entry, signal: str = "") -> str:
    names = {"workload": entry.workload.ref.key, "policy": entry.workload.policy.name}
    return _labels(**names, signal=signal) if signal else _labels(**names)


def _by(name: str, counts: dict[str, int]) -> list[Sample]:
    return [("", _labels(**{name: key}), count) for key, count in sorted(counts.items())]


def _histogram(spread: Spread) -> Iterator[Sample]:
    total = 0
    for bound, count in zip((*map(str, SPANS_S), "+Inf"), spread.counts, strict=True):
        total += count
        yield "_bucket", _labels(le=bound), total
    yield "_sum", "", round(spread.sum, 6)
    yield "_count", "", total


def _labels(**labels: str) -> str:
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

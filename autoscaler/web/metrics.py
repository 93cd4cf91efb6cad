"""The board as Prometheus text: the daemon about itself, and every workload in a handful of series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autoscaler import __version__
from autoscaler.loop.board import SPANS_S, Board, Entry, Spread
from autoscaler.model.signal import Missing, Series
from autoscaler.model.target import TargetState

Sample = tuple[str, str, float | int]  # suffix of the name, labels, value
Family = tuple[str, str, str, Iterable[Sample]]  # name, kind, help, samples

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(board: Board, *, leading: bool, store_failing: bool, more: Iterable[Family] = ()) -> str:
    """The exposition of everything on the board, and of more."""
    lines: list[str] = []
    for name, kind, help_, samples in (*_families(board, leading=leading, store_failing=store_failing), *more):
        lines.append(f"# HELP autoscaler_{name} {help_}")
        lines.append(f"# TYPE autoscaler_{name} {kind}")
        lines.extend(f"autoscaler_{name}{suffix}{labels} {value}" for suffix, labels, value in samples)
    return "\n".join(lines) + "\n"


def _families(board: Board, *, leading: bool, store_failing: bool) -> Iterator[Family]:
    entries = board.entries.values()
    yield "build_info", "gauge", "The running version.", [("", labels(version=__version__), 1)]
    yield "start_time_seconds", "gauge", "When the daemon started.", [("", "", board.started)]
    yield "leader", "gauge", "1 while this daemon holds the lease.", [("", "", int(leading))]
    yield "store_failing", "gauge", "1 while the store cannot be read or written.", [("", "", int(store_failing))]
    yield "cycles_total", "counter", "Cycles over all workloads.", [("", "", board.cycles)]
    yield "last_cycle_timestamp_seconds", "gauge", "When the last cycle ended.", [("", "", board.cycle_at or 0)]
    yield "cycle_duration_seconds", "histogram", "What a cycle took.", _histogram(board.durations)
    yield "cycle_lateness_seconds", "histogram", "How late a cycle began.", _histogram(board.latenesses)
    yield "policies", "gauge", "Workloads steered by a policy.", [("", "", len(board.entries))]
    rejected = int(bool(board.rejected_revision))
    yield "policies_rejected", "gauge", "1 while a newer policy set does not load.", [("", "", rejected)]
    yield "faults_total", "counter", "Faults survived.", [("", "", board.fault_count)]
    yield "decisions_total", "counter", "Decisions by reason.", _by("reason", board.decisions)
    yield "changes_total", "counter", "Counts changed, by direction.", _by("direction", board.changes)
    outcomes = [("", labels(kind=k, outcome=o), n) for (k, o), n in sorted(board.outcomes.items())]
    yield "operations_total", "counter", "Operations by how they ended.", outcomes
    missing = [("", labels(source=s, why=w), n) for (s, w), n in sorted(board.missing.items())]
    yield "readings_missing_total", "counter", "Readings that were missing, by source and cause.", missing
    removed = [("", labels(cleanup=name, what=what), n) for (name, what), n in sorted(board.removed.items())]
    yield "cleanup_removed_total", "counter", "What clean-ups took away.", removed
    yield "cleanup_freed_bytes_total", "counter", "Bytes that clean-ups gave back.", _by("cleanup", board.freed)
    held = [("", labels(cleanup=name), len(each.sweep.stays)) for name, each in sorted(board.cleanups.items())]
    yield "cleanup_held", "gauge", "What the last run of a clean-up left although it looks like going.", held
    ran = [("", labels(cleanup=name), each.at) for name, each in sorted(board.cleanups.items()) if each.at is not None]
    yield "cleanup_last_timestamp_seconds", "gauge", "When a clean-up ran last.", ran
    yield from _workloads(list(entries))


def _workloads(entries: list[Entry]) -> Iterator[Family]:
    decided = [(entry, entry.decision, _of(entry)) for entry in entries if entry.decision is not None]
    desired = [("", of, d.desired) for _, d, of in decided]
    yield "workload_desired_replicas", "gauge", "The count to have.", desired
    seen = [(entry.state, of) for entry, _, of in decided if isinstance(entry.state, TargetState)]
    yield "workload_replicas", "gauge", "Instances that exist.", [("", of, state.existing) for state, of in seen]
    yield "workload_ready_replicas", "gauge", "Instances that serve.", [("", of, state.ready) for state, of in seen]
    unknown = [("", of, int(isinstance(entry.state, Missing))) for entry, _, of in decided]
    yield "workload_state_missing", "gauge", "1 while the state of the workload is not known.", unknown
    bounds = [(entry.workload.policy.replicas, _of(entry)) for entry in entries]
    yield "workload_min_replicas", "gauge", "The lower bound.", [("", of, each.min) for each, of in bounds if each]
    yield "workload_max_replicas", "gauge", "The upper bound.", [("", of, each.max) for each, of in bounds if each]
    read = [(_of(entry, signal=name), reading) for entry, d, _ in decided for name, reading in d.readings]
    present = [("", of, int(isinstance(reading, Series))) for of, reading in read]
    yield "signal_present", "gauge", "1 while the signal has data.", present
    yield from _expected(entries)
    ages = [("", of, r.age_s) for of, r in read if isinstance(r, Series) and r.age_s is not None]
    yield "signal_age_seconds", "gauge", "Age of the signal's newest sample.", ages


def _expected(entries: list[Entry]) -> Iterator[Family]:
    """What the other algorithm would have, and how well what was expected came true."""
    beside = [(entry, entry.decision.beside) for entry in entries if entry.decision is not None]
    others = [(_of(entry, algorithm=b.algorithm), b.desired) for entry, b in beside if b is not None]
    yield "workload_shadow_replicas", "gauge", "The count the compared algorithm would have.", [
        ("", of, count) for of, count in others
    ]  # fmt: skip
    known = [(_of(entry, signal=each.signal), each) for entry in entries for each in entry.known]
    seconds = [("", of, each.seconds) for of, each in known]
    yield "signal_learned_seconds", "gauge", "How much of the signal's load is known to adaptive.", seconds
    coverage = [("", of, round(each.coverage, 6)) for of, each in known if each.coverage is not None]
    yield "signal_coverage_ratio", "gauge", "Share of bins in which the load was within what was expected.", coverage
    error = [("", of, round(each.error, 6)) for of, each in known if each.error is not None]
    yield "signal_forecast_error_ratio", "gauge", "How far the forecast was off, as a share of the load.", error


def _of(entry: Entry, **more: str) -> str:
    return labels(workload=entry.workload.ref.key, policy=entry.workload.policy.name, **more)


def _by(name: str, counts: dict[str, int]) -> list[Sample]:
    return [("", labels(**{name: key}), count) for key, count in sorted(counts.items())]


def _histogram(spread: Spread) -> Iterator[Sample]:
    total = 0
    for bound, count in zip((*map(str, SPANS_S), "+Inf"), spread.counts, strict=True):
        total += count
        yield "_bucket", labels(le=bound), total
    yield "_sum", "", round(spread.sum, 6)
    yield "_count", "", total


def labels(**labels: str) -> str:
    """A sample's labels."""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

"""The board as Prometheus text: the daemon about itself, and every workload in a handful of series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from autoscaler import __version__
from autoscaler.decide.explain import asked_for
from autoscaler.loop import problems
from autoscaler.loop.board import SPANS_S, Board, Entry, Spread
from autoscaler.loop.views import signals
from autoscaler.model.commits import Origin
from autoscaler.model.decision import Fact, Reason
from autoscaler.model.signal import Missing, Series
from autoscaler.model.target import TargetState

Sample = tuple[str, str, float | int]  # suffix of the name, labels, value

_CAPACITIES = (Reason.CAPACITY_LEARNED, Reason.CAPACITY_SEEN, Reason.CAPACITY_LOWERED)
_OBJECTIVES = (Reason.OBJECTIVE_COSTS, Reason.OBJECTIVE_UNMET)

PREFIX = "autoscaler_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Family(msgspec.Struct, frozen=True):
    """One metric: its name without the prefix, kind, sentence, labels, and its samples."""

    name: str
    kind: str
    about: str
    labels: tuple[str, ...] = ()
    samples: Iterable[Sample] = ()


def text(
    board: Board, *, leading: bool, store_failing: bool, clients: int = 0, workloads: bool = True,
    more: Iterable[Family] = (),
) -> str:  # fmt: skip
    """The exposition of everything on the board, and of more; without `workloads` no series is of one alone."""
    lines: list[str] = []
    found = list(_daemon(board, leading=leading, store_failing=store_failing, clients=clients))
    found += _workloads(board) if workloads else ()
    found += more
    for each in found:
        lines.append(f"# HELP {PREFIX}{each.name} {each.about}")
        lines.append(f"# TYPE {PREFIX}{each.name} {each.kind}")
        lines.extend(f"{PREFIX}{each.name}{suffix}{of} {value}" for suffix, of, value in each.samples)
    return "\n".join(lines) + "\n"


def families() -> list[Family]:
    """Every metric there is, without samples."""
    board = Board()
    found = [
        *_daemon(board, leading=False, store_failing=False, clients=0),
        *_workloads(board),
        queries({}),
        events({}),
    ]
    return [*found, *pushed({}, {}, 0), *audit({}, failing=False), notifications({})]


def queries(outcomes: Mapping[tuple[str, str], int]) -> Family:
    """How often each server was asked, by how that ended."""
    asked = [("", labels(server=server, outcome=how), count) for (server, how), count in sorted(outcomes.items())]
    about = "Queries asked, by server and how they ended."
    return Family("prometheus_queries_total", "counter", about, ("server", "outcome"), asked)


def audit(counts: Mapping[str, int], *, failing: bool) -> list[Family]:
    """How the audit's lines fare."""
    about, so = "Lines of the audit, by what became of them.", [("", "", int(failing))]
    lines = Family("audit_lines_total", "counter", about, ("outcome",), _by("outcome", counts))
    return [lines, Family("audit_failing", "gauge", "1 while the audit cannot be written.", (), so)]


def notifications(counts: Mapping[tuple[str, str], int]) -> Family:
    """How messages to receivers fared."""
    sent = [("", labels(receiver=name, outcome=how), count) for (name, how), count in sorted(counts.items())]
    about = "Notifications, by receiver and whether they were sent."
    return Family("notifications_total", "counter", about, ("receiver", "outcome"), sent)


def pushed(samples: Mapping[str, int], answers: Mapping[int, int], series: int) -> Iterator[Family]:
    """What came in by remote write: samples by what became of them, requests by their answer, series that are kept."""
    about = "Samples that were pushed, by what became of them."
    yield Family("push_samples_total", "counter", about, ("became",), _by("became", samples))
    became = [("", labels(status=str(status)), count) for status, count in sorted(answers.items())]
    about = "Requests of those who push, by the status they got."
    yield Family("push_requests_total", "counter", about, ("status",), became)
    about = "Series that are kept because signals follow them."
    yield Family("push_series", "gauge", about, (), [("", "", series)])


def events(counts: Mapping[str, int]) -> Family:
    """How many Kubernetes Events were to be written, by what became of them."""
    return Family(
        "kubernetes_events_total", "counter", "Kubernetes Events, by outcome.", ("outcome",), _by("outcome", counts)
    )


def _repository(origin: Origin | None) -> Iterator[Family]:
    """Of policies from git; without samples where they come from files."""

    def one(value: float | bool | None) -> list[Sample]:
        return [("", "", float(value or 0))] if origin is not None else []

    told = origin or Origin(url="", ref="", path="")
    away, seen = one(bool(told.trouble)), one(told.checked)
    yield Family(
        "policies_git_failing", "gauge", "1 while their repository cannot be read or they are not trusted.", (), away
    )
    yield Family("policies_git_checked_timestamp_seconds", "gauge", "When its ref was seen last.", (), seen)
    held, back = one(bool(told.held)), one(told.rollback is not None)
    yield Family("policies_git_held", "gauge", "1 while a forced move of its ref is held back.", (), held)
    yield Family("policies_git_rolled_back", "gauge", "1 while a rollback is in force.", (), back)


def _daemon(board: Board, *, leading: bool, store_failing: bool, clients: int) -> Iterator[Family]:
    def one(value: float | int) -> list[Sample]:
        return [("", "", value)]

    yield Family("build_info", "gauge", "The running version.", ("version",), [("", labels(version=__version__), 1)])
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
    revision = [("", labels(revision=board.revision), 1)] if board.revision else []
    yield Family("policy_set_info", "gauge", "The policy set in force.", ("revision",), revision)
    rejected = one(int(bool(board.rejected_revision)))
    yield Family("policies_rejected", "gauge", "1 while a newer policy set does not load.", (), rejected)
    yield from _repository(board.origin)
    yield Family("faults_total", "counter", "Faults survived.", (), one(board.fault_count))
    needs = _by("kind", problems.counted(board))
    yield Family("problems", "gauge", "Workloads that need a person, by what it is.", ("kind",), needs)
    decisions = _by("reason", board.decisions)
    yield Family("decisions_total", "counter", "Decisions by reason.", ("reason",), decisions)
    changes = _by("direction", board.changes)
    yield Family("changes_total", "counter", "Counts changed, by direction.", ("direction",), changes)
    ends = [("", labels(kind=k, outcome=o), n) for (k, o), n in sorted(board.outcomes.items())]
    yield Family("operations_total", "counter", "Operations by how they ended.", ("kind", "outcome"), ends)
    missing = [("", labels(source=s, why=w), n) for (s, w), n in sorted(board.missing.items())]
    about = "Readings that were missing, by source and cause."
    yield Family("readings_missing_total", "counter", about, ("source", "why"), missing)
    removed = [("", labels(cleanup=name, what=what), n) for (name, what), n in sorted(board.removed.items())]
    yield Family("cleanup_removed_total", "counter", "What clean-ups took away.", ("cleanup", "what"), removed)
    freed = _by("cleanup", board.freed)
    yield Family("cleanup_freed_bytes_total", "counter", "Bytes that clean-ups gave back.", ("cleanup",), freed)
    runs = sorted(board.cleanups.items())
    held = [("", labels(cleanup=name), len(each.sweep.stays)) for name, each in runs]
    about = "What the last run of a clean-up left although it looks like going."
    yield Family("cleanup_held", "gauge", about, ("cleanup",), held)
    ran = [("", labels(cleanup=name), each.at) for name, each in runs if each.at is not None]
    yield Family("cleanup_last_timestamp_seconds", "gauge", "When a clean-up ran last.", ("cleanup",), ran)
    yield Family("event_clients", "gauge", "Clients that follow the events.", (), one(clients))


def _workloads(board: Board) -> Iterator[Family]:
    entries = list(board.entries.values())
    of_workload, of_signal = ("workload", "policy"), ("workload", "policy", "signal")
    decided = [(entry, entry.decision, _of(entry)) for entry in entries if entry.decision is not None]

    def each(name: str, about: str, samples: Sequence[Sample], by: tuple[str, ...] = of_workload) -> Family:
        return Family(name, "gauge", about, by, samples)

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
    left = [("", of, int(d.act and d.reason is Reason.OTHER_AUTOSCALER)) for _, d, of in decided]
    yield each("workload_left_alone", "1 while another autoscaler sets the count and this one leaves it alone.", left)
    read = [(_of(entry, signal=name), reading) for entry, d, _ in decided for name, reading in d.readings]
    present = [("", of, int(isinstance(reading, Series))) for of, reading in read]
    yield each("signal_present", "1 while the signal has data.", present, of_signal)
    ages = [("", of, r.age_s) for of, r in read if isinstance(r, Series) and r.age_s is not None]
    yield each("signal_age_seconds", "Age of the signal's newest sample.", ages, of_signal)
    told = [(_of(entry, signal=s.name), s) for entry, _, _ in decided for s in signals(entry)]
    loads = [("", of, s.load) for of, s in told if s.load is not None]
    yield each("signal_value", "What was read, as the decision used it.", loads, of_signal)
    targets = [("", of, s.target) for of, s in told if s.target is not None]
    yield each("signal_target", "The goal the value is held against.", targets, of_signal)
    asks = [("", of, s.asks) for of, s in told if s.asks is not None]
    yield each("signal_recommended_replicas", "The count this signal alone asks for.", asks, of_signal)
    yield from _expected(entries)


def _expected(entries: Sequence[Entry]) -> Iterator[Family]:
    """What the other algorithm would have, and how well what was expected came true."""
    of_signal = ("workload", "policy", "signal")
    beside = [(entry, entry.decision.beside) for entry in entries if entry.decision is not None]
    others = [("", _of(entry, algorithm=b.algorithm), b.desired) for entry, b in beside if b is not None]
    about, by = "The count the compared algorithm would have.", ("workload", "policy", "algorithm")
    yield Family("workload_shadow_replicas", "gauge", about, by, others)
    known = [(_of(entry, signal=each.signal), each) for entry in entries for each in entry.known]
    seconds = [("", of, each.seconds) for of, each in known]
    about = "How much of the signal's load is known to adaptive."
    yield Family("signal_learned_seconds", "gauge", about, of_signal, seconds)
    coverage = [("", of, round(each.coverage, 6)) for of, each in known if each.coverage is not None]
    about = "Share of bins in which the load was within what was expected."
    yield Family("signal_coverage_ratio", "gauge", about, of_signal, coverage)
    error = [("", of, round(each.error, 6)) for of, each in known if each.error is not None]
    about = "How far the forecast was off, as a share of the load."
    yield Family("signal_forecast_error_ratio", "gauge", about, of_signal, error)
    yield from _carried(entries)


def _carried(entries: Sequence[Entry]) -> Iterator[Family]:
    """What one instance was found to carry, and what the objective takes; as the steps of the decision tell it."""
    found: list[Sample] = []
    good: list[Sample] = []
    takes: list[Sample] = []
    bare: list[Sample] = []
    unmet: list[Sample] = []
    steps = [(entry, step) for entry in entries if entry.decision is not None for step in entry.decision.steps]
    for entry, step in steps:
        if step.reason not in _CAPACITIES and step.reason not in _OBJECTIVES:
            continue
        of, facts = _of(entry, signal=str(step.facts["signal"])), step.facts
        if step.reason in _CAPACITIES:
            found.append(("", of, _number(facts["capacity"])))
            continue
        good.append(("", of, round(_number(facts["good"]) / 100, 6)))
        takes.append(("", of, _number(facts["needs"])))
        bare.append(("", of, _number(facts["bare"])))
        unmet.append(("", of, int(step.reason is Reason.OBJECTIVE_UNMET)))
    for name, about, samples in (
        ("signal_capacity", "The load that one instance carries, where adaptive found it out.", found),
        ("signal_good_ratio", "Share of good requests of about the last day, for an objective.", good),
        ("signal_objective_replicas", "The count that the load takes under its objective.", takes),
        ("signal_capacity_replicas", "The count that the same load takes by capacity alone.", bare),
        ("signal_objective_unmet", "1 while more instances do not meet the objective, or are not allowed.", unmet),
    ):
        yield Family(name, "gauge", about, ("workload", "policy", "signal"), samples)


def _number(fact: Fact) -> float | int:
    """A fact that is one."""
    assert isinstance(fact, float | int)
    return fact


def _of(entry: Entry, **more: str) -> str:
    return labels(workload=entry.workload.ref.key, policy=entry.workload.policy.name, **more)


def _by(name: str, counts: Mapping[str, int]) -> list[Sample]:
    return [("", labels(**{name: key}), count) for key, count in sorted(counts.items())]


def _histogram(spread: Spread) -> Iterator[Sample]:
    total = 0
    for bound, count in zip((*map(str, SPANS_S), "+Inf"), spread.counts, strict=True):
        total += count
        yield "_bucket", labels(le=bound), total
    yield "_sum", "", round(spread.sum, 6)
    yield "_count", "", total


def labels(**told: str) -> str:
    """Labels as the exposition has them."""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in told.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

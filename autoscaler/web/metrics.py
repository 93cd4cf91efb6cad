"""The board as Prometheus text: the daemon about itself, and every workload in a handful of series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from autoscaler import __version__
from autoscaler.loop import problems
from autoscaler.loop.board import SPANS_S, Board, Spread
from autoscaler.model.commits import Origin
from autoscaler.web import workload_series
from autoscaler.web.exposition import Family, Sample, labels


async def text(
    board: Board, *, leading: bool, store_failing: bool, clients: int = 0, workloads: bool = True,
    more: Iterable[Family] = (),
) -> bytes:  # fmt: skip
    """The exposition of everything on the board, and of more; without `workloads` no series is of one alone."""
    found = [*_daemon(board, leading=leading, store_failing=store_failing, clients=clients), *more]
    head = "".join([f"{line}\n" for each in found for line in each.lines()]).encode()
    return b"".join([head, *(await workload_series.text(board.entries.values()) if workloads else ())])


def families() -> list[Family]:
    """Every metric there is, without samples."""
    daemon = _daemon(Board(), leading=False, store_failing=False, clients=0)
    found = [*daemon, *workload_series.FAMILIES, queries({}), events({})]
    found += [*pushed({}, {}, 0), *audit({}, failing=False), notifications({})]
    return [*found, *github(None, failing=False)]


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


def github(remaining: int | None, *, failing: bool) -> list[Family]:
    """GitHub's API: what is left of the hour, and whether it is told which commit is live."""
    left: list[Sample] = [("", "", remaining)] if remaining is not None else []
    about = "Requests that GitHub's API allows in the rest of this hour."
    so: list[Sample] = [("", "", int(failing))]
    return [
        Family("github_rate_remaining", "gauge", about, (), left),
        Family("github_report_failing", "gauge", "1 while GitHub cannot be told which commit is live.", (), so),
    ]


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


def _by(name: str, counts: Mapping[str, int]) -> list[Sample]:
    return [("", labels(**{name: key}), count) for key, count in sorted(counts.items())]


def _histogram(spread: Spread) -> Iterator[Sample]:
    total = 0
    for bound, count in zip((*map(str, SPANS_S), "+Inf"), spread.counts, strict=True):
        total += count
        yield "_bucket", labels(le=bound), total
    yield "_sum", "", round(spread.sum, 6)
    yield "_count", "", total

"""What a policy reads in a benchmark: its signals, by their names, from counters that are sampled and seen late."""

from __future__ import annotations

from collections.abc import Callable

from autoscaler.backtest.benchmark import MODEL, Case, Pipeline, Watched
from autoscaler.errors import UsageError
from autoscaler.model.policy import Placed, Policy, Resource, Signal
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series

SIGNALS = ("requests", "arrivals", "served", "good", "latency", "cpu", "millicores")
WINDOW_S = 30  # every rate is one over so many seconds, but for those of the newest interval between two samples
NOTHING_YET = Missing(MissingWhy.EMPTY, "no two samples yet")

NOTHING_SERVED = Missing(MissingWhy.EMPTY, "nothing was served")


def fit(placed: Placed, least: int = 1) -> None:
    """Raises UsageError for a policy that cannot be played: another signal than those a benchmark has, or idle.

    `least` is the lower bound; at 0 a policy may have idle.
    """
    policy, place = placed.policy, f"{placed.file}:{placed.line}"
    for signal in policy.signals:
        if signal.name not in SIGNALS and signal.resource is not Resource.CPU:
            raise UsageError(
                f"{place}: {policy.name}: a benchmark has no signal {signal.name}",
                hint=f"names: {', '.join(SIGNALS)}",
            )
    if not policy.signals:
        raise UsageError(f"{place}: {policy.name}: no signals, so there is nothing to score", hint="add a signal")
    if policy.idle is not None and least:
        said = f"{place}: {policy.name}: idle: a benchmark keeps at least one instance"
        raise UsageError(said, hint="score it with --zero, or leave idle out")
    if policy.schedule:
        said = f"{place}: {policy.name}: schedule: a trace has no dates"
        raise UsageError(said, hint="leave schedule out of the policy that is scored")


class Feed:
    """The readings of one policy's signals.

    `requests` are requests per second of the whole service, `arrivals` the same over the newest interval between two
    samples only; over that interval `served` is what was served, `good` what came in seconds within the objective and
    `latency` the mean seconds that a request took, of the means of that interval.
    `cpu` is the share of an instance's capacity that is used, `millicores` the same in thousandths of an instance.
    """

    def __init__(self, case: Case, pipeline: Pipeline, service: Watched, policy: Policy) -> None:
        self._before = case.load.before
        self._pipeline = pipeline
        self._service = service
        self._questions = [self._question(signal) for signal in policy.signals]

    def read(self, now: float) -> tuple[Reading, ...]:
        """One reading per signal, of the newest window that is seen at `now`."""
        end = self._pipeline.newest(int(now))
        if end < WINDOW_S:
            return (NOTHING_YET,) * len(self._questions)
        return tuple([ask(end, now - end) for ask in self._questions])

    def _question(self, signal: Signal) -> Callable[[int, float], Reading]:
        if signal.resource is Resource.CPU or signal.name == "cpu":
            return self._cpu
        if signal.name == "arrivals":
            return self._arrivals
        if signal.name == "served":
            return self._served
        if signal.name == "good":
            return self._good
        if signal.name == "latency":
            return self._latency
        if signal.name == "millicores":
            target = signal.value
            return lambda end, age_s: self._millicores(end, age_s, target)
        return self._requests

    def _requests(self, end: int, age_s: float) -> Reading:
        return Series((Point((self._before[end] - self._before[end - WINDOW_S]) / WINDOW_S),), age_s)

    def _arrivals(self, end: int, age_s: float) -> Reading:
        seconds = self._pipeline.scrape_s
        return Series((Point((self._before[end] - self._before[end - seconds]) / seconds),), age_s)

    def _served(self, end: int, age_s: float) -> Reading:
        seconds, served = self._pipeline.scrape_s, self._service.served_at
        return Series((Point((served[end // seconds] - served[end // seconds - 1]) / seconds),), age_s)

    def _good(self, end: int, age_s: float) -> Reading:
        seconds, violated = self._pipeline.scrape_s, self._service.violated_at
        slow = violated[end // seconds] - violated[end // seconds - 1]
        came = self._before[end] - self._before[end - seconds]
        return Series((Point(max(came - slow, 0.0) / seconds),), age_s)

    def _latency(self, end: int, age_s: float) -> Reading:
        seconds, service = self._pipeline.scrape_s, self._service
        last = end // seconds
        ready = round((service.ready_s_at[last] - service.ready_s_at[last - 1]) / seconds)
        served = (service.served_at[last] - service.served_at[last - 1]) / seconds
        if not ready or not served:
            return NOTHING_SERVED
        waiting = (service.waiting_at[last] + service.waiting_at[last - 1]) / 2
        return Series((Point(MODEL.latency(ready, served) + waiting / served),), age_s)

    def _cpu(self, end: int, age_s: float) -> Reading:
        return Series((Point(self._used(end)),), age_s)

    def _millicores(self, end: int, age_s: float, target: float | None) -> Reading:
        """As the HPA sees pods: those that only start are counted as empty above the target and left out below."""
        used = 1000.0 * self._used(end)
        starting = self._service.existing - self._service.ready
        if not starting or target is None or used <= target:
            return Series((Point(used),), age_s)
        points = (Point(used, instance="ready"),) * self._service.ready
        return Series(points, age_s, unread=("starting",) * starting)

    def _used(self, end: int) -> float:
        service, scrape_s = self._service, self._pipeline.scrape_s
        last, first = end // scrape_s, (end - WINDOW_S) // scrape_s
        ready_s = service.ready_s_at[last] - service.ready_s_at[first]
        return (service.served_at[last] - service.served_at[first]) / (MODEL.capacity * ready_s)

"""Which of the instances that are due get a successor now, and what holds the others back.

Everything that holds back counts over all causes together: what is out of service, what was begun within a period, what
the whole fleet began. Pure: the memory has facts with times, a restart changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from autoscaler.decide import lineage, measured
from autoscaler.decide.calendar import open_windows
from autoscaler.decide.due import Due, due, period_s
from autoscaler.decide.lineage import Lineage, Recycling
from autoscaler.decide.turn import counted
from autoscaler.model.decision import Fact, Reason, Replacement, Stage, Step
from autoscaler.model.observation import Seen, Workload
from autoscaler.model.policy import Method, Recycle
from autoscaler.model.signal import Missing
from autoscaler.model.target import TargetState

BACKOFF_FIRST_S = 10.0  # after the first replacement that did not last; doubles
BACKOFF_MOST_S = 300.0
LASTED_S = 600.0  # a successor that served so long was a good one
TRIES = 8  # so many in a row that did not last, and it is given up

GAP_S = 60.0

Hold = tuple[Reason, dict[str, Fact]]


class Recycled(NamedTuple):
    """Who is replaced now, what there is to say, and what is remembered once that is carried out."""

    chosen: tuple[Replacement, ...]
    steps: tuple[Step, ...]
    known: Recycling


def backoff_s(tries: int) -> float:
    """Seconds to wait after so many replacements in a row that did not last: 10, 20, 40 … at most 300.

    >>> [backoff_s(n) for n in (0, 1, 2, 3, 9)]
    [0.0, 10.0, 20.0, 40.0, 300.0]
    """
    return min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2.0 ** (tries - 1)) if tries else 0.0


def replacements(
    workload: Workload, seen: Seen, known: Recycling, *, desired: int, now: float, act: bool,
    fleet: Callable[[], bool] = lambda: True, gap_s: float = GAP_S,
) -> Recycled:  # fmt: skip
    """The instances to replace now, each with the step that says so, and for the first that waits what it waits for.

    `fleet` is asked, and counts, whether the whole fleet allows one more. Without `act` nothing is counted. Looks more
    than `gap_s` apart tell of no time between them.
    """
    recycle, state = workload.policy.recycle, seen.state
    if recycle is None or not isinstance(state, TargetState) or state.off_by_owner:
        return Recycled((), (), known)
    steps = [_unread(desired, name, reading) for name, reading in seen.measured.items() if isinstance(reading, Missing)]
    per_s = period_s(recycle.when)
    if per_s:
        known = lineage.tallied(known, state.instances, now, per_s)
    if recycle.when.outlier is not None or recycle.when.memory_growth is not None:
        known = measured.noted(
            known, recycle.when, seen.measured, state.instances, now,
            warm_s=workload.policy.lifecycle.warm_up, gap_s=gap_s,
        )  # fmt: skip
    waiting = [
        each for each in due(state.instances, recycle.when, known, now) if each.instance.id not in seen.replacing
    ]
    if not waiting:
        return Recycled((), tuple(steps), known)
    turn = _Turn(workload, recycle, seen, state, waiting, desired, now)
    held: Step | None = None
    for each in waiting:
        hold = turn.held(each, known)
        if hold is None and not (fleet() if act else True):
            hold = (Reason.RECYCLE_FLEET, {})
        if hold is not None:
            held = held or turn.step(each, *hold)
            continue
        steps.append(turn.step(each, each.reason, {}))
        known = turn.choose(each, known)
    chosen = tuple(turn.chosen)
    return Recycled(chosen, (*steps, *((held,) if held else ())), known)


def _unread(desired: int, name: str, reading: Missing) -> Step:
    facts: dict[str, Fact] = {"cause_unread": name, "why": reading.why.value, "detail": reading.detail}
    return Step(Stage.RECYCLE, desired, desired, Reason.RECYCLE_UNREAD, facts)


class _Turn:
    """One workload's look at all who are due, one after the other."""

    def __init__(
        self, workload: Workload, recycle: Recycle, seen: Seen, state: TargetState, waiting: list[Due], desired: int,
        now: float,
    ) -> None:  # fmt: skip
        self.chosen: list[Replacement] = []
        self._workload = workload
        self._recycle = recycle
        self._desired = desired
        self._now = now
        self._waiting = len(waiting)
        self._under = len(seen.replacing)
        self._together = self._on(seen, state, desired)
        present = [each for each in state.instances if not each.draining]
        leaving = [each.id for each in present if each.ready and each.id in seen.replacing]
        self._out = sum(not each.ready for each in present) + len(leaving) + max(0, desired - state.existing)
        sick = {each.instance.id for each in waiting if each.sick}
        sick |= {each.id for each in present if each.sick}
        breaker = recycle.breaker
        self._sick = len(sick)
        self._tripped = len(sick) >= breaker.least and len(sick) * 100 > breaker.percent * max(1, len(present))
        self._budget = recycle.budget

    @staticmethod
    def _on(seen: Seen, state: TargetState, desired: int) -> str:
        if desired < counted(state) or seen.removing:
            return "shrinking"
        return "a rollout" if state.rollout else ""

    def step(self, each: Due, reason: Reason, more: dict[str, Fact]) -> Step:
        """What is said of one."""
        facts = {"instance": each.instance.name, "cause": each.reason.value, "due": self._waiting, **each.facts, **more}
        return Step(Stage.RECYCLE, self._desired, self._desired, reason, facts)

    def held(self, each: Due, known: Recycling) -> Hold | None:
        """What holds this one back; None for nothing."""
        if self._together:
            return Reason.RECYCLE_WAITS, {"on": self._together}
        return self._by_its_past(each, known) or self._by_cause(each) or self._by_others(each, known)

    def _by_its_past(self, each: Due, known: Recycling) -> Hold | None:
        last = self._relapse(each, known)
        if last is None:
            return None
        if last.tries >= TRIES:
            return Reason.RECYCLE_GIVEN_UP, {"tries": last.tries}
        rest = last.at + backoff_s(last.tries) - self._now
        return (Reason.RECYCLE_BACKOFF, {"failures": last.tries, "rest_s": round(rest, 1)}) if rest > 0 else None

    def _relapse(self, each: Due, known: Recycling) -> Lineage | None:
        """The replacements before this one, where they did not last; None where this is a new beginning."""
        last = known.lineages.get(lineage.place(self._workload.ref, each.instance))
        resumed = self._workload.resumed
        if last is None or last.version != self._version(each) or (resumed or 0.0) > last.at:
            return None
        if self._rolls(each):  # one that stayed was not helped, nor is one that was made new and is of the past again
            return last if each.instance.created < last.at or each.reason is not Reason.TOO_OLD else None
        served = each.sick and each.instance.was_ready and each.since - last.at >= LASTED_S
        return last if not served and (last.failed or each.instance.created >= last.at) else None

    def _rolls(self, each: Due) -> bool:
        """Whether it goes by a rollout of all, which makes them from another template each time."""
        return self._recycle.method is Method.RESTART and not each.sick

    def _version(self, each: Due) -> str:
        """A word that changes when what an instance and its successor are made from does."""
        one = each.instance
        if self._rolls(each):
            return f"rollout {one.newer_image}"
        return " ".join((one.image, one.config_hash, one.newer_image, one.newer_config))

    def _by_cause(self, each: Due) -> Hold | None:
        """The old and the changed wait for their windows; so do all but one while too many are sick."""
        if self._tripped and (not each.sick or self._under or self.chosen):
            return Reason.RECYCLE_BREAKER, {"sick": self._sick, "percent": self._recycle.breaker.percent}
        if not each.sick and self._recycle.windows and not open_windows(self._recycle.windows, self._now):
            return Reason.RECYCLE_WINDOW, {}
        return None

    def _by_others(self, each: Due, known: Recycling) -> Hold | None:
        limit = self._recycle.unavailable
        gone = self._out + sum(one.serves for one in self.chosen)
        if self._under + len(self.chosen) >= limit or (each.instance.ready and gone >= limit):
            return Reason.RECYCLE_UNAVAILABLE, {"out": max(gone, self._under + len(self.chosen)), "unavailable": limit}
        budget = self._budget
        if budget is None:
            return None
        recent = [at for at in known.begun if self._now - at < budget.per]
        if len(recent) < budget.count:
            return None
        rest = recent[-budget.count] + budget.per - self._now
        return Reason.RECYCLE_BUDGET, {"count": budget.count, "per_s": budget.per, "rest_s": round(rest, 1)}

    def choose(self, each: Due, known: Recycling) -> Recycling:
        """This one is replaced."""
        place = lineage.place(self._workload.ref, each.instance)
        last = self._relapse(each, known)
        one = each.instance
        self.chosen.append(
            Replacement(one.id, one.name, each.reason, self._now - each.since, lineage=place, serves=one.ready)
        )
        tries = (last.tries if last is not None else 0) + 1
        return lineage.begun(known, place, tries, self._version(each), self._now)

"""What a change of a policy does on a past: both revisions through the same replay as `backtest`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from autoscaler.backtest import recording
from autoscaler.backtest.assumed import Asked
from autoscaler.backtest.compare import Candidate, Tell, Trial, backtest
from autoscaler.backtest.record import same_pace
from autoscaler.backtest.recording import SUFFIX, Recording
from autoscaler.backtest.replay import acting
from autoscaler.backtest.report import words
from autoscaler.decide.plan import Plan
from autoscaler.errors import UsageError
from autoscaler.model.policy import Cleanup, Policy
from autoscaler.review.changes import Difference
from autoscaler.targets.naming import named

POINTS = 48  # of a curve
BEFORE, AFTER = "before", "after"


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """How one revision did: as in the `Card` of a backtest, with its counts as a curve.

    `worst` tells of the ten minutes in which the most requests took too long, and how the count came about.
    """

    over_percent: float
    short_minutes: float
    replica_hours: float
    at_max_percent: float
    least: int
    most: int
    desired: tuple[int, ...]
    worst: tuple[str, ...]


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """Both revisions on one recording, `data`; None for the side on which there is no such policy."""

    data: str
    start: float
    end: float
    load: tuple[float | None, ...]
    before: Course | None
    after: Course | None
    assumed: tuple[str, ...]


class Pasts:
    """The recordings that are there: the named ones for every policy, else the one beside a policy's file."""

    def __init__(self, data: Sequence[Path], cycle_s: float) -> None:
        self._cycle_s = cycle_s
        self._read: dict[Path, Recording] = {}
        self._named = tuple(data)
        for path in data:
            self._of(path)

    def effect(self, change: Difference, told: Tell) -> tuple[Effect | None, str]:
        """What a change does; None, and why, where it cannot be told. Raises UsageError for a broken recording."""
        sides = [(BEFORE, change.before), (AFTER, change.after)]
        candidates = [Candidate(name, plan) for name, value in sides if (plan := _plan(value)) is not None]
        if not candidates:
            return None, "nothing of it scales"
        if any(_selects(each.plan.workload.policy) for each in candidates):
            return None, "its target is a selector, so its queries are those of many workloads"
        places = self._named or [each for each in (Path(change.file).with_suffix(SUFFIX),) if each.is_file()]
        why = f"no recording: write one beside it, {Path(change.file).with_suffix(SUFFIX)}"
        for path in places:
            try:
                return _effect(candidates, self._of(path), str(path), told), ""
            except UsageError as error:
                why = error.message
        return None, why

    def _of(self, path: Path) -> Recording:
        if path not in self._read:
            self._read[path] = recording.read(path)
            same_pace(self._read[path], self._cycle_s, str(path))
        return self._read[path]


def _effect(candidates: Sequence[Candidate], past: Recording, data: str, told: Tell) -> Effect:
    made = backtest(candidates, past, data, Asked(), told, POINTS)
    courses = {trial.name: _course(trial) for trial in made.trials}
    last = made.trials[-1]
    return Effect(
        data=data,
        start=made.scored_from,
        end=made.end,
        load=last.curve.load,
        before=courses.get(BEFORE),
        after=courses.get(AFTER),
        assumed=last.service.said,
    )


def _course(trial: Trial) -> Course:
    card = trial.card
    return Course(
        over_percent=card.over_percent,
        short_minutes=card.short_minutes,
        replica_hours=card.replica_hours,
        at_max_percent=card.at_max_percent,
        least=card.least,
        most=card.most,
        desired=trial.curve.desired,
        worst=() if trial.worst is None else tuple(words.worst(trial)),
    )


def _plan(value: Policy | Cleanup | None) -> Plan | None:
    if not isinstance(value, Policy) or value.replicas is None:
        return None
    return acting(named(value), value)


def _selects(policy: Policy) -> bool:
    return not policy.target.explicit

"""Which one change would have served a policy best, with the evidence: searched on one part of the past, judged on the
rest, through the same replay as a backtest.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence

import msgspec

from autoscaler.backtest.assumed import Asked, Assumed
from autoscaler.backtest.compare import Backtest, Candidate, Tell, Trial, backtest
from autoscaler.backtest.honesty import How, Treatment
from autoscaler.backtest.moves import Change, Try, untunable
from autoscaler.backtest.quality import frontier
from autoscaler.backtest.recording import Recording, part
from autoscaler.backtest.scorecard import HOUR_S, Card
from autoscaler.clock import text as written
from autoscaler.decide.explain import number, span
from autoscaler.decide.plan import Plan
from autoscaler.errors import UsageError
from autoscaler.loop.rehearse import reach_s

VERSION = 1
DAY_S = 86400.0
LEAST_S = 3 * DAY_S  # so that each third holds a whole day
LEAST_KNOWN = 0.5  # of each part must have a load
GAIN = 0.02  # less is no better: a model is not that exact
PROOF = 2  # replays on the part that was held out
LEAST_BUDGET = 2 + PROOF  # the policy as it is, one change, and both once more


class Outcome(enum.Enum):
    """What the search came to."""

    PROPOSED = "proposed"  # better on both parts
    NOT_HELD = "not_held"  # better where it was searched, not on the rest
    NOTHING = "nothing"  # nothing was better


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One replay of the search: what was changed (null: the policy as it is), and how good it was.

    `over_percent` is the shortage, `cost` the replica-hours beside the clairvoyant plan's; `weight` is their sum: one
    percent of requests over the objective weighs as much as the whole of that plan. On the `frontier` nothing is
    better in one of both without being worse in the other.
    """

    change: Change | None
    over_percent: float
    cost: float
    weight: float
    short_minutes: float
    replica_hours: float
    changes_per_day: float
    frontier: bool


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The policy before and after the change, over one part of the past: from `start` to `end`, warm-up left out."""

    start: float
    end: float
    before: Card
    after: Card


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """A search on a recording: before `split` it was tuned, after it judged.

    `within` is the share of requests that may take too long, where it was told. `searched` and `judged` are the
    evidence for `change`; both null where nothing was better. `patch` is the change as a unified diff.
    """

    version: int = VERSION
    policy: str
    workload: str
    data: str
    start: float
    end: float
    split: float
    cycle_s: float
    replays: int
    within: float | None
    notes: tuple[str, ...]
    signals: tuple[Treatment, ...]
    load: str
    service: Assumed
    attempts: tuple[Attempt, ...]
    outcome: Outcome
    change: Change | None
    searched: Evidence | None
    judged: Evidence | None
    patch: str | None


class Found(msgspec.Struct, frozen=True):
    """A tuning, the change it is about, and both policies on the part that was held out, side by side."""

    told: Tuning
    best: Try | None
    judged: Backtest | None


def tune(
    now: Candidate,
    tries: Sequence[Try],
    recording: Recording,
    data: str,
    asked: Asked,
    told: Tell,
    *,
    within: float | None = None,
    points: int = 1,
) -> Found:
    """Replay the policy as it is and each try on the first two thirds, and the best of them on the last third.

    `data` names the recording, `points` is how fine the curves of the held-out part are. Raises UsageError where the
    past is too short or cannot be replayed.
    """
    _long_enough(recording, data)
    split = 2 * recording.beats // 3
    plans = [now, *(Candidate(f"{each.change.key}: {each.change.after}", each.plan) for each in tries)]
    steps = _Steps(told, split * len(plans) + PROOF * (recording.beats - split))
    first = backtest(plans, part(recording, 0, split), data, asked, steps.within(split * len(plans)), 1)
    _known(first, first.trials[0], split * recording.every_s, data, "first two thirds")
    cards = [trial.card for trial in first.trials]
    best = _best(cards, within)
    change = tries[best - 1] if best else None
    judged, searched, proof = None, None, None
    if change is not None:
        names = ("as it is", f"{change.change.key}: {change.change.after}")
        judged = _judge([now.plan, change.plan], names, recording, split, data, asked, steps, points)
        searched = Evidence(
            start=first.scored_from, end=recording.start + split * recording.every_s, before=cards[0], after=cards[best]
        )
        proof = Evidence(
            start=judged.scored_from,
            end=judged.end + judged.cycle_s,
            before=judged.trials[0].card,
            after=judged.trials[1].card,
        )
    steps.done()
    trial = first.trials[0]
    return Found(
        Tuning(
            policy=trial.policy,
            workload=trial.workload,
            data=data,
            start=recording.start,
            end=recording.end,
            split=recording.start + split * recording.every_s,
            cycle_s=recording.every_s,
            replays=len(plans) + (PROOF if change is not None else 0),
            within=within,
            notes=tuple(dict.fromkeys([*_cautions(now, trial, asked), *first.notes])),
            signals=trial.signals,
            load=trial.load,
            service=trial.service,
            attempts=_attempts(tries, cards),
            outcome=_outcome(proof, within),
            change=change.change if change is not None else None,
            searched=searched,
            judged=proof,
            patch=None,
        ),
        change,
        judged,
    )


def weight(card: Card) -> float:
    """Cost and shortage as one number, as the benchmark weighs them."""
    return (card.cost or 0.0) + card.over_percent


def better(before: Card, after: Card, within: float | None) -> bool:
    """True where a change is worth it: less weight, or less cost within the share that may take too long."""
    if within is None:
        return weight(after) < weight(before) * (1 - GAIN)
    if after.over_percent > within:
        return False
    return before.over_percent > within or (after.cost or 0.0) < (before.cost or 0.0) * (1 - GAIN)


class _Steps:
    """Progress of several backtests as parts of one work."""

    def __init__(self, told: Tell, of: int) -> None:
        self._told, self._of, self._before = told, of, 0

    def within(self, size: int) -> Tell:
        """Progress of the next part, `size` large."""
        start = self._before
        self._before += size
        return lambda done, of: self._told(min(start + size * done // max(of, 1), self._of - 1), self._of)

    def done(self) -> None:
        """The last word, whether all was needed or not."""
        self._told(self._of, self._of)


def _long_enough(recording: Recording, data: str) -> None:
    length = recording.beats * recording.every_s
    if length < LEAST_S:
        raise UsageError(
            f"{data} is too short to tune by: {span(length)}, {span(LEAST_S)} are needed, so that the third that is "
            "held out holds a whole day",
            hint="record a longer past: `autoscaler record --from 30d`",
        )


def _known(told: Backtest, trial: Trial, length_s: float, data: str, which: str) -> None:
    known = trial.card.hours * HOUR_S
    if known < LEAST_KNOWN * length_s:
        raise UsageError(
            f"{data} has too little data to tune by: the load of {span(round(known))} in the {which} is known, "
            f"{span(round(LEAST_KNOWN * length_s))} are needed (half of it)",
            hint="`autoscaler backtest` tells of its gaps",
        )
    if trial.card.cost is None or not trial.card.requests:
        raise UsageError(
            f"{data}: nothing came in during the {which} ({written(told.scored_from)} on), so nothing can be tuned",
            hint="look at the query of the load",
        )


def _judge(
    plans: Sequence[Plan], names: Sequence[str], recording: Recording, split: int, data: str, asked: Asked,
    steps: _Steps, points: int,
) -> Backtest:  # fmt: skip
    """Both policies on the part that was held out; the time before it only fills their windows."""
    warm = math.ceil(max(reach_s(plan, recording.every_s) for plan in plans) / recording.every_s)
    held = part(recording, max(split - warm, 0), recording.beats)
    both = [Candidate(name, plan) for name, plan in zip(names, plans, strict=True)]
    told = backtest(both, held, data, asked, steps.within(PROOF * (recording.beats - split)), points)
    _known(told, told.trials[0], (recording.beats - split) * recording.every_s, data, "last third")
    return told


def _best(cards: Sequence[Card], within: float | None) -> int:
    """The place of the best try; 0, which is the policy as it is, where none is better."""
    good = [place for place in range(1, len(cards)) if better(cards[0], cards[place], within)]
    if within is None:
        return min(good, key=lambda place: (weight(cards[place]), place), default=0)
    return min(good, key=lambda place: (cards[place].cost or 0.0, cards[place].over_percent, place), default=0)


def _outcome(proof: Evidence | None, within: float | None) -> Outcome:
    if proof is None:
        return Outcome.NOTHING
    return Outcome.PROPOSED if better(proof.before, proof.after, within) else Outcome.NOT_HELD


def _attempts(tries: Sequence[Try], cards: Sequence[Card]) -> tuple[Attempt, ...]:
    """All of them, the cheapest first."""
    best = frontier([(card.over_percent, card.cost or 0.0) for card in cards])
    found = [
        Attempt(
            change=tries[place - 1].change if place else None,
            over_percent=card.over_percent,
            cost=card.cost or 0.0,
            weight=weight(card),
            short_minutes=card.short_minutes,
            replica_hours=card.replica_hours,
            changes_per_day=card.changes_per_day,
            frontier=best[place],
        )
        for place, card in enumerate(cards)
    ]
    return tuple(sorted(found, key=lambda each: (each.cost, each.over_percent)))


def _cautions(now: Candidate, trial: Trial, asked: Asked) -> list[str]:
    """What the figures hang on, and what is not tuned."""
    found = []
    if asked.capacity is None:
        found.append(
            f"the capacity of a replica, {number(trial.service.capacity)}, is assumed from per_replica, the very "
            "target that is tuned: measure it and tell it with --capacity before you believe a target"
        )
    found += [
        f"{each.signal} is modelled, not replayed: {each.because}" for each in trial.signals if each.how is How.MODELLED
    ]
    return [*found, *untunable(now.plan.workload.policy, trial.signals)]

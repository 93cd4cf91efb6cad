"""What adaptive would know by now, had it lived through a past: the daemon's own learning, fed with its readings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from autoscaler.decide import sizing
from autoscaler.decide.adaptive.series import BIN_S, TRUSTED_BINS
from autoscaler.decide.carrying import sizable
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Goal, Plan
from autoscaler.model.observation import Seen
from autoscaler.model.signal import Missing, MissingWhy, Reading, Series
from autoscaler.model.target import TargetState

HISTORY_S = 3 * 86_400.0  # each two minutes of a day then have been seen three times

_UNTOLD = Missing(MissingWhy.FAILED, "the past does not tell it")


class Pupil:
    """A workload on its way through a past. `readings` and `vouchers` are those of the part that is taught next."""

    def __init__(self, plan: Plan, memory: Memory, names: Sequence[str]) -> None:
        self.plan = plan
        self.names = frozenset(names)
        self.memory = msgspec.structs.replace(memory, learned={})
        self.readings: Mapping[str, Sequence[Reading]] = {}
        self.vouchers: Mapping[str, Sequence[Reading]] = {}
        self._begun: set[str] = set()

    def look(self, beat: int, at: float) -> Seen:
        """What the daemon would have read then.

        Before the first value there is none: that nothing was recorded yet is no load of zero.
        """
        read = tuple([self._reading(goal.signal, beat) for goal in self.plan.goals])
        state = TargetState(ref=self.plan.ref, desired=1, existing=1, ready=1, at=at)
        return Seen(state, read, {name: told[beat] for name, told in self.vouchers.items()})

    def _reading(self, name: str, beat: int) -> Reading:
        told = self.readings.get(name)
        if told is None or name not in self.names:
            return _UNTOLD
        if name not in self._begun:
            if not isinstance(told[beat], Series):
                return _UNTOLD
            self._begun.add(name)
        return told[beat]


def lessons(pupils: Sequence[Pupil], times: Sequence[float]) -> Iterator[None]:
    """Let these live through these times, one cycle between two yields; those of all are stepped together."""
    plans = [each.plan for each in pupils]
    for beat, at in enumerate(times):
        looks = [each.look(beat, at) for each in pupils]
        found = sizing.learned(plans, looks, {each.plan.key: each.memory for each in pupils}, at)
        for each in pupils:
            if each.plan.key in found:
                each.memory = msgspec.structs.replace(each.memory, learned=found[each.plan.key])
        yield


def teachable(plan: Plan) -> list[Goal]:
    """The goals whose load is learned and whose past a server can tell."""
    if not plan.learns:
        return []
    return [goal for goal in plan.goals if sizable(goal) and goal.asked.prometheus is not None]


def untaught(plan: Plan, memory: Memory) -> list[Goal]:
    """The goals of which too little is known to decide by."""
    found = []
    for goal in teachable(plan):
        known = memory.learned.get(goal.signal)
        if known is None or known.of != goal.of or known.bins < TRUSTED_BINS:
            found.append(goal)
    return found


def graduated(plan: Plan, memory: Memory, pupil: Pupil) -> Memory:
    """The memory with what a past taught of each signal, where that is more than what was lived through."""
    learned, taught = dict(memory.learned), dict(memory.taught)
    for goal in untaught(plan, memory):
        name, new = goal.signal, pupil.memory.learned.get(goal.signal)
        old = memory.learned.get(name)
        if new is None or new.of != goal.of:
            continue
        if old is not None and old.of == new.of:
            if old.bins >= new.bins:
                continue
            new = msgspec.structs.replace(new, because=old.because)
        learned[name], taught[name] = new, new.bins * BIN_S
    return msgspec.structs.replace(memory, learned=learned, taught=taught)


def still_taught(memory: Memory) -> dict[str, float]:
    """Of which signals it holds that a past taught them: what was dropped since has begun anew."""
    known = memory.learned
    return {name: s for name, s in memory.taught.items() if name in known and known[name].bins * BIN_S >= s}

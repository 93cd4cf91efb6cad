"""`algorithm: adaptive` among the votes: a signal with a capacity asks for what its expected load needs.

Where that is not known well enough the plain rule's vote stands, with a note that says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from autoscaler.decide.adaptive.series import (
    BIN_S,
    LEAST_BINS,
    OVER_MOST,
    SIZING,
    TRUSTED_BINS,
    Learned,
    Sample,
    lead_bins,
    taken,
)
from autoscaler.decide.carrying import carry, notes, sizable, unit, unknown
from autoscaler.decide.memory import DEFAULT_LEAD_S, Memory
from autoscaler.decide.plan import Goal, Plan
from autoscaler.decide.turn import Turn
from autoscaler.decide.votes import Vote, whole_load
from autoscaler.model.decision import Fact, Reason, Stage, Step
from autoscaler.model.observation import Seen
from autoscaler.model.signal import Missing

WORTH_S = 12.0  # of the whole count: so much must have been spared in vain before fewer are worth a change


def learned(
    plans: Sequence[Plan], seen: Sequence[Seen], memories: Mapping[str, Memory], now: float
) -> dict[str, dict[str, Learned]]:
    """What is known of each learning workload's signals after this look; those of all workloads are stepped together.

    A signal that cannot be read whole adds nothing.
    """
    learning = [place for place, plan in enumerate(plans) if plan.learns]
    if not learning:
        return {}
    samples: list[Sample] = []
    names: list[tuple[str, str]] = []
    for place in learning:
        plan, look = plans[place], seen[place]
        key = plan.key
        memory = memories.get(key)
        before = {} if memory is None else memory.learned
        lead = lead_bins((DEFAULT_LEAD_S if memory is None else memory.lead) + plan.workload.policy.lifecycle.warm_up)
        for goal, reading in zip(plan.goals, look.readings, strict=False):
            if not sizable(goal):
                continue
            nothing_runs = not isinstance(look.state, Missing) and look.state.existing == 0
            if goal.from_instances and nothing_runs:
                continue
            load = whole_load(goal, reading, look.vouchers, memory or Memory(first_seen=now, fingerprint=""))
            if load is not None:
                of = goal.of
                samples.append(Sample(before.get(goal.signal), of, load, unit(plan, goal), lead))
                names.append((key, goal.signal))
    found: dict[str, dict[str, Learned]] = {}
    if not samples:
        return found
    for (key, name), each in zip(names, taken(samples, now), strict=True):
        known = memories.get(key)
        found.setdefault(key, {} if known is None else dict(known.learned))[name] = each
    return found


def sized(turn: Turn, goal: Goal, plain: Vote) -> Vote:
    """The vote for what is expected, or the plain rule's with a note."""
    if plain.missing or plain.count is None:
        return plain
    carried = carry(turn, goal)
    if goal.asked.capacity is None or carried is None:
        return msgspec.structs.replace(plain, notes=(unknown(turn, goal),))
    known = turn.memory.learned.get(goal.signal)
    if known is None or known.read != turn.now or not known.trusted or known.need is None:
        return _noted(turn, plain, Reason.LEARNING, _learning(goal, known, turn))
    load = plain.step.facts.get("load")
    at_least = 1.1 * load if isinstance(load, float | int) and load > known.need else 0.0
    need, trigger = max(known.need, at_least), max(known.trigger or 0.0, at_least)
    current = turn.current
    needs = carried.count(need)
    if needs > current:
        count = needs if carried.count(trigger) > current else current
    else:
        count = max(needs, min(current, carried.count(known.peak or 0.0)))
    if _spared_s(turn, goal.signal, count) < WORTH_S:
        count = max(count, current)
    lead = lead_bins(turn.memory.lead + turn.policy.lifecycle.warm_up)
    facts: dict[str, Fact] = {
        **plain.step.facts, "expected": need, "within_s": lead * BIN_S, "times": 100 * (1 - SIZING), "needs": needs,
        "per": goal.per, "plain": plain.count, "over": 100 * known.over,
    }  # fmt: skip
    reason = _reason(count, current)
    if known.over > OVER_MOST and count < plain.count:
        count, reason = plain.count, Reason.UNPROVEN
    at_most = goal.asked.at_most
    if at_most is not None and count > at_most:
        facts["asked"], count, reason = count, at_most, Reason.AT_MOST
    step = Step(Stage.SIGNAL, current, count, reason, facts)
    said = notes(turn, goal, carried, need)
    return msgspec.structs.replace(plain, count=count, step=step, sized=True, notes=said)


def switched(turn: Turn, votes: Sequence[Vote]) -> None:
    """Which of the two decides now, and so how fast the count may change; a change of that reseeds."""
    opinions = [each for each in votes if each.count is not None]
    expected = bool(opinions) and all(each.sized for each in opinions)
    if expected:
        turn.behavior = turn.plan.quick
    if turn.memory.sized != expected and not turn.missing and opinions:
        turn.remember(sized=expected, reseed=turn.memory.reseed or "another algorithm decides")


def _spared_s(turn: Turn, signal: str, needs: int) -> float:
    """For how many seconds the whole count could have been spared by now; from nothing again once all are needed.

    Many too many are so given back soon, and one of many late: what a change is worth does not depend on which.
    """
    current, spare = turn.current, turn.memory.spare
    before = spare.get(signal, 0.0)
    spared = before + turn.cycle_s * (current - needs) / current if needs < current else 0.0
    if spared != before:
        turn.remember(spare={**spare, signal: spared})
    return spared


def _reason(count: int, current: int) -> Reason:
    if count == current:
        return Reason.EXPECTS_SAME
    return Reason.EXPECTS_MORE if count > current else Reason.EXPECTS_LESS


def _noted(turn: Turn, plain: Vote, reason: Reason, facts: dict[str, Fact]) -> Vote:
    note = Step(Stage.SIGNAL, turn.current, turn.current, reason, facts)
    return msgspec.structs.replace(plain, notes=(note,))


def _learning(goal: Goal, known: Learned | None, turn: Turn) -> dict[str, Fact]:
    if known is None or known.read != turn.now:
        bins, because = LEAST_BINS, "not all of it could be read"
    else:
        bins, because = max(TRUSTED_BINS - known.bins, LEAST_BINS - known.first), known.because
    return {"signal": goal.signal, "rest_s": bins * BIN_S, "because": because}

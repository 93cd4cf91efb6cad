"""Several policies, or two revisions of one, replayed side by side on the same recording."""

from __future__ import annotations

import math
import statistics
from array import array
from collections.abc import Callable, Sequence

import msgspec

from autoscaler.backtest.assumed import Asked, Assumed, assume, fits
from autoscaler.backtest.condition import is_rate, notes
from autoscaler.backtest.curve import Curve, curve
from autoscaler.backtest.fleet import Arrivals, Fleet, arrivals
from autoscaler.backtest.honesty import How, Treatment, load_signal, replayable, treatments
from autoscaler.backtest.record import Fit, fitted
from autoscaler.backtest.recording import AGE_UNKNOWN, Column, Recording, ages, readings, values
from autoscaler.backtest.replay import Run, acting, replay
from autoscaler.backtest.scorecard import Card, Played, Worst, needs, score, worst
from autoscaler.backtest.workload import Demand
from autoscaler.decide.explain import number, span
from autoscaler.decide.memory import Memory, first_sight
from autoscaler.decide.plan import Plan
from autoscaler.decide.taught import Pupil, graduated, lessons, teachable
from autoscaler.errors import UsageError
from autoscaler.loop.rehearse import reach_s
from autoscaler.model.policy import Policy
from autoscaler.model.signal import Reading
from autoscaler.policy.promql import Facts, facts

VERSION = 1
LEAST_CYCLES = 40  # with a load that is known, after the windows are full: ten minutes at 15 s

Tell = Callable[[int, int], None]


class Candidate(msgspec.Struct, frozen=True):
    """A policy to try, and how people tell it from the others."""

    name: str
    plan: Plan


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One policy's replay: what was replayed how, against which service, and how good it was."""

    name: str
    policy: str
    workload: str
    minimum: int
    maximum: int
    signals: tuple[Treatment, ...]
    load: str
    service: Assumed
    card: Card
    worst: Worst | None
    curve: Curve


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """All trials on one recording: from `start` to `end`, scored from `scored_from` on, a decision every `cycle_s`."""

    version: int = VERSION
    data: str
    start: float
    end: float
    scored_from: float
    cycle_s: float
    notes: tuple[str, ...]
    trials: tuple[Trial, ...]


class _Stage(msgspec.Struct, frozen=True):
    """What all candidates of one workload share: the load, the service, and how both are said."""

    come: Arrivals
    assumed: Assumed
    demand: Demand
    said: str
    count: int | None


def with_shadows(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Each candidate, and behind one that compares the other algorithm that one beside it."""
    found: list[Candidate] = []
    for each in candidates:
        found.append(each)
        policy = each.plan.workload.policy
        if policy.compare is not None:
            other = msgspec.structs.replace(policy, algorithm=policy.compare, compare=None)
            found.append(Candidate(f"{each.name} with {policy.compare.value}", acting(each.plan.ref, other)))
    return found


def backtest(
    candidates: Sequence[Candidate],
    recording: Recording,
    data: str,
    asked: Asked,
    told: Tell,
    points: int,
    earlier: Recording | None = None,
) -> Backtest:
    """Replay each candidate. `data` names the recording, `points` is how fine the curves are.

    From what was recorded `earlier` adaptive learns, as the daemon does from history; nothing is decided there.
    The load and the service of a workload are those of its first candidate, so that all meet the same. Raises
    UsageError where something cannot be replayed.
    """
    warm = max(reach_s(each.plan, recording.every_s) for each in candidates)
    scored = math.ceil(warm / recording.every_s)
    stages: dict[str, _Stage] = {}
    trials: list[Trial] = []
    of = recording.beats * len(candidates)
    for place, each in enumerate(candidates):
        fit = fitted(recording, plain(each.plan), data, load=other_load(each.plan, asked.load))
        stage = stages.get(each.plan.key)
        if stage is None:
            stage = stages[each.plan.key] = _stage(each.plan, recording, fit, asked, data, scored)
        memory = None if earlier is None else _taught(each.plan, earlier, data)
        trials.append(
            _trial(each, recording, fit, stage, scored, points, memory, _after(told, place * recording.beats, of))
        )
    told(of, of)
    return Backtest(
        data=data,
        start=recording.start,
        end=recording.end,
        scored_from=recording.start + scored * recording.every_s,
        cycle_s=recording.every_s,
        notes=tuple(dict.fromkeys(notes(recording))),
        trials=tuple(trials),
    )


def _after(told: Tell, done: int, of: int) -> Tell:
    """Progress of one trial as a part of all."""
    return lambda beat, _: told(done + beat, of)


def plain(plan: Plan) -> Plan:
    """The plan with the signals that are replayed as recorded: what has to be in a recording."""
    policy = plan.workload.policy
    kept = [
        signal
        for signal, each in zip(policy.signals, treatments(policy), strict=True)
        if each.how in (How.HONEST, How.AS_RECORDED)
    ]
    return acting(plan.ref, msgspec.structs.replace(policy, signals=tuple(kept)))


def other_load(plan: Plan, load: str) -> str:
    """The query of a load that is none of the signals'; empty where a signal tells it."""
    return load if load and load_signal(plan, load) is None else ""


def _stage(plan: Plan, recording: Recording, fit: Fit, asked: Asked, data: str, scored: int) -> _Stage:
    signal = load_signal(plan, asked.load)
    policy = plan.workload.policy.name
    column = fit.load if signal is None else fit.signals.get(signal.name)
    if column is None:
        raise UsageError(
            f"{policy}: the signal {asked.load} cannot tell the load, it depends on the count",
            hint="name a total that clients cause: a request rate",
        )
    assumed = assume(asked, signal.per_replica if signal else None, f"{policy}, {signal.name if signal else 'load'}")
    earlier, why = _earlier(column)
    come = arrivals(values(column), recording.every_s, earlier)
    known = sum(map(math.isfinite, come.at[scored:]))
    if known < LEAST_CYCLES:
        raise UsageError(
            f"{data} has too little data: {known} cycles tell the load ({column.signal}) after the first "
            f"{span(scored * recording.every_s)}, which fill the policy's windows; {LEAST_CYCLES} are needed",
            hint="record a longer past, or look at the query: `autoscaler record` tells of gaps",
        )
    fits(assumed, come.peak)
    name = signal.name if signal is not None else column.query
    kind = "" if is_rate(column.query) else "; it is no rate, and is taken for work that comes in per second"
    said = f"{name}, highest {number(come.peak)} per second{why}{kind}"
    return _Stage(come, assumed, Demand(assumed.model(), 64), said, asked.count)


def _earlier(column: Column) -> tuple[float, str]:
    """How long before its reading the load came, in seconds: half of its rate's window, and the age of its samples."""
    known = facts(column.query)
    window = min(known.windows, default=0.0) if isinstance(known, Facts) else 0.0
    told = [age for age in ages(column) if age != AGE_UNKNOWN]
    age = statistics.median(told) / 1000 if told else 0.0
    late = window / 2 + age
    if late < 1:
        return 0.0, ""
    parts = (
        f"half of its window of {span(window)} and samples {span(age)} old" if window else f"samples {span(age)} old"
    )
    return late, f", taken to have come {span(late)} before it was read ({parts})"


def _trial(
    candidate: Candidate, recording: Recording, fit: Fit, stage: _Stage, scored: int, points: int,
    memory: Memory | None, told: Tell,
) -> Trial:  # fmt: skip
    plan = candidate.plan
    policy = plan.workload.policy
    treated = treatments(policy)
    kept = acting(plan.ref, msgspec.structs.replace(replayable(policy, treated), compare=None))
    count = _beginning(kept.workload.policy, stage)
    fleet = Fleet(stage.come, stage.demand, stage.assumed, recording.start, count)
    run = _run(kept, recording, fit, fleet, memory, told)
    fleet.advance(recording.end + recording.every_s)
    played = _played(run, fleet, stage, recording, kept.workload.policy, scored)
    replicas = policy.replicas
    maximum = max([replicas.max if replicas else 0, *(w.max for w in policy.schedule if w.max is not None)])
    return Trial(
        name=candidate.name,
        policy=policy.name,
        workload=plan.key,
        minimum=replicas.min if replicas else 0,
        maximum=maximum,
        signals=treated,
        load=stage.said,
        service=stage.assumed,
        card=score(played, maximum=replicas.max if replicas else maximum, startup_s=stage.assumed.startup_s),
        worst=worst(played, run.changes),
        curve=curve(played, points),
    )


def _beginning(policy: Policy, stage: _Stage) -> int:
    """The count at the start: as told, or what the first load needs with some room, within the bounds."""
    if stage.count is not None:
        return stage.count
    first = next((rate for rate in stage.come.at if math.isfinite(rate)), 0.0)
    wanted = stage.demand.of(first / 0.7) if first > 0 else 1
    bounds = policy.replicas
    return wanted if bounds is None else min(max(wanted, bounds.min), bounds.max)


def _taught(plan: Plan, earlier: Recording, data: str) -> Memory | None:
    """A first sight that knows what the time before told of the loads; None where nothing is learned."""
    memory = first_sight(plan.workload.policy, earlier.end + earlier.every_s)
    goals = teachable(plan)
    if not goals:
        return None
    fit = fitted(earlier, plain(plan), data)
    pupil = Pupil(plan, memory, [goal.signal for goal in goals if goal.signal in fit.signals])
    stride = plan.stride(earlier.every_s)
    pupil.readings = {name: readings(column)[::stride] for name, column in fit.signals.items()}
    pupil.vouchers = {name: readings(column)[::stride] for name, column in fit.vouchers.items()}
    for _ in lessons([pupil], earlier.times()[::stride]):
        pass
    return graduated(plan, memory, pupil)


def _run(plan: Plan, recording: Recording, fit: Fit, fleet: Fleet, memory: Memory | None, told: Tell) -> Run:
    """The replay itself: recorded readings as they are, modelled ones from the fleet."""
    start, every = recording.start, recording.every_s
    columns = [
        readings(fit.signals[signal.name]) if signal.name in fit.signals else None
        for signal in plan.workload.policy.signals
    ]
    vouchers = {name: readings(column) for name, column in fit.vouchers.items()}

    def read(now: float) -> tuple[Reading, ...]:
        beat = round((now - start) / every)
        return tuple([fleet.utilization(beat) if column is None else column[beat] for column in columns])

    def vouch(now: float) -> dict[str, Reading]:
        beat = round((now - start) / every)
        return {name: told[beat] for name, told in vouchers.items()}

    return replay(
        plan, read, fleet, start=start, cycles=recording.beats, every=every,
        vouch=vouch if vouchers else None, memory=memory, progress=told,
    )  # fmt: skip


def _played(run: Run, fleet: Fleet, stage: _Stage, recording: Recording, policy: Policy, scored: int) -> Played:
    """The replay in columns for scoring; a policy with an `every` of its own has fewer entries than cycles."""
    at = [round((time - recording.start) / recording.every_s) for time in run.times]
    load = array("d", [stage.come.at[beat] for beat in at])
    least = 0 if policy.idle is not None and policy.idle.replicas == 0 else 1
    return Played(
        times=run.times,
        end=recording.end + recording.every_s,
        load=load,
        ready=array("l", map(min, run.ready, run.desired)),
        desired=run.desired,
        arrived=array("d", [after - before for before, after in zip(fleet.arrived, fleet.arrived[1:], strict=False)]),
        over=array("d", [after - before for before, after in zip(fleet.over, fleet.over[1:], strict=False)]),
        needed=needs(load, stage.demand, least=least),
        scored=next((place for place, beat in enumerate(at) if beat >= scored), len(at)),
    )

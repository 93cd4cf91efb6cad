"""Ahead and back: what a dry run foretells, and a cycle of the past decided once more.

Both replay through `step()` what the servers still tell of the time before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from autoscaler.decide.brake import Fleet
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Plan
from autoscaler.decide.room import shared
from autoscaler.decide.step import ALONE, step
from autoscaler.errors import SourceError
from autoscaler.loop.act import on_record
from autoscaler.loop.desk import FLEET, Words, words
from autoscaler.loop.observe import Observer
from autoscaler.loop.past import Retell
from autoscaler.loop.recollect import Recollection, restored
from autoscaler.loop.rehearse import HOLE, Foretold, Recalled, beats, foretold, reach_s, rehearse
from autoscaler.loop.underway import Underway
from autoscaler.model.decision import Decision
from autoscaler.model.observation import Ask, Seen
from autoscaler.model.policy import Resource, ScrapeMode, Signal, ZeroIf
from autoscaler.model.signal import Reading
from autoscaler.model.target import TargetState
from autoscaler.policy.placeholders import fill
from autoscaler.ports import Clock

_UNKEPT = {
    "push": "pushed to a running daemon only",
    "scrape": "read from the instances",
    "platform": "read from the instances",
}
BETWEEN_LOOKS_S = 1.0  # a counter has a rate only once it was read twice


class Past(Protocol):
    """Who still knows what queries gave."""

    async def read(self, asks: Sequence[Ask], times: Sequence[float]) -> list[Sequence[Reading] | SourceError]:
        """For each ask its readings, one per time, or why they cannot be had."""
        ...


class Taken(msgspec.Struct, frozen=True):
    """What is taken over from a daemon: its memories, what people told it, what it has under way, who steers what."""

    memories: Mapping[str, Memory] = {}
    fleet: Fleet = ALONE
    words: Words = Words()
    underway: Underway = msgspec.field(default_factory=Underway)
    steering: Mapping[str, str] = {}

    @property
    def prints(self) -> dict[str, str]:
        """The fingerprints of the signals that each workload was steered by."""
        return {key: memory.fingerprint for key, memory in self.memories.items()}


def taken_over(told: Recollection, now: float) -> Taken:
    """The same as the daemon that goes on from there makes of it."""
    before = restored(told.facts, now, clean=told.clean)
    underway = Underway()
    intents, operations = on_record(told.facts, now)
    underway.intents.update(intents)
    for each in operations:
        underway.put(each)
    return Taken(before.memories, before.fleet, words(told.facts), underway, told.steering)


def next_cycle(plans: Sequence[Plan], seen: Sequence[Seen], taken: Taken, now: float, cycle_s: float) -> list[Decision]:
    """What the daemon that all of this was taken over from decides next, of these looks."""
    steered = [taken.words.on(plan) for plan in plans]
    fleet = msgspec.structs.replace(taken.fleet, size=len(plans))
    resumed = taken.words.resumed.get(FLEET)
    made = step(steered, seen, taken.memories, now, cycle_s=cycle_s, fleet=fleet, fleet_resumed=resumed)
    return shared(made.decisions, seen)


NOTHING = Taken()


async def foresee(
    plans: Sequence[Plan], observer: Observer, past: Past, clock: Clock, cycle_s: float, silent: Collection[str] = (),
    taken: Taken = NOTHING,
) -> tuple[list[Foretold], list[str]]:  # fmt: skip
    """What would be decided now for each plan, and notes on what could not be had. `silent` sources are not asked.

    Of a workload whose memory was not taken over, the recent past is replayed as the servers tell it.
    """
    known = sorted((plan for plan in plans if plan.key in taken.memories), key=lambda plan: plan.key)
    others = [plan for plan in plans if plan.key not in taken.memories]
    reach = max((reach_s(plan, cycle_s) for plan in others), default=0.0)
    times = beats(clock.now(), reach, cycle_s)
    recalled = await recall(others, past, times, silent) if others else []
    seen = await looked(plans, observer, taken.underway, clock)
    now, looks = clock.now(), {plan.key: look for plan, look in zip(plans, seen, strict=True)}
    decided = next_cycle(known, [looks[plan.key] for plan in known], taken, now, cycle_s)
    told = {plan.key: foretold(plan, each, remembered=True) for plan, each in zip(known, decided, strict=True)}
    for plan, before in zip(others, recalled, strict=True):
        decision = rehearse(taken.words.on(plan), looks[plan.key], times, before, now=now, cycle_s=cycle_s)
        told[plan.key] = foretold(plan, decision)
    return [told[plan.key] for plan in plans], [note for each in recalled for note in each.notes]


async def looked(plans: Sequence[Plan], observer: Observer, underway: Underway, clock: Clock) -> list[Seen]:
    """What is to be seen of these workloads; looked at twice where a signal has a value only then."""
    if any(_counts(signal) for plan in plans for signal in plan.workload.policy.signals):
        await observer.look(plans, underway, clock.now(), wake=False)
        await clock.sleep(BETWEEN_LOOKS_S)
    return await observer.look(plans, underway, clock.now(), wake=False)


def retelling(past: Past, cycle_s: float) -> Retell:
    """Decides a cycle of the past once more, from what the servers tell of it and of the time before."""

    async def retell(plan: Plan, state: TargetState, at: float) -> Decision:
        times = beats(at + cycle_s, reach_s(plan, cycle_s), cycle_s)
        (told,) = await recall([plan], past, times)
        if not told.readings:
            raise SourceError("; ".join(told.notes) or "the policy has no signals")
        names = [signal.name for signal in plan.workload.policy.signals]
        readings = tuple(told.readings[name][-1] if name in told.readings else HOLE for name in names)
        look = Seen(state=state, readings=readings, vouchers={name: each[-1] for name, each in told.vouchers.items()})
        before = Recalled(_but_last(told.readings), _but_last(told.vouchers))
        return rehearse(plan, look, times[:-1], before, now=at, cycle_s=cycle_s)

    return retell


async def recall(
    plans: Sequence[Plan], past: Past, times: Sequence[float], silent: Collection[str] = ()
) -> list[Recalled]:
    """What the queries of each plan gave at these times; each distinct server is asked once for all of them."""
    asks = [ask for plan in plans for ask in asks_of(plan) if ask.signal.source not in silent]
    told = dict(zip(map(_place, asks), await past.read(asks, times), strict=True))
    found: list[Recalled] = []
    for plan in plans:
        readings: dict[str, Sequence[Reading]] = {}
        vouchers: dict[str, Sequence[Reading]] = {}
        notes = [
            f"{plan.workload.policy.name}, {signal.name}: {_UNKEPT[signal.source]}, so what it was before is not known"
            for signal in plan.workload.policy.signals
            if signal.prometheus is None
        ]
        for ask in asks_of(plan):
            answer = told.get(_place(ask))
            if isinstance(answer, SourceError):
                notes.append(f"{plan.workload.policy.name}, {ask.signal.name}: {answer.message}")
            elif answer is not None:
                (vouchers if ask.voucher else readings)[ask.signal.name] = answer
        found.append(Recalled(readings, vouchers, tuple(notes)))
    return found


def asks_of(plan: Plan) -> list[Ask]:
    """The queries of a plan, and those that vouch for them."""
    asks = []
    for signal in plan.workload.policy.signals:
        if signal.prometheus is not None:
            asks.append(Ask(plan.ref, signal, fill(signal.prometheus, plan.ref)))
            if isinstance(signal.empty, ZeroIf):
                asks.append(Ask(plan.ref, signal, fill(signal.empty.zero_if, plan.ref), voucher=True))
    return asks


def _place(ask: Ask) -> tuple[str, str, bool]:
    return ask.ref.key, ask.signal.name, ask.voucher


def _counts(signal: Signal) -> bool:
    """True for what has a value only from the second look on."""
    scraped = signal.scrape is not None and signal.scrape.mode is ScrapeMode.RATE
    return scraped or signal.resource is Resource.CPU


def _but_last(told: Mapping[str, Sequence[Reading]]) -> dict[str, Sequence[Reading]]:
    return {name: each[:-1] for name, each in told.items()}

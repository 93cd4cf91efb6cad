"""Ahead and back: what a dry run foretells, and a cycle of the past decided once more.

Both replay through `step()` what the servers still tell of the time before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from autoscaler.decide.plan import Plan
from autoscaler.errors import SourceError
from autoscaler.loop.observe import Observer
from autoscaler.loop.past import Retell
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


async def foresee(
    plans: Sequence[Plan], observer: Observer, past: Past, clock: Clock, cycle_s: float, silent: Collection[str] = ()
) -> tuple[list[Foretold], list[str]]:
    """What would be decided now for each plan, and notes on what could not be had. `silent` sources are not asked."""
    reach = max((reach_s(plan, cycle_s) for plan in plans), default=0.0)
    times = beats(clock.now(), reach, cycle_s)
    recalled = await recall(plans, past, times, silent)
    seen = await observer.look(plans, Underway(), clock.now(), wake=False)
    if any(_counts(signal) for plan in plans for signal in plan.workload.policy.signals):
        await clock.sleep(BETWEEN_LOOKS_S)
        seen = await observer.look(plans, Underway(), clock.now(), wake=False)
    now = clock.now()
    told = [
        foretold(plan, rehearse(plan, look, times, before, now=now, cycle_s=cycle_s))
        for plan, look, before in zip(plans, seen, recalled, strict=True)
    ]
    return told, [note for each in recalled for note in each.notes]


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

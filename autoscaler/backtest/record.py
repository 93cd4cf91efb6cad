"""The past of policies' queries → a recording, read from their servers part by part."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from autoscaler.backtest.recording import Column, Recording, column, mark
from autoscaler.clock import text as written
from autoscaler.decide.explain import span
from autoscaler.decide.plan import Plan
from autoscaler.errors import SourceError, UsageError
from autoscaler.loop.foresee import Past, asks_of
from autoscaler.model.observation import Ask
from autoscaler.model.policy import Signal
from autoscaler.model.signal import Reading

PART = 2880  # cycles asked for at once: half a day at 15 s, far from the 11,000 points a server gives
LOAD = "load"  # the column of a load that no signal of the policy tells

Tell = Callable[[int, int], None]


class Span(msgspec.Struct, frozen=True):
    """Which cycles of the past: `beats` of them, `every_s` apart, the first at `start` (a whole second)."""

    start: float
    beats: int
    every_s: float

    def times(self) -> list[float]:
        """The times of the cycles."""
        return [self.start + beat * self.every_s for beat in range(self.beats)]


def cycles(since: float, until: float, every_s: float) -> Span:
    """The cycles between two times. Raises UsageError where there is not even one.

    >>> cycles(100.5, 160.0, 15.0)
    Span(start=101.0, beats=4, every_s=15.0)
    """
    start = math.ceil(since)
    if until < start:
        raise UsageError(f"nothing lies between {written(since)} and {written(until)}", hint="--from is before --to")
    return Span(float(start), math.floor((until - start) / every_s) + 1, every_s)


def load_ask(plan: Plan, query: str) -> Ask:
    """The question for a load that the policy does not follow itself."""
    return Ask(plan.ref, Signal(name=LOAD, prometheus=query), query)


async def record(
    plans: Sequence[Plan], past: Past, when: Span, *, load: str = "", told: Tell | None = None
) -> Recording:
    """What the queries of these plans gave at these times, each distinct one asked once.

    `load` is one more query, of a load that no signal tells. `told(done, all)` hears of progress in cycles. Raises
    SourceError where a server does not answer a query at all, UsageError where nothing can be asked.
    """
    asks = _distinct(plans, load)
    if not asks:
        raise UsageError(
            "none of these policies has a signal from Prometheus",
            hint="what is read from instances or the platform has no past; name a load with --load QUERY",
        )
    times = when.times()
    found: dict[str, list[Reading]] = {key: [] for key in asks}
    for first in range(0, len(times), PART):
        part = times[first : first + PART]
        answers = await past.read([ask for ask, _ in asks.values()], part)
        for (key, (ask, policy)), answer in zip(asks.items(), answers, strict=True):
            if isinstance(answer, SourceError):
                raise SourceError(
                    f"{policy}, {ask.signal.name}: {answer.message} ({written(part[0])} to {written(part[-1])})",
                    hint=answer.hint
                    or "the whole of the past is needed: ask again, or for less of it with --from and --to",
                )
            found[key] += answer
        if told is not None:
            told(first + len(part), len(times))
    columns = tuple(column(ask, policy, found[key]) for key, (ask, policy) in asks.items())
    return Recording(start=when.start, every_s=when.every_s, beats=len(times), columns=columns)


def _distinct(plans: Sequence[Plan], load: str) -> dict[str, tuple[Ask, str]]:
    """Each question once, with the name of the first policy that has it."""
    found: dict[str, tuple[Ask, str]] = {}
    for plan in plans:
        for ask in [*asks_of(plan), *([load_ask(plan, load)] if load else [])]:
            found.setdefault(mark(ask), (ask, plan.workload.policy.name))
    return found


class Fit(msgspec.Struct, frozen=True):
    """The columns of a recording that a plan needs: its signals' by name, its vouchers', and the load's."""

    signals: Mapping[str, Column]
    vouchers: Mapping[str, Column]
    load: Column | None = None


def fitted(recording: Recording, plan: Plan, name: str, *, load: str = "") -> Fit:
    """The columns of this plan. Raises UsageError that names each query a recording called `name` does not have."""
    by_mark = {each.mark: each for each in recording.columns}
    signals: dict[str, Column] = {}
    vouchers: dict[str, Column] = {}
    absent: list[str] = []
    for ask in asks_of(plan):
        found = by_mark.get(mark(ask))
        if found is None:
            absent.append(_absent(recording, plan, ask))
        else:
            (vouchers if ask.voucher else signals)[ask.signal.name] = found
    other = by_mark.get(mark(load_ask(plan, load))) if load else None
    if load and other is None:
        absent.append(_absent(recording, plan, load_ask(plan, load)))
    if absent:
        policy = plan.workload.policy.name
        raise UsageError(
            f"{name} does not match the policy {policy}:\n" + "\n".join(f"  {each}" for each in absent),
            hint="record again with this policy: `autoscaler record`",
        )
    return Fit(signals, vouchers, other)


def _absent(recording: Recording, plan: Plan, ask: Ask) -> str:
    policy, signal = plan.workload.policy.name, ask.signal.name
    same = [each for each in recording.columns if each.query == ask.query and each.voucher == ask.voucher]
    named = [each for each in recording.columns if each.signal == signal and each.voucher == ask.voucher]
    what = "the query of zero_if" if ask.voucher else "its query"
    if same:
        return f"{policy}, {signal}: {what} was recorded with another server, reduce or max_age"
    if named:
        return f"{policy}, {signal}: {what} is `{ask.query}`, recorded was `{named[0].query}`"
    return f"{policy}, {signal}: {what} `{ask.query}` was not recorded"


def same_pace(recording: Recording, every_s: float, name: str) -> None:
    """Raise UsageError where a recording has another time between cycles than the daemon."""
    if recording.every_s != every_s:
        raise UsageError(
            f"{name} has a reading every {span(recording.every_s)}, the cycle of the settings is {span(every_s)}",
            hint=f"record again, or set cycle: {span(recording.every_s)} for this run",
        )

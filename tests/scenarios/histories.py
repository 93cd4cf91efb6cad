"""Generated policies and histories for properties: every key that deciding knows, and everything that may happen."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from hypothesis import strategies as st

from autoscaler.decide.calendar import open_windows
from autoscaler.model.policy import (
    Behavior,
    Combine,
    Direction,
    Empty,
    Fallback,
    Idle,
    Legacy,
    LoadStep,
    Mode,
    NotANumber,
    OnDoubt,
    Parity,
    Plausible,
    Policy,
    Rate,
    Resource,
    Reversals,
    Select,
    Signal,
    Window,
    ZeroIf,
)
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from tests.scenarios.story import ON_KUBERNETES, REF, Story, policy, window

START = "2026-06-10T12:00Z"


# policies

goals = st.one_of(
    st.sampled_from([50.0, 100.0, 250.0]).map(lambda target: {"per_replica": target}),
    st.sampled_from([50.0, 400.0]).map(lambda target: {"value": target}),
    st.just({"utilization": 0.7}),
    st.just({"steps": (LoadStep(above=50.0, replicas=2), LoadStep(above=400.0, replicas=7))}),
)
failing = st.one_of(
    st.none(),
    st.sampled_from([60.0, 600.0]).map(lambda span: Fallback(last_good=span)),
    st.integers(1, 12).map(lambda count: Fallback(at_least=count)),
)


@st.composite
def voting(draw: st.DrawFn, name: str) -> Signal:
    """A signal with a goal, and any of the owner's words."""
    keys: dict[str, object] = dict(draw(goals))
    failed = draw(failing)
    if failed is not None:
        keys["failed"] = failed
    keys["empty"] = draw(st.sampled_from([*Empty, ZeroIf(zero_if="up"), Empty.MISSING]))
    keys["nan"] = draw(st.sampled_from(list(NotANumber)))
    keys["at_most"] = draw(st.none() | st.integers(1, 10))
    keys["plausible"] = draw(st.none() | st.just(Plausible(min=0.0, max=4000.0)))
    keys["wake_above"] = draw(st.none() | st.just(10.0))
    if draw(st.integers(0, 9)) == 0:
        return Signal(name=name, resource=Resource.CPU, utilization=0.7, empty=keys["empty"])  # type: ignore[arg-type]
    return Signal(name=name, prometheus=name, **keys)  # type: ignore[arg-type]


rates = st.sampled_from(
    [
        None,
        (Rate(replicas=2, per=30.0),),
        (Rate(percent=50, per=60.0),),
        (Rate(replicas=1, per=15.0), Rate(percent=100, per=45.0)),
    ]
)
directions = st.builds(
    Direction,
    stabilization=st.sampled_from([None, 0.0, 45.0, 300.0]),
    tolerance=st.sampled_from([None, 0.0, 0.3]),
    rates=rates,
    select=st.sampled_from([Select.MAX, Select.MAX, Select.MIN, Select.DISABLED]),
)
behaviors = st.one_of(
    st.builds(
        Behavior,
        up=directions,
        down=directions,
        reversals=st.none() | st.builds(Reversals, count=st.integers(1, 3), per=st.sampled_from([120.0, 900.0])),
    ),
    st.just(Legacy.LEGACY),
)


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, ...]:
    """Windows that open and close within minutes of the start."""
    found: list[Window] = []
    for name in draw(st.sampled_from(["", "", "a", "ab", "abc"])):
        least, most = draw(st.sampled_from([(4, None), (None, 3), (2, 6), (15, None), (7, 2)]))
        cron = f"{draw(st.sampled_from(['*/10', '3', '5-59/20']))} * * * *"
        found.append(window(name, cron, draw(st.sampled_from([0.05, 0.1])), min=least, max=most))
    return tuple(found)


@st.composite
def policies(draw: st.DrawFn, *, strict: bool = False, observe: bool = True) -> Policy:
    """A policy that uses any of the keys that deciding knows."""
    signals = [draw(voting(name)) for name in "abc"[: draw(st.integers(1, 3))]]
    if draw(st.booleans()):
        signals.insert(0, Signal(name="front", prometheus="front", wake_above=draw(st.sampled_from([0.0, 100.0]))))
    wakes = any(signal.wake_above is not None for signal in signals)
    idle = None
    if wakes and draw(st.integers(0, 2)):
        idle = Idle(
            after=draw(st.sampled_from([1.0, 60.0, 300.0])),
            replicas=draw(st.integers(0, 1)),
            on_doubt=draw(st.sampled_from(list(OnDoubt))),
        )
    low = draw(st.integers(1, 4))
    return policy(
        *signals,
        low=low,
        high=low + draw(st.integers(0, 12)),
        behavior=draw(behaviors),
        combine=draw(st.sampled_from(list(Combine))),
        idle=idle,
        schedule=draw(windows()),
        parity=Parity.STRICT if strict and draw(st.booleans()) else Parity.GUARDED,
        mode=Mode.OBSERVE if observe and draw(st.integers(0, 5)) == 0 else Mode.ACT,
    )


# histories

numbers = st.sampled_from([0.0, 0.5, 20.0, 90.0, 250.0, 800.0, 3000.0, 5000.0])


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    """A reading: mostly a number, else any kind of missing data or a partial one."""
    kind = draw(st.integers(0, 11))
    if kind == 0:
        return Missing(draw(st.sampled_from(list(MissingWhy))), "as it happens")
    if kind == 1:
        names = tuple(f"i{n}" for n in range(4))
        return Series((Point(draw(numbers)),), 5.0, found=names[: draw(st.integers(0, 4))], expected=names)
    if kind == 2:
        return Series((Point(draw(numbers)),), 5.0, unread=("i0",) * draw(st.integers(1, 3)))
    return Series((Point(draw(numbers)),), 5.0)


class Beat(msgspec.Struct, frozen=True):
    """One cycle of a history: what happens before it, and what is read in it."""

    happens: str
    number: int
    reads: tuple[Reading, ...]
    voucher: bool = False
    times: int = 1


HAPPENINGS = ("",) * 14 + ("foreign", "foreign", "pause", "override", "word over", "rollout", "wake", "limit", "sleep",
    "stale", "busy", "not ready", "resumed")  # fmt: skip


@st.composite
def beats(draw: st.DrawFn, signals: int) -> Beat:
    """A beat for a policy with so many signals; it may last for a while."""
    return Beat(
        draw(st.sampled_from(HAPPENINGS)),
        draw(st.integers(0, 14)),
        tuple(draw(readings()) for _ in range(signals)),
        draw(st.booleans()),
        draw(st.sampled_from([1, 1, 2, 6, 25])),
    )


def histories(asked: Policy, *, longest: int = 25) -> st.SearchStrategy[list[Beat]]:
    """Histories for a policy."""
    return st.lists(beats(len(asked.signals)), min_size=1, max_size=longest)


def told(asked: Policy, count: int, *, kubernetes: bool = False) -> Story:
    """The beginning of a story."""
    return Story(asked, count=count, start=START, ref=ON_KUBERNETES if kubernetes else REF)


def play(story: Story, beat: Beat, after: Callable[[Beat], None] = lambda beat: None) -> None:
    """Let a beat happen; `after` is called after each of its cycles."""
    happen(story, beat)
    for index in range(beat.times):
        turn(story, beat, wake=beat.happens == "wake" and index == 0)
        after(beat)


def happen(story: Story, beat: Beat) -> None:
    """What happens before the cycles of a beat."""
    what, number = beat.happens, beat.number
    if what == "foreign":
        story.somebody_sets(number)
    elif what == "pause":
        story.pauses(until=story.now + 15.0 * number)
    elif what == "override":
        story.overrides(number, for_s=15.0 * number)
    elif what == "word over":
        story.says()
    elif what == "resumed":
        story.says(resumed=story.now)
    elif what == "rollout":
        story.rollout, story.surplus = (False, 0) if story.rollout else (True, number % 4)
    elif what == "limit":
        story.limit = None if story.limit is not None else number
    elif what == "sleep":
        story.sleeps(number)
    elif what == "not ready":
        story.ready_follows = not story.ready_follows


def turn(story: Story, beat: Beat, *, wake: bool = False) -> None:
    """One cycle of a beat."""
    voucher: Reading = Series((Point(1.0),)) if beat.voucher else Missing(MissingWhy.EMPTY)
    vouchers = dict.fromkeys("abc", voucher)
    story.age_s = 100.0 if beat.happens == "stale" else 0.0
    look = story.look(*beat.reads, vouchers=vouchers)
    if beat.happens == "busy":
        look = msgspec.structs.replace(look, busy=True)
    story.cycle(seen=look, wake=wake)


# what the language says of a moment


def bounds(asked: Policy, now: float) -> tuple[int, int]:
    """The bounds in force by the policy and its windows, without fallbacks."""
    assert asked.replicas is not None
    opened = open_windows(asked.schedule, now)
    floors = [each.window.min for each in opened if each.window.min is not None]
    ceilings = [each.window.max for each in opened if each.window.max is not None]
    low = min(max([asked.replicas.min, *floors]), asked.replicas.max)
    return low, max(min([asked.replicas.max, *ceilings]), low)


def doubtful(story: Story, beat: Beat) -> bool:
    """Whether a voting signal is missing without a waiver of the owner."""
    return any(
        signal.votes and _doubtful(signal, reading, voucher=beat.voucher) and not _at_zero(story, signal)
        for signal, reading in zip(story.plan.workload.policy.signals, beat.reads, strict=True)
    )


def _at_zero(story: Story, signal: Signal) -> bool:
    return signal.from_instances and story.last.current == 0


def _doubtful(signal: Signal, reading: Reading, *, voucher: bool) -> bool:
    if isinstance(reading, Series):
        limits = signal.plausible
        return limits is not None and any(
            not (limits.min or 0.0) <= point.value <= (limits.max or 0.0) for point in reading.points
        )
    if reading.why is MissingWhy.EMPTY:
        return not voucher if isinstance(signal.empty, ZeroIf) else signal.empty is Empty.MISSING
    return reading.why is not MissingWhy.NAN or signal.nan is NotANumber.MISSING

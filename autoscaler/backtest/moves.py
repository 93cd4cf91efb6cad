"""What about a policy can be tuned: one key at a time, changed in the policy's file, loaded as the daemon loads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

import msgspec

from autoscaler.backtest.honesty import How, Treatment, treatments
from autoscaler.decide.explain import number
from autoscaler.decide.plan import Plan
from autoscaler.errors import AutoscalerError
from autoscaler.model.policy import HPA_BEHAVIOR, Behavior, Direction, Policy, Rate, Signal
from autoscaler.policy.edit import edited
from autoscaler.policy.load import Loaded, Text
from autoscaler.policy.units import duration, percent
from autoscaler.policy.words import Path, dotted

TARGETS = (1.25, 0.8, 1.1, 0.9, 1.5, 0.65, 2.0, 0.5, 3.0)  # times the one in force
MINIMUMS = (1.5, 0.5, 2.0)  # times the one in force
DOWN_S = (60.0, 120.0, 600.0, 180.0, 900.0, 300.0)
UP_S = (30.0, 0.0, 60.0, 120.0)
TOLERANCES = (0.05, 0.2, 0.0, 0.1)
UP_RATES = ("[{percent: 200, per: 15s}, {replicas: 10, per: 15s}]", "[{percent: 50, per: 1m}, {replicas: 2, per: 1m}]")
DOWN_RATES = ("[{percent: 10, per: 1m}]", "[{percent: 50, per: 1m}]")
HPA_RATES = {"up": "percent 100 per 15s or replicas 4 per 15s", "down": "percent 100 per 15s"}


class Change(msgspec.Struct, frozen=True):
    """One key and its value before and after, as the policy file has them."""

    key: str
    before: str
    after: str


class Try(msgspec.Struct, frozen=True):
    """A changed policy: the plan it loads as, and its file's text."""

    change: Change
    plan: Plan
    text: str


class Knob(msgspec.Struct, frozen=True):
    """A key that can be tuned, its value as people read it, and others worth a try."""

    path: Path
    now: str
    others: tuple[str, ...]


def knobs(policy: Policy) -> list[Knob]:
    """What can be tuned about a policy, what matters most first."""
    found: list[Knob] = []
    for place, (signal, told) in enumerate(zip(policy.signals, treatments(policy), strict=True)):
        if told.how is not How.LEFT_OUT:
            found += _targets(place, signal)
    behavior = policy.behavior
    if isinstance(behavior, Behavior):
        found += _span("down", behavior.down, HPA_BEHAVIOR.down, DOWN_S)
    if policy.replicas is not None:
        low, high = policy.replicas.min, policy.replicas.max
        wanted = [round(low * times) for times in MINIMUMS] + [low + 1, low - 1]
        found.append(_knob(("replicas", "min"), str(low), [str(each) for each in wanted if 1 <= each <= high]))
    if isinstance(behavior, Behavior):
        found += _span("up", behavior.up, HPA_BEHAVIOR.up, UP_S)
        found += _tolerance("down", behavior.down)
        found += _tolerance("up", behavior.up)
        found += _rates("down", behavior.down, DOWN_RATES)
        found += _rates("up", behavior.up, UP_RATES)
    return [each for each in found if each.others]


def untunable(policy: Policy, told: Sequence[Treatment]) -> list[str]:
    """Which parts of a policy are not tuned, and why."""
    found = []
    for signal, each in zip(policy.signals, told, strict=True):
        if not signal.votes:
            why = "it" if signal.wake_above is None else "wake_above only wakes, it"
            found.append(f"{signal.name} is not tuned: {why} has no target")
        elif signal.steps is not None:
            found.append(f"{signal.name} is not tuned: of steps no single number is the target")
        elif each.how is How.LEFT_OUT:
            found.append(f"{signal.name} is not tuned, the replay leaves it out: {each.because}")
    if not any(knob.path[0] == "signals" for knob in knobs(policy)):
        found.append("no target of this policy can be tuned")
    if not isinstance(policy.behavior, Behavior):
        found.append(f"behavior is not tuned: {policy.behavior.value} has no values of its own")
    return found


def tries(
    texts: Sequence[Text], loaded: Loaded, plans: Callable[[Sequence[Text]], Sequence[Plan]], most: int
) -> tuple[list[Try], list[str]]:
    """At most so many changed policies, each key in its turn; and which keys cannot be changed alone.

    `plans` loads texts. A change counts only where the edited file loads and nothing but that one key is another.
    """
    file = loaded.placed.file
    text = dict(texts)[file]
    before = {each.workload.policy.name: each for each in plans(texts)}
    found: list[Try] = []
    stuck: dict[str, None] = {}
    for knob, value in _in_turn(knobs(loaded.placed.policy)):
        if len(found) >= most:
            break
        made = edited(text, loaded.nodes, knob.path, value)
        key = _said(knob.path, loaded.placed.policy)
        if made is None:
            stuck[key] = None
            continue
        try:
            after = plans([(name, made if name == file else other) for name, other in texts])
        except AutoscalerError:
            continue  # a rule between keys forbids this value
        plan = _alone(before, after, loaded.placed.policy.name, knob.path)
        if plan is None:
            stuck[key] = None
        else:
            node = loaded.nodes.get(knob.path)
            found.append(Try(Change(key, node.text if node is not None and node.text else knob.now, value), plan, made))
    said = "is not tuned: where it is written it cannot be changed alone (an alias, or a list in defaults)"
    return found, [f"{key} {said}" for key in stuck]


def _targets(place: int, signal: Signal) -> Iterator[Knob]:
    if signal.per_replica is not None:
        wanted = [number(float(f"{signal.per_replica * times:.2g}")) for times in TARGETS]
        yield _knob(("signals", place, "per_replica"), number(signal.per_replica), wanted)
    if signal.utilization is not None:
        shares = [round(signal.utilization * times, 2) for times in TARGETS]
        wanted = [percent(share) for share in shares if 0 < share < 1]
        yield _knob(("signals", place, "utilization"), percent(signal.utilization), wanted)


def _span(name: str, given: Direction, usual: Direction, wanted: Sequence[float]) -> Iterator[Knob]:
    span = usual.stabilization if given.stabilization is None else given.stabilization
    if span is not None:
        yield _knob(("behavior", name, "stabilization"), duration(span), [duration(each) for each in wanted])


def _tolerance(name: str, given: Direction) -> Iterator[Knob]:
    share = HPA_BEHAVIOR.up.tolerance if given.tolerance is None else given.tolerance
    if share is not None:
        yield _knob(("behavior", name, "tolerance"), percent(share), [percent(each) for each in TOLERANCES])


def _rates(name: str, given: Direction, wanted: Sequence[str]) -> Iterator[Knob]:
    if given.rates is None:
        yield _knob(("behavior", name, "rates"), HPA_RATES[name], wanted)
        return
    for place, rate in enumerate(given.rates):
        key, speed = _speed(rate)
        others = [str(max(1, round(speed * times))) for times in (0.5, 2.0)]
        yield _knob(("behavior", name, "rates", place, key), str(speed), others)


def _speed(rate: Rate) -> tuple[str, int]:
    return ("percent", rate.percent) if rate.percent is not None else ("replicas", rate.replicas or 1)


def _knob(path: Path, now: str, others: Sequence[str]) -> Knob:
    return Knob(path, now, tuple(dict.fromkeys(each for each in others if each != now)))


def _in_turn(found: Sequence[Knob]) -> Iterator[tuple[Knob, str]]:
    """The first other value of each knob, then the second of each: a small budget still looks at every key.

    Of a target it is two at a time, as one is more and one is less.
    """
    for row in zip_longest(*([(knob, value) for value in knob.others] for knob in _twice(found))):
        yield from (each for each in row if each is not None)


def _twice(found: Sequence[Knob]) -> Iterator[Knob]:
    """Each target as two knobs, each with every second value."""
    for knob in found:
        if knob.path[0] != "signals":
            yield knob
            continue
        for first in (0, 1):
            yield Knob(knob.path, knob.now, knob.others[first::2])


def _said(path: Path, policy: Policy) -> str:
    """The key as people write it; a signal by its name."""
    if path[0] != "signals" or not isinstance(path[1], int):
        return dotted(path)
    return f"{policy.signals[path[1]].name}.{dotted(path[2:])}"


def _alone(before: dict[str, Plan], after: Sequence[Plan], name: str, path: Path) -> Plan | None:
    """The changed plan; None where another key or policy has changed with it, or none has."""
    changed = {each.workload.policy.name: each for each in after}
    if changed.keys() != before.keys():
        return None
    for other, plan in changed.items():
        told = list(_differing(_plain(before[other]), _plain(plan), ()))
        if bool(told) != (other == name) or any(each[: len(path)] != path for each in told):
            return None
    return changed[name]


def _plain(plan: Plan) -> object:
    return msgspec.to_builtins(plan.workload.policy)


def _differing(one: object, other: object, path: Path) -> Iterator[Path]:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from _differing(one[key], other[key], (*path, key))
    elif isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and len(one) == len(other):
        for place, (here, there) in enumerate(zip(one, other, strict=True)):
            yield from _differing(here, there, (*path, place))
    elif one != other:
        yield path

"""The policies a benchmark knows by name, and what plays a policy over a case.

KEDA and the HPA run through the product's own `step()` under `parity: strict`. Knative's autoscaler and a cloud's
target tracking are restated here, as they are other rules than the product's.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from autoscaler.backtest.benchmark import MODEL, Case, Pipeline, Player, Watched
from autoscaler.backtest.feed import Feed
from autoscaler.backtest.quality import clairvoyant
from autoscaler.backtest.replay import acting, replay
from autoscaler.errors import UsageError
from autoscaler.model import policy as asked
from autoscaler.model.target import WorkloadRef

REF = WorkloadRef("simulated", "benchmark", "service", "trace")
NEAR = 1e-9  # so much above a whole number is still that number
TARGET = 0.7  # utilization, where none is said
COOLDOWN_S = 300.0  # of KEDA
GRACE_S = 30  # of Knative, before the last instance goes
GOOD = 0.999  # share of requests within the objective that is aimed at
VIOLATED_PERCENT = 0.1  # what the cheapest fixed count may violate


def by_policy(policy: asked.Policy, case: Case, pipeline: Pipeline) -> Watched:
    """The product's own code under a policy; its bounds are those of the case."""
    bounded = msgspec.structs.replace(policy, replicas=asked.Replicas(min=1, max=case.most))
    service = Watched(case, pipeline.scrape_s)
    feed = Feed(case, pipeline, service, bounded)
    every = pipeline.scrape_s
    replay(
        acting(REF, bounded),
        feed.read,
        service,
        start=float(every),
        cycles=(case.seconds - 1) // every,
        every=float(every),
    )
    return service


def hpa_like(name: str, *, strict: bool, cpu: bool, target: float) -> asked.Policy:
    """One signal at a target utilization of what an instance can carry: its request rate, or the CPU it uses."""
    if cpu:
        signal = asked.Signal(name="millicores", prometheus="avg(millicores)", value=1000 * target)
    else:
        signal = asked.Signal(name="requests", prometheus="sum(requests)", per_replica=MODEL.capacity * target)
    return asked.Policy(
        name=name,
        target=asked.TargetSpec(kubernetes=asked.KubernetesTarget(namespace="benchmark", name="trace")),
        signals=(signal,),
        parity=asked.Parity.STRICT if strict else asked.Parity.GUARDED,
    )


def sleeping(policy: asked.Policy) -> asked.Policy:
    """The same to zero and back, as KEDA does it: after five minutes without anything, and up with whatever comes."""
    (signal,) = policy.signals
    woken = msgspec.structs.replace(signal, wake_above=0.0)
    return msgspec.structs.replace(policy, signals=(woken,), idle=asked.Idle(after=COOLDOWN_S))


def by_load(policy: asked.Policy, case: Case, pipeline: Pipeline) -> Watched:
    """A policy on the load, to zero and back where the case allows it."""
    return by_policy(policy if case.least else sleeping(policy), case, pipeline)


def adaptive(name: str = "adaptive", *, share: bool = False, learn: str | None = None) -> asked.Policy:
    """Learned from arrivals, with the plain rule until that is done, and with what is served beside it.

    With `share` the room follows the share of requests within the objective; `learn` is the key of the signal, `busy`
    or `latency`, that the capacity is learned from instead of told.
    """
    load = asked.Signal(
        name="arrivals",
        prometheus="sum(arrivals)",
        per_replica=MODEL.capacity * TARGET,
        capacity=asked.Capacity.LEARN if learn else MODEL.capacity,
        busy="cpu" if learn == "busy" else None,
        latency="latency" if learn == "latency" else None,
        served="served",
    )
    beside = [asked.Signal(name="served", prometheus="sum(served)")]
    aim = asked.Objective(latency=MODEL.objective_s, service_time=MODEL.service_s)
    if share:
        beside.append(asked.Signal(name="good", prometheus="sum(good)"))
        aim = msgspec.structs.replace(aim, good="good", total="arrivals", target=GOOD)
    if load.busy is not None:
        beside.append(asked.Signal(name="cpu", prometheus="avg(cpu)"))
    if load.latency is not None:
        beside.append(asked.Signal(name="latency", prometheus="avg(latency)"))
    return asked.Policy(
        name=name,
        target=asked.TargetSpec(kubernetes=asked.KubernetesTarget(namespace="benchmark", name="trace")),
        signals=(load, *beside),
        algorithm=asked.Algorithm.ADAPTIVE,
        objective=aim,
    )


def misled(name: str, player: Player, percent: float) -> tuple[str, Player]:
    """The same policy by somebody who takes an instance for so many percent larger. Raises UsageError."""
    if not (isinstance(player, partial) and player.func in (by_policy, by_load)):
        raise UsageError(f"--wrong-capacity: {name} is told no capacity", hint="leave it out, or play it apart")
    return f"{name}{percent:+g}%", partial(player.func, _told_wrong(player.args[0], percent))


def _told_wrong(policy: asked.Policy, percent: float) -> asked.Policy:
    times = 1.0 + percent / 100.0
    signals = []
    for signal in policy.signals:
        said = {
            key: getattr(signal, key) * times
            for key in ("per_replica", "capacity")
            if isinstance(getattr(signal, key), float)
        }
        signals.append(msgspec.structs.replace(signal, **said))
    return msgspec.structs.replace(policy, signals=tuple(signals))


def kpa(target: float, case: Case, pipeline: Pipeline) -> Watched:
    """Knative's autoscaler on requests in flight, seen two seconds late, with its panic window and its grace."""
    service = InFlight(case)
    panicking, panicked, most, wanted = False, -math.inf, 0, 0
    for now in range(2, case.seconds, 2):
        service.advance(now)
        end = now - 2
        if end < 60:
            continue
        stable, panic = service.in_flight(end - 60, end) / 60, service.in_flight(end - 6, end) / 6
        ready = max(1, service.ready)
        up, down = math.ceil(1000.0 * ready), ready // 2
        wish = min(max(_ceil(stable / target), down), up)
        urgent = _ceil(panic / target)
        if urgent / ready >= 2.0:
            panicking, panicked = True, now
        elif panicking and panicked + 60 < now:
            panicking, most = False, 0
        if panicking:
            most = wish = max(wish, min(max(urgent, down), up), most)
        wanted = now if wish else wanted
        least = case.least if now - wanted >= GRACE_S else 1
        service.order(min(max(wish, min(least, service.existing)), case.most), now)
    return service


class InFlight(Watched):
    """A backend that remembers how many requests are in it; far more than they take to serve only where they wait."""

    def __init__(self, case: Case) -> None:
        super().__init__(case, 60)
        self._waited = array("d", bytes(8 * case.seconds))
        self._crowd = -1  # the last second in which any waited

    def in_flight(self, start: int, end: int) -> float:
        """The sum over these seconds."""
        served = MODEL.service_s * (self._before[end] - self._before[start])
        return served + sum(self._waited[start:end]) if self._crowd >= start else served

    def _crowded(self, second: int, end: int) -> None:
        for each in range(second, end):
            before, waited = self.served, self.waiting
            super()._crowded(each, each + 1)
            if waited or self.waiting:
                served = self.served - before
                self._waited[each] = self.waiting + (served - self._rates[each]) * MODEL.service_s
                self._crowd = each


def target_tracking(target: float, case: Case, pipeline: Pipeline) -> Watched:
    """A cloud's target tracking: minutes of metrics, three of them to grow, fifteen to shrink, five between shrinks."""
    service = Watched(case, 60)
    above = below = 0
    shrunk = -math.inf
    carried = MODEL.capacity * target
    for now in range(60, case.seconds, 60):
        service.advance(now)
        end = (now - 30) // 60 * 60
        if end < 60:
            continue
        load = (case.load.before[end] - case.load.before[end - 60]) / 60
        ready = (service.ready_s_at[end // 60] - service.ready_s_at[end // 60 - 1]) / 60
        use = load / max(ready, 1.0) / carried
        above, below = (above + 1 if use > 1.0 else 0), (below + 1 if use < 0.9 else 0)
        wish = min(max(_ceil(load / carried), 1), case.most)
        if above >= 3:
            service.order(max(service.existing, wish), now)
        elif below >= 15 and now - shrunk >= 300 and wish < service.existing:
            service.order(wish, now)
            shrunk = now
    return service


def fixed(case: Case, pipeline: Pipeline) -> Watched:
    """The cheapest count that never changes and violates at most one request in a thousand, found in hindsight."""
    low, high = 1, case.most
    while low < high:
        middle = (low + high) // 2
        if _violated(case, middle) <= VIOLATED_PERCENT:
            high = middle
        else:
            low = middle + 1
    return Watched(case, 60, count=low)


def oracle(case: Case, pipeline: Pipeline) -> Watched:
    """The cheapest plan without a violation, which knows the future."""
    (_, first), *rest = clairvoyant(case.needed, case.delay_s, case.seconds)
    service = Watched(case, 60, count=first)
    for second, count in rest:
        service.order(count, second)
    return service


def _violated(case: Case, count: int) -> float:
    service = Watched(case, 60, count=count)
    service.advance(case.seconds)
    return 100.0 * (service.violated - service.violated_before) / case.arrivals


def _ceil(count: float) -> int:
    return math.ceil(count - NEAR)


def _through_step(name: str, *, strict: bool, cpu: bool) -> Callable[[float], Player]:
    """To zero where a case allows it and there is something to wake by: without instances nobody measures CPU."""

    return lambda target: partial(by_policy if cpu else by_load, hpa_like(name, strict=strict, cpu=cpu, target=target))


NAMED: dict[str, Callable[[float], Player]] = {
    "hpa": _through_step("hpa", strict=False, cpu=False),
    "keda": _through_step("keda", strict=True, cpu=False),
    "hpa-cpu": _through_step("hpa-cpu", strict=True, cpu=True),
    "kpa": lambda target: partial(kpa, target),
    "aws-tt": lambda target: partial(target_tracking, target),
}
UNTARGETED: dict[str, Player] = {
    "adaptive": partial(by_policy, adaptive()),
    "adaptive-share": partial(by_policy, adaptive("adaptive-share", share=True)),
    "adaptive-learn": partial(by_policy, adaptive("adaptive-learn", learn="busy")),
    "adaptive-learn-latency": partial(by_policy, adaptive("adaptive-learn-latency", learn="latency")),
    "fixed": fixed,
    "oracle": oracle,
}


def named(word: str) -> Player:
    """The player of a policy by its name, `NAME` or `NAME@TARGET` with a target utilization. Raises UsageError."""
    name, at, written = word.partition("@")
    if word in UNTARGETED:
        return UNTARGETED[word]
    if name not in NAMED:
        raise UsageError(f"{word}: no policy of that name, and no such file", hint=f"names: {', '.join(names())}")
    try:
        target = float(written) if at else TARGET
    except ValueError:
        target = 0.0
    if not 0 < target <= 1:
        raise UsageError(f"{word}: a target utilization is above 0 and at most 1", hint=f"write {name}@{TARGET}")
    return NAMED[name](target)


def names() -> Sequence[str]:
    """What `named` knows."""
    return [*NAMED, *UNTARGETED]

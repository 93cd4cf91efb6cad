"""Policies of every shape that load, for properties: built as structs, within the rules across keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from autoscaler.model.policy import (
    BeforeStop,
    Behavior,
    Breaker,
    Combine,
    ComposeTarget,
    Direction,
    Empty,
    Exited,
    Failing,
    Fallback,
    How,
    Idle,
    KubernetesTarget,
    Legacy,
    Lifecycle,
    LoadStep,
    Method,
    Mode,
    NotANumber,
    OnDoubt,
    Parity,
    Plausible,
    Policy,
    PolicySet,
    ProcessTarget,
    Rate,
    Ready,
    Recycle,
    Reduce,
    Replicas,
    Resource,
    Reversals,
    Scrape,
    ScrapeMode,
    Select,
    Signal,
    TargetSpec,
    Times,
    When,
    Window,
    ZeroIf,
)
from autoscaler.policy.load import load

WORDS = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=12).filter(
    lambda word: word.strip() and word != "<<" and "*" not in word
)
LABELS = st.dictionaries(WORDS, st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12), max_size=3)
QUERIES = ('sum(rate(a_total{job="x"}[1m]))', "histogram_quantile(0.9, sum by (le) (rate(b[5m])))", "sum(c) / sum(d)")
CRONS = ("0 8 * * mon-fri", "*/30 * * * *", "0 0 1 * *", "15 22 * * fri-mon", "0 6 29 feb *", "0 12 * * 0,7")
ZONES = ("UTC", "Asia/Seoul", "Europe/Berlin", "America/New_York")


def spans(least: float, most: float) -> st.SearchStrategy[float]:
    return st.floats(least, most)


def recycles(platform: str) -> st.SearchStrategy[Recycle]:
    """Recycling with causes that a platform has, and keys that go with them."""
    times = st.builds(Times, count=st.integers(1, 9), per=spans(1, 604_800))
    age = spans(0.001, 1e6)
    when: dict[str, st.SearchStrategy[Any]] = {"never_ready_after": st.none() | age, "older_than": st.none() | age}
    if platform != "process":
        when |= {"restarts": st.none() | times, "oom_kills": st.none() | times, "image_changed": st.booleans()}
    if platform == "compose":
        when["exited"] = st.none() | st.just(Exited.ERROR)
    if platform != "kubernetes":
        when["config_changed"] = st.booleans()
    return st.builds(
        Recycle,
        when=st.builds(When, unhealthy_for=age, **when),
        how=st.just(How.AUTO) if platform == "kubernetes" else st.sampled_from(How),
        unavailable=st.integers(1, 9),
        budget=st.none() | times,
        breaker=st.builds(Breaker, percent=st.integers(1, 100), least=st.integers(1, 9)),
        method=st.sampled_from(Method) if platform == "kubernetes" else st.just(Method.EVICT),
    ).filter(lambda each: each.method is not Method.RESTART or _rolls(each.when))


def _rolls(when: When) -> bool:
    """Whether there is a cause that a rollout is for."""
    return when.image_changed or when.older_than is not None


def amounts(least: float = 1e-6) -> st.SearchStrategy[float]:
    return st.floats(least, 1e12) | st.integers(1, 10**6).map(float)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


TARGETS = (
    st.builds(ComposeTarget, project=WORDS | st.just("*"), service=WORDS, engine=maybe(WORDS)).map(
        lambda each: TargetSpec(compose=each)
    )
    | st.builds(ComposeTarget, project=WORDS, selector=LABELS.filter(bool)).map(lambda each: TargetSpec(compose=each))
    | st.builds(KubernetesTarget, namespace=WORDS, name=WORDS).map(lambda each: TargetSpec(kubernetes=each))
    | st.builds(
        ProcessTarget,
        command=st.lists(WORDS, min_size=1, max_size=3).map(tuple),
        env=LABELS,
        ready=st.builds(Ready, every=spans(0.001, 60), failures=st.integers(1, 9)),
    ).map(lambda each: TargetSpec(process=each))
)
DIRECTIONS = st.builds(
    Direction,
    stabilization=maybe(spans(0, 3600)),
    tolerance=maybe(st.floats(0, 2)),
    rates=maybe(
        st.lists(
            st.builds(Rate, per=spans(1, 1800), replicas=st.integers(1, 50))
            | st.builds(Rate, per=spans(1, 1800), percent=st.integers(1, 900)),
            min_size=1,
            max_size=2,
        ).map(tuple)
    ),
    select=st.sampled_from(Select),
)
REVERSALS = st.builds(Reversals, count=st.integers(1, 1000), per=spans(1, 86400))


@st.composite
def signals(draw: st.DrawFn, replicas: Replicas, *, name: str, idle: bool, measured: bool) -> Signal:
    """One signal; of an idle policy it may wake, of a measured platform it may be of CPU or memory."""
    words: dict[str, Any] = {"name": name}
    source = draw(st.sampled_from(["prometheus", "scrape", *["resource"] * measured]))
    goals = ["per_replica", "utilization", "steps"] + ["value"] * (source != "resource")
    goal = draw(st.sampled_from(goals))
    words[goal] = draw(amounts()) if goal != "steps" else _steps(draw)
    if source == "prometheus":
        words |= _query(draw, idle=idle)
    elif source == "scrape":
        words["scrape"] = Scrape(
            metric=draw(WORDS),
            mode=draw(st.sampled_from(ScrapeMode)),
            port=draw(st.integers(1, 65535)),
            path="/" + draw(WORDS),
            match=draw(LABELS),
        )
    else:
        words["resource"] = draw(st.sampled_from(Resource))
    if draw(st.booleans()):
        low = draw(st.floats(-1e6, 1e6))
        words["plausible"] = draw(
            st.sampled_from([Plausible(min=low), Plausible(max=low), Plausible(min=low, max=low + 1)])
        )
    words["at_most"] = draw(maybe(st.integers(replicas.min, replicas.max)))
    words["nan"] = draw(st.sampled_from(NotANumber))
    words["failed"] = draw(
        st.sampled_from([Failing.HOLD, Fallback(at_least=replicas.max)])
        | spans(0.001, 86400).map(lambda span: Fallback(last_good=span))
    )
    return Signal(**words)


def _steps(draw: st.DrawFn) -> tuple[LoadStep, ...]:
    loads = sorted(draw(st.sets(st.floats(-1e6, 1e6), min_size=1, max_size=4)))
    counts = sorted(draw(st.sets(st.integers(1, 1000), min_size=len(loads), max_size=len(loads))))
    return tuple(LoadStep(above=load, replicas=count) for load, count in zip(loads, counts, strict=True))


def _query(draw: st.DrawFn, *, idle: bool) -> dict[str, Any]:
    empty = st.sampled_from(Empty) | st.sampled_from(QUERIES).map(lambda query: ZeroIf(zero_if=query))
    return {
        "prometheus": draw(st.sampled_from(QUERIES)),
        "server": draw(maybe(WORDS)),
        "reduce": draw(maybe(st.sampled_from(Reduce))),
        "max_age": draw(maybe(spans(0.001, 1e6))),
        "coverage": draw(maybe(st.floats(0.001, 1))),
        "empty": draw(empty),
        "wake_above": draw(maybe(st.floats(-1e6, 1e6))) if idle else None,
    }


@st.composite
def windows(draw: st.DrawFn, replicas: Replicas, *, name: str) -> Window:
    low, high = sorted(draw(st.tuples(*[st.integers(replicas.min, replicas.max)] * 2)))
    bounds = draw(st.sampled_from([{"min": low}, {"max": high}, {"min": low, "max": high}]))
    return Window(
        name=name,
        cron=draw(st.sampled_from(CRONS)),
        lasts=draw(spans(0.001, 1800)),
        timezone=draw(st.sampled_from(ZONES)),
        excepted=draw(st.sampled_from([(), ("2026-12-25", "2028-02-29")])),
        **bounds,
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """A policy that loads."""
    low = draw(st.integers(1, 50))
    replicas = Replicas(min=low, max=draw(st.integers(low, 1000)))
    idle = draw(maybe(st.builds(Idle, after=spans(0.001, 604800), replicas=st.integers(0, low - 1))))
    names = draw(st.lists(WORDS, max_size=3, unique=True))
    target = draw(TARGETS)
    measured = target.compose is not None
    asked = [draw(signals(replicas, name=name, idle=idle is not None, measured=measured)) for name in names]
    if idle is not None:
        asked.append(Signal(name="wakes", prometheus="sum(front_total)", wake_above=draw(st.floats(0, 1e6))))
    parity = draw(st.sampled_from(Parity))
    reversals = draw(maybe(REVERSALS)) if parity is Parity.GUARDED else None
    behavior = st.just(Legacy.LEGACY) | st.builds(
        Behavior, up=DIRECTIONS, down=DIRECTIONS, reversals=st.just(reversals)
    )
    spots = draw(st.lists(WORDS, max_size=2, unique=True))
    platform = next(name for name in target.__struct_fields__ if getattr(target, name) is not None)
    leaving = target.kubernetes is None  # the cluster ends its pods by itself
    return Policy(
        name=draw(WORDS),
        target=target,
        replicas=replicas,
        signals=tuple(asked),
        mode=draw(st.sampled_from(Mode)),
        labels=draw(LABELS),
        every=draw(maybe(spans(0.001, 3600))),
        idle=idle if idle is None or draw(st.booleans()) else Idle(after=idle.after, on_doubt=OnDoubt.WAKE),
        combine=draw(st.sampled_from(Combine)),
        schedule=tuple(draw(windows(replicas, name=name)) for name in spots),
        parity=parity,
        behavior=draw(behavior),
        lifecycle=draw(
            st.builds(
                Lifecycle,
                ready_within=spans(0.001, 3600),
                warm_up=spans(0, 3600),
                before_stop=maybe(st.just(BeforeStop(http=":8000/drain"))) if leaving else st.none(),
                drain=spans(0, 3600) if leaving else st.just(0.0),
                stop_within=maybe(spans(0.001, 3600)),
            )
        ),
        recycle=draw(maybe(recycles(platform))),
    )


async def loading(texts: Sequence[tuple[str, str]], revision: str) -> PolicySet:
    """What a daemon loads by where time is virtual: no thread is at work."""
    return load(texts, revision)

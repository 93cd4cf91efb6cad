"""Backtests: the daemon's own decisions on a recording, what is modelled, what is left out, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from autoscaler.backtest import recording
from autoscaler.backtest.assumed import Asked
from autoscaler.backtest.compare import Backtest, Candidate, backtest, with_shadows
from autoscaler.backtest.fleet import arrivals
from autoscaler.backtest.honesty import How, treatments
from autoscaler.backtest.recording import Recording
from autoscaler.backtest.replay import acting
from autoscaler.decide.adaptive.series import TRUSTED_BINS
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Plan
from autoscaler.decide.step import applied, step
from autoscaler.errors import UsageError
from autoscaler.loop.foresee import asks_of
from autoscaler.model.observation import Seen
from autoscaler.model.policy import Algorithm, Idle, Policy, Replicas, Resource, Scrape, ScrapeMode, Signal, ZeroIf
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import TargetState
from tests.support import nouns

START = 1_000_000.0
CYCLE_S = 15.0
HOLE = Missing(MissingWhy.EMPTY, "the query gives no series")
RATE = "sum(rate(requests_total[1m]))"


def policy(*signals: Signal, **words: Any) -> Policy:
    whole = {"signals": signals or (requests(),), "replicas": Replicas(min=2, max=20), **words}
    return msgspec.structs.replace(nouns.policy(), **whole)


def requests(**words: Any) -> Signal:
    return Signal(**{"name": "requests", "prometheus": RATE, "per_replica": 10.0, **words})


def plan(given: Policy) -> Plan:
    return acting(nouns.ref(), given)


def wave(beat: int) -> float:
    return 60.0 + 50.0 * math.sin(beat / 40) + (60.0 if 300 <= beat < 330 else 0.0)


def at(value: float) -> Series:
    return Series((Point(value),), 0.0)


def recorded(given: Policy, load: Callable[[int], Reading], beats: int = 600, voucher: bool = True) -> Recording:
    """A recording in which every query of the policy gave this load; vouchers were there, or were not."""
    columns = []
    for ask in asks_of(plan(given)):
        told: Sequence[Reading] = [at(1.0) if voucher else HOLE] * beats if ask.voucher else [*map(load, range(beats))]
        columns.append(recording.column(ask, given.name, told))
    return Recording(start=START, every_s=CYCLE_S, beats=beats, columns=tuple(columns))


def steady(beat: int) -> Reading:
    return at(wave(beat))


def tried(*policies: Policy, past: Recording | None = None, points: int = 10_000, **asked: Any) -> Backtest:
    candidates = [Candidate(f"{each.name} {number}", plan(each)) for number, each in enumerate(policies)]
    there = past or recorded(policies[0], steady)
    return backtest(candidates, there, "x.rec", Asked(**asked), lambda done, of: None, points)


def by_hand(given: Plan, readings: Sequence[Reading], count: int, startup: int) -> list[int]:
    """The counts of a loop over `step()` that knows nothing of the replay; an instance serves `startup` cycles late."""
    memories: dict[str, Memory] = {}
    ready_at = [0] * count
    counts = []
    for beat, reading in enumerate(readings):
        now = START + beat * CYCLE_S
        ready = sum(1 for since in ready_at if since <= beat)
        state = TargetState(ref=given.ref, desired=len(ready_at), existing=len(ready_at), ready=ready, at=now)
        stepped = step([given], [Seen(state=state, readings=(reading,))], memories, now, cycle_s=CYCLE_S)
        memories, wish = stepped.memories, stepped.decisions[0].desired
        if wish != len(ready_at):
            key = given.ref.key
            memories[key] = applied(given, memories[key], before=len(ready_at), count=wish, now=now)
            ready_at = ready_at[:wish] + [beat + startup] * (wish - len(ready_at))
        counts.append(wish)
    return counts


def holey(beat: int) -> Reading:
    return HOLE if 200 <= beat < 230 or beat % 97 == 0 else at(wave(beat))


@pytest.mark.parametrize("load", [steady, holey])
def test_it_decides_as_a_loop_over_step_on_the_same_readings(load: Callable[[int], Reading]) -> None:
    past = recorded(policy(), load)
    (trial,) = tried(policy(), past=past, count=8, startup_s=30.0).trials
    assert list(trial.curve.desired) == by_hand(plan(policy()), recording.readings(past.columns[0]), 8, startup=2)


def test_gaps_are_not_scored_and_are_told_of() -> None:
    told = tried(policy(), past=recorded(policy(), holey))
    assert told.trials[0].card.missing_minutes > 7
    assert any("They stay gaps: missing is never zero" in note for note in told.notes)
    assert None in told.trials[0].curve.load


def test_a_policy_that_keeps_more_is_short_for_less_time_and_costs_more() -> None:
    lean, rich = policy(), policy(requests(per_replica=6.0))
    one, other = tried(lean, rich, capacity=14.0).trials
    assert other.card.over_percent < one.card.over_percent
    assert other.card.replica_hours > one.card.replica_hours > one.card.clairvoyant_hours
    assert one.card.clairvoyant_hours == other.card.clairvoyant_hours


def test_two_revisions_meet_the_same_load_and_the_same_service() -> None:
    one, other = tried(policy(), policy(requests(per_replica=6.0))).trials
    assert one.service == other.service
    assert one.load == other.load


def test_the_same_backtest_twice_is_the_same() -> None:
    assert tried(policy()) == tried(policy())


def test_cpu_is_modelled_from_the_load_and_follows_it() -> None:
    cpu = Signal(name="cpu", resource=Resource.CPU, utilization=0.5)
    given = policy(requests(wake_above=None), cpu)
    (trial,) = tried(given, capacity=14.0).trials
    assert [each.how for each in trial.signals] == [How.HONEST, How.MODELLED]
    both, alone = trial.card, tried(policy(), capacity=14.0).trials[0].card
    assert both.replica_hours > alone.replica_hours, "half of 14 is less than 10 per replica"


@pytest.mark.parametrize(
    ("signal", "how"),
    [
        (requests(), How.HONEST),
        (requests(prometheus="sum(sessions)"), How.AS_RECORDED),
        (Signal(name="cpu", prometheus="avg(cpu)", utilization=0.7), How.MODELLED),
        (Signal(name="cpu", resource=Resource.CPU, utilization=0.7), How.MODELLED),
        (Signal(name="memory", resource=Resource.MEMORY, utilization=0.7), How.LEFT_OUT),
        (Signal(name="memory", prometheus="max(container_memory_bytes) / 2e9", utilization=0.7), How.LEFT_OUT),
        (Signal(name="p90", prometheus="histogram_quantile(0.9, rate(b[1m]))", value=0.3), How.LEFT_OUT),
        (
            Signal(name="queue", scrape=Scrape(metric="q", mode=ScrapeMode.GAUGE, port=1), per_replica=5.0),
            How.LEFT_OUT,
        ),
    ],
)
def test_each_kind_of_signal_is_treated_as_honestly_as_it_can_be(signal: Signal, how: How) -> None:
    (told,) = treatments(policy(signal))
    assert (told.signal, told.how) == (signal.name, how)
    assert len(told.because) > 20


def test_what_cannot_be_replayed_is_left_out_and_does_not_hold_the_count() -> None:
    latency = Signal(name="p90", prometheus="histogram_quantile(0.9, rate(b[1m]))", value=0.3)
    one, other = tried(policy(), policy(requests(), latency)).trials
    assert other.card == one.card
    assert [each.how for each in other.signals] == [How.HONEST, How.LEFT_OUT]


def test_an_idle_policy_goes_to_zero_where_its_voucher_tells_of_zero() -> None:
    quiet = requests(empty=ZeroIf(zero_if="up"), wake_above=0.0)
    given = policy(quiet, idle=Idle(after=300.0), replicas=Replicas(min=1, max=20))

    def load(beat: int) -> Reading:
        return HOLE if 100 <= beat < 300 else at(5.0)

    (there,) = tried(given, past=recorded(given, load)).trials
    (doubt,) = tried(given, past=recorded(given, load, voucher=False)).trials
    assert min(there.curve.desired) == 0
    assert min(doubt.curve.desired) == 1


def test_a_policy_with_a_time_of_its_own_decides_at_that_pace() -> None:
    (trial,) = tried(policy(every=60.0)).trials
    assert trial.curve.step_s == 60.0
    assert trial.card.hours == pytest.approx(tried(policy()).trials[0].card.hours, rel=0.02)


def test_curves_keep_peaks_however_few_points_they_have() -> None:
    fine, coarse = tried(policy()).trials[0].curve, tried(policy(), points=50).trials[0].curve
    assert len(coarse.load) == 50
    assert max(coarse.desired) == max(fine.desired)
    assert min(coarse.ready) == min(fine.ready)
    assert sum(coarse.over) == pytest.approx(sum(fine.over), rel=1e-3)


def test_a_load_comes_before_its_rate_is_read() -> None:
    come = arrivals([0.0, 0.0, 30.0, 30.0, 30.0, 30.0], 15.0, 30.0)
    assert list(come.at[:4]) == [30.0, 30.0, 30.0, 30.0]
    assert [math.isnan(each) for each in come.at] == [False] * 4 + [True] * 2
    between = arrivals([0.0, 10.0, 20.0, 30.0], 15.0, 7.5)
    assert list(between.at[:3]) == [5.0, 15.0, 25.0]
    assert len(between.load.rates) == 60
    assert between.load.rates[0] == pytest.approx(5.0 + 10 / 15 * 0.5)


def test_the_shift_of_a_rate_is_said() -> None:
    (trial,) = tried(policy()).trials
    assert "taken to have come 30s before it was read (half of its window of 1m and samples 0s old)" in trial.load


REFUSED: dict[str, tuple[Policy, dict[str, Any], str]] = {
    "only latency": (
        policy(Signal(name="p90", prometheus="p90", value=0.3)),
        {"load": "sum(rate(other[1m]))", "capacity": 5.0},
        "web cannot be replayed, no signal of it can: p90: a value per instance or a latency depends on the count",
    ),
    "only cpu": (
        policy(Signal(name="cpu", resource=Resource.CPU, utilization=0.7)),
        {},
        "web: nothing tells the load",
    ),
    "a load that depends on the count": (
        policy(requests(), Signal(name="cpu", prometheus="avg(cpu)", utilization=0.7)),
        {"load": "cpu"},
        "the signal cpu cannot tell the load",
    ),
    "a load that was not recorded": (
        policy(),
        {"load": "sum(rate(other[1m]))"},
        "`sum(rate(other[1m]))` was not recorded",
    ),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_cannot_be_replayed_is_refused_in_one_sentence(case: str) -> None:
    given, asked, words = REFUSED[case]
    past = recorded(policy(), steady)
    if case == "only latency":
        load = requests(prometheus=asked["load"])
        past = recorded(policy(load), steady)
    with pytest.raises(UsageError) as caught:
        tried(given, past=past, **asked)
    assert words in caught.value.message


@pytest.mark.parametrize(("beats", "holes"), [(60, 0), (600, 570)])
def test_too_little_data_is_refused_with_what_is_needed(beats: int, holes: int) -> None:
    past = recorded(policy(), lambda beat: HOLE if beat < holes else at(50.0), beats=beats)
    with pytest.raises(UsageError, match=r"x\.rec has too little data: \d+ cycles tell the load"):
        tried(policy(), past=past)


# adaptive: what it learns from, and the other algorithm beside it


def adaptive(**words: Any) -> Policy:
    return policy(requests(capacity=14.0), algorithm=Algorithm.ADAPTIVE, **words)


def test_adaptive_learns_from_what_was_recorded_before_and_then_decides_from_the_first_cycle_on() -> None:
    whole = recorded(adaptive(), steady, beats=TRUSTED_BINS + 300)
    earlier, past = recording.part(whole, 0, TRUSTED_BINS), recording.part(whole, TRUSTED_BINS, whole.beats)

    def counts(given: Policy, before: Recording | None) -> list[int]:
        candidates = [Candidate("web", plan(given))]
        told = backtest(candidates, past, "x.rec", Asked(startup_s=30.0), lambda done, of: None, 300, before)
        return list(told.trials[0].curve.desired)

    plain = counts(policy(requests(capacity=14.0)), earlier)
    assert counts(adaptive(), None) == plain
    assert counts(adaptive(), earlier) != plain


def test_a_policy_that_compares_is_replayed_with_both_each_as_it_would_be_alone() -> None:
    both = with_shadows([Candidate("web", plan(adaptive(compare=Algorithm.HPA)))])
    assert [each.name for each in both] == ["web", "web with hpa"]
    past = recorded(adaptive(), steady)
    told = backtest(both, past, "x.rec", Asked(), lambda done, of: None, 600)
    alone = tried(adaptive(), policy(requests(capacity=14.0)), past=past, points=600)
    assert [each.card for each in told.trials] == [each.card for each in alone.trials]

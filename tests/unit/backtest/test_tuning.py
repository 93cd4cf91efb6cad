"""Tuning: searched on two thirds, judged on the third, evidence that can be reckoned by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from autoscaler.backtest import recording
from autoscaler.backtest.assumed import Asked
from autoscaler.backtest.compare import Candidate
from autoscaler.backtest.moves import Change, Try
from autoscaler.backtest.quality import frontier
from autoscaler.backtest.recording import Recording, part, readings
from autoscaler.backtest.replay import acting
from autoscaler.backtest.report import tuned
from autoscaler.backtest.tuning import Found, Outcome, tune
from autoscaler.decide.plan import Plan
from autoscaler.errors import UsageError
from autoscaler.loop.foresee import asks_of
from autoscaler.model.policy import Replicas, Resource, Signal
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from tests.support import nouns

EVERY_S = 300.0
DAY = 288  # cycles
HOLE = Missing(MissingWhy.EMPTY, "the query gives no series")


def plan(per_replica: float = 10.0, *others: Signal) -> Plan:
    signal = Signal(name="sessions", prometheus="sum(sessions)", per_replica=per_replica)
    given = msgspec.structs.replace(nouns.policy(), signals=(signal, *others), replicas=Replicas(min=1, max=100))
    return acting(nouns.ref(), given)


def to(per_replica: float) -> Try:
    return Try(Change("sessions.per_replica", "10", f"{per_replica:g}"), plan(per_replica), f"text {per_replica:g}")


def past(load: Callable[[int], float | None], beats: int = 3 * DAY) -> Recording:
    told: Sequence[Reading] = [
        HOLE if (value := load(beat)) is None else Series((Point(value),), 0.0) for beat in range(beats)
    ]
    (ask,) = asks_of(plan())
    return Recording(start=1e9, every_s=EVERY_S, beats=beats, columns=(recording.column(ask, "web", told),))


def steps(beat: int) -> float:
    """100 on the first two days, 200 on the third."""
    return 100.0 if beat < 2 * DAY else 200.0


def diurnal(beat: int) -> float:
    return 400.0 + 300.0 * math.sin(2 * math.pi * beat / DAY) + (200.0 if beat % DAY in range(140, 150) else 0.0)


def found(*tries: Try, load: Callable[[int], float | None] = steps, beats: int = 3 * DAY, **words: Any) -> Found:
    asked = Asked(capacity=words.pop("capacity", 40.0), startup_s=words.pop("startup_s", 30.0))
    now = Candidate("as it is", words.pop("now", plan()))
    return tune(now, tries, past(load, beats), "x.rec", asked, lambda done, of: None, **words)


def test_the_evidence_is_what_can_be_reckoned_by_hand() -> None:
    told = found(to(8.0), to(20.0)).told
    assert told.outcome is Outcome.PROPOSED
    assert told.change == Change("sessions.per_replica", "10", "20")
    assert told.split == 1e9 + 2 * 86400
    assert told.searched is not None
    assert told.judged is not None
    warm = 6 * EVERY_S  # twice the stabilization of 300 s and four cycles are 1800 s
    assert (told.searched.start, told.searched.end) == (1e9 + warm, told.split)
    hours = (2 * 86400 - warm) / 3600
    assert told.searched.before.replica_hours == pytest.approx(10 * hours)
    assert told.searched.after.replica_hours == pytest.approx(5 * hours)
    assert (told.judged.start, told.judged.end) == (told.split, told.split + 86400)
    assert told.judged.before.replica_hours == pytest.approx(20 * 24), "200 by 10 on the day that was held out"
    assert told.judged.after.replica_hours == pytest.approx(10 * 24)
    assert told.replays == 5


def test_what_fits_the_first_days_and_not_the_last_is_not_proposed() -> None:
    def bursts(beat: int) -> float:
        return 260.0 if beat >= 2 * DAY and beat % 6 == 0 else 100.0

    told = found(to(25.0), load=bursts, startup_s=240.0).told
    assert told.outcome is Outcome.NOT_HELD
    assert told.searched is not None
    assert told.judged is not None
    assert told.searched.after.over_percent == 0
    assert told.judged.after.over_percent > told.judged.before.over_percent
    assert tuned.verdict(told)[0].startswith("No proposal. sessions.per_replica: 25 was the best where it was searched")


def test_nothing_better_is_said_and_not_proposed() -> None:
    told = found(to(5.0), to(9.9)).told
    assert (told.outcome, told.change, told.searched, told.judged) == (Outcome.NOTHING, None, None, None)
    assert told.replays == 3, "the held-out part is not looked at"
    assert tuned.verdict(told)[0].startswith("Nothing better was found among 2 changes.")


def test_the_cheapest_within_what_may_take_too_long_is_chosen_where_that_is_told() -> None:
    tries = [to(each) for each in (8.0, 14.0, 20.0, 30.0)]
    loose = found(*tries, load=diurnal, within=100.0).told
    tight = found(*tries, load=diurnal, within=0.0, startup_s=0.0).told
    assert loose.change is not None
    assert loose.change.after == "30"
    short = {each.change.after: each.over_percent for each in tight.attempts if each.change is not None}
    assert tight.change is not None
    assert short[tight.change.after] == 0
    assert "Best is the cheapest that keeps 0 % or less" in tuned.verdict(tight)[-1]


def test_the_same_search_twice_is_the_same_to_the_byte() -> None:
    one, other = (found(to(8.0), to(14.0), to(20.0), load=diurnal) for _ in range(2))
    assert msgspec.json.encode(one.told) == msgspec.json.encode(other.told)
    assert tuned.picture(one.told) == tuned.picture(other.told)


def test_progress_only_grows_and_ends_at_the_end() -> None:
    heard: list[tuple[int, int]] = []
    now, tries = Candidate("as it is", plan()), [to(20.0)]
    tune(now, tries, past(steps), "x.rec", Asked(capacity=40.0), lambda done, of: heard.append((done, of)))
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert heard[-1][0] == heard[-1][1]


def gone(beat: int) -> float | None:
    return None if beat % 3 else 100.0


def gone_late(beat: int) -> float | None:
    return None if beat > 2 * DAY + 60 else 100.0


SHORT: dict[str, tuple[Callable[[int], float | None], int, str]] = {
    "less than three days": (steps, 3 * DAY - 12, "x.rec is too short to tune by: 2d23h, 3d are needed"),
    "more holes than load": (gone, 3 * DAY, "x.rec has too little data to tune by: the load of 15h50m in"),
    "holes where it is judged": (gone_late, 3 * DAY, "in the last third is known, 12h are needed (half of it)"),
    "nothing came in": (lambda beat: 0.0, 3 * DAY, "x.rec: nothing came in during the first two thirds"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(SHORT))
def test_a_past_that_is_too_short_is_refused_with_what_is_needed(case: str) -> None:
    load, beats, said = SHORT[case]
    with pytest.raises(UsageError) as caught:
        found(to(20.0), load=load, beats=beats)
    assert said in caught.value.message


def test_what_is_only_assumed_or_modelled_is_said_before_the_figures() -> None:
    cpu = Signal(name="cpu", resource=Resource.CPU, utilization=0.6)
    notes = found(to(20.0), now=plan(10.0, cpu), capacity=None).told.notes
    assert notes[0].startswith("the capacity of a replica, 14.29, is assumed from per_replica, the very target")
    assert notes[1].startswith("cpu is modelled, not replayed: what the simulated instances are kept busy by")
    assert found(to(20.0)).told.notes == ()


def test_the_frontier_holds_what_nothing_beats_in_both() -> None:
    assert frontier([(0.0, 2.0), (1.0, 1.0), (1.0, 1.5), (0.5, 1.2), (0.0, 2.0)]) == [True, True, False, True, False]
    told = found(*(to(each) for each in (8.0, 14.0, 20.0)), load=diurnal).told
    assert [each.cost for each in told.attempts] == sorted(each.cost for each in told.attempts)
    edge = [each.over_percent for each in told.attempts if each.frontier]
    assert edge == sorted(edge, reverse=True), "what costs more on the frontier is short for less"


def test_the_chart_marks_the_policy_and_the_proposal_and_the_table_names_them() -> None:
    told = found(to(8.0), to(20.0)).told
    text = "\n".join(tuned.chart(told)[1:-1])
    assert (text.count(tuned.NOW), text.count(tuned.BEST)) == (1, 1)
    assert [(row[0], row[-1]) for row in tuned.rows(told)] == [
        ("sessions.per_replica: 20", "best, frontier"),
        ("as it is", ""),
    ]
    assert "<title>sessions.per_replica: 20: 0 % over" in tuned.picture(told)


def test_a_part_of_a_recording_has_its_readings_and_its_holes() -> None:
    whole = past(lambda beat: None if 100 <= beat < 200 else float(beat), beats=300)
    middle = part(whole, 150, 250)
    assert (middle.start, middle.beats) == (whole.start + 150 * EVERY_S, 100)
    assert readings(middle.columns[0]) == readings(whole.columns[0])[150:250]
    assert recording.unpack(recording.pack(middle), "x") == middle

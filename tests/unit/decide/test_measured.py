"""Who stands out by what is measured of each instance, and whose memory grows: who is due, and above all who is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.decide.due import Due, due
from autoscaler.decide.explain import sentence
from autoscaler.decide.lineage import NOTHING, Recycling, clamped
from autoscaler.decide.measured import FEWEST, GROWTH, OUTLIER, noted, wanted
from autoscaler.decide.recycle import GAP_S
from autoscaler.model.decision import SICK, Reason, Stage, Step
from autoscaler.model.policy import (
    GROWTH_PARTS,
    Growth,
    Outlier,
    When,
)
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import Instance

START = 1_000_000.0
MIB = 2.0**20
SLOW = When(outlier=Outlier(prometheus="lag", times_median=3.0, lasts=60.0))
LEAK = When(memory_growth=Growth(percent=50, per=800.0))
GONE = Missing(MissingWhy.FAILED, "connection refused")


def told(*values: float | None) -> Series:
    return Series(tuple(Point(value, instance=str(n)) for n, value in enumerate(values) if value is not None), 1.0)


class Watch:
    """Instances that are measured every 15 s."""

    def __init__(self, when: When, count: int, warm_up: float = 0.0) -> None:
        self.when, self.warm_s, self.now, self.known = when, warm_up, START, NOTHING
        self.instances = [
            Instance(id=str(n), name=f"web-{n}", created=0.0, ready=True, since=0.0, was_ready=True)
            for n in range(count)
        ]

    def sees(self, cause: str, reading: Reading, times: int = 1) -> list[str]:
        """Who is due after so many cycles with this reading."""
        for _ in range(times):
            self.now += 15.0
            self.looks({cause: reading})
        return [each.instance.id for each in self.due()]

    def looks(self, measured: dict[str, Reading]) -> None:
        self.known = noted(
            self.known, self.when, measured, self.instances, self.now, warm_s=self.warm_s, gap_s=GAP_S
        )  # fmt: skip

    def due(self) -> list[Due]:
        return due(self.instances, self.when, self.known, self.now)

    def remembers(self, values: Callable[[float], Sequence[float | None]], seconds: float) -> list[str]:
        """Who is due after memory took this course, as a function of the seconds since now."""
        begun, found = self.now, []
        while self.now - begun < seconds:
            found = self.sees(GROWTH, told(*values(self.now - begun)))
        return found


# standing out


def test_one_that_stands_out_for_long_enough_is_due_and_says_by_how_much() -> None:
    watch = Watch(SLOW, 4)
    assert watch.sees(OUTLIER, told(1, 1.2, 0.9, 4), 4) == []
    assert watch.sees(OUTLIER, told(1, 1.2, 0.9, 5)) == ["3"]
    (found,) = watch.due()
    assert found.reason is Reason.OUTLIER
    assert found.sick
    facts = {"instance": "web-3", "cause": found.reason.value, **found.facts}
    assert sentence(Step(Stage.RECYCLE, 4, 4, Reason.OUTLIER, facts)) == (
        "web-3 has been at 5 for 1m, more than 3 times the median of 4, 1.2: a new one takes its place"
    )


def test_a_moment_within_the_others_begins_it_anew() -> None:
    watch = Watch(SLOW, 3)
    watch.sees(OUTLIER, told(1, 1, 9), 4)
    watch.sees(OUTLIER, told(1, 1, 2))
    assert watch.sees(OUTLIER, told(1, 1, 9), 4) == []
    assert watch.sees(OUTLIER, told(1, 1, 9)) == ["2"]


def test_what_cannot_be_read_makes_nobody_due_and_begins_it_anew() -> None:
    for doubt in (GONE, told(), told(1, None, 9)):
        watch = Watch(SLOW, 3)
        watch.sees(OUTLIER, told(1, 1, 9), 5)
        assert watch.sees(OUTLIER, doubt) == [], "fewer than three say nothing of anybody"
        assert watch.sees(OUTLIER, told(1, 1, 9), 4) == []


def test_between_two_cycles_nothing_is_measured_and_nothing_forgotten() -> None:
    watch = Watch(SLOW, 3)
    watch.sees(OUTLIER, told(1, 1, 9), 4)
    before = watch.known
    watch.now += 1
    watch.looks({})
    assert watch.known is before


def test_a_time_without_any_look_is_no_time_of_standing_out() -> None:
    watch = Watch(SLOW, 3)
    watch.sees(OUTLIER, told(1, 1, 9))
    watch.now += 1200.0
    assert watch.sees(OUTLIER, told(1, 1, 9)) == []
    watch.now += 1200.0
    watch.looks({})
    assert watch.due() == [], "a wake looks at nothing new"


def test_where_most_measure_nothing_nobody_stands_out() -> None:
    assert Watch(SLOW, 4).sees(OUTLIER, told(0, 0, 0, 9), 10) == []


def test_one_that_warms_up_leaves_or_is_not_ready_is_no_part_of_it() -> None:
    watch = Watch(SLOW, 4, warm_up=600.0)
    watch.instances[3] = msgspec.structs.replace(watch.instances[3], since=START - 60)
    assert watch.sees(OUTLIER, told(1, 1, 1, 9), 10) == []
    assert watch.sees(OUTLIER, told(1, 1, 1, 9), 40) == ["3"], "once it is warm"
    watch.instances[3] = msgspec.structs.replace(watch.instances[3], draining=True)
    assert watch.sees(OUTLIER, told(1, 1, 1, 9)) == []


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=12), st.floats(1.01, 20))
def test_never_as_many_as_half_of_them_stand_out(values: list[float], times: float) -> None:
    watch = Watch(When(outlier=Outlier(prometheus="lag", times_median=times, lasts=15.0)), len(values))
    found = watch.sees(OUTLIER, told(*values), 3)
    assert 2 * len(found) < max(len(values), 1) or not found
    assert len(values) >= FEWEST or not found


# growing


def test_memory_that_grows_all_the_time_makes_one_due_and_no_other() -> None:
    watch = Watch(LEAK, 2)
    assert watch.remembers(lambda s: (100 * MIB, (100 + s / 10) * MIB), 880.0) == [], "not seen for long enough"
    assert watch.remembers(lambda s: (100 * MIB, (188 + s / 10) * MIB), 200.0) == ["1"]
    (found,) = watch.due()
    assert found.reason in SICK
    facts = {"instance": "web-1", "cause": found.reason.value, **found.facts}
    said = sentence(Step(Stage.RECYCLE, 2, 2, Reason.MEMORY_GROWTH, facts))
    assert said.startswith("web-1 grew from 1")
    assert said.endswith(" MiB of memory in 13m20s, steadily: a new one takes its place")


def test_a_step_a_saw_and_a_start_that_levels_off_are_no_leak() -> None:
    courses: dict[str, Callable[[float], float]] = {
        "a step": lambda s: 100 if s < 1000 else 300,
        "a saw": lambda s: 100 + s % 90,
        "levelling off": lambda s: 400 - 300 * 0.5 ** (s / 60),
        "too little": lambda s: 100 + s / 40,
        "shrinking": lambda s: 3000 - s,
    }
    for name, course in courses.items():
        watch = Watch(LEAK, 1)
        for _ in range(150):
            s = watch.now - START
            assert watch.sees(GROWTH, told(course(s) * MIB)) == [], (name, s)


def test_a_hole_in_what_was_read_takes_nothing_away_and_what_is_long_ago_makes_nobody_due() -> None:
    watch = Watch(LEAK, 1)
    watch.remembers(lambda s: ((100 + s / 5) * MIB,), 600.0)
    watch.sees(GROWTH, GONE, 10)
    assert watch.remembers(lambda s: ((250 + s / 5) * MIB,), 300.0) == ["0"]
    assert watch.sees(GROWTH, GONE, 14) == []


def test_another_period_and_a_clock_set_back_begin_anew() -> None:
    watch = Watch(LEAK, 1)
    watch.remembers(lambda s: ((100 + s / 5) * MIB,), 900.0)
    watch.now -= 5000.0
    watch.sees(GROWTH, told(500 * MIB))
    assert len(watch.known.grown["0"]) == 1


def test_what_is_remembered_is_no_more_than_a_period_and_goes_with_the_instance() -> None:
    watch = Watch(LEAK, 2)
    watch.remembers(lambda s: (MIB, MIB), 5000.0)
    assert all(len(each) <= GROWTH_PARTS + 2 for each in watch.known.grown.values())
    watch.instances = watch.instances[:1]
    watch.sees(GROWTH, told(MIB))
    assert list(watch.known.grown) == ["0"]


def test_it_outlives_a_restart_and_has_no_future() -> None:
    watch = Watch(SLOW, 3)
    watch.sees(OUTLIER, told(1, 1, 9), 3)
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(watch.known), type=Recycling)
    assert kept == watch.known
    assert clamped(kept, START).outlying["2"].since == START


def test_only_what_a_policy_names_is_measured() -> None:
    assert wanted(When(unhealthy_for=30.0)) == ()
    assert [each.source for each in wanted(When(outlier=SLOW.outlier, memory_growth=LEAK.memory_growth))] == [
        "prometheus",
        "platform",
    ]

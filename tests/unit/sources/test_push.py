"""What is pushed → readings: values, rates, ends, ages, who is in it, and when a workload is woken."""

from __future__ import annotations

import itertools
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.clients import remote_write
from autoscaler.errors import SourceError
from autoscaler.model.observation import Ask
from autoscaler.model.policy import Push, Reduce, ScrapeMode, Signal
from autoscaler.model.signal import Missing, MissingWhy, Reading, Series
from autoscaler.model.target import Instance
from autoscaler.policy.promql import chosen
from autoscaler.sources import push
from autoscaler.sources.push import PushSource
from autoscaler.sources.pushed import GRAIN_S, Index, Pushed
from tests.support import asks, nouns

NOW = 1_000_000.0
STALE = struct.unpack("<d", struct.pack("<Q", remote_write.STALE))[0]


def ask(
    match: str = "load", *instances: Instance, mode: ScrapeMode = ScrapeMode.GAUGE, name: str = "load", of: str = "web",
    **keys: Any,
) -> Ask:  # fmt: skip
    goal = {} if "wake_above" in keys else {"per_replica": 1.0}
    signal = Signal(name=name, push=Push(match=match, mode=mode), **{**goal, **keys})
    return Ask(nouns.ref(of), signal, match, instances)


class Bench:
    """A source that is followed since long ago, and what it woke."""

    def __init__(self) -> None:
        self.source = PushSource()
        self.woken: list[str] = []
        self.source.wake = self.woken.append

    def push(self, *series: tuple[str, float, float], now: float = NOW, **labels: str) -> str:
        """(metric, time, value) with these labels, as they would come over the wire."""
        body = remote_write.packed([({"__name__": each[0], **labels}, [each[1:]]) for each in series])
        return self.source.take(remote_write.unpacked(body), now)

    async def read(self, asked: Ask, now: float = NOW) -> Reading:
        return (await self.source.read([asked], now))[0]

    async def followed(self, *asked: Ask) -> None:
        """The signals are known, and somebody has been pushing for long."""
        await self.source.read(asked, NOW - 300)
        self.push(("other", NOW - 300, 1.0), now=NOW - 300)
        self.push(("other", NOW, 1.0))


@pytest.fixture
async def bench() -> Bench:
    made = Bench()
    return made


def why(reading: Reading) -> MissingWhy:
    assert isinstance(reading, Missing), reading
    return reading.why


def value(reading: Reading) -> float:
    assert isinstance(reading, Series), reading
    return reading.points[0].value


async def test_the_newest_sample_is_the_value_with_its_age_and_labels(bench: Bench) -> None:
    await bench.followed(ask())
    bench.push(("load", NOW - 9, 5.0), queue="a")
    bench.push(("load", NOW - 4, 7.0), queue="a")
    told = await bench.read(ask())
    assert isinstance(told, Series)
    assert (told.points[0].value, told.age_s, told.points[0].labels) == (7.0, 4.0, (("queue", "a"),))


async def test_repeated_and_late_samples_change_nothing(bench: Bench) -> None:
    await bench.followed(ask())
    bench.push(("load", NOW - 4, 7.0))
    for at, seen in ((NOW - 4, 9.0), (NOW - 8, 3.0), (NOW - 8, STALE)):
        assert bench.push(("load", at, seen)) == "", "sent twice is no mistake of the sender's"
    assert value(await bench.read(ask())) == 7.0
    assert bench.source.samples["repeated_or_late"] == 3


async def test_an_end_is_missing_and_never_zero(bench: Bench) -> None:
    await bench.followed(ask())
    bench.push(("load", NOW - 4, 7.0))
    bench.push(("load", NOW - 2, STALE))
    told = await bench.read(ask())
    assert why(told) is MissingWhy.EMPTY
    assert "ended" in told.detail  # type: ignore[union-attr]
    bench.push(("load", NOW - 1, 8.0))
    assert value(await bench.read(ask())) == 8.0, "it came back"


async def test_one_that_ended_has_no_part_in_the_sum_of_the_others(bench: Bench) -> None:
    both = ask(reduce=Reduce.SUM)
    await bench.followed(both)
    for pod in ("a", "b"):
        bench.push(("load", NOW - 4, 7.0), pod=pod)
    assert value(await bench.read(both)) == 14.0
    bench.push(("load", NOW - 2, STALE), pod="b")
    assert value(await bench.read(both)) == 7.0


async def test_several_series_without_reduce_are_refused(bench: Bench) -> None:
    await bench.followed(ask())
    for pod in ("a", "b"):
        bench.push(("load", NOW - 4, 7.0), pod=pod)
    assert why(await bench.read(ask())) is MissingWhy.SEVERAL
    assert value(await bench.read(ask('load{pod="a"}'))) == 7.0


@pytest.mark.parametrize("strange", [float("nan"), float("inf"), float("-inf")])
async def test_what_is_no_number_is_missing_and_leaves_no_trace(bench: Bench, strange: float) -> None:
    rate = ask(mode=ScrapeMode.RATE)
    await bench.followed(ask(name="gauge"), rate)
    bench.push(("load", NOW - 30, 100.0))
    bench.push(("load", NOW - 20, strange))
    assert why(await bench.read(ask(name="gauge"), NOW - 20)) is MissingWhy.NAN
    assert why(await bench.read(rate, NOW - 20)) is MissingWhy.NAN
    bench.push(("load", NOW - 15, 150.0))
    assert value(await bench.read(ask(name="gauge"))) == 150.0
    bench.push(("load", NOW, 180.0))
    assert value(await bench.read(rate)) == 2.0


async def test_old_samples_are_stale_by_max_age_and_by_default(bench: Bench) -> None:
    await bench.followed(ask(), ask(name="b", max_age=10.0))
    bench.push(("load", NOW - 60, 7.0))
    assert value(await bench.read(ask())) == 7.0, "2 m until two intervals are seen"
    assert why(await bench.read(ask(name="b", max_age=10.0))) is MissingWhy.STALE
    assert why(await bench.read(ask(), NOW + 119)) is MissingWhy.STALE


async def test_a_series_that_just_stops_is_gone_after_five_minutes(bench: Bench) -> None:
    asked = ask(max_age=1000.0)
    await bench.followed(asked)
    bench.push(("load", NOW, 7.0))
    bench.push(("other", NOW + 290, 1.0), now=NOW + 290)
    assert value(await bench.read(asked, NOW + 299)) == 7.0
    assert why(await bench.read(asked, NOW + 301)) is MissingWhy.EMPTY


# emptiness means something only while somebody pushes


async def test_before_anything_was_pushed_a_reading_has_failed_and_is_not_empty(bench: Bench) -> None:
    assert why(await bench.read(ask())) is MissingWhy.FAILED


async def test_soon_after_the_first_push_nothing_is_empty_yet(bench: Bench) -> None:
    """A daemon that was restarted knows no series: `empty: 0` must not make zero of that."""
    await bench.read(ask())
    bench.push(("other", NOW, 1.0))
    assert why(await bench.read(ask(), NOW + 60)) is MissingWhy.FAILED
    bench.push(("other", NOW + 130, 1.0), now=NOW + 130)
    assert why(await bench.read(ask(), NOW + 130)) is MissingWhy.EMPTY


async def test_when_nobody_pushes_any_more_nothing_is_empty(bench: Bench) -> None:
    await bench.followed(ask())
    assert why(await bench.read(ask(), NOW + 60)) is MissingWhy.EMPTY
    assert why(await bench.read(ask(), NOW + 130)) is MissingWhy.FAILED


# counters


async def test_a_counter_has_a_rate_over_ten_seconds_or_more(bench: Bench) -> None:
    rate = ask(mode=ScrapeMode.RATE)
    await bench.followed(rate)
    bench.push(("load", NOW - 15, 100.0))
    told = await bench.read(rate)
    assert why(told) is MissingWhy.EMPTY
    assert "two samples" in told.detail  # type: ignore[union-attr]
    bench.push(("load", NOW, 130.0))
    assert value(await bench.read(rate)) == 2.0


async def test_a_counter_that_began_again_did_not_go_down(bench: Bench) -> None:
    rate = ask(mode=ScrapeMode.RATE)
    await bench.followed(rate)
    for at, count in ((-20, 1000.0), (-10, 1010.0), (0, 20.0)):
        bench.push(("load", NOW + at, count))
    assert value(await bench.read(rate)) == 2.0


@given(st.lists(st.tuples(st.floats(0.05, 20.0), st.floats(0, 1000.0)), min_size=2, max_size=60))
def test_a_rate_is_what_was_added_over_the_time_it_took(steps: list[tuple[float, float]]) -> None:
    """Of newest samples that span ten seconds, whatever came before; and little is kept for it."""
    series, at, shown = Pushed({}, ()), 0.0, 0.0
    past: list[tuple[float, float]] = []
    for gap, more in steps:
        at, shown = at + gap, shown + more
        assert series.take(at, shown)
        past.append((at, shown))
    assert len(series.rises) <= 2 + 2 * push.RATE_S / GRAIN_S
    rate = series.rate()
    if rate is None:
        assert at - past[0][0] < push.RATE_S + GRAIN_S
    else:
        spans = [(shown - before) / (at - then) for then, before in past if at - then >= push.RATE_S]
        assert any(abs(rate - each) <= 1e-6 * max(1.0, each) for each in spans)


# selectors


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ("load", True),
        ('load{pod="a"}', True),
        ('load{pod="b"}', False),
        ('load{pod=~"a|b", zone!="x"}', True),
        ('load{pod!~"a.*"}', False),
        ('load{zone=""}', True),
        ('load{pod=""}', False),
        ('load{pod=~"."}', True),
        ('load{pod=~"a", pod!="a"}', False),
        ('{__name__="load", pod="a"}', True),
        ("loads", False),
    ],
)
def test_selectors_mean_what_they_mean_to_a_server(match: str, fits: bool) -> None:
    index, meant = Index(), chosen(match)
    assert not isinstance(meant, str)
    index.add("w", meant)
    assert (index.fitting({"__name__": "load", "pod": "a"}) == ("w",)) is fits


async def test_a_signal_that_is_asked_later_follows_series_that_are_kept_already(bench: Bench) -> None:
    await bench.followed(ask())
    bench.push(("load", NOW, 7.0), pod="a")
    assert value(await bench.read(ask('load{pod="a"}', name="later"))) == 7.0
    assert value(await bench.read(ask())) == 7.0


async def test_a_series_nobody_followed_is_taken_once_somebody_does(bench: Bench) -> None:
    await bench.followed(ask())
    bench.push(("queue", NOW - 5, 7.0))
    assert bench.source.samples["not_followed"] == 3
    await bench.read(ask("queue", name="queue"))
    bench.push(("queue", NOW, 8.0))
    assert value(await bench.read(ask("queue", name="queue"))) == 8.0


async def test_signals_and_series_that_nobody_needs_are_forgotten(bench: Bench) -> None:
    await bench.followed(ask())
    bench.push(("load", NOW, 7.0))
    assert bench.source.series == 1
    await bench.read(ask("other", name="b"), NOW + 500)
    assert bench.source.series == 1
    await bench.read(ask("other", name="b"), NOW + 700)
    assert bench.source.series == 0, "it had no sample for ten minutes"
    await bench.read(ask("other", name="b"), NOW + push.KEEP_S + 1)
    bench.push(("load", NOW + 5000, 7.0), now=NOW + 5000)
    assert bench.source.series == 0


# limits


async def test_a_sample_far_in_the_future_is_refused_and_hides_nothing(bench: Bench) -> None:
    await bench.followed(ask())
    assert "in the future" in bench.push(("load", NOW + 3600, 99.0))
    bench.push(("load", NOW + 20, 7.0))
    assert value(await bench.read(ask())) == 7.0


async def test_series_above_the_limit_are_refused_and_the_others_stay(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "MOST_SERIES", 2)
    many = ask(reduce=Reduce.SUM)
    await bench.followed(many)
    said = [bench.push(("load", NOW, 1.0), pod=pod) for pod in "abc"]
    assert said[:2] == ["", ""]
    assert "2 series are kept already" in said[2]
    assert value(await bench.read(many)) == 2.0


@pytest.mark.parametrize(
    "body",
    [b"", b"no snappy", b"\xff\xff\xff\xff\x0f" + b"x" * 20, remote_write.cramjam.snappy.compress_raw(b"\xff\xff\xff")],
)
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(SourceError):
        remote_write.unpacked(bytes(body))


async def test_of_a_request_with_a_nameless_series_the_rest_is_taken(bench: Bench) -> None:
    await bench.followed(ask())
    body = remote_write.packed([({"pod": "a"}, [(NOW, 1.0)]), ({"__name__": "load"}, [(NOW, 7.0)])])
    assert bench.source.take(remote_write.unpacked(body), NOW) == "a series without a name"
    assert value(await bench.read(ask())) == 7.0


# wakes


async def test_a_workload_is_woken_by_what_rose_and_not_by_noise(bench: Bench) -> None:
    await bench.followed(ask())
    key = nouns.ref().key
    for at, seen, woken in ((1, 100.0, 1), (2, 105.0, 1), (3, 90.0, 1), (4, 112.0, 2), (5, 115.0, 2), (6, 0.0, 2)):
        bench.push(("load", NOW + at, seen), now=NOW + at)
        assert len(bench.woken) == woken, f"after {seen}"
    assert set(bench.woken) == {key}


async def test_what_was_read_is_what_a_rise_is_measured_by(bench: Bench) -> None:
    await bench.followed(ask())
    bench.push(("load", NOW, 100.0))
    bench.push(("load", NOW + 1, 50.0), now=NOW + 1)
    await bench.read(ask(), NOW + 1)
    bench.push(("load", NOW + 2, 60.0), now=NOW + 2)
    assert len(bench.woken) == 2


async def test_a_wake_signal_wakes_where_it_passes_its_limit(bench: Bench) -> None:
    await bench.followed(ask(wake_above=100.0))
    bench.push(("load", NOW, 99.0))
    await bench.read(ask(wake_above=100.0))
    bench.woken.clear()
    bench.push(("load", NOW + 1, 101.0), now=NOW + 1)
    assert len(bench.woken) == 1


async def test_one_request_wakes_each_workload_once(bench: Bench) -> None:
    await bench.followed(*(ask(reduce=Reduce.SUM, of=of) for of in ("a", "b")))
    pods = [({"__name__": "load", "pod": str(number)}, [(NOW, 5.0)]) for number in range(50)]
    bench.source.take(remote_write.unpacked(remote_write.packed(pods)), NOW)
    assert sorted(bench.woken) == sorted(nouns.ref(of).key for of in ("a", "b"))


# whose series


async def test_ready_instances_are_told_by_the_labels_of_what_is_pushed(bench: Bench) -> None:
    pods = [asks.instance(f"10.0.0.{n}:80", id=f"pod-{n}") for n in (1, 2, 3)]
    asked = ask("load", *pods, reduce=Reduce.SUM)
    await bench.followed(asked)
    bench.push(("load", NOW - 2, 5.0), pod="pod-1")
    bench.push(("load", NOW - 2, 5.0), instance="10.0.0.2:80")
    told = await bench.read(asked)
    assert isinstance(told, Series)
    assert told.found == ("pod-1", "pod-2")
    assert told.expected == ("pod-1", "pod-2", "pod-3")


def test_times_of_a_request_are_in_seconds() -> None:
    body = remote_write.packed([({"__name__": "x"}, [(1.5, 2.0), (2.25, STALE)])])
    (sent,) = remote_write.unpacked(body)
    assert [at for at, _ in sent.samples] == [1.5, 2.25]
    assert [remote_write.ended(each) for _, each in sent.samples] == [False, True]
    assert not remote_write.ended(float("nan"))
    assert all(before < after for before, after in itertools.pairwise(at for at, _ in sent.samples))

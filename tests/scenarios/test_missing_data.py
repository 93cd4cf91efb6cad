"""Data that lies: what each word of the owner makes of it, and what nobody can waive."""

from __future__ import annotations

import itertools

import pytest

from autoscaler.backtest.notation import MISSING
from autoscaler.decide.explain import explain
from autoscaler.model.decision import Reason
from autoscaler.model.policy import Empty, Fallback, NotANumber, Parity, Plausible, Signal, ZeroIf
from tests.scenarios.story import QUICK, Story, load, policy, window


def steady(*signals: Signal, count: int = 4, **keys: object) -> Story:
    told = Story(policy(*signals, behavior=QUICK, **keys), count=count)  # type: ignore[arg-type]
    told.run(*(f"{count * 100}x10" for _ in signals))
    assert told.count == count
    return told


@pytest.mark.parametrize("kind", MISSING)
def test_no_kind_of_missing_data_shrinks(kind: str) -> None:
    told = steady(load())
    assert told.run(f"{kind}x200") == "4x200"
    assert kind == "none" or told.fact(Reason.SIGNAL_MISSING, "why")
    told = steady(load("a"), load("b"))
    assert told.run("100x50", f"{kind}x50") == "4x50"
    assert told.reason() == "doubt"
    assert told.run("900x1", f"{kind}x1") == "8x1", "what is read may grow it"


@pytest.mark.parametrize("kind", MISSING)
def test_a_waiver_is_only_for_what_it_names(kind: str) -> None:
    """`empty: 0` is about empty answers, `nan: 0` about NaN; a failure, a partial answer or old data stay doubt."""
    told = steady(load(empty=Empty.ZERO))
    assert told.run(f"{kind}x40").endswith("1x40" if kind == "none" else "4x40")
    told = steady(load(nan=NotANumber.ZERO))
    assert told.run(f"{kind}x40").endswith("1x40" if kind == "nan" else "4x40")
    told = steady(load("a", empty=Empty.IGNORE, nan=NotANumber.IGNORE), load("b"))
    waived = kind in ("none", "nan")
    assert told.run(f"{kind}x40", "100x40").endswith("1x40" if waived else "4x40")


def test_ignore_on_the_only_signal_holds_without_an_opinion() -> None:
    """`nan: ignore` on the only signal: nobody has an opinion, so the count stays."""
    told = steady(load(nan=NotANumber.IGNORE))
    assert told.run("nanx500") == "4x500"
    assert told.reason() == "no_opinion"
    assert told.said(Reason.SIGNAL_WAIVED)
    assert told.run("100x3") == "4x3", "after the gap it is reseeded"


def test_empty_means_zero_only_while_the_voucher_has_a_fresh_result() -> None:
    signal = load(empty=ZeroIf(zero_if="up"))
    for voucher in ("1", "0"):
        told = steady(signal)
        assert told.run("nonex1", vouchers={"load": f"{voucher}x1"}) == "1x1", "any result vouches"
    for voucher in MISSING:
        told = steady(signal)
        assert told.run("nonex50", vouchers={"load": f"{voucher}x50"}) == "4x50"
    told = steady(signal)
    assert told.run("nanx50", vouchers={"load": "1x50"}) == "4x50"
    told = steady(signal)
    assert told.run("nonex50") == "4x50", "nobody asked the voucher"


# fallbacks


def test_last_good_holds_and_raises_while_it_is_fresh_and_never_shrinks() -> None:
    told = steady(load(failed=Fallback(last_good=60.0)), low=2)
    told.run("600x1")
    told.somebody_sets(3)
    assert told.run("downx1") == "6x1"
    assert told.said(Reason.LAST_GOOD)
    told.run("downx3")
    assert told.said(Reason.LAST_GOOD)
    told.run("downx1")
    assert not told.said(Reason.LAST_GOOD)
    told = steady(load(failed=Fallback(last_good=600.0)))
    told.run("100x1")
    assert told.count == 1
    told.somebody_sets(5)
    assert told.run("downx30") == "5x30", "the last good value asks for 1; nothing shrinks on it"


def test_last_good_of_one_signal_does_not_let_another_shrink() -> None:
    told = steady(load("a", failed=Fallback(last_good=600.0)), load("b"))
    assert told.run("100x1 downx30", "400x1 100x30") == "4x31"


def test_last_good_is_forgotten_when_the_signals_change() -> None:
    told = steady(load(failed=Fallback(last_good=600.0)))
    told.run("900x2")
    told.asks(policy(load(per_replica=1.0, failed=Fallback(last_good=600.0)), high=500, behavior=QUICK))
    assert told.run("downx1") == "9x1"
    assert not told.said(Reason.LAST_GOOD)


def test_a_waived_zero_is_a_good_value_and_a_doubtful_one_is_not() -> None:
    told = steady(load(failed=Fallback(last_good=600.0), plausible=Plausible(max=1000.0)))
    told.run("5000x2")
    assert told.memory.good["load"].load == 400.0


def test_at_least_is_a_floor_while_data_is_missing_and_its_end_is_a_floors_end() -> None:
    told = Story(policy(load(failed=Fallback(at_least=6)), behavior=QUICK), count=4)
    told.run("400x10")
    assert told.run("downx1") == "6x1"
    assert (told.reason(), told.fact(Reason.AT_LEAST, "signal")) == ("at_least", "load")
    assert told.run("downx30") == "6x30"
    told.run("100x1")
    assert (told.count, told.fact(Reason.RESEEDED, "because")) == (6, "a floor's end")
    assert told.run("100x10").endswith("1x7")


def test_at_least_never_shrinks_and_stays_below_every_ceiling() -> None:
    told = steady(load(failed=Fallback(at_least=2)))
    assert told.run("downx50") == "4x50"
    told = steady(load(failed=Fallback(at_least=50)))
    assert told.run("downx2") == "10x2"
    night = window("night", "0 0 * * *", 24, max=5)
    told = steady(load(failed=Fallback(at_least=9)), schedule=(night,))
    assert told.run("downx2") == "5x2", "a window's ceiling comes before what signals say"
    assert told.decisions[-2].reason is Reason.AT_LEAST


def test_the_highest_at_least_of_those_that_are_missing_counts_whatever_else_wakes() -> None:
    signals = (
        Signal(name="w", prometheus="w", wake_above=0.0),
        load("a", failed=Fallback(at_least=5)),
        load("b", failed=Fallback(at_least=7)),
    )
    told = Story(policy(*signals, behavior=QUICK), count=4)
    told.run("0x10", "400x10", "400x10")
    assert told.run("0x1", "downx1", "400x1") == "5x1"
    assert told.run("0x1", "downx1", "downx1") == "7x1"
    told.run("downx1", "400x1", "400x1")
    assert told.last.desired == 7


# plausible and coverage


def test_a_value_that_cannot_be_is_missing_with_that_reason() -> None:
    told = steady(load(plausible=Plausible(min=0.0, max=900.0)))
    assert told.run("-1x5 901x5") == "4x10"
    assert told.fact(Reason.SIGNAL_MISSING, "why") == "implausible"
    assert told.run("900x1 0x9") == "8x4 1x6"


def test_too_few_instances_in_the_data_may_grow_it_and_never_shrink_it() -> None:
    told = steady(load())
    told.run("400:4/4x2")
    assert told.run("200:2/4x50") == "4x50"
    assert told.fact(Reason.SIGNAL_MISSING, "why") == "uncovered"
    assert "2 of 4 ready instances" in "\n".join(explain(told.last))
    assert told.run("800:2/4x1") == "8x1"
    told = steady(load())
    told.run("400:4/4x2")
    assert told.run("200:4/5x1") == "2x1", "four fifths is enough"


def test_coverage_as_written() -> None:
    told = steady(load(coverage=0.5))
    told.run("400:4/4x2")
    assert told.run("200:2/4x1") == "2x1"
    told = steady(load(coverage=1.0))
    told.run("400:4/4x2")
    assert told.run("200:3/4x20") == "4x20"


def test_coverage_counts_only_once_the_data_was_seen_to_name_instances() -> None:
    told = steady(load())
    assert told.run("200:0/4x1") == "2x1", "it never named any: not to be told"
    told = steady(load())
    told.run("400:1/4x1")
    assert told.run("200:0/4x20") == "4x20", "it named one once: now none is 0 %"
    told.restarts()
    assert told.run("200:0/4x20") == "4x20"
    told.asks(policy(load(per_replica=50.0), behavior=QUICK))
    told.run("200:0/4x20")
    assert not told.said(Reason.SIGNAL_MISSING), "another revision of the signals starts anew"


def test_nothing_expected_is_full_coverage() -> None:
    told = steady(load())
    told.run("400:4/4x2")
    assert told.run("200:0/0x1") == "2x1"


# instances read directly


def test_an_unread_instance_counts_as_loaded_when_shrinking_and_as_empty_when_growing() -> None:
    told = steady(load())
    assert told.run("200?1x1") == "3x1"
    told = steady(load())
    assert told.run("200?4x9") == "4x9"
    told = steady(load())
    assert told.run("600?4x1") == "6x1"


# strict and the rest


@pytest.mark.parametrize("kind", MISSING)
def test_without_guards_doubt_still_never_shrinks(kind: str) -> None:
    told = steady(load("a"), load("b"), parity=Parity.STRICT)
    assert told.run("100x50", f"{kind}x50") == "4x50"
    assert told.reason() in ("doubt", "no_opinion")
    assert told.run("900x1", f"{kind}x1") == "8x1"


def test_doubt_brings_back_what_somebody_cut_only_while_it_was_right() -> None:
    """A cut that was looked at with data in hand and found enough is not undone by doubt an hour later."""
    told = steady(load(), count=6)
    told.somebody_sets(2)
    assert told.run("downx1") == "6x1", "in the dark our own last order counts"
    told = steady(load(), count=6)
    told.somebody_sets(2)
    told.run("200x20")
    assert told.run("downx50") == "2x50"
    told = steady(load(), count=6)
    told.run("600x5")
    told.somebody_sets(0)
    assert told.run("downx50") == "0x50", "a zero is respected"
    told.somebody_sets(1)
    assert told.run("downx50") == "1x50", "and ends what stood before it"
    told = steady(load(), count=6)
    told.somebody_sets(0)
    told.run("600x2")
    told.says(resumed=told.now)
    assert told.run("downx10") == "1x10", "also where it is ended by a word"
    told = steady(load(), count=8)
    told.asks(policy(load(), high=5, behavior=QUICK))
    told.somebody_sets(3)
    assert told.run("downx1") == "5x1", "never above the maximum of now"
    assert told.reason() == "doubt"


def test_a_reading_that_comes_and_goes_never_lowers_the_count() -> None:
    told = steady(load())
    for words in itertools.islice(itertools.cycle(["none", "down", "stale"]), 60):
        told.run(f"{words}x3 400x1")
    assert {decision.desired for decision in told.decisions} == {4}

"""What adaptive learned in the store: kept now and then, all of it at the end, and never trusted when damaged."""

from __future__ import annotations

import msgspec

from autoscaler.decide.adaptive.series import Learned, Sample, taken
from autoscaler.decide.memory import Memory
from autoscaler.loop.lasting import AT_ONCE, EVERY_S, Lasting, packed, unpacked

NOW = 1_000_000.0


def known() -> Learned:
    (one,) = taken([Sample(None, "load", 100.0, 10.0, 5)], NOW)
    return one


def memories(number: int) -> dict[str, Memory]:
    one = Memory(first_seen=NOW, fingerprint="", learned={"load": known()})
    return {f"web-{n:04}": one for n in range(number)}


def test_what_is_kept_comes_back_the_same_and_is_smaller() -> None:
    learned = {"load": known()}
    value = packed(learned)
    assert unpacked(value) == learned
    assert len(value) < len(learned["load"].record) / 2


def test_damage_and_another_form_are_learned_anew() -> None:
    learned = {"load": known()}
    assert unpacked(packed(learned)[:-9]) == {}
    assert unpacked(b"") == {}
    short = msgspec.structs.replace(learned["load"], record=b"short")
    assert unpacked(packed({"load": short})) == {}


def test_each_is_kept_every_ten_minutes_and_some_at_a_time() -> None:
    lasting, all_of = Lasting(), memories(AT_ONCE + 50)
    first = {fact.key for fact in lasting.due(all_of, NOW, last=False)}
    second = {fact.key for fact in lasting.due(all_of, NOW + 60, last=False)}
    assert (len(first), len(second)) == (AT_ONCE, 50)
    assert not first & second
    assert lasting.due(all_of, NOW + 120, last=False) == []
    assert {fact.key for fact in lasting.due(all_of, NOW + EVERY_S, last=False)} == first


def test_at_the_end_all_are_kept() -> None:
    lasting, all_of = Lasting(), memories(AT_ONCE + 50)
    lasting.due(all_of, NOW, last=False)
    assert len(lasting.due(all_of, NOW + 1, last=True)) == AT_ONCE + 50


def test_what_is_learned_no_longer_goes_from_the_store_too() -> None:
    lasting = Lasting()
    lasting.due(memories(1), NOW, last=False)
    forgotten = {"web-0000": Memory(first_seen=NOW, fingerprint="")}
    assert [(fact.key, fact.value) for fact in lasting.due(forgotten, NOW + 60, last=False)] == [("web-0000", None)]

"""pause > override > off by owner > bounds > schedule > idle > signals: every pair, the stronger against the weaker."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from autoscaler.model.policy import Idle, Window
from tests.scenarios.story import QUICK, Story, front, load, policy, window

ORDER = ("pause", "override", "off by owner", "bounds", "schedule", "idle", "signals")
NOON = "2026-06-10T12:00Z"

# A story in which the stronger of a pair and the weaker want different things, what is read in its next cycle, and what
# comes out. Each is told so that without the stronger word the weaker one would have its way.
Told = tuple[Story, tuple[str, ...], int, str]


def all_day(**keys: object) -> Window:
    return window("day", "0 0 * * *", 24, **keys)


def quiet(*, count: int = 2, idle: float = 60.0, low: int = 2, high: int = 10, **keys: object) -> Story:
    """A workload that will go idle in the next cycle."""
    asked = policy(load(), front(), low=low, high=high, idle=Idle(after=idle), behavior=QUICK, **keys)  # type: ignore[arg-type]
    told = Story(asked, count=count, start=NOON)
    told.run("0x4", "0x4")
    return told


def steady(count: int = 4, **keys: object) -> Story:
    told = Story(policy(load(), behavior=QUICK, **keys), count=count, start=NOON)  # type: ignore[arg-type]
    told.run(f"{count * 100}x10")
    return told


def pause_override() -> Told:
    told = steady()
    told.overrides(7)
    override = told.plan.workload.override
    told.pauses()
    told.says(pause=told.plan.workload.pause, override=override)
    return told, ("400",), 4, "paused"


def pause_off_by_owner() -> Told:
    """A pause holds whatever is there, also a zero; the reason that is told is the pause's."""
    told = steady()
    told.somebody_sets(0)
    told.pauses()
    return told, ("400",), 0, "paused"


def pause_bounds() -> Told:
    told = steady(8)
    told.asks(policy(high=5, behavior=QUICK))
    told.pauses()
    return told, ("800",), 8, "paused"


def pause_schedule() -> Told:
    told = steady()
    told.asks(policy(behavior=QUICK, schedule=(all_day(min=6),)))
    told.pauses()
    return told, ("400",), 4, "paused"


def pause_idle() -> Told:
    told = quiet()
    told.pauses()
    return told, ("0", "0"), 2, "paused"


def pause_signals() -> Told:
    told = steady()
    told.pauses()
    return told, ("900",), 4, "paused"


def override_off_by_owner() -> Told:
    told = steady()
    told.somebody_sets(0)
    told.run("400x2")
    told.overrides(3)
    return told, ("400",), 3, "override"


def override_bounds() -> Told:
    """Below the minimum; a count above the maximum is refused where the override is given, unless forced."""
    told = steady(low=3)
    told.overrides(1)
    return told, ("400",), 1, "override"


def override_schedule() -> Told:
    told = steady(schedule=(all_day(min=4),))
    told.overrides(2)
    return told, ("400",), 2, "override"


def override_idle() -> Told:
    told = quiet()
    told.overrides(5)
    return told, ("0", "0"), 5, "override"


def override_signals() -> Told:
    told = steady()
    told.overrides(6)
    return told, ("900",), 6, "override"


def off_by_owner_bounds() -> Told:
    told = steady(low=2)
    told.somebody_sets(0)
    return told, ("400",), 0, "held_zero_by_owner"


def off_by_owner_schedule() -> Told:
    told = steady(schedule=(all_day(min=3),))
    told.somebody_sets(0)
    return told, ("400",), 0, "held_zero_by_owner"


def off_by_owner_idle() -> Told:
    """A wake signal does not undo it."""
    told = quiet(idle=3600.0)
    told.somebody_sets(0)
    return told, ("0", "5"), 0, "held_zero_by_owner"


def off_by_owner_signals() -> Told:
    told = steady()
    told.somebody_sets(0)
    return told, ("900",), 0, "held_zero_by_owner"


def bounds_schedule() -> Told:
    """A window cannot ask for more than the policy's own maximum."""
    return steady(high=6, schedule=(all_day(min=50),)), ("400",), 6, "raised_to_minimum"


def bounds_idle() -> Told:
    """What idle wakes to is inside the bounds."""
    told = quiet(high=5)
    told.run("0x1", "0x1")
    assert told.count == 0
    return told, ("900", "1"), 5, "woken"


def bounds_signals() -> Told:
    return steady(high=5), ("900",), 5, "capped_at_maximum"


def schedule_idle() -> Told:
    told = quiet(idle=60.0, schedule=(all_day(min=3),))
    return told, ("0", "0"), 3, "raised_to_minimum"


def schedule_signals() -> Told:
    return steady(schedule=(all_day(max=6),)), ("900",), 6, "capped_at_maximum"


def idle_signals() -> Told:
    """The signals ask for the minimum and their window for even more; idle goes below."""
    told = quiet()
    return told, ("200", "0"), 0, "idle"


PAIRS: dict[tuple[str, str], Callable[[], Told]] = {
    ("pause", "override"): pause_override,
    ("pause", "off by owner"): pause_off_by_owner,
    ("pause", "bounds"): pause_bounds,
    ("pause", "schedule"): pause_schedule,
    ("pause", "idle"): pause_idle,
    ("pause", "signals"): pause_signals,
    ("override", "off by owner"): override_off_by_owner,
    ("override", "bounds"): override_bounds,
    ("override", "schedule"): override_schedule,
    ("override", "idle"): override_idle,
    ("override", "signals"): override_signals,
    ("off by owner", "bounds"): off_by_owner_bounds,
    ("off by owner", "schedule"): off_by_owner_schedule,
    ("off by owner", "idle"): off_by_owner_idle,
    ("off by owner", "signals"): off_by_owner_signals,
    ("bounds", "schedule"): bounds_schedule,
    ("bounds", "idle"): bounds_idle,
    ("bounds", "signals"): bounds_signals,
    ("schedule", "idle"): schedule_idle,
    ("schedule", "signals"): schedule_signals,
    ("idle", "signals"): idle_signals,
}


def test_every_pair_has_a_story() -> None:
    assert set(PAIRS) == set(itertools.combinations(ORDER, 2))
    assert len(PAIRS) == 21


@pytest.mark.parametrize(("stronger", "weaker"), PAIRS, ids=map(" > ".join, PAIRS))
def test_the_stronger_word_wins(stronger: str, weaker: str) -> None:
    told, loads, count, reason = PAIRS[stronger, weaker]()
    told.run(*loads)
    assert (told.last.desired, told.reason()) == (count, reason)
    told.run(*loads)
    assert told.last.desired == count, "and keeps winning"


def test_a_pause_ends_by_itself() -> None:
    told = steady()
    told.pauses(until=told.now + 60.0)
    assert told.run("900x4 900x2") == "4x4 8x1 9x1"


def test_an_override_ends_by_itself_and_its_count_is_held_for_a_while() -> None:
    told = Story(policy(), count=4, start=NOON)
    told.run("400x30")
    told.overrides(8, for_s=60.0)
    assert told.run("400x4") == "8x4"
    assert told.run("400x20") == "8x20"
    assert told.fact(type(told.last.reason).RESEEDED, "because") == "a pause or an override that ended"
    assert told.run("400x2") == "4x2"


def test_an_override_to_zero_ends_as_well() -> None:
    told = steady()
    told.overrides(0, for_s=60.0)
    assert told.run("400x4") == "0x4"
    assert told.run("400x1") == "4x1"


def test_what_was_changed_by_hand_while_paused_stays_until_signals_say_otherwise() -> None:
    told = steady()
    told.pauses()
    told.run("400x2")
    told.somebody_sets(2)
    told.run("400x2")
    told.says()
    assert told.run("downx100") == "2x100", "doubt does not bring back what the owner cut"
    assert told.run("400x1") == "4x1"

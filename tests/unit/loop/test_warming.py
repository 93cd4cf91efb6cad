"""The first days from history, in a whole daemon on virtual time: what it learns, what it costs, when it gives up."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from itertools import pairwise

import msgspec
import pytest

from autoscaler.decide.taught import HISTORY_S
from autoscaler.loop.lasting import packed
from autoscaler.loop.warming import AGAIN_S, PART
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.ports import Fact, FactKind
from tests.support.virtual import START, run
from tests.unit.loop.house import POLICY, WEB, House, Recorded

ADAPTIVE = POLICY.replace("per_replica: 100}", "per_replica: 100, capacity: 150}") + "algorithm: adaptive\n"
DAY_S = 86_400.0


def since(hours: float, at: float) -> Reading:
    """A wave that was recorded for so many hours before the start."""
    if at < START - hours * 3600:
        return Missing(MissingWhy.EMPTY, "nothing was recorded then")
    return Series((Point(250.0 + 40.0 * math.sin(at / 3000)),), 1.0)


wave = partial(since, 1)  # quick to learn
long_wave = partial(since, 14)  # long enough to decide by


def house(past: Recorded, policies: str = ADAPTIVE, **keys: object) -> House:
    made = House(policies, past=past, **keys)  # type: ignore[arg-type]
    made.dial.values["load"] = 250.0
    return made


def test_nobody_waits_twelve_hours_and_status_and_explain_say_where_it_was_learned() -> None:
    async def story() -> None:
        home = house(Recorded(long_wave, takes_s=0.5))
        async with home.running():
            await asyncio.sleep(20)
            (line,) = (await home.desk.status()).workloads
            assert line.history.startswith("learning from history, ")
            assert line.history.endswith(" of 3d read")
            assert home.reason() != "expects_same"
            await asyncio.sleep(120)
            (line,) = (await home.desk.status()).workloads
            (known,) = line.learned
            assert line.reason.startswith("expects_")
            assert line.history == ""
            assert known.text.startswith("load: learned from 14 hours of history, and in ")
            assert known.coverage is not None
            assert known.coverage > 0.98
            told = await home.desk.explain("web")
            assert known.text in told.learned
            assert not [each for each in told.lines if "learning" in each]

    run(story())


def test_the_server_is_asked_for_one_hour_at_a_time_and_rests_as_long_as_it_took() -> None:
    async def story() -> None:
        past = Recorded(wave, takes_s=0.5)
        home = house(past)
        async with home.running():
            await asyncio.sleep(300)
        assert max(many for _, many in past.asked) == PART
        assert sum(many for _, many in past.asked) >= HISTORY_S / 15
        starts = [at for at, _ in past.asked]
        assert min(after - before for before, after in pairwise(starts)) >= 1.0
        assert home.board.latenesses.last < 0.1
        assert home.cycle.memories[WEB.key].taught

    run(story())


def test_a_server_that_is_away_holds_up_nothing_and_is_asked_again_later() -> None:
    async def story() -> None:
        past = Recorded(wave)
        past.away = "connection refused"
        home = house(past)
        home.dial.values["load"] = 450.0
        async with home.running():
            await asyncio.sleep(60)
            assert home.count() == 5
            (line,) = (await home.desk.status()).workloads
            assert line.history == "history cannot be read (connection refused); asked again in 5m"
            assert len(past.asked) == 1
            past.away = ""
            await asyncio.sleep(AGAIN_S + 120)
            assert home.cycle.memories[WEB.key].taught

    run(story())


def test_a_server_that_goes_away_in_the_middle_leaves_what_was_lived_through() -> None:
    async def story() -> None:
        past = Recorded(wave, takes_s=1.0)
        home = house(past)
        async with home.running():
            await asyncio.sleep(40)
            past.away = "connection refused"
            await asyncio.sleep(20)
            known = home.cycle.memories[WEB.key].learned["load"]
            assert 2 <= known.bins <= 5
            assert not home.cycle.memories[WEB.key].taught

    run(story())


def test_what_a_year_ago_was_learned_is_dropped_with_a_reason_and_learned_from_history() -> None:
    async def story() -> None:
        home = house(Recorded(wave))
        async with home.running():
            await asyncio.sleep(150)
        known = home.cycle.memories[WEB.key].learned["load"]
        old = {"load": msgspec.structs.replace(known, at=START - 365 * DAY_S)}
        await home.store.put([Fact(FactKind.LEARNED, WEB.key, packed(old))])
        past = Recorded(wave)
        again = house(past, fleet=home.fleet, store=home.store)
        async with again.running():
            await asyncio.sleep(14)
            step = next(line for line in (await again.desk.explain("web")).lines if " learning " in line)
            assert "(what was learned before is more than two weeks old)" in step
            await asyncio.sleep(150)
            memory = again.cycle.memories[WEB.key]
            assert memory.learned["load"].bins >= 240
            assert memory.learned["load"].because == "what was learned before is more than two weeks old"
            assert memory.taught["load"] >= 3600

    run(story())


def test_what_is_lost_or_damaged_in_the_store_is_learned_from_history_again() -> None:
    async def story() -> None:
        home = house(Recorded(wave))
        async with home.running():
            await asyncio.sleep(150)
        await home.store.put([Fact(FactKind.LEARNED, WEB.key, b"damaged")])
        again = house(Recorded(wave), fleet=home.fleet, store=home.store)
        async with again.running():
            await asyncio.sleep(150)
            assert again.cycle.memories[WEB.key].learned["load"].bins >= 240

    run(story())


def test_a_changed_query_is_learned_from_its_own_history() -> None:
    async def story() -> None:
        past = Recorded(wave)
        home = house(past)
        async with home.running():
            await asyncio.sleep(150)
            asked = len(past.asked)
            home.dial.values["other"] = 250.0
            home.texts.write(ADAPTIVE.replace("prometheus: load", "prometheus: other"))
            await asyncio.sleep(150)
            known = home.cycle.memories[WEB.key].learned["load"]
            assert len(past.asked) > asked
            assert known.bins >= 240
            assert known.because == "what the signal measures has changed"

    run(story())


def test_where_history_tells_nothing_it_is_not_asked_over_and_over() -> None:
    async def story() -> None:
        past = Recorded(lambda at: Missing(MissingWhy.EMPTY, "no series"))
        home = house(past)
        async with home.running():
            await asyncio.sleep(60)
            asked = len(past.asked)
            await asyncio.sleep(3600)
            assert len(past.asked) == asked
            (line,) = (await home.desk.status()).workloads
            assert line.history == "history tells nothing of it"

    run(story())


def test_a_past_before_anything_was_recorded_is_no_load_of_zero() -> None:
    async def story() -> None:
        home = house(Recorded(wave), ADAPTIVE.replace("capacity: 150}", "capacity: 150, empty: 0}"))
        async with home.running():
            await asyncio.sleep(150)
            assert home.cycle.memories[WEB.key].taught["load"] <= 1.1 * 3600

    run(story())


def test_hpa_asks_for_no_history() -> None:
    async def story() -> None:
        past = Recorded(wave)
        home = house(past, POLICY)
        async with home.running():
            await asyncio.sleep(60)
        assert past.asked == []

    run(story())


@pytest.mark.parametrize("cycle_s", [5.0, 15.0, 60.0])
def test_history_joins_what_is_lived_through_without_a_gap_whatever_the_cycle(cycle_s: float) -> None:
    async def story() -> None:
        home = house(Recorded(wave), cycle_s=cycle_s)
        async with home.running():
            await asyncio.sleep(200 + 2 * cycle_s)
            known = home.cycle.memories[WEB.key].learned["load"]
            assert home.cycle.memories[WEB.key].taught["load"] >= 3600
            assert known.first == known.bins
            assert known.read > home.clock.now() - cycle_s - 1

    run(story())

"""Explaining the past: what is remembered, what is on record, and what is decided once more."""

from __future__ import annotations

import asyncio

import pytest

from autoscaler.errors import UsageError
from tests.support.virtual import START, run
from tests.unit.loop.house import House


def test_the_last_minutes_are_remembered_cycle_by_cycle() -> None:
    async def story() -> None:
        house = House()
        house.dial.values["load"] = 450.0
        async with house.running():
            await asyncio.sleep(200)
            house.dial.values["load"] = 430.0
            await asyncio.sleep(30)
            told = await house.desk.explain("web", house.clock.now() - 16)
            assert not told.since_change
            assert not told.reconstructed
            assert told.decided == pytest.approx(house.clock.now() - 16, abs=15)
            assert any("load 450" in line or "load 430" in line for line in told.lines)

    run(story())


def test_a_change_of_long_ago_is_on_record() -> None:
    async def story() -> None:
        house = House()
        house.dial.values["load"] = 450.0
        async with house.running():
            await asyncio.sleep(3600)
            told = await house.desk.explain("web", START + 1)
            assert (told.decision.current, told.decision.desired) == (1, 5)
            assert not told.reconstructed

    run(story())


def test_a_quiet_cycle_of_long_ago_is_decided_once_more_and_says_so() -> None:
    async def story() -> None:
        house = House()
        house.dial.values["load"] = 450.0
        async with house.running():
            await asyncio.sleep(3600)
            told = await house.desk.explain("web", START + 1800)
            assert told.reconstructed
            assert "reconstructed: nothing changed between" in told.note
            assert (told.decision.current, told.decision.desired, told.decided) == (5, 5, START + 1800)

    run(story())


def test_what_is_older_than_the_history_is_said_to_be() -> None:
    async def story() -> None:
        house = House()
        async with house.running():
            await asyncio.sleep(60)
            with pytest.raises(UsageError, match="no decision about"):
                await house.desk.explain("web", START - 3600)

    run(story())

"""Holes in a recorded past, lived through again by a loop that reads it from a real Prometheus; nothing waits."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from autoscaler.model.decision import Decision
from tests.faults.replay import Replay, samples, written
from tests.parts.prometheus import PrometheusMaker, PrometheusServer

pytestmark = pytest.mark.prometheus

START = 1_700_000_000.0
MINUTE = 60.0
HOLE = 30 * MINUTE  # where it begins, after START
POLICY = """
name: web
target: {{compose: {{project: shop, service: web}}}}
replicas: {{min: 1, max: 40}}
signals: [{{name: load, prometheus: '{query}', per_replica: 10}}]
behavior: {{down: {{stabilization: {down}}}}}
"""
SIGNALS = {
    "rate over 5 m": ("sum(rate(requests_total[5m]))", "5m"),
    "rate over 1 m": ("sum(rate(requests_total[1m]))", "1m"),
    "gauge, unsmoothed": ("sum(load)", "0s"),
}


@contextlib.asynccontextmanager
async def replay(
    query: str, down: str, server: PrometheusServer, *, count: int, **words: float
) -> AsyncIterator[Replay]:
    made = Replay(POLICY.format(query=query, down=down), server.url, start=START + 20 * MINUTE, count=count, **words)
    try:
        yield made
    finally:
        await made.close()


def at_least(count: int) -> Callable[[float, int, Decision], None]:
    def check(now: float, there: int, decision: Decision) -> None:
        steps = [(step.reason.value, step.before, step.after) for step in decision.steps]
        assert there >= count, f"{there} at minute {(now - START) / MINUTE:.2f}: {steps}"

    return check


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS)
async def test_a_hole_of_ten_minutes_and_half_filled_windows_shrink_nothing(
    prometheus_server: PrometheusMaker, tmp_path: Path, signal: tuple[str, str]
) -> None:
    def load(at: float) -> float | None:
        since = at - START - HOLE
        return None if 0 <= since < 10 * MINUTE else 100.0 if since < 20 * MINUTE else 30.0

    server = prometheus_server(openmetrics=written(tmp_path, samples(START, START + 70 * MINUTE, 15.0, load)))
    async with replay(*signal, server, count=10) as told:
        await told.play(START + HOLE + 19 * MINUTE, at_least(10))
        assert told.count == 10
        reasons = {decision.reason.value for decision in told.decisions}
        assert "no_opinion" in reasons, "the hole was seen"
        await told.play(START + HOLE + 35 * MINUTE)
        assert told.count == 3, "a load that really fell is followed"


async def test_a_prometheus_that_lost_everything_is_read_again_without_a_shrink(
    prometheus_server: PrometheusMaker, tmp_path: Path
) -> None:
    """Its data folder is gone for two minutes and then new: another server, whose past begins there."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    before = prometheus_server(openmetrics=written(old, samples(START, START + HOLE, 15.0, lambda at: 100.0)))
    again = START + HOLE + 2 * MINUTE
    after = prometheus_server(openmetrics=written(new, samples(again, again + HOLE, 15.0, lambda at: 100.0)))
    async with replay("sum(rate(requests_total[1m]))", "0s", before, count=10) as told:
        await told.play(START + HOLE, at_least(10))
        told.then.url = "http://127.0.0.1:1"
        await told.play(again, at_least(10))
        told.then.url = after.url
        await told.play(again + 20 * MINUTE, at_least(10))
        assert told.count == 10
        assert "reseeded" in {decision.reason.value for decision in told.decisions}, "what held the half-filled window"


async def test_a_day_with_holes_follow_the_load_and_never_fall_in_the_dark(
    prometheus_server: PrometheusMaker, tmp_path: Path
) -> None:
    """The load moves once an hour; every third hour a hole of ten minutes lies where it moves."""
    hours = [40, 80, 160, 200, 120, 240, 90, 30, 150, 60, 180, 110]

    def true(at: float) -> float:
        return float(hours[int((at - START) // 3600) % len(hours)])

    def hidden(at: float) -> bool:
        hour, into = divmod(at - START, 3600)
        return hour % 3 == 0 and into < 10 * MINUTE

    end = START + 24 * 3600
    lines = samples(START, end, 30.0, lambda at: None if hidden(at) else true(at))
    server = prometheus_server(openmetrics=written(tmp_path, lines))
    last = {"count": 20}

    def check(now: float, count: int, decision: Decision) -> None:
        into = (now - START) % 3600
        if hidden(now):
            assert count >= last["count"], f"a shrink in the dark at {now - START:.0f}: {decision}"
        elif into > 25 * MINUTE:
            assert abs(10 * count - true(now)) <= true(now) / 10, f"{count} at {now - START:.0f}: {decision.steps}"
        last["count"] = count

    async with replay("sum(rate(requests_total[5m]))", "5m", server, count=20, cycle_s=60.0) as told:
        await told.play(end, check)
        assert len(told.decisions) == 24 * 60 - 20

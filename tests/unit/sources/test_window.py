"""The recent past of an ask, one reading per cycle, judged as the daemon does."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.clients.prometheus_range import RangeClient
from autoscaler.errors import SourceError
from autoscaler.loop.rehearse import beats
from autoscaler.model.signal import Missing, MissingWhy, Reading, Series
from autoscaler.sources.intervals import Intervals
from autoscaler.sources.window import MOST_STEPS, window
from tests.support import asks
from tests.support.wire import Handler, served


def answering(series: Callable[[str, float], list[str]], asked: list[int] | None = None) -> Handler:
    """A server whose series at a time are told by the query and that time."""

    async def handler(request: web.Request) -> web.StreamResponse:
        words = {key: str(value) for key, value in (await request.post()).items()}
        start, end, step = float(words["start"]), float(words["end"]), float(words["step"])
        times = [start + n * step for n in range(math.floor((end - start) / step + 1e-9) + 1)]
        if asked is not None:
            asked.append(len(times))
        found: dict[int, list[Any]] = {}
        for at in times:
            for number, value in enumerate(series(words["query"], at)):
                found.setdefault(number, []).append([round(at, 3), value])
        result = [{"metric": {"n": str(number)}, "values": values} for number, values in found.items()]
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})

    return handler


async def past(handler: Handler, times: list[float], every_s: float, query: str = "load") -> list[Reading]:
    async with served(handler) as url:
        client = RangeClient(url)
        readings = await window(client, asks.query(query), times, every_s, Intervals())
        await client.close()
    return readings


def fresh(of: Callable[[float], list[str]]) -> Callable[[str, float], list[str]]:
    return lambda query, at: ["1"] if query.startswith("time()") else of(at)


async def test_each_cycle_has_the_reading_of_its_time() -> None:
    def of(at: float) -> list[str]:
        return {0: [], 1: ["NaN"], 2: ["1", "2"], 3: [str(at)]}[int(at / 15) % 4]

    readings = await past(answering(fresh(of)), [900.0 + 15 * n for n in range(8)], 15.0)
    kinds = [each.why if isinstance(each, Missing) else each.points[0].value for each in readings]
    words = [MissingWhy.EMPTY, MissingWhy.NAN, MissingWhy.SEVERAL]
    assert kinds == [*words, 945.0, *words, 1005.0]


async def test_old_samples_are_stale_in_the_past_too() -> None:
    def series(query: str, at: float) -> list[str]:
        newest = at if at < 930 else 920.0
        return [str(at - newest)] if query.startswith("time()") else ["5"]

    readings = await past(answering(series), [900.0 + 15 * n for n in range(20)], 15.0)
    fresh_ones = [isinstance(each, Series) for each in readings]
    assert fresh_ones == sorted(fresh_ones, reverse=True)
    assert fresh_ones.count(True) < 12
    assert isinstance(readings[-1], Missing)
    assert readings[-1].why is MissingWhy.STALE


@pytest.mark.parametrize("every_s", [0.1, 0.3, 1.0, 7.5, 15.0, 60.0])
async def test_cycles_of_any_length_find_their_values(every_s: float) -> None:
    times = beats(1000.25, 40 * every_s, every_s)
    readings = await past(answering(fresh(lambda at: [f"{at:.3f}"])), times, every_s)
    assert len(readings) == len(times)
    for at, reading in zip(times, readings, strict=True):
        assert isinstance(reading, Series)
        assert reading.points[0].value == pytest.approx(at, abs=0.002)


async def test_a_long_past_is_asked_for_in_parts() -> None:
    asked: list[int] = []
    times = [1000.0 + n for n in range(MOST_STEPS + 500)]
    readings = await past(answering(fresh(lambda at: [str(at)]), asked), times, 1.0)
    assert [reading.points[0].value for reading in readings if isinstance(reading, Series)] == times
    assert max(asked) <= 11_000


async def test_what_cannot_be_read_is_an_error_and_no_reading() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=500)

    with pytest.raises(SourceError):
        await past(handler, [900.0], 15.0)


@settings(deadline=None)
@given(st.floats(1e6, 2e9), st.floats(60, 10_000), st.sampled_from([0.1, 0.5, 1.0, 15.0, 60.0]))
def test_beats_cover_the_reach_and_end_one_cycle_before_now(now: float, reach_s: float, every_s: float) -> None:
    times = beats(now, reach_s, every_s)
    assert times[0] == int(times[0]) <= now - reach_s
    assert all(b - a == pytest.approx(every_s, abs=1e-5) for a, b in itertools.pairwise(times))
    assert now - 2 * every_s - 1e-5 < times[-1] <= now - every_s + 1e-5

"""The recent past of an ask: the readings a daemon that had run would have had, one per cycle."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autoscaler.clients.prometheus import Answer, Sample
from autoscaler.clients.prometheus_range import RangeClient, Told
from autoscaler.model.observation import Ask
from autoscaler.model.signal import Reading
from autoscaler.sources import judge
from autoscaler.sources.intervals import Intervals

MOST_STEPS = 10_000  # a server gives 11,000 in one answer


async def window(
    client: RangeClient, ask: Ask, times: Sequence[float], every_s: float, intervals: Intervals
) -> list[Reading]:
    """The readings of an ask at these times, judged as the daemon does, age included. Raises SourceError.

    The intervals at which samples came are learned on the way.
    """
    queries = [ask.query]
    for companion, further in judge.companions(ask.query).items():
        queries += [companion, *([further] if further else [])]
    answers = {query: await _answers(client, query, times, every_s) for query in queries}
    readings: list[Reading] = []
    for beat in range(len(times)):
        told = {query: answers[query][beat] for query in queries}
        judge.learn(ask.query, told, intervals)
        readings.append(judge.reading(ask, told, intervals))
    return readings


async def _answers(client: RangeClient, query: str, times: Sequence[float], every_s: float) -> list[Answer]:
    """What the server would have said at each time."""
    answers: list[Answer] = []
    while len(answers) < len(times):
        part = times[len(answers) : len(answers) + MOST_STEPS]
        start = math.floor(part[0])  # the server is asked for whole seconds
        offset = part[0] - start
        told = await client.window(query, start, math.ceil(part[-1]), every_s)
        answers += _by_time(told, [at - offset for at in part], every_s)
    return answers


def _by_time(told: Told, times: Sequence[float], every_s: float) -> list[Answer]:
    samples: list[list[Sample]] = [[] for _ in times]
    for series in told.series:
        for at, value in series.values.items():
            beat = round((at - times[0]) / every_s)
            if 0 <= beat < len(times):
                samples[beat].append(Sample((at, value), series.metric))
    return [Answer(tuple(each), told.warnings) for each in samples]

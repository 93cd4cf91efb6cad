"""The recent past of a query, one value per cycle: what a daemon that had run would have read."""

from __future__ import annotations

import math

from autoscaler.clients.prometheus_range import RangeClient

Beat = tuple[float, float | None]


async def window(client: RangeClient, query: str, *, reach_s: float, now: float, every_s: float) -> list[Beat]:
    """Times and values from `reach_s` before `now` up to one cycle before it; None where there was not one number.

    Raises SourceError.
    """
    end = math.floor(now)  # the server is asked for whole seconds
    beats = max(1, math.floor(reach_s / every_s))
    times = [end - beat * every_s for beat in range(beats, 0, -1)]
    series = await client.window(query, math.floor(times[0]), end, every_s)
    offset = times[0] - math.floor(times[0])
    return [(at, _value([each[at - offset] for each in series if at - offset in each])) for at in times]


def _value(values: list[str]) -> float | None:
    if len(values) != 1:
        return None
    try:
        value = float(values[0])
    except ValueError:
        return None
    return value if math.isfinite(value) else None

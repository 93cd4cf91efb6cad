"""Numbers → one line of blocks for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(numbers: Sequence[float | None], width: int, *, low: float = 0.0, high: float | None = None) -> str:
    """At most `width` blocks, each as high as the highest of its numbers between `low` and the highest of all.

    `high` is told where several are to have one scale. Where nothing is known there is a gap.

    >>> sparkline([0, 1, 2, None, 4, 8], 6), sparkline([1, 9, 3, 3], 2), sparkline([], 5), sparkline([0, 0], 2)
    ('▁▁▂ ▄█', '█▃', '', '▁▁')
    """
    count = len(numbers)
    columns = min(width, count)
    parts = [numbers[column * count // columns : (column + 1) * count // columns] for column in range(columns)]
    tops = [max((each for each in part if each is not None), default=None) for part in parts]
    reach = (max((top for top in tops if top is not None), default=low) if high is None else high) - low
    return "".join(" " if top is None else _block(top - low, reach) for top in tops)


def _block(height: float, reach: float) -> str:
    if reach <= 0 or height <= 0:
        return BLOCKS[0]
    return BLOCKS[min(len(BLOCKS) - 1, int(height / reach * (len(BLOCKS) - 1)))]

"""Columns for the terminal."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under a head, each column as wide as its widest cell; the last one is free.

    >>> print(table(("A", "B"), [("one", "x"), ("2", "longer")]))
    A    B
    one  x
    2    longer
    """
    every = [head, *rows]
    widths = [max(len(row[i]) for row in every) for i in range(len(head) - 1)]
    lines = (
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in every
    )
    return "\n".join(line.rstrip() for line in lines)


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "policy"), counted(3, "policy"), counted(2, "file")
    ('1 policy', '3 policies', '2 files')
    """
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"

"""`python -m benchmarks.hpa_vectors FILE…`: vectors of the HPA, run through the real code.

The last line is `N passed, N failed`; the exit status is 1 when any failed or none was found. The first ten failures
are named with what was expected and what came.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.hpa_adapter import answer

SHOWN = 10


class Failed(NamedTuple):
    """A vector that the code answers differently, or not at all (`got` is then the error in words)."""

    id: str
    expected: Any
    got: Any


def vectors(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Every vector of these files, one a line."""
    for file in files:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    try:
                        yield json.loads(line)
                    except ValueError as why:
                        raise SystemExit(f"{file}:{number}: not a JSON object: {why}") from why


def judge(vector: dict[str, Any]) -> Failed | None:
    """None where the code agrees, numbers compared as numbers and exactly."""
    try:
        got: Any = answer(vector)
    except Exception as why:
        got = f"{type(why).__name__}: {why}"
    return None if got == vector["out"] else Failed(vector["id"], vector["out"], got)


def different(expected: Any, got: Any) -> tuple[Any, Any]:
    """The parts that differ, so that a long answer can be read."""
    if isinstance(expected, dict) and isinstance(got, dict):
        keys = [key for key in {**expected, **got} if expected.get(key, ...) != got.get(key, ...)]
        parts = {key: different(expected.get(key, "absent"), got.get(key, "absent")) for key in keys}
        return {key: part[0] for key, part in parts.items()}, {key: part[1] for key, part in parts.items()}
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        pairs = [(i, *different(e, g)) for i, (e, g) in enumerate(zip(expected, got, strict=True)) if e != g]
        return {i: e for i, e, _ in pairs}, {i: g for i, _, g in pairs}
    return expected, got


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hpa_vectors", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="vectors, one JSON object a line")
    passed, failed = 0, 0
    for vector in vectors(parser.parse_args(argv).files):
        wrong = judge(vector)
        if wrong is None:
            passed += 1
            continue
        failed += 1
        if failed <= SHOWN:
            expected, got = different(wrong.expected, wrong.got)
            print(f"{wrong.id}\n  expected {json.dumps(expected)}\n  got      {json.dumps(got)}")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""Where what came out of a test is not what was expected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from autoscaler.backtest.notation import ANY
from autoscaler.backtest.scenario_load import Scenario
from autoscaler.backtest.scenario_spec import Checkpoint
from autoscaler.policy.units import duration

MOST_TOLD = 12  # differences of one test


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle as it came out: the count decided, its reason code and sentence, and the lines of `explain`."""

    cycle: int
    at: float
    replicas: int
    reason: str
    because: str
    lines: tuple[str, ...] = ()
    replaced: int = 0


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Cycles in a row in which one thing was expected and another came out; cycles count from 1.

    `key` is what of the test was not met, `after` and `until` when the first and the last cycle are, from the start.
    `reason` and `because` say how the first of them was decided.
    """

    key: str
    first: int
    last: int
    after: str
    until: str
    expected: str
    got: str
    reason: str = ""
    because: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one test. `replicas` and `reasons` are what came out, in the notation of the file."""

    file: str
    line: int
    name: str
    policy: str
    passed: bool
    cycles: int
    replicas: str
    reasons: str
    differences: tuple[Difference, ...] = ()


def differences(scenario: Scenario, rows: Sequence[Row]) -> Iterator[Difference]:
    """All of them, in the order of keys, then of time."""
    test = scenario.test
    if test.replicas is None and test.reasons is None and not test.expect:
        yield _whole("replicas", "something", "nothing is expected: add replicas, reasons or expect")
    if scenario.replicas is not None:
        wanted = [ANY if each is None else str(each) for each in scenario.replicas]
        yield from _by_cycle("replicas", wanted, [str(each.replicas) for each in rows], rows, scenario.beat_s)
    if scenario.reasons is not None:
        wanted = [each or ANY for each in scenario.reasons]
        yield from _by_cycle("reasons", wanted, [each.reason for each in rows], rows, scenario.beat_s)
    for index, (cycle, check) in enumerate(scenario.checks):
        yield from _at(f"expect[{index}]", check, rows[cycle], scenario.beat_s)


def _by_cycle(
    key: str, wanted: Sequence[str], got: Sequence[str], rows: Sequence[Row], beat_s: float
) -> Iterator[Difference]:
    """Differences of one text; equal ones in a row are one."""
    if len(wanted) != len(got):
        yield _whole(key, f"{len(wanted)} cycles", f"the test has {len(got)}")
    run: list[Row] = []
    for row, want, have in zip(rows, wanted, got, strict=False):
        differs = want not in (ANY, have)
        if run and not (differs and _alike(run[-1], row) and want == wanted[run[-1].cycle]):
            yield _run(key, wanted[run[0].cycle], got[run[0].cycle], run, beat_s)
            run = []
        if differs:
            run.append(row)
    if run:
        yield _run(key, wanted[run[0].cycle], got[run[0].cycle], run, beat_s)


def _at(key: str, check: Checkpoint, row: Row, beat_s: float) -> Iterator[Difference]:
    """What a checkpoint wants and does not find."""
    if check.replicas is not None and check.replicas != row.replicas:
        yield _run(f"{key}.replicas", str(check.replicas), str(row.replicas), [row], beat_s)
    if check.reason not in (None, ANY, row.reason):
        yield _run(f"{key}.reason", str(check.reason), row.reason, [row], beat_s)
    if check.says is not None and not any(check.says in line for line in (row.because, *row.lines)):
        yield _run(f"{key}.says", check.says, row.because, [row], beat_s)
    if check.replaced is not None and check.replaced != row.replaced:
        yield _run(f"{key}.replaced", str(check.replaced), str(row.replaced), [row], beat_s)


def _alike(one: Row, other: Row) -> bool:
    return (one.replicas, one.reason) == (other.replicas, other.reason)


def _run(key: str, expected: str, got: str, rows: Sequence[Row], beat_s: float) -> Difference:
    first, last = rows[0], rows[-1]
    return Difference(
        key=key,
        first=first.cycle + 1,
        last=last.cycle + 1,
        after=duration(first.cycle * beat_s),
        until=duration(last.cycle * beat_s),
        expected=expected,
        got=got,
        reason=first.reason,
        because=first.because,
    )


def _whole(key: str, expected: str, got: str) -> Difference:
    return Difference(key=key, first=0, last=0, after="", until="", expected=expected, got=got)


def told(each: Difference) -> str:
    """One difference as a line, and one that says how the first of its cycles was decided.

    >>> told(Difference(key="replicas", first=4, last=6, after="45s", until="75s", expected="5", got="6"))
    'replicas, cycles 4 to 6 (45s to 75s): expected 5, got 6'
    """
    if not each.first:
        return f"{each.key}: expected {each.expected}, {each.got}"
    where = f"cycle {each.first} ({each.after})"
    if each.first != each.last:
        where = f"cycles {each.first} to {each.last} ({each.after} to {each.until})"
    said = f"{each.key}, {where}: expected {each.expected}, got {each.got}"
    return f"{said}\n  {each.reason}: {each.because}" if each.reason else said


def report(verdict: Verdict) -> list[str]:
    """The differences of a test that failed, and what came out as lines to paste into it."""
    lines = [told(each) for each in verdict.differences[:MOST_TOLD]]
    left = len(verdict.differences) - MOST_TOLD
    also = [f"… and {left} more"] if left > 0 else []
    return [*lines, *also, "what came out:", f"replicas: {verdict.replicas}", f"reasons: {verdict.reasons}"]

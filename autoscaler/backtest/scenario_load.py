"""Test files → scenarios beside the policies of their set, or every problem with its file, line and column."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TypeVar

import msgspec

from autoscaler.backtest.moments import START, later, moment
from autoscaler.backtest.notation import BadNotation, count, cycles, parsed, spread
from autoscaler.backtest.scenario_spec import Checkpoint, Event, PolicyTest, faults, reason
from autoscaler.errors import PolicyError
from autoscaler.model.policy import Placed, Policy, ZeroIf
from autoscaler.policy.convert import Converter
from autoscaler.policy.load import Text, read
from autoscaler.policy.nodes import Node, Problem, documents
from autoscaler.policy.units import duration
from autoscaler.policy.words import Path as Keys
from autoscaler.policy.words import nearest
from autoscaler.store import policy_files

S = TypeVar("S")
T = TypeVar("T")


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A test made ready: each cycle's words, what happens before which cycle, and what is expected in which.

    `loads` are in the order of the policy's signals; cycles are `beat_s` seconds apart, the first one is at `start`.
    """

    test: PolicyTest
    file: str
    line: int
    policy: Policy
    start: float
    cycle_s: float
    beat_s: float
    length: int
    loads: tuple[tuple[str, ...], ...]
    vouchers: dict[str, tuple[str, ...]]
    events: tuple[tuple[int, Event], ...]
    replicas: tuple[int | None, ...] | None
    reasons: tuple[str | None, ...] | None
    checks: tuple[tuple[int, Checkpoint], ...]


def suite(paths: Sequence[Path], *, policies: Sequence[str], cycle_s: float) -> list[Scenario]:
    """The tests at these places, beside the policies a daemon of these settings would load with them.

    A folder brings its own policies; a place below one of `policies` (the settings') brings all of that. Raises
    PolicyError and SettingsError.
    """
    found = policy_files.tests(paths)
    texts = policy_files.read([policy_files.set_of(path, policies) for path in paths])
    placed = [each.placed for each in read(texts, keep=False).loaded]
    return load(policy_files.texts_of(found), placed, cycle_s=cycle_s)


def load(texts: Sequence[Text], placed: Sequence[Placed], *, cycle_s: float) -> list[Scenario]:
    """The tests in these texts. Raises PolicyError with every problem."""
    problems: list[Problem] = []
    made: list[Scenario] = []
    for file, text in texts:
        names: dict[str, int] = {}
        for document in documents(file, text, problems):
            one = _Test(file, document, problems, cycle_s).scenario(placed, names)
            if one is not None:
                made.append(one)
    if problems:
        raise PolicyError(tuple(str(each) for each in sorted(set(problems))))
    return made


class _Test:
    """One document on its way to a scenario."""

    def __init__(self, file: str, document: Node, problems: list[Problem], cycle_s: float) -> None:
        self._file = file
        self._document = document
        self._problems = problems
        self._cycle_s = cycle_s
        self._beat_s = cycle_s
        self._start = START
        self._zone: tzinfo = UTC
        self._converter = Converter(file, problems, rules=faults, whole="test")

    def scenario(self, placed: Sequence[Placed], names: dict[str, int]) -> Scenario | None:
        """The scenario; None where it cannot be made, the problems say why. `names` are those of the file so far."""
        before = len(self._problems)
        test = self._converter.struct(self._document, PolicyTest)
        if test is None:
            return None
        if test.name in names:
            said = f"there is another test of this name in line {names[test.name]}"
            self._converter.problem(("name",), said, "names are unique in a file")
        names.setdefault(test.name, self._document.line)
        policy = self._policy(test, placed)
        if policy is None or len(self._problems) > before:
            return None
        made = self._made(test, policy)
        return made if len(self._problems) == before else None

    def _made(self, test: PolicyTest, policy: Policy) -> Scenario:
        self._beat_s = policy.every or self._cycle_s
        if test.time is not None:
            told = self._tried(("time",), moment, test.time)
            self._start, self._zone = told if told is not None else (START, UTC)
        loads, vouchers = self._loads(test, policy), self._vouchers(test, policy)
        length = self._length(test, [*loads, *vouchers.values()])
        replicas = self._spread(("replicas",), test.replicas)
        reasons = self._spread(("reasons",), test.reasons)
        return Scenario(
            test=test,
            file=self._file,
            line=self._document.line,
            policy=policy,
            start=self._start,
            cycle_s=self._cycle_s,
            beat_s=self._beat_s,
            length=length,
            loads=tuple(_filled(each, length) for each in loads),
            vouchers={name: _filled(each, length) for name, each in vouchers.items()},
            events=self._events(test.events, length),
            replicas=None if replicas is None else tuple(map(count, replicas)),
            reasons=None if reasons is None else tuple(map(reason, reasons)),
            checks=self._checks(test.expect, length),
        )

    # which policy

    def _policy(self, test: PolicyTest, placed: Sequence[Placed]) -> Policy | None:
        """The policy that is meant: by its name, or the only one in the file beside."""
        if test.policy is not None:
            named = [each.policy for each in placed if each.policy.name == test.policy]
            if not named:
                near = nearest(test.policy, [each.policy.name for each in placed])
                hint = f"did you mean {near}?" if near else "see autoscaler validate"
                self._converter.problem(("policy",), f"there is no policy {test.policy} in the set", hint)
            return named[0] if named else None
        stem = os.path.realpath(self._file).rsplit(".test.", 1)[0]
        files = [stem + suffix for suffix in policy_files.SUFFIXES]
        beside = [each.policy for each in placed if os.path.realpath(each.file) in files]
        if len(beside) == 1:
            return beside[0]
        if beside:
            names = ", ".join(each.name for each in beside)
            said, hint = "the file beside has several policies", f"add policy: one of {names}"
        else:
            said = f"no policy stands beside this test: there is no {os.path.basename(stem)}.yaml with one"
            hint = "name the test like the policy's file, or add policy: NAME"
        self._converter.problem((), said, hint)
        return None

    # loads

    def _loads(self, test: PolicyTest, policy: Policy) -> list[list[str]]:
        """The words of each signal, in the policy's order."""
        names = [each.name for each in policy.signals]
        if isinstance(test.load, str):
            if len(names) != 1:
                said = f"policy {policy.name} has {len(names)} signals, so each load needs its name"
                self._converter.problem(("load",), said, f"load: {{{', '.join(f'{name}: …' for name in names)}}}")
                return []
            return [self._spread(("load",), test.load) or []]
        self._known(("load",), test.load, names, policy)
        for name in names:
            if name not in test.load:
                said = f"nothing is said of the signal {name} of policy {policy.name}"
                self._converter.problem(("load",), said, f"add {name}: a load, or none where it has no data")
        return [self._spread(("load", name), test.load.get(name)) or [] for name in names]

    def _vouchers(self, test: PolicyTest, policy: Policy) -> dict[str, list[str]]:
        """The words of each `zero_if` query, by its signal."""
        names = [each.name for each in policy.signals if isinstance(each.empty, ZeroIf)]
        self._known(("zero_if",), test.zero_if, names, policy)
        for name in names:
            if name not in test.zero_if:
                said = f"nothing is said of the zero_if query of the signal {name}"
                self._converter.problem(("zero_if",), said, f"add zero_if: {{{name}: 1}}, or none where it has no data")
        return {name: self._spread(("zero_if", name), test.zero_if.get(name)) or [] for name in names}

    def _known(self, at: Keys, told: Mapping[str, str], names: Sequence[str], policy: Policy) -> None:
        for name in told:
            if name not in names:
                near = nearest(name, names)
                hint = f"did you mean {near}?" if near else f"known here: {', '.join(names) or 'none'}"
                self._converter.problem((*at, name), f"policy {policy.name} has no such signal here", hint)

    def _spread(self, at: Keys, text: str | None) -> list[str] | None:
        """A text as words, one per cycle."""
        if text is None:
            return None
        return self._tried(at, lambda told: spread(parsed(told), self._beat_s), text)

    def _length(self, test: PolicyTest, loads: Sequence[Sequence[str]]) -> int:
        """How many cycles the test has."""
        longest = max(map(len, loads), default=0)
        if test.lasts is None:
            if not longest:
                self._converter.problem((), "how long it lasts is not said", "add load, or lasts: 10m")
            return longest
        length = self._tried(("lasts",), lambda span: cycles(span, self._beat_s), test.lasts) or longest
        if length < longest:
            said = f"{duration(test.lasts)} are {length} cycles, the longest load has {longest}"
            self._converter.problem(("lasts",), said, "raise it, or remove it")
        return length

    # points of time

    def _events(self, events: Sequence[Event], length: int) -> tuple[tuple[int, Event], ...]:
        """Each event with the first cycle that is not before it, in the order they happen."""
        found = [(self._cycle(("events", i, "at"), each.at, length, math.ceil), each) for i, each in enumerate(events)]
        return tuple(sorted(found, key=lambda pair: pair[0]))

    def _checks(self, checks: Sequence[Checkpoint], length: int) -> tuple[tuple[int, Checkpoint], ...]:
        return tuple(
            (self._cycle(("expect", i, "at"), each.at, length, math.floor), each) for i, each in enumerate(checks)
        )

    def _cycle(self, at: Keys, written: str, length: int, rounded: Callable[[float], int]) -> int:
        """The cycle of a point of time."""
        moment_s = self._tried(at, lambda told: later(told, self._start, self._zone), written)
        if moment_s is None:
            return 0
        cycle = rounded(round((moment_s - self._start) / self._beat_s, 6))
        if cycle >= max(length, 1):
            last = duration((length - 1) * self._beat_s)
            self._converter.problem(
                at, f"{written} is after the last cycle, {last} after the start", "see load and lasts"
            )
        return cycle

    def _tried(self, at: Keys, make: Callable[[S], T], told: S) -> T | None:
        """What is made of a text; what is wrong with it becomes a problem."""
        try:
            return make(told)
        except BadNotation as bad:
            self._converter.problem(at, str(bad), bad.hint)
            return None


def _filled(words: Sequence[str], length: int) -> tuple[str, ...]:
    """Words for all cycles: the last one goes on."""
    return (*words, *[words[-1]] * (length - len(words))) if words else ()

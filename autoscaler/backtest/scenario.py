"""A scenario → what came out of it, cycle by cycle, and where that is not what was expected."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from autoscaler.backtest.differences import Row, Verdict, differences
from autoscaler.backtest.notation import printed, reading
from autoscaler.backtest.scenario_driver import NEVER, Driver
from autoscaler.backtest.scenario_load import Scenario
from autoscaler.backtest.scenario_spec import AWAY, Event, Rollout
from autoscaler.decide.explain import explain, why
from autoscaler.decide.plan import prepare
from autoscaler.model.observation import Override, Pause
from autoscaler.model.signal import Reading
from autoscaler.targets.naming import named

SNAPSHOT_S = 60.0  # how much of its memory a daemon that is killed may have lost


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
    """What came of all tests."""

    tests: tuple[Verdict, ...]
    failed: int
    version: int = 1


def judged(scenarios: Sequence[Scenario]) -> Verdicts:
    """The verdicts of these scenarios, in their order."""
    found = tuple(map(judge, scenarios))
    return Verdicts(tests=found, failed=sum(not each.passed for each in found))


def judge(scenario: Scenario) -> Verdict:
    """Play a scenario and compare."""
    rows = list(play(scenario))
    wrong = tuple(differences(scenario, rows))
    return Verdict(
        file=scenario.file,
        line=scenario.line,
        name=scenario.test.name,
        policy=scenario.policy.name,
        passed=not wrong,
        cycles=len(rows),
        replicas=printed([str(each.replicas) for each in rows]),
        reasons=printed([each.reason for each in rows]),
        differences=wrong,
    )


def play(scenario: Scenario) -> Iterator[Row]:
    """The cycles of a scenario, through the real `step()`."""
    stage = _Stage(scenario)
    events = list(scenario.events)
    read = {word: reading(word) for words in (*scenario.loads, *scenario.vouchers.values()) for word in words}
    for cycle in range(scenario.length):
        while events and events[0][0] <= cycle:
            stage.happen(events.pop(0)[1])
        words = [load[cycle] for load in scenario.loads]
        vouchers = {name: read[load[cycle]] for name, load in scenario.vouchers.items()}
        yield stage.turn(cycle, [read[word] for word in words], vouchers)


class _Stage:
    """A driver and what happens to it."""

    def __init__(self, scenario: Scenario) -> None:
        test, policy = scenario.test, scenario.policy
        least = policy.replicas.min if policy.replicas is not None else 1
        self._driver = Driver(
            prepare(named(policy), policy),
            count=least if test.start is None else test.start,
            now=scenario.start,
            cycle_s=scenario.cycle_s,
            ready_s=test.ready_after,
        )
        self._ready_s = self._driver.ready_s
        self._lost = math.ceil(SNAPSHOT_S / self._driver.beat_s)
        killed = any(event.kill is not None for event in test.events)
        self._driver.kept = self._lost + 1 if killed else 0
        self._back: float | None = None  # when the daemon is back
        self._killed = False
        self._answers = -math.inf  # from when on the platform answers

    def turn(self, cycle: int, read: Sequence[Reading], vouchers: Mapping[str, Reading]) -> Row:
        """One cycle; nobody decides while the daemon is away."""
        driver = self._driver
        at = driver.now
        if self._back is not None and at < self._back:
            driver.sleeps(1)
            return Row(
                cycle=cycle,
                at=at,
                replicas=driver.count,
                reason=AWAY,
                because="nobody decides",
                replaced=driver.replaced,
            )
        if self._back is not None:
            self._back = None
            if self._killed:
                driver.is_killed(lost=self._lost)
            else:
                driver.restarts()
        driver.away = "no answer" if at < self._answers else ""
        made = driver.cycle(*read, vouchers=vouchers)
        return Row(
            cycle=cycle,
            at=at,
            replicas=made.desired,
            reason=made.reason.value,
            because=why(made),
            lines=tuple(explain(made)),
            replaced=driver.replaced,
        )

    def happen(self, event: Event) -> None:
        """An event, just before a cycle."""
        driver = self._driver
        for told, act in ((event.recover, driver.recover), (event.sick, driver.turn_sick), (event.crash, driver.crash)):
            if told is not None:
                act(told)
        self._platform(event)
        self._people(event)
        if event.restart is not None or event.kill is not None:
            self._killed = event.kill is not None
            self._back = driver.now + (event.restart or event.kill or 0.0)

    def _platform(self, event: Event) -> None:
        driver = self._driver
        if event.replicas is not None:
            driver.somebody_sets(event.replicas, by=event.by or "")
        if event.rollout is not None:
            driver.rollout = event.rollout is Rollout.START
            driver.surplus = driver.surplus if driver.rollout else 0
        if event.surplus is not None:
            driver.surplus = event.surplus
        if event.limit is not None:
            driver.limit = event.limit
        if event.broken is not None:
            driver.ready_s = NEVER if event.broken else self._ready_s
        if event.unreachable is not None:
            self._answers = driver.now + event.unreachable

    def _people(self, event: Event) -> None:
        driver, now = self._driver, self._driver.now
        said = driver.plan.workload
        if event.resume:
            driver.says(resumed=now)
        if event.pause is not None:
            driver.says(pause=Pause(since=now, until=now + event.pause), override=said.override, resumed=said.resumed)
        if event.override is not None:
            until = now + (event.lasts or 0.0)
            driver.says(pause=said.pause, override=Override(event.override, until), resumed=said.resumed)

"""The daemon: one long-running loop around the cycle, from start to SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import msgspec

from autoscaler.decide.plan import Plan
from autoscaler.errors import AutoscalerError, LeaseError, PolicyError
from autoscaler.loop.act import Actor
from autoscaler.loop.board import Board
from autoscaler.loop.cadence import Cadence
from autoscaler.loop.claims import claimed
from autoscaler.loop.cleaner import Cleaner
from autoscaler.loop.cycle import Cycle
from autoscaler.loop.desk import FLEET, Words, words
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.live import LiveReport
from autoscaler.loop.notifier import Notifier
from autoscaler.loop.puller import Puller
from autoscaler.loop.recollect import CLEAN, left
from autoscaler.loop.registry import Targets
from autoscaler.loop.tenure import LEASE_LOST, Tenure
from autoscaler.loop.warming import Warming
from autoscaler.model.operation import Operation
from autoscaler.model.policy import PolicySet
from autoscaler.model.target import WorkloadRef
from autoscaler.ports import Clock, Fact, FactKind, Lease, PolicySource, Record, RecordKind, Repository, Revision

SNAPSHOT_S = 60.0
LEASE_S = 2.0
QUIET_S = 600.0  # a fault that has not come up for so long is told anew
STANDBY_S = 1.0  # between two looks at a lease that somebody else has

Load = Callable[[Sequence[tuple[str, str]], str], Awaitable[PolicySet]]
Find = Callable[[Sequence[WorkloadRef]], Awaitable[Sequence[Operation]]]

# Runs the policy tests in these texts beside a set. Raises PolicyError with those that fail.
Prove = Callable[[PolicySet, Sequence[tuple[str, str]]], Awaitable[None]]


async def believe(loaded: PolicySet, tests: Sequence[tuple[str, str]]) -> None:
    """Runs no tests."""


class Parts(msgspec.Struct, frozen=True):
    """What a daemon is made of; built by `app.py`."""

    targets: Targets
    cycle: Cycle
    actor: Actor
    keeper: Keeper
    lease: Lease
    policies: PolicySource
    board: Board
    clock: Clock
    load: Load
    warming: Warming | None = None  # without one nothing is learned from history
    cleaner: Cleaner | None = None
    puller: Puller | None = None
    repository: Repository | None = None  # `policies`, where it is one
    prove: Prove = believe
    notifier: Notifier | None = None
    live: LiveReport | None = None
    lease_s: float = LEASE_S  # between two renewals of the lease


class Daemon:
    """Turns the wheel until told to stop; what fails is reported and tried again, never fatal."""

    def __init__(self, parts: Parts, cycle_s: float) -> None:
        self._parts = parts
        self._cadence = Cadence(parts.clock, cycle_s)
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._watched: set[str] = set()
        self._words = Words()
        self._said = True  # something that the plans do not know yet
        self._snapshot_at = parts.clock.monotonic()
        self._loaded = asyncio.Event()
        self._one = asyncio.Lock()  # a cycle, a policy set, a take-over: each sees what the one before it left
        self._tenure = Tenure(
            parts.lease, parts.clock, parts.lease_s, fault=self._fault, put_down=self._put_down,
            take_up=lambda: self._spawn("taking over", self._take_over),
        )  # fmt: skip
        self._set: PolicySet | None = None
        self._refused: set[str] = set()  # claims that were refused, as told
        parts.keeper.fault = self._fault
        if parts.repository is not None:
            parts.repository.fault = self._fault
        parts.keeper.ours = lambda: parts.lease.remaining() > 0

    def stop(self) -> None:
        """Ask for a clean stop; `run` comes back when it is done."""
        self._stop.set()

    def hurry(self) -> None:
        """Make the next cycle start now."""
        self._cadence.hurry()

    def wake(self, key: str) -> None:
        """Look at one workload soon, before the next cycle."""
        self._cadence.wake(key)

    async def begin(self) -> None:
        """Take the lease. Raises LeaseError when another daemon has it."""
        lease = self._parts.lease
        if not await lease.hold():
            raise LeaseError(
                f"another autoscaler holds the lease: {lease.holder() or 'unknown'}",
                hint="stop it first, or give this one a data folder of its own",
            )

    async def stand_by(self) -> bool:
        """Wait until the lease is ours; False where the daemon is to stop before that."""
        lease, said = self._parts.lease, ""
        while not self._stop.is_set():
            try:
                if await lease.hold():
                    return True
                sentence = f"stands by: {lease.holder() or 'another daemon'} holds the lease"
            except LeaseError as error:
                sentence = f"stands by: the lease cannot be asked for: {error}"
            if sentence != said:
                self._fault(sentence)
            said = sentence
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), STANDBY_S)
        return False

    async def run(self) -> None:
        """Restore, turn until stopped, and put everything down again. `begin` comes before."""
        parts = self._parts
        await self._restore()
        self._spawn("policies", self._follow_policies)
        self._spawn("lease", self._tenure.keep)
        if parts.warming is not None:
            self._spawn("history", parts.warming.keep)
        if parts.cleaner is not None:
            self._spawn("clean-ups", partial(parts.cleaner.run, self._cadence.every_s))
        if parts.puller is not None:
            self._spawn("pulls", parts.puller.run)
        if parts.notifier is not None:
            self._spawn("notifications", parts.notifier.run)
        if parts.live is not None:
            self._spawn("live revision", parts.live.run)
        try:
            await self._turn()
        finally:
            for task in self._tasks:
                task.cancel()
            ends = await asyncio.gather(*self._tasks, return_exceptions=True)
            await parts.actor.close()
            await parts.cycle.flush()
            if not self._tenure.lost:
                await parts.keeper.put([*parts.cycle.snapshot(last=True), Fact(FactKind.MEMORY, CLEAN, b"1")])
            await parts.lease.release()
        defect = next((end for end in ends if isinstance(end, Exception)), None)
        if defect is not None:
            raise defect

    def control(self, said: Words) -> None:
        """What people said, as of now; decided by from the next cycle on, which starts at once."""
        self._words, self._said = said, True
        self._pause_cleaner()
        self._tell_repository()
        self.hurry()

    # one turn

    async def _turn(self) -> None:
        stopped = asyncio.create_task(self._stop.wait())
        self._tasks.append(stopped)  # type: ignore[arg-type]
        waiting = asyncio.create_task(self._loaded.wait())
        await asyncio.wait({stopped, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        while not self._stop.is_set():
            due = asyncio.create_task(self._cadence.next())
            await asyncio.wait({stopped, due}, return_when=asyncio.FIRST_COMPLETED)
            if not due.done():
                due.cancel()
                await asyncio.gather(due, return_exceptions=True)
                return
            await self._cycle(due.result())

    async def _cycle(self, woken: set[str] | None) -> None:
        parts, clock = self._parts, self._parts.clock
        began, late = clock.monotonic(), max(0.0, self._cadence.lateness_s + self._cadence.every_s)
        async with self._one:
            if not (self._tenure.ours() and self._loaded.is_set()):
                return
            try:
                if woken is None:
                    await self._look_again()
                self._apply_controls()
                at = self._cadence.beat_at() if woken is None else None
                await parts.cycle.run(woken, cycle_s=self._cadence.every_s, wake=woken is not None, now=at)
            except AutoscalerError as error:
                self._fault(str(error))
            await parts.cycle.flush()
            if clock.monotonic() - self._snapshot_at >= SNAPSHOT_S:
                await self._snapshot()
        if woken is None:
            parts.board.turned(clock.now(), duration_s=clock.monotonic() - began, lateness_s=late)
            self._watch()

    async def _snapshot(self) -> None:
        """What changed since the last one; and again that the last stop was clean no longer counts."""
        self._snapshot_at = self._parts.clock.monotonic()
        await self._parts.keeper.put([*self._parts.cycle.snapshot(), Fact(FactKind.MEMORY, CLEAN, None)])

    def _apply_controls(self) -> None:
        if not self._said:
            return
        self._said = False
        plans, said = self._parts.cycle.plans, self._words
        for key, plan in plans.items():
            plans[key] = said.on(plan)
        self._parts.cycle.fleet_resumed = said.resumed.get(FLEET)

    # starting again

    async def _restore(self) -> None:
        parts = self._parts
        facts = await parts.keeper.facts()
        before = left(facts, parts.clock.now())
        await parts.keeper.put([Fact(FactKind.MEMORY, CLEAN, None)])
        parts.cycle.restore(before.facts, clean=before.clean)
        self._words, self._said = words(before.facts), True
        self._left = before.facts
        self._tell_repository()
        if parts.notifier is not None:
            parts.notifier.restore(facts)
        if parts.cleaner is not None:
            parts.cleaner.restore(facts)
            self._pause_cleaner()

    def _tell_repository(self) -> None:
        if self._parts.repository is not None:
            self._parts.repository.heed(self._words.commits)

    def _pause_cleaner(self) -> None:
        if self._parts.cleaner is not None:
            self._parts.cleaner.paused = self._words.pauses.get(FLEET)

    async def _resume_operations(self) -> None:
        """Once the platforms know their workloads: go on with stored operations, and with traces no store tells of."""
        facts, self._left = self._left, ()
        self._parts.actor.resume(facts)
        for name, target in self._parts.targets.made().items():
            find: Find | None = getattr(target, "leftovers", None)
            if find is not None:
                try:
                    await self._adopt(name, find)
                except AutoscalerError:
                    self._spawn(f"traces on {name}", partial(self._sweep, name, find))

    async def _sweep(self, name: str, find: Find) -> None:
        """Look for traces once the platform answers, and again until there are none: new operations may hide some."""
        while await self._adopt(name, find):
            await self._parts.clock.sleep(self._cadence.every_s)

    async def _adopt(self, name: str, find: Find) -> bool:
        found = await find([plan.ref for plan in self._parts.cycle.plans.values() if plan.ref.place == name])
        await self._parts.actor.take_over(found)
        return bool(found)

    # policies

    async def _follow_policies(self) -> None:
        async for revision in self._parts.policies.revisions():
            loaded = await self._load(revision)  # cycles go on meanwhile: of thousands it takes seconds
            if loaded is not None:
                async with self._one:
                    await self._activate(loaded, revision.texts)
                if self._parts.repository is not None:
                    await self._parts.repository.keep(revision.id)

    async def _load(self, revision: Revision) -> PolicySet | None:
        """The policies of a revision; None where they do not load, which is told."""
        parts = self._parts
        try:
            if revision.problems:
                raise PolicyError(revision.problems)
            loaded = await parts.load(revision.texts, revision.id)
            if revision.tests:
                await parts.prove(loaded, revision.tests)
            return loaded
        except PolicyError as error:
            parts.board.rejected(revision.id, error.problems, revision.texts)
            text = f"policies rejected, the last good ones stay: {error.problems[0]}"
            now = parts.clock.now()
            await parts.keeper.record(
                [Record(at=now, kind=RecordKind.POLICIES, revision=revision.id, reason="rejected", text=text)]
            )
            return None

    async def _activate(self, loaded: PolicySet, texts: Sequence[tuple[str, str]]) -> None:
        """Switch to a policy set, read from these texts, as a whole."""
        parts, now = self._parts, self._parts.clock.now()
        await parts.targets.survey(loaded.policies)
        plans = self._plans(loaded)
        gone = set(parts.cycle.plans) - set(plans)
        await parts.cycle.release(sorted(gone))
        self._set = loaded
        parts.cycle.plans, self._said = plans, True
        self._apply_controls()
        parts.board.activated(loaded, [plan.workload for plan in plans.values()], texts)
        if parts.cleaner is not None:
            parts.cleaner.follow(loaded)
        if parts.puller is not None:
            parts.puller.follow(loaded)
        text = f"policies: {len(loaded.placed)}, workloads: {len(plans)}"
        text += f", clean-ups: {len(loaded.cleanups)}" if loaded.cleanups else ""
        await parts.keeper.put(parts.cycle.forget(gone))
        await parts.keeper.record(
            [Record(at=now, kind=RecordKind.POLICIES, revision=loaded.revision, reason="activated", text=text)]
        )
        self._watch()
        if not self._loaded.is_set():
            await self._resume_operations()
            self._loaded.set()
        self.hurry()

    async def _look_again(self) -> None:
        """Take up what selectors find now, and let go of what is gone; nobody took that away from a policy."""
        parts, loaded = self._parts, self._set
        if loaded is None or not await parts.targets.survey(loaded.policies):
            return
        before, plans = set(parts.cycle.plans), self._plans(loaded)
        parts.cycle.plans, self._said = plans, True
        parts.board.steers(loaded, [plan.workload for plan in plans.values()])
        await parts.keeper.put(parts.cycle.forget(before - set(plans)))
        text = "; ".join(
            f"{word} {', '.join(sorted(keys))}"
            for word, keys in (("found", set(plans) - before), ("gone", before - set(plans)))
            if keys
        )
        now = parts.clock.now()
        await parts.keeper.record(
            [Record(at=now, kind=RecordKind.POLICIES, revision=loaded.revision, reason="selected", text=text)]
        )
        self._watch()

    def _plans(self, loaded: PolicySet) -> dict[str, Plan]:
        """One plan per workload, in the order of their keys."""
        cycle = self._parts.cycle
        remembered = {key: memory.fingerprint for key, memory in cycle.memories.items()}
        claims = claimed(self._parts.targets.discover(loaded.policies), cycle.steering(), remembered)
        refused = {claim.sentence() for claim in claims if claim.refused}
        for sentence in sorted(refused - self._refused):
            self._fault(sentence)
        self._refused = refused
        return {claim.ref.key: claim.plan(cycle.plans.get(claim.ref.key)) for claim in claims}

    # beside the beat

    def _watch(self) -> None:
        """Listen to every platform in use."""
        for name, target in self._parts.targets.made().items():
            if name not in self._watched:
                self._watched.add(name)

                async def listen(target: Any = target) -> None:
                    async for ref in target.wakes():
                        self._cadence.wake(ref.key)

                async def hear(name: str = name, target: Any = target) -> None:
                    async for sentence in target.notices():
                        self._fault(f"{name}: {sentence}")

                self._spawn(f"wakes of {name}", listen)
                if hasattr(target, "notices"):
                    self._spawn(f"notices of {name}", hear)

    async def _put_down(self) -> None:
        """Another process may act: what was under way here is its business now."""
        self._parts.keeper.let_go()
        await self._parts.actor.abandon()

    async def _take_over(self) -> None:
        """Go on from what the last holder left, as after a kill. Nothing is decided before that is read."""
        losses = self._tenure.losses
        async with self._one:
            if not self._tenure.lost:
                return
            await self._parts.actor.abandon()
            self._parts.cycle.reset()
            await self._restore()
            if self._loaded.is_set() and losses == self._tenure.losses:
                await self._resume_operations()
            self._tenure.made_good(losses)

    def _spawn(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def run() -> None:
            while True:
                try:
                    await work()
                    return
                except AutoscalerError as error:
                    self._fault(f"{name}: {error}")
                    await self._parts.clock.sleep(self._cadence.every_s)

        task = asyncio.create_task(run(), name=name)
        task.add_done_callback(self._died)
        self._tasks.append(task)

    def _died(self, task: asyncio.Task[None]) -> None:
        """A defect in a helper task ends the daemon loudly: a watcher that is silently dead would be worse."""
        if not task.cancelled() and task.exception() is not None:
            self._stop.set()

    def _fault(self, sentence: str, word: str = "fault") -> None:
        """On the board each time; on record, and so in log and audit, once while it comes again and again.

        Each loss of the lease is one of its own.
        """
        now, board = self._parts.clock.now(), self._parts.board
        again = word != LEASE_LOST and any(
            each.sentence == sentence and now - each.at < QUIET_S for each in board.faults
        )
        board.fault(now, sentence)
        if not again:
            line = Record(at=now, kind=RecordKind.FAULT, revision=board.revision, reason=word, text=sentence)
            self._parts.keeper.tell(line)

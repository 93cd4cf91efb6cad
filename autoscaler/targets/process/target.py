"""Worker processes, each on a loopback port of its own, found again by the next daemon when this one dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from autoscaler import log
from autoscaler.clients.http_probe import HttpProbe
from autoscaler.clients.processes import Processes
from autoscaler.model.operation import BEGIN, Advanced, Operation, OperationKind
from autoscaler.model.policy import Policy, Ready
from autoscaler.model.policy import ProcessTarget as Spec
from autoscaler.model.signal import Missing
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.ports import Clock
from autoscaler.targets.naming import named
from autoscaler.targets.process.roster import Duty, Roster, Worker, fingerprint
from autoscaler.targets.process.stages import STOP, STOP_WITHIN_S, TELL, Stages, told

LEFTOVER_S = 120.0
_TICK_S = 0.1


class ProcessTarget:
    """Supervises workers described by files in `folder`. Workers outlive the target: `close` leaves them running."""

    def __init__(self, folder: Path, clock: Clock, *, instance: str = "default") -> None:
        self._clock = clock
        self._folder = folder
        self._instance = instance
        self._roster = Roster(folder, Processes())
        self._stages = Stages(self._roster)
        self._specs: dict[str, tuple[WorkloadRef, Spec, str]] = {}
        self._probe = HttpProbe()
        self._probing: asyncio.Task[None] | None = None
        self._failures: dict[str, int] = {}
        self._probed: dict[str, float] = {}
        self._ended: dict[str, str] = {}  # by workload: the worker that ended by itself last
        self._woken: asyncio.Queue[WorkloadRef] = asyncio.Queue()

    def discover(self, policies: Sequence[Policy]) -> list[tuple[WorkloadRef, Policy]]:
        """The workloads of these policies; from now on these are the commands that are run."""
        found = [(named(each, self._instance), each) for each in policies if each.target.process is not None]
        self._specs = {
            ref.key: (ref, each.target.process, each.name) for ref, each in found if each.target.process is not None
        }
        return found

    async def states(self, refs: Sequence[WorkloadRef]) -> list[TargetState | Missing]:
        """How each workload stands, as last probed. The first call probes everybody once."""
        if self._probing is None:
            await self._probe_due()
            self._probing = asyncio.create_task(self._keep_probing(), name="readiness of workers")
        return [self._state(ref) for ref in refs]

    async def advance(self, operation: Operation) -> Advanced:
        """Do the operation's stage."""
        if operation.stage == TELL:
            failed = await self._probe.tell(operation.facts["url"])
            return told(operation, failed, self._clock.now())
        known = self._specs.get(operation.ref.key)
        return self._stages.advance(operation, known[1] if known is not None else None, self._clock.now())

    async def wakes(self) -> AsyncIterator[WorkloadRef]:
        """Workloads one of whose workers became ready, sick or ended."""
        while True:
            yield await self._woken.get()

    async def leftovers(self, refs: Sequence[WorkloadRef]) -> list[Operation]:
        """Removals of workers that forgotten operations left: half drained, beside the one to replace, never ready."""
        now = self._clock.now()
        return [
            Operation(
                id=f"left{worker.id}",
                kind=OperationKind.REMOVE,
                ref=ref,
                started=now,
                deadline=now + LEFTOVER_S,
                stage=STOP if worker.duty is Duty.DRAINING else BEGIN,
                instance=worker.id,
                reason="leftover",
            )
            for ref in refs
            for worker in self._roster.of(ref.key)
            if worker.duty is not Duty.SERVING or not (worker.was_ready or self._roster.alive(worker))
        ]

    async def close(self) -> None:
        """Stop probing; the workers go on, and the log says so."""
        left = sum(self._roster.alive(worker) for worker in self._roster)
        if left and self._specs:
            text = f"{left} worker processes go on; the next daemon with this data folder takes them over"
            log.event("workers go on", folder=str(self._folder), text=text)
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        await self._probe.close()

    async def stop_all(self) -> None:
        """End every worker there is, those of former daemons too."""
        for worker in self._roster:
            self._roster.end(worker, kill=False)
        deadline = self._clock.monotonic() + STOP_WITHIN_S
        while any(self._roster.alive(worker) for worker in self._roster):
            for worker in self._roster:
                if self._clock.monotonic() > deadline:
                    self._roster.end(worker, kill=True)
            await self._clock.sleep(_TICK_S)
        for worker in self._roster:
            self._roster.drop(worker)

    # state

    def _state(self, ref: WorkloadRef) -> TargetState:
        workers = self._roster.of(ref.key)
        _, spec, name = self._specs.get(ref.key, (ref, None, ref.name))
        command = fingerprint(spec) if spec is not None else ""
        instances = tuple(
            self._roster.instance(each, f"{name}-{each.number}", command)
            for each in workers
            if each.duty is not Duty.SURGE and not self._roster.lost(each)
        )
        return TargetState(
            ref=ref,
            desired=None,
            existing=self._roster.count(ref.key),
            ready=sum(each.ready and self._roster.alive(each) for each in self._roster.serving(ref.key)),
            at=self._clock.now(),
            instances=instances,
            version=command,
            writer=self._ended.get(ref.key, ""),
        )

    # readiness

    async def _keep_probing(self) -> None:
        while True:
            await self._clock.sleep(_TICK_S)
            await self._probe_due()

    async def _probe_due(self) -> None:
        now = self._clock.monotonic()
        due = [
            (worker, known[1].ready)
            for worker in self._roster
            if (known := self._specs.get(worker.workload)) is not None
            and now - self._probed.get(worker.id, -1e9) >= (known[1].ready.every if worker.ready else _TICK_S)
        ]
        await asyncio.gather(*(self._look(worker, ready) for worker, ready in due))

    async def _look(self, worker: Worker, ready: Ready) -> None:
        self._probed[worker.id] = self._clock.monotonic()
        alive = self._roster.alive(worker)
        well = alive and await self._probe.ready(f"http://{worker.address}{ready.path}")
        failures = 0 if well else self._failures.get(worker.id, 0) + 1
        self._failures[worker.id] = failures
        if self._roster.get(worker.id) is not worker:
            self._failures.pop(worker.id, None)  # it left while we asked
            self._probed.pop(worker.id, None)
        elif well != worker.ready and (well or not alive or failures >= ready.failures):
            worker.ready, worker.since = well, self._clock.now()
            worker.was_ready = worker.was_ready or well
            known = self._specs.get(worker.workload)
            if known is not None:
                self._woken.put_nowait(known[0])
                if self._roster.lost(worker) and worker.duty is Duty.SERVING:
                    self._tell(worker, known[2])

    def _tell(self, worker: Worker, policy: str) -> None:
        """A worker ended that nobody had told to."""
        name, how = f"{policy}-{worker.number}", self._roster.end_of(worker)
        self._ended[worker.workload] = f"{name} ended by itself: {how}"
        log.event("worker ended", level=log.WARNING, workload=worker.workload, worker=name, text=how)

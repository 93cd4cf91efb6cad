"""The simulated platform: what its hands outside can do to it, and the calls a target makes to it."""

from __future__ import annotations

import asyncio
import collections
import heapq
import math
from collections.abc import Callable

from autoscaler.errors import Conflict, Gone, Refused, Unreachable
from autoscaler.model.target import WorkloadRef
from autoscaler.ports import Clock
from autoscaler.targets.simulated.unit import Simulated, Unit


class News:
    """What one listener has not heard yet: workloads that changed, and when others will become ready by themselves."""

    def __init__(self) -> None:
        self._changed: dict[WorkloadRef, None] = {}
        self._coming: list[tuple[float, WorkloadRef]] = []
        self._woken = asyncio.Event()

    def tell(self, ref: WorkloadRef, at: float) -> None:
        """Something happens to a workload at this time (minus infinity: just now)."""
        if at == -math.inf:
            self._changed[ref] = None
        elif at < math.inf:
            heapq.heappush(self._coming, (at, ref))
        self._woken.set()

    def due(self, now: float) -> list[WorkloadRef]:
        """The workloads with news, each once."""
        while self._coming and self._coming[0][0] <= now:
            self._changed[heapq.heappop(self._coming)[1]] = None
        self._woken.clear()
        found = list(self._changed)
        self._changed.clear()
        return found

    async def wait(self, clock: Clock, now: float) -> None:
        """Come back when there may be news. `now` is the platform's time, `clock` only sleeps."""
        waits: list[asyncio.Future[object]] = [asyncio.ensure_future(self._woken.wait())]
        if self._coming:
            waits.append(asyncio.ensure_future(clock.sleep(self._coming[0][0] - now)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()


class Fleet:
    """Workloads in memory. Several targets may share one, as several daemons share a platform.

    `calls` counts what targets asked for, by the call's word. While `away` says why, nothing answers. `before` and
    `after` are told each call (word, workload) and may raise a TargetError: before it is carried out, or after it was
    (an answer that was lost).
    """

    def __init__(self, clock: Clock) -> None:
        self.calls: collections.Counter[str] = collections.Counter()
        self.away = ""
        self.before: Callable[[str, WorkloadRef], None] = lambda word, ref: None
        self.after: Callable[[str, WorkloadRef], None] = lambda word, ref: None
        self.listeners: list[News] = []
        self._clock = clock
        self._workloads: dict[WorkloadRef, Simulated] = {}

    def now(self) -> float:
        """The platform's own time; a daemon's clock may differ."""
        return self._clock.now()

    # the hands outside

    def put(self, ref: WorkloadRef, count: int, *, start_s: float = 0.0, limit: int | None = None) -> Simulated:
        """A workload with so many ready instances; one of this name that was there is gone."""
        made = Simulated(ref=ref, start_s=start_s, limit=limit)
        self._workloads[ref] = made
        now = self._clock.now()
        for number in range(1, count + 1):
            unit = made.add(number, now)
            unit.started = unit.ready_at = now
        self._tell(ref)
        return made

    def workload(self, ref: WorkloadRef) -> Simulated:
        """One workload, to look at or to change. Raises Gone."""
        found = self._workloads.get(ref)
        if found is None:
            raise Gone(f"{ref.key} does not exist")
        return found

    def delete(self, ref: WorkloadRef) -> None:
        """The workload goes, with everything in it."""
        self._workloads.pop(ref, None)
        self._tell(ref)

    def make_sick(self, ref: WorkloadRef, id: str) -> None:
        """This instance runs on and is not ready any more."""
        self.workload(ref).units[id].sick_since = self._clock.now()
        self._tell(ref)

    def make_well(self, ref: WorkloadRef, id: str) -> None:
        """A sick instance is well again."""
        unit = self.workload(ref).units[id]
        unit.sick_since, unit.well_since = math.inf, self._clock.now()
        self._tell(ref)

    def crash(self, ref: WorkloadRef, id: str, *, exit_code: int = 1) -> None:
        """This instance ends by itself; it still exists, and is sick."""
        self._end(self.workload(ref).units[id], exit_code)
        self._tell(ref)

    def restart(self, ref: WorkloadRef, id: str, *, oom: bool = False) -> None:
        """This instance ended and was started again by the engine at once; with `oom` for lack of memory."""
        unit, now = self.workload(ref).units[id], self._clock.now()
        unit.restarts += 1
        unit.ooms = (*unit.ooms, now) if oom else unit.ooms
        self._tell(ref)

    def renew(self, ref: WorkloadRef, *, image: str = "", config: str = "") -> None:
        """From now on new instances are made from another image or configuration."""
        for unit in self.workload(ref).units.values():
            unit.newer_image, unit.newer_config = image or unit.newer_image, config or unit.newer_config
        self._tell(ref)

    def stop(self, ref: WorkloadRef, id: str) -> None:
        """A person stops this instance: it does not count any more."""
        unit = self.workload(ref).units[id]
        self._end(unit, 0)
        unit.off = True
        self._tell(ref)

    def remove(self, ref: WorkloadRef, id: str) -> None:
        """Somebody else takes this instance away."""
        workload = self.workload(ref)
        workload.foreign_at = self._clock.now()
        workload.units.pop(id, None)
        self._tell(ref)

    def set_count(self, ref: WorkloadRef, count: int, *, by: str = "somebody") -> None:
        """Another writer sets the count; it takes effect at once, new ones need their time to start."""
        workload, now = self.workload(ref), self._clock.now()
        workload.version, workload.writer, workload.foreign_at = workload.version + 1, by, now
        present = workload.counted()
        for unit in workload.leaving(len(present) - count, (), now) if count < len(present) else ():
            del workload.units[unit.id]
        for number in workload.free(max(0, count - len(present))):
            unit = workload.add(number, now)
            workload.start(unit, now)
            self._tell(ref, unit.ready_at)
        self._tell(ref)

    # a target's calls: each raises TargetError, and may be made twice

    def look(self, ref: WorkloadRef, word: str = "list") -> Simulated:
        """A workload as it stands. Raises Gone."""
        self._begin(word, ref)
        found = self.workload(ref)
        self.after(word, ref)
        return found

    def inspect(self, ref: WorkloadRef, id: str) -> Unit:
        """One unit. Raises Gone."""
        unit = self._unit("inspect", ref, id)
        self.after("inspect", ref)
        return unit

    def create(self, ref: WorkloadRef, number: int, *, operation: str) -> Unit:
        """A new unit, not started; the same one again for the same operation. A number is taken only once.

        Raises Gone, Conflict, Refused.
        """
        self._begin("create", ref)
        workload = self.workload(ref)
        made = workload.made_by(operation)
        if made is None:
            if any(each.number == number for each in workload.units.values()):
                raise Conflict(f"another {ref.name}-{number} exists already")
            if workload.limit is not None and len(workload.counted()) >= workload.limit:
                raise Refused(f"{workload.limit_reason}: {workload.limit} is the limit")
            made = workload.add(number, self._clock.now(), operation=operation)
            self._tell(ref)
        self.after("create", ref)
        return made

    def create_beside(self, ref: WorkloadRef, old: str, *, operation: str) -> Unit:
        """A new unit that is to take the place of this one; there is never more than one. Raises Gone, Conflict."""
        replaced = self._unit("create", ref, old)
        workload = self.workload(ref)
        made = workload.made_by(operation)
        if replaced.draining:
            raise Gone(f"{old} is on its way out already")
        if made is None:
            if workload.alone and replaced.running():
                raise Refused(f"two cannot run side by side: {workload.alone}")
            if any(each.replaces == old for each in workload.units.values()):
                raise Conflict(f"{old} is being replaced already")
            made = workload.add(replaced.number, self._clock.now(), operation=operation, replaces=old)
            self._tell(ref)
        self.after("create", ref)
        return made

    def start(self, ref: WorkloadRef, id: str) -> None:
        """Start a unit. Raises Gone."""
        unit = self._unit("start", ref, id)
        workload = self.workload(ref)
        workload.start(unit, self._clock.now())
        self._tell(ref, unit.ready_at)
        self.after("start", ref)

    def drain(self, ref: WorkloadRef, id: str) -> None:
        """Mark a unit as on its way out: from here on its stand-in counts, if it has one. Raises Gone."""
        unit = self._unit("mark", ref, id)
        if not unit.draining:
            unit.draining = True
            self._tell(ref)
        self.after("mark", ref)

    def leave(self, ref: WorkloadRef, id: str) -> None:
        """Mark a unit as making room for a successor; it counts until that one has its place. Raises Gone."""
        self._unit("mark", ref, id).leaving = True
        self.after("mark", ref)

    def back(self, ref: WorkloadRef, id: str) -> None:
        """A unit that made room runs again, as new. Raises Gone."""
        unit = self._unit("start", ref, id)
        if unit.leaving and not unit.running():
            workload = self.workload(ref)
            unit.started, unit.ended, unit.exit_code = math.inf, math.inf, None
            workload.start(unit, self._clock.now())
        unit.leaving = False
        self._tell(ref, unit.ready_at)
        self.after("start", ref)

    def end(self, ref: WorkloadRef, id: str) -> None:
        """Stop a unit; it is still there. Raises Gone."""
        unit = self._unit("stop", ref, id)
        if unit.running():
            self._end(unit, 0)
            self._tell(ref)
        self.after("stop", ref)

    def take_away(self, ref: WorkloadRef, id: str) -> None:
        """Remove a unit, running or not; one that is gone already is fine."""
        self._begin("remove", ref)
        workload = self.workload(ref)
        if workload.units.pop(id, None) is not None:
            self._tell(ref)
        self.after("remove", ref)

    # inside

    def _begin(self, word: str, ref: WorkloadRef) -> None:
        self.calls[word] += 1
        if self.away:
            raise Unreachable(self.away)
        self.before(word, ref)

    def _unit(self, word: str, ref: WorkloadRef, id: str) -> Unit:
        self._begin(word, ref)
        found = self.workload(ref).units.get(id)
        if found is None:
            raise Gone(f"{id} is gone")
        return found

    def _end(self, unit: Unit, exit_code: int) -> None:
        unit.ended, unit.exit_code = self._clock.now(), exit_code

    def _tell(self, ref: WorkloadRef, at: float = -math.inf) -> None:
        for each in self.listeners:
            each.tell(ref, at)

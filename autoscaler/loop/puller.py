"""Newer images, asked for when a policy's cron line says so, beside the cycle: it waits for no registry.

What is pulled is only seen: whose tag means another image then is due by `image_changed`, with everything that holds
replacements back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from autoscaler import log
from autoscaler.decide.plan import Plan
from autoscaler.errors import TargetError
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.registry import Targets
from autoscaler.loop.timetable import Timetable
from autoscaler.model.policy import Mode, PolicySet
from autoscaler.model.target import WorkloadRef
from autoscaler.ports import Clock

Pull = Callable[[WorkloadRef], Awaitable[tuple[list[str], list[str]]]]


class Puller:
    """Asks platforms to pull the images of workloads. `plans` are those of the policies in force, by workload."""

    def __init__(
        self, targets: Targets, keeper: Keeper, clock: Clock, plans: Callable[[], Mapping[str, Plan]], *,
        timetable: Timetable, act: bool = True,
    ) -> None:  # fmt: skip
        self._targets = targets
        self._keeper = keeper
        self._clock = clock
        self._plans = plans
        self._timetable = timetable
        self._act = act

    def follow(self, loaded: PolicySet) -> None:
        """From now on at the times of these policies."""
        asked = {each.name: each.recycle.pull for each in loaded.policies if each.recycle is not None}
        lines = {name: (pull.cron, pull.timezone) for name, pull in asked.items() if pull is not None}
        self._timetable.set(lines, self.pull)

    async def run(self) -> None:
        """Pull when it is time, until cancelled."""
        self._timetable.start()
        try:
            await asyncio.Event().wait()
        finally:
            self._timetable.stop()

    async def pull(self, policy: str) -> None:
        """Have the images of a policy's workloads pulled now. What cannot be had is a fault, and stays as it is."""
        for plan in list(self._plans().values()):
            workload = plan.workload
            if workload.policy.name != policy or workload.policy.mode is not Mode.ACT or not self._act:
                continue
            paused = workload.pause is not None and workload.pause.holds(self._clock.now())
            ask: Pull | None = getattr(self._targets.get(workload.ref.place), "pull", None)
            if ask is None or paused or not self._keeper.ours():
                continue
            try:
                newer, failed = await ask(workload.ref)
            except TargetError as error:
                newer, failed = [], [error.message]
            for sentence in failed:
                self._keeper.fault(f"{policy}: {sentence}")
            if newer:
                log.event("pulled", workload=workload.ref.key, policy=policy, text=", ".join(newer))

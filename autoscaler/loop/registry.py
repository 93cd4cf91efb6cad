"""The platforms by name, each built when a policy first needs it; a named engine is one of its own: compose/edge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from autoscaler.errors import AutoscalerError
from autoscaler.model.policy import Policy
from autoscaler.model.signal import Missing, MissingWhy
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.ports import Record, Target

PLATFORMS = ("compose", "kubernetes", "process")


def place(policy: Policy) -> str:
    """The name of the platform a policy's target is on, with the engine it names."""
    target = policy.target
    platform = next(name for name in PLATFORMS if getattr(target, name) is not None)
    engine = target.compose.engine if target.compose is not None else None
    return platform if engine is None else f"{platform}/{engine}"


Survey = Callable[[Sequence[Policy]], Awaitable[bool]]


class Targets:
    """Targets by platform. One that cannot be built (a missing extra, a wrong setting) makes its states Missing."""

    def __init__(self, makers: Mapping[str, Callable[[], Target]]) -> None:
        self._makers = makers
        self._made: dict[str, Target] = {}
        self.faults: dict[str, str] = {}

    def get(self, name: str) -> Target | None:
        """The platform's target; None where it cannot be had, with the sentence in `faults`."""
        if name not in self._made:
            try:
                self._made[name] = self._makers[name]()
            except AutoscalerError as error:
                self.faults[name] = str(error)
                return None
            self.faults.pop(name, None)
        return self._made[name]

    def made(self) -> Mapping[str, Target]:
        """The targets in use."""
        return self._made

    def accept(self, records: Sequence[Record]) -> None:
        """Let platforms that tell of decisions at the workloads themselves have what is on record."""
        for target in self._made.values():
            take: Callable[[Sequence[Record]], None] | None = getattr(target, "accept", None)
            if take is not None:
                take(records)

    def discover(self, policies: Sequence[Policy]) -> list[tuple[WorkloadRef, Policy]]:
        """The workloads of all policies; those of a platform that cannot be had are left out."""
        found: list[tuple[WorkloadRef, Policy]] = []
        for name in dict.fromkeys(place(policy) for policy in policies):
            target = self.get(name)
            if target is not None:
                found.extend(target.discover([policy for policy in policies if place(policy) == name]))
        return found

    async def survey(self, policies: Sequence[Policy]) -> bool:
        """Let platforms look for what selectors find; True where that is not what was discovered last."""
        changed = False
        for name in dict.fromkeys(place(policy) for policy in policies if not policy.target.explicit):
            look: Survey | None = getattr(self.get(name), "survey", None)
            if look is not None:
                changed |= await look([policy for policy in policies if place(policy) == name])
        return changed

    async def states(self, name: str, refs: Sequence[WorkloadRef]) -> Sequence[TargetState | Missing]:
        """One state per ref, in the same order."""
        target = self.get(name)
        if target is None:
            return [Missing(MissingWhy.FAILED, self.faults[name])] * len(refs)
        return await target.states(refs)

"""Newer images: pulled at the times of a policy, by whose word, and what is told of a registry that is away."""

from __future__ import annotations

import msgspec
import pytest

from autoscaler.clock import ManualClock
from autoscaler.decide.plan import Plan, prepare
from autoscaler.errors import Unreachable
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.puller import Puller
from autoscaler.loop.registry import Targets
from autoscaler.loop.timetable import Timetable
from autoscaler.model.observation import Pause
from autoscaler.model.policy import Mode, PolicySet
from autoscaler.model.target import WorkloadRef
from autoscaler.policy.load import load
from autoscaler.store.memory import MemoryStore

POLICY = """
name: web
target: {compose: {project: shop, service: web}}
recycle: {when: {image_changed: true}, pull: {cron: "0 3 * * *", timezone: Asia/Seoul}}
"""


class Engine:
    """A target that is only ever told to pull."""

    def __init__(self) -> None:
        self.pulled: list[str] = []
        self.says: list[str] = []
        self.away = False

    async def pull(self, ref: WorkloadRef) -> tuple[list[str], list[str]]:
        if self.away:
            raise Unreachable("the engine does not answer")
        self.pulled.append(ref.name)
        return ["shop/web:1"], self.says


class Night:
    """A puller with its engine, and the faults it told."""

    def __init__(self, *, act: bool = True) -> None:
        self.engine = Engine()
        self.faults: list[str] = []
        self.loaded: PolicySet = load([("web.yaml", POLICY)], "one")
        self.plan: Plan = prepare(WorkloadRef("compose", "shop", "service", "web"), self.loaded.policies[0])
        self.keeper = Keeper(MemoryStore(), [])
        self.keeper.fault = self.faults.append
        targets = Targets({"compose": lambda: self.engine})  # type: ignore[dict-item,return-value]
        self.timetable = Timetable()
        self.puller = Puller(
            targets, self.keeper, ManualClock(1000.0), lambda: {"web": self.plan}, timetable=self.timetable, act=act
        )


async def test_a_policys_images_are_pulled_at_its_times() -> None:
    night = Night()
    night.timetable.start()
    night.puller.follow(night.loaded)
    due = night.timetable.next("web")
    assert due is not None
    assert due % 86400 == 18 * 3600, "three in the morning in Seoul"
    night.puller.follow(PolicySet(placed=(), revision="none"))
    assert night.timetable.next("web") is None
    night.timetable.stop()
    await night.puller.pull("web")
    await night.puller.pull("another")
    assert night.engine.pulled == ["web"]
    assert night.faults == []


@pytest.mark.parametrize("why", ["observed", "paused", "read only", "another daemon acts"])
async def test_nothing_is_pulled_where_nothing_may_be_changed(why: str) -> None:
    night = Night(act=why != "read only")
    workload = night.plan.workload
    if why == "observed":
        workload = msgspec.structs.replace(workload, policy=msgspec.structs.replace(workload.policy, mode=Mode.OBSERVE))
    if why == "paused":
        workload = msgspec.structs.replace(workload, pause=Pause(since=900.0))
    night.plan = msgspec.structs.replace(night.plan, workload=workload)
    if why == "another daemon acts":
        night.keeper.ours = lambda: False
    await night.puller.pull("web")
    assert night.engine.pulled == []


async def test_a_registry_or_engine_that_is_away_is_a_fault_and_stops_nothing() -> None:
    night = Night()
    night.engine.says = ["shop/web:1 cannot be pulled: no such host"]
    await night.puller.pull("web")
    night.engine.away = True
    await night.puller.pull("web")
    assert night.faults == ["web: shop/web:1 cannot be pulled: no such host", "web: the engine does not answer"]

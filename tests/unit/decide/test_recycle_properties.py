"""Generated histories of services whose instances turn sick, old and changed: what holds replacing back always does."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.decide.lineage import NOTHING, Recycling, ended
from autoscaler.decide.recycle import BACKOFF_MOST_S, TRIES, replacements
from autoscaler.model.decision import STALE
from autoscaler.model.observation import Seen, Workload
from autoscaler.model.policy import (
    Breaker,
    ComposeTarget,
    Exited,
    KubernetesTarget,
    Method,
    Policy,
    Recycle,
    TargetSpec,
    Times,
    When,
)
from autoscaler.model.target import Instance, TargetState, WorkloadRef

REF = WorkloadRef("compose", "shop", "service", "web")
START = 1_000_000.0
ALL = When(
    unhealthy_for=30.0,
    never_ready_after=60.0,
    restarts=Times(count=2, per=300.0),
    oom_kills=Times(count=2, per=300.0),
    exited=Exited.ERROR,
    older_than=3600.0,
    image_changed=True,
    config_changed=True,
)
WAYS = (
    "sick",
    "outage",
    "crash",
    "restart",
    "oom",
    "age",
    "image",
    "config",
    "well",
    "fail",
    "nothing",
    "restarted daemon",
)

recycles = st.builds(
    Recycle,
    when=st.just(ALL),
    unavailable=st.integers(1, 4),
    budget=st.none() | st.builds(Times, count=st.integers(1, 4), per=st.sampled_from([60.0, 300.0, 1800.0])),
    breaker=st.builds(Breaker, percent=st.sampled_from([20, 50, 100]), least=st.integers(1, 5)),
)
histories = st.lists(
    st.tuples(st.sampled_from(WAYS), st.integers(0, 7), st.sampled_from([1.0, 15.0, 60.0, 700.0])), max_size=60
)


class World:
    """Instances to which things happen; a successor takes its place at the next event, or fails there."""

    def __init__(self, recycle: Recycle, count: int) -> None:
        target = TargetSpec(compose=ComposeTarget(project="shop", service="web"))
        self.workload = Workload(REF, Policy(name="web", target=target, recycle=recycle))
        self.now, self.serial, self.known = START, 0, NOTHING
        self.units = {f"web-{n}": self.fresh(f"web-{n}") for n in range(count)}
        self.open: dict[str, bool] = {}  # places being replaced → whether the old one still served
        self.begun: list[float] = []

    def fresh(self, name: str) -> Instance:
        self.serial += 1
        return Instance(
            id=f"{self.serial}", name=name, created=self.now, ready=True, since=self.now, was_ready=True, image="one"
        )

    def happens(self, way: str, which: int) -> None:
        name = f"web-{which % len(self.units)}"
        change: dict[str, object] = {
            "sick": {"ready": False, "since": self.now},
            "crash": {"ready": False, "running": False, "exit_code": 1, "since": self.now},
            "restart": {"restarts": self.units[name].restarts + 1},
            "oom": {"ooms": (*self.units[name].ooms, self.now)},
            "age": {"created": self.now - 9000.0},
            "image": {"newer_image": "two"},
            "config": {"newer_config": "two"},
            "well": {"ready": True, "running": True, "exit_code": None, "since": self.now},
        }.get(way, {})  # type: ignore[assignment]
        self.units[name] = msgspec.structs.replace(self.units[name], **change)
        if way == "outage":
            for each in list(self.units):
                self.happens("sick", int(each.removeprefix("web-")))
        if way == "restarted daemon":
            self.known = msgspec.json.decode(msgspec.json.encode(self.known), type=Recycling)
        for place in list(self.open):
            del self.open[place]
            self.known = ended(self.known, place, self.now, failed=way == "fail")
            if way != "fail":
                self.units[place] = self.fresh(place)

    def decides(self) -> None:
        state = TargetState(
            ref=REF, desired=len(self.units), existing=len(self.units), at=self.now,
            ready=sum(each.ready for each in self.units.values()), instances=tuple(self.units.values()),
        )  # fmt: skip
        seen = Seen(state=state, replacing=tuple(self.units[place].id for place in self.open))
        found = replacements(self.workload, seen, self.known, desired=len(self.units), now=self.now, act=True)
        self.known = found.known
        for each in found.chosen:
            assert each.name not in self.open, "one place is replaced once at a time"
            self.open[each.name] = each.serves
            self.begun.append(self.now)
        self.holds(bool(found.chosen), any(each.reason in STALE for each in found.chosen))

    def holds(self, chose: bool, stale: bool) -> None:
        recycle = self.workload.policy.recycle
        assert recycle is not None
        if recycle.budget is not None:
            recent = [at for at in self.begun if self.now - at < recycle.budget.per]
            assert len(recent) <= recycle.budget.count
        assert len(self.open) <= recycle.unavailable
        taken = sum(self.open.values())
        unready = sum(not each.ready for each in self.units.values())
        assert not taken or not chose or taken + unready <= max(recycle.unavailable, unready)
        tripped = unready >= recycle.breaker.least and unready * 100 > recycle.breaker.percent * len(self.units)
        if tripped and chose:
            assert len(self.open) == 1, "one at a time while the breaker is open"
            assert not stale


@settings(max_examples=300, deadline=None)
@given(recycles, st.integers(1, 8), histories)
def test_never_more_than_the_budget_nor_more_out_of_service_than_said_and_one_at_a_time_while_the_breaker_is_open(
    recycle: Recycle, count: int, history: list[tuple[str, int, float]]
) -> None:
    world = World(recycle, count)
    for way, which, passes in history:
        world.happens(way, which)
        world.now += passes
        world.decides()
        world.decides()


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 8), st.sampled_from(["sick", "crash"]))
def test_whatever_is_sick_gets_a_successor_in_the_end_even_where_all_are(count: int, way: str) -> None:
    world = World(Recycle(when=ALL), count)
    for which in range(count):
        world.happens(way, which)
    for _ in range(3 * count):
        world.now += 61.0
        world.decides()
        world.happens("nothing", 0)
    assert all(each.ready for each in world.units.values())


def test_a_place_whose_successors_never_come_is_given_up_after_so_many_tries() -> None:
    world = World(Recycle(when=When(unhealthy_for=30.0)), 1)
    world.happens("sick", 0)
    for _ in range(200):
        world.now += 60.0
        world.decides()
        world.happens("fail", 0)
    assert len(world.begun) == TRIES


def rollouts(when: When, change: dict[str, object], *, renews: bool, looks: int = 30) -> int:
    """How many rollouts are ordered of three pods that are due at each look; each makes new ones, or none."""
    ref = WorkloadRef("kubernetes", "shop", "Deployment", "web")
    target = TargetSpec(kubernetes=KubernetesTarget(namespace="shop", name="web"))
    policy = Policy(name="web", target=target, recycle=Recycle(when=when, method=Method.RESTART))
    now, known, template, ordered = START, NOTHING, 0, 0
    pods = [Instance(id=f"{n}", name=f"web-{n}", created=now, since=now, ready=True, was_ready=True) for n in range(3)]
    for look in range(looks):
        now += max(BACKOFF_MOST_S, 80.0) + 1.0
        due = tuple(msgspec.structs.replace(each, config_hash=f"{template}", **change) for each in pods)  # type: ignore[arg-type]
        seen = Seen(state=TargetState(ref=ref, desired=3, existing=3, ready=3, at=now, instances=due))
        found = replacements(Workload(ref, policy), seen, known, desired=3, now=now, act=True)
        known = found.known
        ordered += len(found.chosen)
        template += len(found.chosen)  # a restart is a change of the template, whatever comes of it
        if found.chosen and renews:
            pods = [msgspec.structs.replace(each, id=f"{look}-{each.name}", created=now) for each in pods]
    return ordered


def test_rollouts_that_do_not_help_are_given_up() -> None:
    moved, old = When(image_changed=True), When(older_than=60.0)
    assert rollouts(moved, {"newer_image": "sha256:moved"}, renews=True) == TRIES
    assert rollouts(moved, {"newer_image": "sha256:moved"}, renews=False) == TRIES
    assert rollouts(old, {}, renews=False) == TRIES
    assert rollouts(old, {}, renews=True) == 30, "those that grew old again are no relapse"

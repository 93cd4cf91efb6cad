"""CPU and memory as the platform measures them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoscaler.clients.docker_stats import Usage
from autoscaler.clock import ManualClock
from autoscaler.errors import SourceError
from autoscaler.model.observation import Ask
from autoscaler.model.policy import Resource, Signal
from autoscaler.model.signal import Missing, MissingWhy, Reading, Series
from autoscaler.model.target import Instance, WorkloadRef
from autoscaler.sources.platform import PlatformSource

WEB = WorkloadRef("compose", "shop", "service", "web")


class Shelf:
    """A meter whose readings a test lays out."""

    def __init__(self) -> None:
        self.used: dict[str, Usage | SourceError] = {}
        self.asked: list[str] = []

    async def measure(self, ids: Sequence[str]) -> Mapping[str, Usage | SourceError]:
        self.asked += ids
        return {id: self.used[id] for id in ids}

    async def close(self) -> None:
        pass


class Bench:
    """The source with one meter and a clock."""

    def __init__(self) -> None:
        self.shelf, self.clock = Shelf(), ManualClock(1000.0)
        self.source = PlatformSource({("compose", "default"): self.shelf}, self.clock)

    async def read(self, *signals: Signal, instances: tuple[Instance, ...]) -> list[Reading]:
        asks = [Ask(WEB, signal, instances=instances) for signal in signals]
        self.clock.advance(15.0)
        return list(await self.source.read(asks, self.clock.now()))


def signal(resource: Resource, **goal: float) -> Signal:
    return Signal(name=resource.value, resource=resource, **goal)  # type: ignore[arg-type]


def instance(id: str, *, ready: bool = True) -> Instance:
    return Instance(id=id, name=id, created=0.0, since=0.0, ready=ready)


CPU = signal(Resource.CPU, utilization=0.5)
CORES = signal(Resource.CPU, per_replica=0.5)
BYTES = signal(Resource.MEMORY, per_replica=1e6)
A, B = instance("a"), instance("b")


async def test_memory_is_bytes_and_each_instance_is_asked_once_for_all_signals() -> None:
    bench = Bench()
    bench.shelf.used = {"a": Usage(0.0, 2e6), "b": Usage(0.0, 3e6)}
    memory, _ = await bench.read(BYTES, CORES, instances=(A, B))
    assert isinstance(memory, Series)
    assert [(point.instance, point.value) for point in memory.points] == [("a", 2e6), ("b", 3e6)]
    assert bench.shelf.asked == ["a", "b"]


async def test_cpu_needs_two_looks_and_is_then_cores_or_a_share_of_the_limit() -> None:
    bench = Bench()
    bench.shelf.used = {"a": Usage(10.0, 0.0, cpu_limit=2.0)}
    (first,) = await bench.read(CORES, instances=(A,))
    assert isinstance(first, Missing)
    assert first.why is MissingWhy.EMPTY
    bench.shelf.used = {"a": Usage(25.0, 0.0, cpu_limit=2.0)}
    cores, share = await bench.read(CORES, CPU, instances=(A,))
    assert isinstance(cores, Series)
    assert isinstance(share, Series)
    assert (cores.points[0].value, share.points[0].value) == (1.0, 0.5)


async def test_an_instance_started_anew_began_again_at_zero() -> None:
    bench = Bench()
    bench.shelf.used = {"a": Usage(1000.0, 0.0)}
    await bench.read(CORES, instances=(A,))
    bench.shelf.used = {"a": Usage(3.0, 0.0)}
    (cores,) = await bench.read(CORES, instances=(A,))
    assert isinstance(cores, Series)
    assert cores.points[0].value == 0.2


async def test_cpu_without_a_goal_is_a_share_of_the_limit() -> None:
    bench = Bench()
    for used in (10.0, 25.0):
        bench.shelf.used = {"a": Usage(used, 0.0, cpu_limit=2.0)}
        (share,) = await bench.read(signal(Resource.CPU), instances=(A,))
    assert isinstance(share, Series)
    assert share.points[0].value == 0.5


async def test_without_a_limit_a_utilization_says_what_to_write_instead() -> None:
    bench = Bench()
    bench.shelf.used = {"a": Usage(0.0, 1e6)}
    await bench.read(CPU, instances=(A,))
    cpu, memory = await bench.read(CPU, signal(Resource.MEMORY, utilization=0.5), instances=(A,))
    assert isinstance(cpu, Missing)
    assert cpu.detail == "a has no CPU limit: set one, or write per_replica in cores: 500m"
    assert isinstance(memory, Missing)
    assert "no memory limit" in memory.detail


async def test_what_cannot_be_measured_is_unread_and_what_only_starts_is_not_expected() -> None:
    bench = Bench()
    bench.shelf.used = {"a": Usage(0.0, 2e6), "b": SourceError("HTTP 500")}
    (memory,) = await bench.read(BYTES, instances=(A, B, instance("new", ready=False)))
    assert isinstance(memory, Series)
    assert (len(memory.points), memory.unread) == (1, ("b",))


async def test_no_instance_at_all_and_no_meter_are_missing_each_in_its_words() -> None:
    bench = Bench()
    (nothing,) = await bench.read(BYTES, instances=())
    assert isinstance(nothing, Missing)
    assert nothing.why is MissingWhy.EMPTY
    ask = Ask(WorkloadRef("process", "local", "process", "p"), BYTES, instances=(A,))
    (unknown,) = await bench.source.read([ask], 0.0)
    assert isinstance(unknown, Missing)
    assert "nothing measures instances of process" in unknown.detail


async def test_a_rate_is_by_the_engines_own_times_however_long_it_takes_to_answer() -> None:
    bench = Bench()
    bench.shelf.used = {"a": Usage(10.0, 0.0, at=500.0)}
    await bench.read(CORES, instances=(A,))
    bench.shelf.used = {"a": Usage(11.0, 0.0, at=502.0)}
    (cores,) = await bench.read(CORES, instances=(A,))
    assert isinstance(cores, Series)
    assert cores.points[0].value == 0.5
    bench.shelf.used = {"a": Usage(12.0, 0.0, at=502.0)}
    (again,) = await bench.read(CORES, instances=(A,))
    assert isinstance(again, Missing), "the same moment twice is no rate"

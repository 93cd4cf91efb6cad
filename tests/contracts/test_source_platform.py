"""CPU and memory as a real engine measures them: busy and idle, with limits and without, and when it goes away."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from autoscaler.clients.docker_stats import DockerStats
from autoscaler.clock import SystemClock
from autoscaler.model.observation import Ask
from autoscaler.model.policy import Resource, Signal
from autoscaler.model.signal import Missing, MissingWhy, Reading, Series
from autoscaler.model.target import Instance, WorkloadRef
from autoscaler.sources.platform import PlatformSource
from tests.parts.engine import Engine
from tests.parts.images import LabImages
from tests.support.front import Front, documented
from tests.support.wait import auntil

pytestmark = pytest.mark.docker

WEB = WorkloadRef("compose", "shop", "service", "web")
MIB = 1 << 20
BUSY = ("sh", "-c", "while :; do :; done")
FULL = ("python3", "-c", f"import signal; held = b'x' * {40 * MIB}; signal.pause()")

CORES = Signal(name="cores", resource=Resource.CPU, per_replica=0.5)
CPU = Signal(name="cpu", resource=Resource.CPU, utilization=0.7)
BYTES = Signal(name="bytes", resource=Resource.MEMORY, per_replica=100 * MIB)
MEMORY = Signal(name="memory", resource=Resource.MEMORY, utilization=0.7)


class Containers:
    """Containers of a test's own."""

    def __init__(self, engine: Engine, image: str) -> None:
        self._engine, self._image = engine, image
        self._made: list[str] = []

    def run(self, *command: str, limits: tuple[str, ...] = ()) -> Instance:
        """One that runs a command under limits."""
        name = f"t{uuid.uuid4().hex[:8]}"
        words = ("run", "--detach", "--name", name, *limits, "--entrypoint", command[0], self._image, *command[1:])
        id = self._engine.docker(*words)
        self._made.append(id)
        return Instance(id=id, name=name, created=0.0, ready=True, since=0.0)

    def remove(self, *ids: str) -> None:
        """Remove these, or all."""
        for id in ids or tuple(self._made):
            self._engine.docker("rm", "--force", id, check=False)


class Bench:
    """The source on the engine behind a front that a test may take away."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.source = PlatformSource({("compose", "default"): DockerStats(front.host)}, SystemClock())

    async def read(self, instances: tuple[Instance, ...], *signals: Signal) -> list[Reading]:
        return list(await self.source.read([Ask(WEB, each, instances=instances) for each in signals], 0.0))

    async def rated(self, instances: tuple[Instance, ...], *signals: Signal) -> list[Reading]:
        """Read twice, with a second between."""
        await self.read(instances, *signals)
        await asyncio.sleep(1.0)
        return await self.read(instances, *signals)


@pytest.fixture
def containers(docker_engine: Engine, lab_images: LabImages) -> Iterator[Containers]:
    made = Containers(docker_engine, lab_images.app)
    yield made
    made.remove()


@pytest.fixture
async def bench(docker_engine: Engine, tmp_path: Path) -> AsyncIterator[Bench]:
    front = Front(tmp_path / "docker.sock", docker_engine.host, documented())
    front.start()
    made = Bench(front)
    yield made
    await made.source.close()
    front.stop()


def values(reading: Reading) -> list[float]:
    assert isinstance(reading, Series), reading
    return [point.value for point in reading.points]


async def test_a_busy_container_uses_its_share_of_cores_and_all_of_its_limit(
    bench: Bench, containers: Containers
) -> None:
    busy = await asyncio.to_thread(containers.run, *BUSY, limits=("--cpus", "0.2"))
    idle = await asyncio.to_thread(containers.run, "sleep", "600", limits=("--cpus", "0.2"))
    cores, share = await bench.rated((busy, idle), CORES, CPU)
    assert values(cores) == [pytest.approx(0.2, abs=0.08), pytest.approx(0.0, abs=0.02)]
    assert values(share) == [pytest.approx(value / 0.2) for value in values(cores)]


async def test_memory_is_what_a_container_holds_in_bytes_or_of_its_limit(bench: Bench, containers: Containers) -> None:
    full = await asyncio.to_thread(containers.run, *FULL, limits=("--memory", "100m"))

    async def held() -> list[float] | None:
        found, share = await bench.read((full,), BYTES, MEMORY)
        assert values(share) == [pytest.approx(values(found)[0] / (100 * MIB))]
        return values(found) if values(found)[0] > 40 * MIB else None

    (found,) = await auntil(held, "its memory is full")
    assert found < 70 * MIB


async def test_without_a_limit_there_is_a_value_and_no_share_and_the_way_out_is_named(
    bench: Bench, containers: Containers
) -> None:
    free = await asyncio.to_thread(containers.run, "sleep", "600")
    cores, share, found, part = await bench.rated((free,), CORES, CPU, BYTES, MEMORY)
    assert values(cores) == [pytest.approx(0.0, abs=0.02)]
    assert values(found)[0] > 0
    told = [(each.why, each.detail) for each in (share, part) if isinstance(each, Missing)]
    assert told == [
        (MissingWhy.FAILED, f"{free.name} has no CPU limit: set one, or write per_replica in cores: 500m"),
        (MissingWhy.FAILED, f"{free.name} has no memory limit: set one, or write per_replica in bytes: 256Mi"),
    ]


async def test_an_instance_that_is_gone_is_unread_and_alone_it_is_missing(bench: Bench, containers: Containers) -> None:
    one, other = [await asyncio.to_thread(containers.run, "sleep", "600") for _ in range(2)]
    await asyncio.to_thread(containers.remove, other.id)
    (both,) = await bench.read((one, other), BYTES)
    assert isinstance(both, Series)
    assert both.unread == (other.id,)
    (alone,) = await bench.read((other,), BYTES)
    assert isinstance(alone, Missing)
    assert "HTTP 404: No such container" in alone.detail


async def test_an_engine_that_goes_away_is_missing_and_read_again_when_it_is_back(
    bench: Bench, containers: Containers
) -> None:
    one = await asyncio.to_thread(containers.run, "sleep", "600")
    assert values((await bench.read((one,), BYTES))[0])
    bench.front.stop()
    (away,) = await bench.read((one,), BYTES)
    assert isinstance(away, Missing)
    assert (away.why, "does not answer" in away.detail) == (MissingWhy.FAILED, True), away.detail
    bench.front.start()
    assert values((await bench.read((one,), BYTES))[0])


async def test_an_engine_that_says_nothing_is_given_up_in_time(bench: Bench, containers: Containers) -> None:
    one = await asyncio.to_thread(containers.run, "sleep", "600")
    assert values((await bench.read((one,), BYTES))[0])
    bench.front.freeze()
    async with asyncio.timeout(6.0):
        (silent,) = await bench.read((one,), BYTES)
    assert isinstance(silent, Missing)
    assert "no answer within 4.5 s" in silent.detail

"""What every lease promises; each test runs against all of them. A lease of a platform joins by its own `rivals`."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clock import ManualClock, SystemClock
from autoscaler.errors import LeaseError
from autoscaler.ports import Clock, Lease
from autoscaler.store.cluster_lease import DURATION_S, ClusterLease
from autoscaler.store.lease_file import FileLease
from tests.parts.kubernetes import ControlPlane

cluster = pytest.param("cluster", marks=pytest.mark.kubernetes)


class Rivals:
    """Daemons that want the same Lease object of a real API server, each with its own clock."""

    def __init__(self, plane: ControlPlane) -> None:
        self.namespace = f"ops-{uuid.uuid4().hex[:8]}"
        plane.namespace(self.namespace)
        self._config = str(plane.kubeconfig())
        self._numbers = itertools.count(1)
        self._made: list[ClusterLease] = []

    def one(self, clock: Clock | None = None, *, config: str = "", address: str = "") -> ClusterLease:
        api = KubernetesApi(SystemClock(), kubeconfig=config or self._config)
        name = f"daemon-{next(self._numbers)}"
        clock = clock or ManualClock(1000.0)
        self._made.append(ClusterLease(api, clock, self.namespace, "autoscaler", name, address))
        return self._made[-1]

    async def close(self) -> None:
        for each in self._made:
            await each.close()


@pytest.fixture
async def rivals(control_plane: ControlPlane) -> AsyncIterator[Rivals]:
    made = Rivals(control_plane)
    yield made
    await made.close()


@pytest.fixture(params=["file", cluster])
def rival(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Lease]:
    """Another daemon's handle on the same lease, each time it is called."""
    if request.param == "cluster":
        made: Rivals = request.getfixturevalue("rivals")
        return made.one
    return lambda: FileLease(tmp_path / "lease", ManualClock(0.0))


async def test_the_first_has_it_and_can_renew_it(rival: Callable[[], Lease]) -> None:
    mine = rival()
    assert await mine.hold()
    assert await mine.hold()
    assert mine.remaining() > 0
    await mine.release()


async def test_the_second_does_not_have_it_and_is_told_who_has(rival: Callable[[], Lease]) -> None:
    mine, other = rival(), rival()
    assert await mine.hold()
    assert not await other.hold()
    assert other.remaining() == 0
    assert mine.holder() is not None
    assert other.holder() == mine.holder()
    await mine.release()


async def test_nothing_remains_before_it_is_held_and_after_it_is_given_up(rival: Callable[[], Lease]) -> None:
    mine = rival()
    assert mine.remaining() == 0
    assert await mine.hold()
    await mine.release()
    assert mine.remaining() == 0


async def test_released_it_is_there_for_the_next_at_once(rival: Callable[[], Lease]) -> None:
    mine, other = rival(), rival()
    assert await mine.hold()
    await mine.release()
    assert await other.hold()
    assert not await mine.hold()
    await other.release()


async def test_giving_up_what_one_does_not_have_takes_nothing_from_the_holder(rival: Callable[[], Lease]) -> None:
    mine, other = rival(), rival()
    assert await mine.hold()
    assert not await other.hold()
    await other.release()
    assert mine.remaining() > 0
    assert not await rival().hold()
    await mine.release()


# what only a lease that runs out has to keep


@pytest.mark.kubernetes
async def test_a_holder_that_renews_keeps_it_and_one_that_does_not_loses_it_however_clocks_are_set(
    rivals: Rivals,
) -> None:
    ours, theirs = ManualClock(1000.0), ManualClock(9000.0)  # minutes apart: only how long a renewal stays away counts
    mine, other = rivals.one(ours), rivals.one(theirs)
    assert await mine.hold()
    assert not await other.hold()
    for _ in range(3):
        ours.advance(DURATION_S - 1)
        theirs.advance(DURATION_S - 1)
        assert await mine.hold()
        assert not await other.hold(), "it was renewed"
    theirs.advance(DURATION_S - 1)
    assert not await other.hold(), "not yet"
    theirs.advance(2)
    assert await other.hold()
    ours.advance(DURATION_S)
    assert mine.remaining() == 0
    assert not await mine.hold()
    assert mine.holder() == other.holder()


@pytest.mark.kubernetes
async def test_one_that_was_stopped_past_its_lease_knows_before_it_asks_and_does_not_write_over_the_next(
    rivals: Rivals,
) -> None:
    clock = ManualClock(1000.0)
    mine, other = rivals.one(clock), rivals.one(later := ManualClock(0.0))
    assert await mine.hold()
    assert not await other.hold()
    later.advance(DURATION_S + 1)
    assert await other.hold()
    clock.advance(DURATION_S + 1)
    assert mine.remaining() == 0, "the promise has run out, whatever the server says"
    assert not await mine.hold()
    assert other.remaining() > 0
    await mine.release()
    assert await other.hold(), "a late release takes nothing"


@pytest.mark.kubernetes
async def test_of_many_that_reach_for_it_at_once_one_has_it(rivals: Rivals) -> None:
    several = [rivals.one() for _ in range(8)]
    assert sum(await asyncio.gather(*(each.hold() for each in several))) == 1
    assert sum(each.remaining() > 0 for each in several) == 1


@pytest.mark.kubernetes
async def test_with_the_server_away_it_is_ours_for_as_long_as_was_promised(
    rivals: Rivals, control_plane: ControlPlane
) -> None:
    clock = ManualClock(1000.0)
    mine = rivals.one(clock)
    assert await mine.hold()
    with control_plane.api_away():
        with pytest.raises(LeaseError):
            await mine.hold()
        assert mine.remaining() == DURATION_S
        clock.advance(DURATION_S)
        assert mine.remaining() == 0


@pytest.mark.kubernetes
async def test_who_has_it_says_where_it_is_asked_and_the_next_does_not_say_the_last_one_s(rivals: Rivals) -> None:
    first, second, third = rivals.one(address="http://10.0.0.1:8730"), rivals.one(), rivals.one()
    assert await first.hold()
    assert not await third.hold()
    assert (third.holder(), third.address()) == (first.holder(), "http://10.0.0.1:8730")
    await first.release()
    assert await second.hold()
    assert not await third.hold()
    assert (third.holder(), third.address()) == (second.holder(), "")

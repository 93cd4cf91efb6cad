"""What every lease promises; each test runs against all of them. A lease of a platform joins by its own `rivals`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autoscaler.clock import ManualClock
from autoscaler.ports import Lease
from autoscaler.store.lease_file import FileLease


@pytest.fixture(params=["file"])
def rival(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Lease]:
    """Another daemon's handle on the same lease, each time it is called."""
    return {"file": lambda: FileLease(tmp_path / "lease", ManualClock(0.0))}[request.param]


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

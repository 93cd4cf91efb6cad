"""The file lease between processes, and when its file is disturbed."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from autoscaler.clock import ManualClock
from autoscaler.errors import LeaseError
from autoscaler.store.lease_file import FileLease
from tests.support import child
from tests.support.wait import auntil

HOLDS = """
import asyncio, sys
from pathlib import Path
from autoscaler.clock import ManualClock
from autoscaler.store.lease_file import FileLease

async def main():
    lease = FileLease(Path(sys.argv[1]), ManualClock(0.0))
    print(await lease.hold(), flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lease"


async def test_a_killed_holder_gives_it_back(path: Path) -> None:
    mine = FileLease(path, ManualClock(0.0))
    with child.python(HOLDS, str(path)) as other:
        assert child.line(other) == "True"
        assert not await mine.hold()
        assert f"process {other.pid} on " in (mine.holder() or "")
        other.kill()
        await auntil(mine.hold, "the lease of a killed process", within=5, every=0.02)
    assert f"process {os.getpid()} on " in (mine.holder() or "")
    await mine.release()


async def test_a_lease_whose_file_was_deleted_is_not_ours_any_more(path: Path) -> None:
    """Another daemon could make the file anew and hold that one too: two would act."""
    mine, other = FileLease(path, ManualClock(0.0)), FileLease(path, ManualClock(0.0))
    assert await mine.hold()
    assert mine.remaining() == math.inf
    path.unlink()
    assert mine.remaining() == 0
    assert await other.hold()
    assert not await mine.hold()
    await other.release()


async def test_a_deleted_file_is_made_anew_by_its_holder(path: Path) -> None:
    mine = FileLease(path, ManualClock(0.0))
    assert await mine.hold()
    path.unlink()
    assert await mine.hold()
    assert not await FileLease(path, ManualClock(0.0)).hold()
    await mine.release()


async def test_the_children_of_the_holder_do_not_hold_it(path: Path) -> None:
    """Worker processes outlive a killed daemon: they must not keep its lease."""
    mine = FileLease(path, ManualClock(0.0))
    assert await mine.hold()
    with child.python("import sys; print('up', flush=True); sys.stdin.read()") as worker:
        assert child.line(worker) == "up"
        os.close(mine._file or -1)  # as the kernel does when the holder dies
        mine._file = None
        assert await FileLease(path, ManualClock(0.0)).hold()


async def test_a_place_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in the way")
    with pytest.raises(LeaseError, match="cannot be opened"):
        await FileLease(tmp_path / "data" / "lease", ManualClock(0.0)).hold()

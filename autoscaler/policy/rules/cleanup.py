"""Rules of clean-ups."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.model.policy import Cleanup
from autoscaler.model.policy.target import EVERY
from autoscaler.policy.convert import Fault
from autoscaler.policy.rules.shape import written
from autoscaler.policy.rules.window import times

WHAT = ("exited_after", "keep_images", "orphan_volumes")


def cleanup(cleanup: Cleanup) -> Iterator[Fault]:
    """One project, something to take away, and times that come."""
    if EVERY in cleanup.project:
        said = f"expected a project's name, got {cleanup.project}"
        yield ("project",), said, "a clean-up is for one project; write one for each"
    if not written(cleanup, WHAT) and not cleanup.dangling_images:
        yield (), "this clean-up takes nothing away", "add exited_after: 1d"
    yield from times(cleanup.cron, cleanup.timezone)

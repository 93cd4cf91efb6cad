"""Killed at each step on the way to a new policy set: what the next one starts from is a whole set of one commit."""

from __future__ import annotations

import asyncio
import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autoscaler.clients import git_remote
from autoscaler.clients.git_remote import Place
from autoscaler.clock import SystemClock
from autoscaler.store import last_good
from autoscaler.store.policy_git import GitSource
from tests.support.repository import Repository

MOST_STEPS = 60


class Steps:
    """Counts down to the step that is not done any more: a start of git, or what is done to files on the way."""

    def __init__(self, left: int) -> None:
        self._left = left

    def before(self, what: Callable[..., Any]) -> Callable[..., Any]:
        """The same, unless it is the step to die at."""

        def step(*words: Any, **more: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return what(*words, **more)

        return step


async def until(url: str, folder: Path, commit: str) -> None:
    """Follow a repository until this commit is in force."""
    source = GitSource(Place(url=url, ref="main"), folder, SystemClock(), path="policies")
    async for revision in source.revisions():
        await source.keep(revision.id)
        if revision.id == commit:
            return


def lived(url: str, folder: Path, commit: str, step: int) -> bool:
    """Whether a process of its own got the commit in force before its n-th step, at which it dies by SIGKILL."""
    child = os.fork()  # a new interpreter would take most of the time
    if not child:
        try:
            steps = Steps(step)
            git_remote.run = steps.before(git_remote.run)
            os.replace, os.fsync = steps.before(os.replace), steps.before(os.fsync)
            Path.rename = steps.before(Path.rename)  # type: ignore[method-assign]
            asyncio.run(until(url, folder, commit))
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status == 0


def test_killed_at_any_step_what_is_in_force_next_is_one_whole_revision(tmp_path: Path) -> None:
    repo, ours = Repository(tmp_path / "theirs"), tmp_path / "ours"
    pushed: dict[str, int] = {}

    def push() -> str:
        for name in ("a", "b"):
            repo.write(f"policies/{name}.yaml", f"name: {name}{len(pushed)}\n")
        commit = repo.push()
        pushed[commit] = len(pushed)
        return commit

    newest, changes = push(), 0
    for step in range(1, MOST_STEPS):
        done = lived(repo.url, ours, newest, step)
        kept = last_good.read(ours / last_good.NAME)
        if kept is not None:
            n = pushed[kept.commit]
            assert kept.texts == (("policies/a.yaml", f"name: a{n}\n"), ("policies/b.yaml", f"name: b{n}\n"))
        if done:
            break
        if kept is not None and kept.commit == newest:  # it died between the switch and the end: go on with another
            newest, changes = push(), changes + 1
    assert done, "the last one was not killed"
    assert step > 10, "each of its steps was one to die at"
    assert changes >= 1
    assert kept is not None
    assert kept.commit == newest

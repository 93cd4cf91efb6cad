"""The policies that stand in one commit, or every reason why they cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from autoscaler.clients.git_remote import Item, Remote
from autoscaler.errors import PolicyError
from autoscaler.policy.nodes import Problem
from autoscaler.ports import Revision
from autoscaler.store.policy_files import SUFFIXES, TEST_SUFFIXES, decoded

MOST_FILES = 20_000
MOST_BYTES = 4_000_000  # of one file
LINK, SUBMODULE = "120000", "160000"
LFS = b"version https://git-lfs.github.com/spec/"
_SUSPECT = ("", *SUFFIXES)  # how the name of a link ends that may lead to policies


async def revision_of(remote: Remote, commit: str, path: str) -> Revision:
    """The policies and their tests below a path of a commit; its `problems` say why they cannot be had.

    The same files count as in a folder: those that end in .yaml or .yml, without hidden ones. Raises SourceError.
    """
    items = [each for each in await remote.items(commit, path) if not _hidden(each.path, path)]
    problems = _foreign(items)
    wanted = [each for each in items if each.mode.startswith("100") and each.path.endswith(SUFFIXES)]
    if not wanted:
        problems.append(Problem(path or ".", 1, 1, "there are no policies here in this commit", "see git.path"))
    if len(wanted) > MOST_FILES:
        problems.append(
            Problem(
                path or ".",
                1,
                1,
                f"{len(wanted)} files, at most {MOST_FILES} are read",
                "name the folder of the policies: git.path",
            )
        )
    if problems:
        return _refused(commit, problems)
    found: list[tuple[str, bytes]] = []
    for item, data in zip(wanted, await remote.contents(commit, path, wanted, MOST_BYTES), strict=True):
        if data is None:
            problems.append(
                Problem(
                    item.path,
                    1,
                    1,
                    f"this file has more than {MOST_BYTES // 1_000_000} million bytes",
                    "spread its policies over several files",
                )
            )
        elif data.startswith(LFS):
            problems.append(
                Problem(item.path, 1, 1, "a pointer of Git LFS, whose file is not fetched", "commit the file")
            )
        else:
            found.append((item.path, data))
    if problems:
        return _refused(commit, problems)
    try:
        texts = decoded(found)
    except PolicyError as error:
        return Revision(commit, (), problems=error.problems)
    tests = tuple(each for each in texts if each[0].endswith(TEST_SUFFIXES))
    return Revision(commit, tuple(each for each in texts if not each[0].endswith(TEST_SUFFIXES)), tests)


def _refused(commit: str, problems: Sequence[Problem]) -> Revision:
    return Revision(commit, (), problems=tuple(str(each) for each in sorted(problems)))


def _foreign(items: Sequence[Item]) -> list[Problem]:
    """What would lead out of the commit, and names that nobody should have to read."""
    found = []
    for each in items:
        name = each.path if each.path.isprintable() else ascii(each.path)
        if name != each.path and each.path.endswith(SUFFIXES):
            found.append(Problem(name, 1, 1, "the name of this file has control characters", "rename it"))
        elif each.mode == LINK and PurePosixPath(each.path).suffix in _SUSPECT:
            found.append(Problem(name, 1, 1, "a link, and links are not followed", "commit the file itself"))
        elif each.mode == SUBMODULE:
            found.append(Problem(name, 1, 1, "a submodule, and those are not fetched", "move it out of git.path"))
    return found


def _hidden(name: str, path: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name.removeprefix(path).lstrip("/")).parts)

"""Git: files as they were at a revision, read from its objects. No work tree is touched, no hook or filter runs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from autoscaler.errors import UsageError

WITHIN_S = 60.0
MOST_FILES = 20_000
MOST_BYTES = 256_000_000  # of all that is read at once
QUIET = {
    "GIT_NO_LAZY_FETCH": "1",  # what a partial clone lacks is not fetched from anywhere
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_FILE, _LINK = b"100", b"120000"


class Past:
    """The repository around a place. Raises UsageError where there is none, or no git."""

    def __init__(self, place: Path) -> None:
        self._folder = next(each for each in (place, *place.absolute().parents) if each.is_dir())
        self._name = os.path.relpath(place, self._folder)
        hint = "only what git has can be compared with: git init, git add and git commit, there"
        top = self._said("rev-parse", "--show-prefix", wrong=f"{place}: not in a git repository", hint=hint)
        self._prefix = top.decode().rstrip("\n")

    def files(
        self, place: Path, revision: str, wanted: Callable[[PurePosixPath], bool], *, absent_is_none: bool = False
    ) -> list[tuple[PurePosixPath, bytes]]:
        """The file at a place, or the `wanted` ones below the folder there, by their paths from it; `.` for itself.

        Raises UsageError for an unknown revision, for wanted ones that are links, for more than is sensible, and,
        unless `absent_is_none`, for a place that was not there then.
        """
        commit = self.commit(revision)
        path = os.path.normpath(f"{self._prefix}{self._name}")
        told = self._entries(commit, path)
        if not told and not absent_is_none:
            raise UsageError(
                f"{place}: not in revision {revision}", hint=f"git log --follow -- {place} tells since when it is there"
            )
        found = {}
        for mode, sha, name in told:
            each = PurePosixPath(os.path.relpath(name, path))
            if not wanted(each):
                continue
            if mode.startswith(_FILE):
                found[each] = sha
            elif mode == _LINK:
                said = f"{place}: {name} is a link in revision {revision}, and links are not followed there"
                raise UsageError(said, hint="name the file it leads to")
        if len(found) > MOST_FILES:
            raise UsageError(
                f"{place}: {len(found)} files in revision {revision}, at most {MOST_FILES} are read",
                hint="name a folder that holds policies only",
            )
        return list(zip(found, self._contents(list(found.values())), strict=True))

    def parents(self, revision: str) -> list[str]:
        """The commits a revision was made from. Raises UsageError for an unknown one."""
        told = self._said(
            "rev-list", "--parents", "-n", "1", self.commit(revision), wrong=f"{revision}: cannot be read"
        )
        return told.decode().split()[1:]

    def commit(self, revision: str) -> str:
        """The commit a revision is. Raises UsageError for an unknown one."""
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        hint = "git branch --all and git tag name some; in a shallow clone, fetch more of its past first"
        return self._said(*words, wrong=f"{revision}: no such revision in this repository", hint=hint).decode().strip()

    def _entries(self, commit: str, path: str) -> list[tuple[bytes, bytes, str]]:
        """Mode, object and name of the file at a path, or of everything below the folder there."""
        below = () if path == "." else ("--", path)
        told = self._said("ls-tree", "-r", "-z", "--full-tree", commit, *below, wrong=f"{commit}: cannot be listed")
        found = []
        for line in filter(None, told.split(b"\0")):
            facts, _, name = line.partition(b"\t")
            mode, _, sha = facts.split()
            found.append((mode, sha, os.fsdecode(name)))
        return found

    def _contents(self, objects: Sequence[bytes]) -> list[bytes]:
        asked = b"".join(each + b"\n" for each in objects)
        sizes = self._said("cat-file", "--batch-check", wrong="the repository cannot be read", given=asked).split(b"\n")
        total = sum(int(line.split()[2]) for line in sizes if line and not line.endswith(b" missing"))
        if total > MOST_BYTES:
            raise UsageError(
                f"{total} bytes of policies in one revision, at most {MOST_BYTES} are read",
                hint="name a folder that holds policies only",
            )
        told = self._said("cat-file", "--batch", wrong="the repository cannot be read", given=asked)
        found, at = [], 0
        for each in objects:
            end = told.index(b"\n", at)
            _, kind, *size = told[at:end].split()
            if not size:
                raise UsageError(f"{each.decode()}: {kind.decode()} in this repository", hint="fetch it first")
            found.append(told[end + 1 : end + 1 + int(size[0])])
            at = end + 2 + int(size[0])
        return found

    def _said(self, *words: str, wrong: str, hint: str = "", given: bytes = b"") -> bytes:
        """What git prints. Raises UsageError with `wrong` and git's own first words."""
        try:
            done = subprocess.run(
                ["git", "--no-pager", "-C", str(self._folder), *words],
                input=given, capture_output=True, env={**os.environ, **QUIET}, timeout=WITHIN_S, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise UsageError("git is not installed, and revisions are read with it", hint="install git") from None
        except subprocess.TimeoutExpired:
            raise UsageError(
                f"git does not answer within {WITHIN_S:g} s", hint="is it on a slow file system?"
            ) from None
        if done.returncode:
            own = done.stderr.decode(errors="replace").strip().partition("\n")[0].removeprefix("fatal: ")
            raise UsageError(f"{wrong}: git: {own}" if own else wrong, hint=hint)
        return done.stdout

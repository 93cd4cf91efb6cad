"""Policies from a git ref: real repositories, real git; what is offered, held back, refused and started from."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from autoscaler.clients import git_remote
from autoscaler.clients.git_program import Said as Failed
from autoscaler.clients.git_program import run
from autoscaler.clients.git_remote import Place
from autoscaler.errors import SourceError
from autoscaler.model.commits import Origin, Rollback, Said
from autoscaler.ports import Revision
from autoscaler.store import last_good, policy_git
from autoscaler.store.policy_git import GitSource
from tests.parts.require import require
from tests.support.repository import Repository, Server
from tests.support.wait import auntil

TOKEN = "ghs_0123456789abcdefghij"


class Clock:
    """Time that a test sets; whoever sleeps, sleeps until it is disturbed."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.naps: list[float] = []

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        await asyncio.Event().wait()


class Follower:
    """A daemon as a source sees it: what loads is in force, which a test may deny."""

    def __init__(self, url: str, folder: Path, **more: Any) -> None:
        place = {key: more.pop(key) for key in list(more) if key in Place.__struct_fields__}
        self.clock = Clock()
        self.offered: list[Revision] = []
        self.faults: list[str] = []
        self.origin = Origin(url="", ref="", path="")
        self.refuses = False
        self.said = Said()
        self.folder = folder
        self.source = GitSource(
            Place(url=url, ref="main", **place), folder, self.clock, path="policies", show=self._show, **more
        )
        self.source.fault = self.faults.append

    def _show(self, origin: Origin) -> None:
        self.origin = origin

    @property
    def live(self) -> str:
        """The commit that the next daemon would start from."""
        kept = last_good.read(self.folder / last_good.NAME)
        return kept.commit if kept is not None else ""

    async def follow(self) -> None:
        async for revision in self.source.revisions():
            self.offered.append(revision)
            if not (self.refuses or revision.problems):
                await self.source.keep(revision.id)

    async def look(self, **said: Any) -> None:
        """Let it look once more, with these words of people in force."""
        naps = len(self.clock.naps)
        before = self.said
        self.said = Said(**said) if said else before
        self.said = msgspec.structs.replace(self.said, asked=before.asked + 1)
        self.source.heed(self.said)
        await auntil(lambda: len(self.clock.naps) > naps, "a look", every=0.01)


@asynccontextmanager
async def following(url: str, folder: Path, **more: Any) -> AsyncIterator[Follower]:
    """A follower that has looked once."""
    found = Follower(url, folder, **more)
    task = asyncio.create_task(found.follow())
    try:
        await auntil(lambda: found.clock.naps or task.done(), "the first look", every=0.01)
        if task.done():
            task.result()
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def silence() -> AsyncIterator[str]:
    """The URL of a repository that takes questions and never answers."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/shop.git"
    finally:
        server.close()


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "theirs")


def ids(found: Follower) -> list[str]:
    return [each.id for each in found.offered]


def problem(found: Follower) -> str:
    return "\n".join(found.offered[-1].problems)


async def test_a_push_is_offered_with_its_texts_and_tests_and_nothing_twice(repo: Repository, tmp_path: Path) -> None:
    first = repo.policy(5)
    repo.write("policies/web.test.yaml", "name: t\n")
    repo.write("policies/.hidden/x.yaml", "nonsense: {\n")
    repo.write("policies/README.md", "words\n")
    repo.write("elsewhere.yaml", "nonsense: {\n")
    async with following(repo.url, tmp_path / "ours") as found:
        assert ids(found) == [first]
        second = repo.push()
        await found.look()
        await found.look()
        assert ids(found) == [first, second]
        assert [name for name, _ in found.offered[1].texts] == ["policies/web.yaml"]
        assert [name for name, _ in found.offered[1].tests] == ["policies/web.test.yaml"]
        assert (found.live, found.origin.head) == (second, second)
        assert found.faults == []


async def test_a_commit_that_changes_no_policy_is_not_offered(repo: Repository, tmp_path: Path) -> None:
    first = repo.policy()
    async with following(repo.url, tmp_path / "ours") as found:
        repo.write("README.md", "words\n")
        later = repo.push()
        await found.look()
        assert ids(found) == [first]
        assert found.origin.head == later
        kept = last_good.read(tmp_path / "ours" / last_good.NAME)
        assert kept is not None
        assert (kept.commit, kept.base) == (first, later)


async def test_the_last_good_is_offered_at_once_while_the_repository_is_away(repo: Repository, tmp_path: Path) -> None:
    first = repo.policy()
    async with following(repo.url, tmp_path / "ours") as found:
        before = found.offered
    repo.bare.rename(tmp_path / "gone")
    async with following(repo.url, tmp_path / "ours") as found:
        assert ids(found) == [first]
        assert found.offered[0].texts == before[0].texts
        assert found.origin.trouble
        assert f"the policies of {first} stay" in found.faults[0]
        for _ in range(3):
            await found.look()
        assert len(found.faults) == 1, "one sentence for one trouble"
        assert found.clock.naps[-1] > 5 * found.clock.naps[0] > 0, "it asks ever more seldom"
        (tmp_path / "gone").rename(repo.bare)
        await found.look()
        assert found.faults[-1].endswith("can be read again")
        assert found.origin.trouble == ""
        assert ids(found) == [first]


async def test_a_restart_takes_what_was_pushed_meanwhile_without_the_last_good_between(
    repo: Repository, tmp_path: Path
) -> None:
    first = repo.policy(12)
    async with following(repo.url, tmp_path / "ours"):
        pass
    async with following(repo.url, tmp_path / "ours") as found:
        assert ids(found) == [first], "where nothing was pushed, the last good"
    second = repo.policy(5)
    async with following(repo.url, tmp_path / "ours") as found:
        assert ids(found) == [second]
        assert found.live == second


async def test_a_restart_at_a_commit_that_is_refused_goes_on_by_the_last_good(repo: Repository, tmp_path: Path) -> None:
    first = repo.policy(5)
    async with following(repo.url, tmp_path / "ours"):
        pass
    repo.write("policies/bad.yaml", b"\xff")
    bad = repo.push()
    async with following(repo.url, tmp_path / "ours") as found:
        assert ids(found) == [bad, first, bad], "and it is told as rejected last"
        assert found.live == first
        await found.look()
        assert ids(found)[3:] == [bad], "for somebody asked"


async def test_the_last_good_does_not_wait_for_a_repository_that_hangs(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = repo.policy()
    async with following(repo.url, tmp_path / "ours"):
        pass
    assert policy_git.FIRST_LOOK_S <= 10
    monkeypatch.setattr(policy_git, "FIRST_LOOK_S", 0.5)
    async with silence() as url:
        file = tmp_path / "ours" / last_good.NAME
        kept = last_good.read(file)
        assert kept is not None
        last_good.write(file, msgspec.structs.replace(kept, url=url))
        found = Follower(url, tmp_path / "ours")
        began = asyncio.get_running_loop().time()
        task = asyncio.create_task(found.follow())
        await auntil(lambda: found.offered, "the last good", every=0.01)
        assert ids(found) == [first]
        assert asyncio.get_running_loop().time() - began < 5
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_without_a_last_good_it_says_that_there_are_none(tmp_path: Path) -> None:
    async with following(f"file://{tmp_path}/nowhere", tmp_path / "ours") as found:
        assert found.offered == []
        assert "there are none yet" in found.faults[0]


async def test_a_forced_push_is_held_until_its_commit_is_accepted(repo: Repository, tmp_path: Path) -> None:
    base = repo.policy(5)
    second = repo.policy(6)
    async with following(repo.url, tmp_path / "ours") as found:
        repo.git("reset", "--quiet", "--hard", base)
        forced = repo.policy(7)
        await found.look()
        assert (ids(found), found.origin.held) == ([second], forced)
        assert any(f"autoscaler sync --accept {forced}" in each for each in found.faults)
        later = repo.policy(8)
        await found.look(accepted=forced)
        assert (ids(found), found.origin.held) == ([second], later), "another commit is not the accepted one"
        await found.look(accepted=later)
        assert (ids(found), found.origin.held) == ([second, later], "")
        after = repo.policy(9)
        await found.look()
        assert ids(found)[-1] == after, "from there on it is followed"


async def test_a_forced_push_is_held_also_after_a_restart_without_the_cache(repo: Repository, tmp_path: Path) -> None:
    base = repo.policy(5)
    repo.policy(6)
    async with following(repo.url, tmp_path / "ours"):
        pass
    subprocess.run(["rm", "-r", str(tmp_path / "ours" / "cache.git")], check=True)
    third = repo.policy(7)
    async with following(repo.url, tmp_path / "ours") as found:
        assert ids(found) == [third], "what goes on from the last good is no forced push"
    subprocess.run(["rm", "-r", str(tmp_path / "ours" / "cache.git")], check=True)
    repo.git("reset", "--quiet", "--hard", base)
    forced = repo.policy(8)
    async with following(repo.url, tmp_path / "ours") as found:
        assert (ids(found), found.origin.held) == ([third], forced)


async def test_a_merge_of_an_older_branch_is_no_forced_push(repo: Repository, tmp_path: Path) -> None:
    repo.policy(5)
    repo.git("branch", "side")
    second = repo.policy(6)
    async with following(repo.url, tmp_path / "ours") as found:
        repo.git("checkout", "--quiet", "side")
        repo.write("policies/api.yaml", "name: api\n")
        repo.git("add", "--all")
        repo.git("commit", "--quiet", "--message", "api")
        repo.git("merge", "--quiet", "--no-edit", second)
        merged = repo.push()
        await found.look()
        assert (ids(found)[-1], found.origin.held) == (merged, "")


async def test_what_was_refused_is_not_offered_again_until_somebody_asks(repo: Repository, tmp_path: Path) -> None:
    first = repo.policy(5)
    async with following(repo.url, tmp_path / "ours") as found:
        found.refuses = True
        second = repo.policy(6)
        await found.look()
        found.source._stir.set()  # a look of its own
        await auntil(lambda: len(found.clock.naps) == 3, "a look", every=0.01)
        assert ids(found) == [first, second]
        assert found.live == first
        await found.look()
        assert ids(found) == [first, second, second]


async def test_what_is_in_force_is_offered_again_once_a_refused_commit_is_past(
    repo: Repository, tmp_path: Path
) -> None:
    first = repo.policy(5)
    async with following(repo.url, tmp_path / "ours") as found:
        repo.write("policies/bad.yaml", b"\xff")
        bad = repo.push()
        await found.look()
        repo.git("rm", "--quiet", "policies/bad.yaml")
        fixed = repo.push()
        await found.look()
        await found.look()
        assert ids(found) == [first, bad, fixed], "or it would be told as rejected for ever"
        assert found.live == fixed
        repo.write("policies/bad.yaml", b"\xff")
        worse = repo.push()
        await found.look()
        await found.look(rollback=Rollback(commit=fixed, since=0.0, until=2000.0))
        assert ids(found)[3:] == [worse, fixed]


async def test_a_rollback_holds_over_a_push_and_a_restart_until_its_end(repo: Repository, tmp_path: Path) -> None:
    first, second = repo.policy(5), repo.policy(6)
    back = Rollback(commit=first, since=1000.0, until=2000.0, why="too many")
    async with following(repo.url, tmp_path / "ours") as found:
        await found.look(rollback=back)
        assert (ids(found), found.live, found.origin.rollback) == ([second, first], first, back)
        assert found.clock.naps[-1] <= 1000.0
        third = repo.policy(7)
        await found.look()
        assert found.live == first
    async with following(repo.url, tmp_path / "ours") as found:
        found.clock.at = 2000.0
        await found.look(rollback=back)
        assert (found.live, found.origin.rollback, found.origin.held) == (third, None, "")


async def test_it_goes_back_also_while_the_repository_is_away(repo: Repository, tmp_path: Path) -> None:
    first = repo.policy(5)
    async with following(repo.url, tmp_path / "ours") as found:
        second = repo.policy(6)
        await found.look()
        repo.bare.rename(tmp_path / "gone")
        await found.look(rollback=Rollback(commit=first, since=0.0, until=2000.0))
        assert ids(found) == [first, second, first]
        found.clock.at = 2000.0
        await found.look()
        assert ids(found) == [first, second, first, second]


async def test_a_pin_is_in_force_wherever_the_ref_is(repo: Repository, tmp_path: Path) -> None:
    first, _ = repo.policy(5), repo.policy(6)
    async with following(repo.url, tmp_path / "ours", pin=first) as found:
        repo.policy(7)
        await found.look()
        assert ids(found) == [first]
    async with following(repo.url, tmp_path / "ours", pin="0" * 40) as found:
        assert ids(found) == [first]
        assert found.origin.trouble, "a commit that is not there is told, and the last good one stays"


async def test_a_tag_is_followed_like_a_branch(repo: Repository, tmp_path: Path) -> None:
    first = repo.policy()
    repo.git("tag", "--annotate", "--message", "released", "v1")
    repo.git("push", "--quiet", "origin", "v1")
    found = Follower(repo.url, tmp_path / "ours")
    found.source = GitSource(Place(url=repo.url, ref="v1"), tmp_path / "ours", found.clock)
    task = asyncio.create_task(found.follow())
    await auntil(lambda: found.clock.naps, "the first look", every=0.01)
    task.cancel()
    assert ids(found) == [first]


async def test_those_of_another_repository_are_left_aside(repo: Repository, tmp_path: Path) -> None:
    repo.policy()
    async with following(repo.url, tmp_path / "ours"):
        pass
    async with following(f"file://{tmp_path}/nowhere", tmp_path / "ours") as found:
        assert found.offered == []
        assert "the settings name another" in found.faults[0]


# strangers' repositories


def linked(repo: Repository) -> None:
    (repo.folder / "policies/passwd.yaml").symlink_to("/etc/passwd")


def linked_folder(repo: Repository) -> None:
    (repo.folder / "policies/more").symlink_to("/etc")


def submodule(repo: Repository) -> None:
    head = repo.git("rev-parse", "HEAD")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{head},policies/sub")
    (repo.folder / "policies/sub").mkdir()  # as git leaves one that is not fetched


def pointer(repo: Repository) -> None:
    repo.write("policies/big.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")


def huge(repo: Repository) -> None:
    repo.write("policies/huge.yaml", b"# nothing\n" * 500_000)


def binary(repo: Repository) -> None:
    repo.write("policies/bin.yaml", b"\xff\xfe\x00")


def controls(repo: Repository) -> None:
    repo.write("policies/\x1b[2Jevil.yaml", "x: 1\n")


def nothing(repo: Repository) -> None:
    repo.git("rm", "--quiet", "-r", "policies")
    repo.write("README.md", "words\n")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (linked, "policies/passwd.yaml:1:1: a link, and links are not followed"),
        (linked_folder, "policies/more:1:1: a link"),
        (submodule, "policies/sub:1:1: a submodule"),
        (pointer, "policies/big.yaml:1:1: a pointer of Git LFS"),
        (huge, "policies/huge.yaml:1:1: this file has more than 4 million bytes"),
        (binary, "policies/bin.yaml:1:1: this is not UTF-8 text"),
        (controls, "control characters"),
        (nothing, "policies:1:1: there are no policies here"),
    ],
    ids=lambda each: getattr(each, "__name__", "said"),
)
async def test_a_hostile_commit_is_refused_by_file_and_the_last_good_stays(
    repo: Repository, tmp_path: Path, make: Any, said: str
) -> None:
    first = repo.policy()
    async with following(repo.url, tmp_path / "ours") as found:
        make(repo)
        bad = repo.push()
        await found.look()
        assert (ids(found), found.live) == ([first, bad], first)
        assert said in problem(found)
        assert "\x1b" not in problem(found)


async def test_hooks_filters_and_attributes_of_a_repository_do_nothing(repo: Repository, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    repo.write(".gitattributes", "*.yaml filter=evil diff=evil\n")
    repo.write(".gitmodules", f'[submodule "x"]\n\tpath = policies/x\n\turl = file://{tmp_path}\n')
    repo.write("policies/.gitattributes", "*.yaml filter=evil\n")
    for hook in ("post-checkout", "reference-transaction", "post-merge"):
        file = repo.write(f"hooks/{hook}", f"#!/bin/sh\ntouch {mark}\n")
        file.chmod(0o755)
    first = repo.policy()
    async with following(repo.url, tmp_path / "ours") as found:
        assert ids(found) == [first]
        assert not mark.exists()
        assert not list((tmp_path / "ours").rglob("*.yaml")), "there is no work tree"


async def test_a_pack_that_is_too_large_is_not_written(repo: Repository, tmp_path: Path) -> None:
    repo.write("policies/noise.yaml", os.urandom(3_000_000))
    repo.push()
    cache = tmp_path / "cache"
    await run(cache, ["init", "--quiet", "--bare"], within_s=10)
    with pytest.raises(Failed):
        await run(cache, ["fetch", "--quiet", repo.url, "main"], within_s=10, most_file=1_000_000)
    assert all(each.stat().st_size <= 1_000_000 for each in cache.rglob("*") if each.is_file())


# a cache that a killed process left


@pytest.mark.parametrize("harm", ["locks", "head", "packs", "file", "nothing"])
async def test_a_cache_that_is_half_written_is_made_again(repo: Repository, tmp_path: Path, harm: str) -> None:
    repo.policy(5)
    cache = tmp_path / "ours" / "cache.git"
    async with following(repo.url, tmp_path / "ours"):
        pass
    if harm == "locks":
        for name in ("shallow.lock", "config.lock", "packed-refs.lock", "refs/autoscaler/head.lock"):
            (cache / name).touch()
    elif harm == "head":
        (cache / "HEAD").write_bytes(b"")
    elif harm == "packs":
        for file in [*cache.rglob("*.pack"), *cache.rglob("*.idx")]:
            file.chmod(0o600)
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif harm == "file":
        subprocess.run(["rm", "-r", str(cache)], check=True)
        cache.write_text("no repository")
    else:
        subprocess.run(["rm", "-r", str(cache)], check=True)
        (cache.parent / "making-abc").mkdir()
    second = repo.policy(6)
    async with following(repo.url, tmp_path / "ours") as found:
        assert ids(found) == [second], found.faults
        assert not list(cache.parent.glob("making-*"))


async def test_the_cache_does_not_grow_for_ever(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert git_remote.MOST_PACKS == 200
    monkeypatch.setattr(git_remote, "MOST_PACKS", 6)
    first = repo.policy(1)
    most = 0
    async with following(repo.url, tmp_path / "ours") as found:
        pushed = [first]
        for number in range(2, 9):
            pushed.append(repo.policy(number))
            await found.look()
            most = max(most, len(list((tmp_path / "ours").rglob("*.pack"))))
        assert (ids(found), found.faults) == (pushed, [])
        assert most <= 6 + 2, "one fetch is two: commits, and files"
        repo.git("reset", "--quiet", "--hard", first)
        forced = repo.policy(20)
        await found.look()
        assert found.origin.held == forced, "what is in force is in the past of a cache that is new too"


async def test_gpg_is_ended_in_time_and_is_told_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpg = tmp_path / "bin" / "gpg"
    gpg.parent.mkdir()
    gpg.write_text(f"#!/bin/sh\nenv > {tmp_path}/told\nexec tail -f /dev/null\n")
    gpg.chmod(0o755)
    monkeypatch.setenv("PATH", f"{gpg.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("AUTOSCALER_SECRET", TOKEN)
    monkeypatch.setattr(git_remote, "READ_S", 0.5)
    remote = git_remote.Remote(Place(url="file:///nowhere", ref="main", keys="keys.asc"), tmp_path / "cache")
    with pytest.raises(SourceError, match="was not over within"):
        await remote.distrust("0" * 40)
    assert TOKEN not in (tmp_path / "told").read_text()


@pytest.mark.parametrize("left", [b"", b"\x81", b"nonsense"])
async def test_a_last_good_that_cannot_be_read_is_told_and_fetched_again(
    repo: Repository, tmp_path: Path, left: bytes
) -> None:
    first = repo.policy()
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / last_good.NAME).write_bytes(left)
    async with following(repo.url, tmp_path / "ours") as found:
        assert ids(found) == [first]
        assert "no policies of this version" in found.faults[0]
        assert found.live == first


# who signed


def ssh_key(folder: Path, name: str) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)], check=True)
    return folder / name


def signing(repo: Repository, folder: Path) -> tuple[Path, str]:
    """Ann's key, by which commits of this repository may be signed, and the file that says that she may sign."""
    ann, signers = ssh_key(folder, "ann"), folder / "signers"
    signers.write_text(f"ann@shop.example {ann.with_suffix('.pub').read_text()}")
    repo.git("config", "gpg.format", "ssh")
    return ann, str(signers)


def signed_by(key: Path) -> Sequence[str]:
    return ["-S", f"--gpg-sign={key}"]


async def test_only_commits_that_a_signer_signed_by_ssh_are_taken(repo: Repository, tmp_path: Path) -> None:
    require("signatures")
    (ann, signers), eve = signing(repo, tmp_path), ssh_key(tmp_path, "eve")
    repo.write("policies/web.yaml", "name: one\n")
    good = repo.push(*signed_by(ann))
    async with following(repo.url, tmp_path / "ours", signers=signers) as found:
        assert ids(found) == [good]
        assert not found.offered[0].problems
        repo.write("policies/web.yaml", "name: two\n")
        for bad in (repo.push("--no-gpg-sign"), repo.push(*signed_by(eve))):
            repo.git("push", "--quiet", "--force", "origin", f"{bad}:main")
            await found.look()
            assert ids(found)[-1] == bad
            assert f"commit {bad} is not signed by any of the signers" in problem(found)
            assert found.live == good
        repo.write("policies/web.yaml", "name: three\n")
        later = repo.push(*signed_by(ann))
        await found.look()
        assert found.live == later


async def test_what_is_in_force_already_is_told_where_no_signer_signed_it_and_stays(
    repo: Repository, tmp_path: Path
) -> None:
    require("signatures")
    ann, signers = signing(repo, tmp_path)
    first = repo.policy(5)
    async with following(repo.url, tmp_path / "ours"):
        pass
    subprocess.run(["rm", "-r", str(tmp_path / "ours" / "cache.git")], check=True)
    async with following(repo.url, tmp_path / "ours", signers=signers) as found:
        await found.look()
        assert (ids(found), found.live) == ([first], first)
        (fault,) = found.faults
        assert f"commit {first} is not signed by any of the signers" in fault
        assert f"the policies of {first} stay" in fault
        assert found.origin.trouble in fault
        assert found.clock.naps[-1] < 2 * 60, "it is not asked more seldom: the repository can be read"
        repo.write("policies/web.yaml", "name: signed\n")
        good = repo.push(*signed_by(ann))
        await found.look()
        assert (found.live, found.origin.trouble, len(found.faults)) == (good, "", 1)
    async with following(repo.url, tmp_path / "ours", signers=signers) as found:
        assert (ids(found), found.faults, found.origin.trouble) == ([good], [], "")


async def test_what_is_in_force_and_cannot_be_fetched_any_more_is_told_and_the_ref_is_followed(
    repo: Repository, tmp_path: Path
) -> None:
    require("signatures")
    ann, signers = signing(repo, tmp_path)
    first, gone = repo.policy(5), "e" * 40
    async with following(repo.url, tmp_path / "ours"):
        pass
    file = tmp_path / "ours" / last_good.NAME
    kept = last_good.read(file)
    assert kept is not None
    last_good.write(file, msgspec.structs.replace(kept, commit=gone, base=gone))
    async with following(repo.url, tmp_path / "ours", signers=signers) as found:
        await found.look()
        assert (ids(found), found.origin.held) == ([gone], first)
        assert f"who signed commit {gone} is not known" in found.origin.trouble
        assert found.clock.naps[-1] < 2 * 60
        repo.write("policies/web.yaml", "name: signed\n")
        good = repo.push(*signed_by(ann))
        await found.look(accepted=good)
        assert (found.live, found.origin.trouble) == (good, "")


async def test_only_commits_that_a_key_signed_by_openpgp_are_taken(repo: Repository, tmp_path: Path) -> None:
    require("signatures")
    home = tmp_path / "gpg"
    home.mkdir(mode=0o700)
    env = {"GNUPGHOME": str(home)}
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"]
    try:
        for name in ("ann", "eve"):
            words = ["--quick-generate-key", f"{name}@shop.example", "ed25519", "sign", "never"]
            subprocess.run([*gpg, *words], check=True, capture_output=True)
        keys = tmp_path / "keys.asc"
        keys.write_bytes(subprocess.run([*gpg, "--armor", "--export", "ann"], check=True, capture_output=True).stdout)
        repo.write("policies/web.yaml", "name: one\n")
        good = repo.push("-S", "--gpg-sign=ann@shop.example", env=env)
        async with following(repo.url, tmp_path / "ours", keys=str(keys)) as found:
            assert found.live == good, found.offered[-1].problems
            repo.write("policies/web.yaml", "name: two\n")
            repo.push("-S", "--gpg-sign=eve@shop.example", env=env)
            await found.look()
            assert "is not signed by any of the signers" in problem(found)
            assert found.live == good
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)


# over https


async def test_over_https_by_token_and_own_authority_until_the_token_is_revoked(
    repo: Repository, tmp_path: Path
) -> None:
    first = repo.policy(5)
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    with Server(tmp_path, repo.bare.parent, TOKEN) as server:
        url, way = server.url("shop.git"), {"token_file": str(token), "ca": str(server.ca)}
        async with following(url, tmp_path / "ours", **way) as found:
            assert ids(found) == [first], found.faults
            looks = len(server.asked)
            await found.look()
            assert len(server.asked) - looks <= 3, "a look without a change is two requests, and one for our password"
            repo.write("elsewhere/big.bin", os.urandom(200_000))
            for number in range(20):
                repo.write(f"policies/{number}.yaml", f"name: w{number}\n")
            second = repo.push()
            looks = len(server.asked)
            await found.look()
            assert ids(found) == [first, second]
            assert len(server.asked) - looks < 15, "twenty files are no twenty requests"
            held = subprocess.run(["du", "-sb", str(tmp_path / "ours")], capture_output=True, text=True, check=True)
            assert int(held.stdout.split()[0]) < 150_000, "files elsewhere are not fetched"
            server.token = None
            await found.look()
            assert "does not let us in" in found.faults[-1]
            server.token = "another"
            token.write_text("another")
            await found.look()
            assert found.origin.trouble == ""
            server.stop()
            await found.look()
            assert found.live == second
            assert "Failed to connect" in found.faults[-1]
            server.start()
            server.redirect = "https://127.0.0.1:1"
            await found.look()
            assert "leads elsewhere" in found.faults[-1]
            assert not any(TOKEN in each or "another" in each for each in found.faults)
            assert server.leaks == [], "the token is no argument of any process"
        async with following(url, tmp_path / "fresh", token_file=str(token)) as found:
            assert "certificate" in found.faults[0]
        async with following(url, tmp_path / "fresh", token_file=str(tmp_path / "none"), ca=str(server.ca)) as found:
            assert found.faults[0].startswith(f"policies from git: git.token_file: {tmp_path}/none cannot be read")


async def test_over_https_by_a_token_that_somebody_lends_and_another_once_it_is_refused(
    repo: Repository, tmp_path: Path
) -> None:
    first = repo.policy(5)
    lent: list[str] = []

    async def lend(refused: str) -> str:
        lent.append(refused)
        return "a token that is newer" if refused else TOKEN

    with Server(tmp_path, repo.bare.parent, TOKEN) as server:
        async with following(server.url("shop.git"), tmp_path / "ours", ca=str(server.ca), token=lend) as found:
            assert ids(found) == [first], found.faults
            assert set(lent) == {""}
            server.token = "a token that is newer"
            await found.look()
            assert "see `autoscaler github doctor`" in found.faults[-1]
            await found.look()
            assert found.origin.trouble == ""
            assert lent[-1] == TOKEN
            assert server.leaks == [], "the token is no argument of any process"
            assert not any(TOKEN in each for each in found.faults)


async def test_over_ssh_by_the_ssh_of_this_machine(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = repo.policy()
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nfor last; do :; done\nexec sh -c "$last"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    async with following(f"ssh://git@shop.example{repo.bare}", tmp_path / "ours") as found:
        assert ids(found) == [first], found.faults
    assert "BatchMode=yes" in (tmp_path / "asked").read_text(), "nobody is there to be asked for a password"


async def test_five_thousand_files_are_read_in_seconds(repo: Repository, tmp_path: Path) -> None:
    first = repo.import_({f"policies/{number % 50}/{number}.yaml": f"name: w{number}\n" for number in range(5000)})
    began = asyncio.get_running_loop().time()
    async with following(repo.url, tmp_path / "ours") as found:
        assert ids(found) == [first]
        assert len(found.offered[0].texts) == 5000
        assert asyncio.get_running_loop().time() - began < 10


async def test_whoever_stops_it_does_not_wait_for_a_repository_that_does_not_answer(tmp_path: Path) -> None:
    async with silence() as url:
        found = Follower(url, tmp_path / "ours")
        task = asyncio.create_task(found.follow())
        await asyncio.sleep(0.5)
        began = asyncio.get_running_loop().time()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert asyncio.get_running_loop().time() - began < 2

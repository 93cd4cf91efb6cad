"""Policies from a folder: what counts, and when a change becomes a revision."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from autoscaler.clock import ManualClock
from autoscaler.errors import PolicyError, SettingsError
from autoscaler.ports import Revision
from autoscaler.store.policy_files import read
from autoscaler.store.policy_folder import FolderSource
from tests.support.wait import auntil


class Reader:
    """Follows a source on a clock that the test moves."""

    def __init__(self, *paths: Path) -> None:
        self.clock = ManualClock(0.0)
        self.seen: list[Revision] = []
        self._source = FolderSource(paths, self.clock)

    async def follow(self) -> None:
        async for revision in self._source.revisions():
            self.seen.append(revision)

    async def poll(self) -> None:
        """Let one second pass and the source look once."""
        await asyncio.sleep(0.02)
        await self.clock.pass_time(1.0)
        await asyncio.sleep(0.02)


@asynccontextmanager
async def following(*paths: Path) -> AsyncIterator[Reader]:
    reader = Reader(*paths)
    task = asyncio.create_task(reader.follow())
    try:
        await auntil(lambda: reader.seen or task.done(), "the first revision", every=0.005)
        yield reader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(folder: Path) -> list[str]:
    return [os.path.relpath(name, folder) for name, _ in read([folder])]


def test_yaml_files_count_in_order_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "sub/c.yaml", "x.txt", ".hidden.yaml", ".git/d.yaml", "a.test.yaml", "e.test.yml"):
        write(tmp_path / name, name)
    assert names(tmp_path) == ["a.yml", "b.yaml", "sub/c.yaml"]


def test_a_file_named_itself_counts_whatever_it_is_called_and_only_once(tmp_path: Path) -> None:
    odd, usual = write(tmp_path / "web.test.yaml", "1"), write(tmp_path / "web.yaml", "2")
    assert [text for _, text in read([odd, usual, tmp_path])] == ["1", "2"]


def test_names_are_as_given(tmp_path: Path) -> None:
    write(tmp_path / "web.yaml", "1")
    here = Path(os.path.relpath(tmp_path))
    assert read([here]) == [(f"{here}/web.yaml", "1")]


def test_an_absent_place_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file or folder"):
        FolderSource([tmp_path / "nowhere"], ManualClock(0.0))


def test_what_is_not_text_is_a_problem_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_bytes(b"policies:\n  - name: \xff\n")
    with pytest.raises(PolicyError) as caught:
        read([tmp_path])
    assert caught.value.problems[0].endswith("web.yaml:2:11: this is not UTF-8 text\n  hint: save it as UTF-8")


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    write(tmp_path / "sub" / "a.yaml", "1")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    assert names(tmp_path) == ["sub/a.yaml"]


async def test_the_same_texts_are_the_same_revision_wherever_they_are_read(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "1")
    async with following(tmp_path) as first, following(tmp_path) as second:
        assert first.seen == second.seen
        assert len(first.seen[0].id) == 12


async def test_a_change_becomes_a_revision_once_it_has_settled(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", "half")
    async with following(tmp_path) as reader:
        file.write_text("half of it")
        await reader.poll()
        assert len(reader.seen) == 1
        file.write_text("half of it and the other half")
        await reader.poll()
        assert len(reader.seen) == 1
        await reader.poll()
        await auntil(lambda: len(reader.seen) == 2, "the second revision", within=5, every=0.01)
        assert reader.seen[1].texts[0][1] == "half of it and the other half"
        assert reader.seen[1].id != reader.seen[0].id


async def test_a_file_written_anew_with_the_same_text_is_no_revision(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", "same")
    async with following(tmp_path) as reader:
        os.utime(file, ns=(1, 1))
        for _ in range(4):
            await reader.poll()
        assert len(reader.seen) == 1


async def test_a_file_that_comes_and_one_that_goes(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "1")
    async with following(tmp_path) as reader:
        write(tmp_path / "b.yaml", "2")
        await reader.poll()
        await reader.poll()
        await auntil(lambda: len(reader.seen) == 2, within=5, every=0.01)
        (tmp_path / "a.yaml").unlink()
        await reader.poll()
        await reader.poll()
        await auntil(lambda: len(reader.seen) == 3, within=5, every=0.01)
        assert [text for _, text in reader.seen[2].texts] == ["2"]


async def test_an_editor_that_puts_a_new_file_in_place_never_shows_an_empty_set(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", "1")
    async with following(file) as reader:
        file.unlink()
        await reader.poll()
        write(file, "2")
        for _ in range(3):
            await reader.poll()
        await auntil(lambda: len(reader.seen) == 2, within=5, every=0.01)
        assert [revision.texts[0][1] for revision in reader.seen] == ["1", "2"]


async def test_a_file_that_stays_away_is_an_error_and_not_an_empty_set(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", "1")
    reader = Reader(file)
    task = asyncio.create_task(reader.follow())
    await auntil(lambda: reader.seen, every=0.005)
    file.unlink()
    for _ in range(4):
        await reader.poll()
    with pytest.raises(SettingsError, match="no such file"):
        await asyncio.wait_for(task, 5)
    assert len(reader.seen) == 1


async def test_a_config_map_volume_moves_to_its_new_state_as_a_whole(tmp_path: Path) -> None:
    """The kubelet writes a new hidden folder and lets the link ..data point at it; the entries never change."""
    write(tmp_path / "..1" / "a.yaml", "old a")
    write(tmp_path / "..1" / "b.yaml", "old b")
    (tmp_path / "..data").symlink_to("..1")
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    async with following(tmp_path) as reader:
        assert [text for _, text in reader.seen[0].texts] == ["old a", "old b"]
        write(tmp_path / "..2" / "a.yaml", "new a")
        write(tmp_path / "..2" / "b.yaml", "new b")
        (tmp_path / "..data_tmp").symlink_to("..2")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")
        await reader.poll()
        await reader.poll()
        await auntil(lambda: len(reader.seen) == 2, within=5, every=0.01)
        assert [text for _, text in reader.seen[1].texts] == ["new a", "new b"]

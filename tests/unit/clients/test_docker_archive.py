"""Tars that the engine hands out are rooted at the file they are about; ours are rooted at the container's root."""

from __future__ import annotations

import io
import tarfile

import pytest

from autoscaler.clients.docker_engine import _rooted


def tar(*names: str, long: str = "") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as writing:
        for name in (*names, *([long] if long else [])):
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.uid = len(name), 0o640, 7
            writing.addfile(member, io.BytesIO(name.encode()))
    return made.getvalue()


@pytest.mark.parametrize(("folder", "names"), [("run", ["run/token", "run/a/b"]), ("", ["token", "a/b"])])
def test_names_begin_at_the_root_and_all_else_stays(folder: str, names: list[str]) -> None:
    with tarfile.open(fileobj=io.BytesIO(_rooted(tar("token", "a/b"), folder))) as read:
        members = read.getmembers()
        assert [each.name for each in members] == names
        assert {(each.mode, each.uid) for each in members} == {(0o640, 7)}
        content = read.extractfile(members[0])
        assert content is not None
        assert content.read() == b"token"


def test_a_name_too_long_for_the_plain_header_is_moved_as_well() -> None:
    long = "x" * 150
    with tarfile.open(fileobj=io.BytesIO(_rooted(tar(long=long), "etc/shop"))) as read:
        assert read.getnames() == [f"etc/shop/{long}"]

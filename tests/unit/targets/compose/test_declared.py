"""What compose files say that no container tells of."""

from __future__ import annotations

import os
from pathlib import Path

from autoscaler.targets.compose.declared import Declared, Place, declared, place
from tests.unit.targets.compose.records import P

FILES, FOLDER, ENVIRONMENT = f"{P}project.config_files", f"{P}project.working_dir", f"{P}project.environment_file"


async def read(folder: Path, *texts: str) -> Declared | None:
    files = []
    for number, text in enumerate(texts):
        file = folder / f"{number}.yml"
        file.write_text(text)
        os.utime(file, (1000 + number, 1000 + number))
        files.append(str(file))
    return await declared({FILES: ",".join(files), FOLDER: str(folder)}, "web")


def test_compose_v1_tells_its_files_as_they_were_typed() -> None:
    labels = {FILES: "a.yml,/etc/b.yml", FOLDER: "/srv/shop", ENVIRONMENT: "prod.env"}
    assert place(labels) == Place(("/srv/shop/a.yml", "/etc/b.yml"), "/srv/shop", ("/srv/shop/prod.env",))
    assert place({FILES: "a.yml"}) is None
    assert place({}) is None


async def test_hooks_of_any_file_count_and_the_newest_files_time(tmp_path: Path) -> None:
    base = "services: {web: {image: x, pre_stop: [{command: bye}]}, db: {post_start: [{command: no}]}}"
    found = await read(tmp_path, base, "services: {web: {post_start: [{command: hello}]}}")
    assert found is not None
    assert (found.hooks, found.changed) == (("pre_stop", "post_start"), 1001.0)


async def test_what_is_copied_in_is_told_by_its_place_and_what_is_mounted_from_a_file_is_not(tmp_path: Path) -> None:
    found = await read(
        tmp_path,
        """
services:
  web:
    secrets: [token, {source: other, target: inner}, {source: third, target: /abs}, mounted]
    configs: [words, {source: words, target: /etc/words}]
secrets: {token: {environment: A}, other: {environment: B}, third: {environment: C}, mounted: {file: ./x}}
configs: {words: {content: hello}}
""",
    )
    assert found is not None
    assert set(found.copied) == {"/words", "/etc/words", "/run/secrets/token", "/run/secrets/inner", "/abs"}


async def test_merge_keys_and_tags_of_compose_are_no_obstacle(tmp_path: Path) -> None:
    text = """
x-base: &base {post_start: [{command: hello}]}
services:
  web: {<<: *base, ports: !reset []}
"""
    found = await read(tmp_path, text)
    assert found is not None
    assert found.hooks == ("post_start",)


async def test_a_file_that_is_gone_or_no_yaml_tells_nothing(tmp_path: Path) -> None:
    assert await read(tmp_path, "services: [") is None
    assert await declared({FILES: str(tmp_path / "gone.yml")}, "web") is None
    assert await read(tmp_path, "just words") == Declared(Place((str(tmp_path / "0.yml"),), str(tmp_path)), 1000.0)

"""What is remembered of how a service is made: whole or not at all, for nobody else's eyes, the newest first."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.errors import Refused
from autoscaler.targets.compose.specs import KEPT, Spec, Specs, reduced
from tests.unit.targets.compose.records import START, record


def spec(*, service: str = "web", hash: str = "abc", kept: float = START, **more: object) -> Spec:
    return Spec(
        project="shop", service=service, config_hash=hash, record=reduced(record()), since=START, kept=kept, **more
    )  # type: ignore[arg-type]


async def test_it_comes_back_whole_for_the_next_daemon(tmp_path: Path) -> None:
    asked = spec(files=(b"\0tar",), zero_at=START + 5)
    await Specs(tmp_path).keep(asked)
    assert Specs(tmp_path).of("shop", "web") == asked


async def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    await Specs(tmp_path / "specs").keep(spec())
    modes = {each.name: each.stat().st_mode & 0o777 for each in (tmp_path / "specs").rglob("*")}
    assert modes == {"shop": 0o700, "web": 0o700, "abc.json": 0o600}


async def test_the_newest_counts_and_a_few_older_ones_are_kept(tmp_path: Path) -> None:
    specs = Specs(tmp_path)
    for number in range(KEPT + 2):
        await specs.keep(spec(hash=f"h{number}", kept=START + number))
    assert len(list(tmp_path.rglob("*.json"))) == KEPT
    newest = Specs(tmp_path).of("shop", "web")
    assert newest is not None
    assert newest.config_hash == f"h{KEPT + 1}"


async def test_a_name_that_would_lead_elsewhere_stays_inside(tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    await Specs(folder).keep(spec(service="../../outside", hash="../x"))
    assert [each for each in tmp_path.rglob("*.json") if folder not in each.parents] == []
    assert Specs(folder).of("shop", "../../outside") is not None


async def test_a_broken_file_is_nothing(tmp_path: Path) -> None:
    await Specs(tmp_path).keep(spec())
    (file,) = tmp_path.rglob("*.json")
    file.write_bytes(file.read_bytes()[:-20])
    assert list(Specs(tmp_path)) == []


async def test_a_folder_that_cannot_be_written_is_a_refusal_and_nothing_is_believed(tmp_path: Path) -> None:
    (tmp_path / "specs").write_text("a file, not a folder")
    specs = Specs(tmp_path / "specs" / "deeper")
    with pytest.raises(Refused, match="shop/web is made cannot be remembered"):
        await specs.keep(spec())
    assert specs.of("shop", "web") is None


def test_how_a_container_fared_is_no_part_of_how_it_is_made() -> None:
    told = record(state={"Status": "exited"}, restarts=7)
    kept = reduced({**told, "GraphDriver": {"Data": "paths"}})
    assert kept["State"] == {"Status": "running"}
    assert not {"RestartCount", "GraphDriver"} & set(kept)
    assert "IPAddress" not in kept["NetworkSettings"]["Networks"]["shop_default"]

"""What people install: the sdist and the wheel made of it, in a clean environment, and the systemd unit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from autoscaler import __version__, built
from tests.e2e.daemon import ROOT
from tests.parts.catalogue import wheels
from tests.parts.require import lacking, require

UNIT = ROOT / "packaging" / "autoscaler.service"


def run(*words: str | Path, cwd: Path) -> str:
    """What a command prints; fails with it when the command does."""
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels().parent), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | offline
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def tracked(folder: Path) -> Path:
    """The files of the checkout that git knows, as they are now."""
    if not (ROOT / ".git").exists():
        lacking("only a checkout knows which files are the project's")
    for name in run("git", "ls-files", "-z", cwd=ROOT).split("\0"):
        if name and (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.mark.e2e
def test_the_wheel_made_of_the_sdist_runs_in_a_clean_environment(tmp_path: Path) -> None:
    require("wheels")
    source, out, clean = tracked(tmp_path / "source"), tmp_path / "out", tmp_path / "clean"
    run(sys.executable, "-m", "build", "--outdir", out, source, cwd=tmp_path)
    wheel, sdist = out / f"autoscaler-{__version__}-py3-none-any.whl", out / f"autoscaler-{__version__}.tar.gz"
    assert sorted(out.iterdir()) == [wheel, sdist]
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist, cwd=tmp_path)
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"packaging/autoscaler.service", "policies/haproxy.yaml", "docs/concepts.md", "CHANGELOG.md"} <= inside
    with zipfile.ZipFile(wheel) as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {
            "autoscaler",
            f"autoscaler-{__version__}.dist-info",
        }
        packed = {name for name in archive.namelist() if name.startswith("autoscaler/web/static/")}
    static = source / "autoscaler" / "web" / "static"
    assert packed == {str(each.relative_to(source)) for each in static.rglob("*") if each.is_file()}
    run(sys.executable, "-m", "venv", "--without-pip", clean, cwd=tmp_path)
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        clean / "bin" / "python",
        "install",
        "--no-compile",
        wheel,
        cwd=tmp_path,
    )
    ours = clean / "bin" / "autoscaler"
    assert run(ours, "--version", cwd=tmp_path).startswith(f"autoscaler, version {__version__}")
    policy = source / "docs" / "examples" / "web.yaml"
    assert "1 policy in 1 file: fine" in run(ours, "validate", policy, cwd=tmp_path)
    assert "passed" in run(ours, "test", policy.parent, cwd=tmp_path)


def test_an_archive_of_the_repository_knows_its_commit(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        lacking("only a checkout has a commit")
    head = run("git", "rev-parse", "HEAD", cwd=ROOT).strip()
    archive = tmp_path / "archive.tar"
    run("git", "archive", "--output", archive, "HEAD", "autoscaler/built.py", cwd=ROOT)
    with tarfile.open(archive) as files:
        file = files.extractfile("autoscaler/built.py")
        assert file is not None
        found = re.search(r'^ARCHIVED = "([0-9a-f]{7,})"$', file.read().decode(), re.MULTILINE)
    assert found, "export-subst in .gitattributes"
    assert head.startswith(found[1])
    assert head.startswith(built.commit())
    assert built.version() == f"{__version__} (commit {built.commit()})"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze on this machine")
def test_systemd_finds_nothing_wrong_with_the_unit_and_calls_it_well_confined(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/autoscaler/bin/autoscaler", sys.executable))
    run("systemd-analyze", "verify", "--man=no", unit, cwd=tmp_path)
    run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit, cwd=tmp_path)


def test_the_unit_starts_the_daemon_as_the_command_is_called() -> None:
    (start,) = re.findall(r"^ExecStart=(.+)$", UNIT.read_text(), re.MULTILINE)
    assert start.split()[:2] == ["/opt/autoscaler/bin/autoscaler", "run"]

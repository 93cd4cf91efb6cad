"""The daemon's disk is full, or what is on it cannot be read: scaling goes on, or one clear sentence ends it."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.daemon import ROOT, DaemonProcess
from tests.e2e.shop import Shop
from tests.support.wait import until

# A small disk of its own, seen by the daemon alone; $0 is where.
SMALL_DISK = 'mount -t tmpfs -o size={size} none "$0" && exec "$@"'


def on_small_disk(folder: Path, size: str) -> list[str | Path]:
    """The command behind which a daemon has a small disk at a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", SMALL_DISK.format(size=size), folder]


class Ballast:
    """A file that takes all the room there is on a daemon's own disk."""

    def __init__(self, daemon: DaemonProcess, folder: Path) -> None:
        self._file = Path(f"/proc/{daemon.process_id}/root{folder}/ballast")

    def fill(self) -> None:
        """Take what is left, to the last byte."""
        with contextlib.suppress(OSError), self._file.open("ab", buffering=0) as file:
            for size in (4096, 512, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def drop(self) -> None:
        """Give it back."""
        self._file.unlink()


def stores_faults(daemon: DaemonProcess) -> list[str]:
    return [each["sentence"] for each in daemon.status()["faults"] if "memory.sqlite" in each["sentence"]]


@pytest.mark.kubernetes
@pytest.mark.prometheus
@pytest.mark.e2e
def test_on_a_full_disk_scaling_goes_on_one_fault_is_told_and_writing_resumes(shop: Shop, tmp_path: Path) -> None:
    shop.open(1)
    data = tmp_path / "data"
    daemon = shop.daemon(before=on_small_disk(data, "400k"), socket=str(tmp_path / "daemon.sock")).start()
    ballast = Ballast(daemon, data)
    until(lambda: daemon.workload()["desired"] == 1, "it has decided")
    ballast.fill()
    for count in itertools.cycle([4, 2]):  # the log that is there already has some room left
        shop.load(100 * count)
        shop.scaled(count)
        if daemon.status()["store"]:
            break
    assert "full" in daemon.status()["store"]
    shop.load(500)
    shop.scaled(5)
    shop.load(200)
    shop.scaled(2)
    assert len(stores_faults(daemon)) == 1, stores_faults(daemon)
    text = daemon.cli("status")
    assert "The store fails: " in text
    assert "free some space on the disk; writing goes on by itself" in text
    refused = subprocess.run(
        [sys.executable, "-m", "autoscaler", "pause", "web", "--config", str(daemon.config)],
        capture_output=True, text=True, timeout=30, check=False, cwd=ROOT,
    )  # fmt: skip
    assert refused.returncode != 0, "a word that is not on record is not in force"
    assert "full" in refused.stderr
    assert daemon.workload()["pause"] is None

    ballast.drop()
    shop.load(400)
    shop.scaled(4)
    until(lambda: daemon.status()["store"] == "", "the store works again")
    assert any(each["sentence"] == "the store works again" for each in daemon.status()["faults"])
    until(lambda: "2 -> 4" in daemon.cli("history", "web"), "what happens is on record again")
    assert "is paused" in daemon.cli("pause", "web", "--for", "1h")
    assert "Traceback" not in daemon.text()


# starting on what cannot be read


def garbage(file: Path) -> None:
    file.write_bytes(b"not a database at all, and long enough to be taken for one " * 40)


def damaged(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as made:
        made.executescript("CREATE TABLE facts (a); CREATE TABLE history (a); PRAGMA user_version = 1")
        made.executemany("INSERT INTO facts VALUES (?)", [(str(n) * 50,) for n in range(5000)])
        made.commit()
    with file.open("r+b") as half:
        half.seek(100)
        half.write(b"\xff" * 3000)


def newer(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as made:
        made.execute("PRAGMA user_version = 99")


def a_folder(file: Path) -> None:
    file.mkdir()


UNREADABLE: dict[str, tuple[Callable[[Path], None], str]] = {
    "garbage": (garbage, "the file is not a store of ours; move the file away"),
    "damaged": (damaged, "the file is damaged; move the file away"),
    "newer": (newer, "run the newer version, or give this one another data folder"),
    "a folder": (a_folder, "the data folder must exist or be creatable, and be writable"),
}


@pytest.fixture
def lonely(tmp_path: Path) -> DaemonProcess:
    """A daemon not started, whose platform is away."""
    text = "name: web\ntarget: {compose: {project: p, service: s}}\nreplicas: {max: 2}\n"
    text += "signals: [{name: load, prometheus: up, per_replica: 1}]\n"
    return DaemonProcess(tmp_path, text, docker={"host": f"unix://{tmp_path}/none.sock"})


def ended(daemon: DaemonProcess, *before: str | Path) -> subprocess.CompletedProcess[str]:
    """`autoscaler run` that ends by itself."""
    words = [*map(str, before), sys.executable, "-m", "autoscaler", "run", "--config", str(daemon.config)]
    return subprocess.run(words, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)


@pytest.mark.e2e
@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_store_that_cannot_be_read_is_one_clear_sentence(lonely: DaemonProcess, kind: str) -> None:
    spoil, hint = UNREADABLE[kind]
    file = lonely.folder / "data" / "memory.sqlite"
    file.parent.mkdir()
    spoil(file)
    done = ended(lonely)
    assert done.returncode == 1, done.stderr
    said = done.stderr.splitlines()
    assert len(said) == 2, done.stderr
    assert said[0].startswith(f"error: {file}: ")
    assert hint in said[1]


@pytest.mark.e2e
def test_a_disk_that_is_full_before_the_first_start_is_one_clear_sentence(lonely: DaemonProcess) -> None:
    data = lonely.folder / "data"
    done = ended(lonely, *on_small_disk(data, "4k"))
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) == 2, done.stderr
    assert "free some space on the disk" in done.stderr


@pytest.mark.e2e
def test_a_disk_that_is_full_when_a_daemon_comes_back_is_one_clear_sentence(lonely: DaemonProcess) -> None:
    """It cannot put what it will learn on record, and says so before it decides anything."""
    lonely.start()
    lonely.stop()
    data, kept = lonely.folder / "data", lonely.folder / "kept"
    data.rename(kept)
    data.mkdir()
    fill = f'mount -t tmpfs -o size=200k none "$0" && cp -a {kept}/. "$0"; cat /dev/zero > "$0/ballast"; exec "$@"'
    done = ended(lonely, "unshare", "--mount", "--propagation", "private", "sh", "-c", fill, data)
    assert done.returncode == 1, done.stderr
    assert "free some space on the disk" in done.stderr
    assert "Traceback" not in done.stderr

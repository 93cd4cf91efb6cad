"""Who works here: one small file per worker, written before it is started, so that no daemon's death loses one."""

from __future__ import annotations

import enum
import hashlib
import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec

from autoscaler.clients.processes import Processes
from autoscaler.errors import Conflict, Refused
from autoscaler.model.policy import ProcessTarget as Spec
from autoscaler.model.target import Instance


class Duty(enum.Enum):
    """What a worker is there for: SURGE stands in beside the one it will replace, and counts once that one leaves."""

    SERVING = "serving"
    SURGE = "surge"
    DRAINING = "draining"


class Worker(msgspec.Struct, kw_only=True):
    """One worker as its file tells it. `pid` 0: not started yet, as far as is known."""

    id: str
    workload: str
    number: int
    port: int
    created: float
    command: str
    duty: Duty = Duty.SERVING
    pid: int = 0
    started: int = 0
    ready: bool = False
    was_ready: bool = False
    since: float = 0.0

    @property
    def address(self) -> str:
        """Host and port it serves on."""
        return f"127.0.0.1:{self.port}"


LOGS_KEPT = 20  # of workers that are gone

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Worker).decode


class Roster:
    """The workers of every workload, in memory as in the files of `folder`."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self._folder = folder
        self._processes = processes
        self._workers = {each.id: each for each in self._read()}

    def __iter__(self) -> Iterator[Worker]:
        return iter(list(self._workers.values()))

    def get(self, id: str) -> Worker | None:
        """One worker by its id."""
        return self._workers.get(id)

    def of(self, workload: str) -> list[Worker]:
        """A workload's workers by number."""
        return sorted((each for each in self if each.workload == workload), key=lambda each: each.number)

    def serving(self, workload: str) -> list[Worker]:
        """The workers that count, by number. One that served and ended by itself is not there any more."""
        return [each for each in self.of(workload) if each.duty is Duty.SERVING and not self.lost(each)]

    def count(self, workload: str) -> int:
        """How many exist. A worker and the one that will take its place (it has its number) are one."""
        surge = [each for each in self.of(workload) if each.duty is Duty.SURGE]
        standing = [each for each in surge if each.pid == 0 or self.alive(each)]
        return len({each.number for each in [*self.serving(workload), *standing]})

    def lost(self, worker: Worker) -> bool:
        """True for a worker that was ready once and whose process has ended; nobody waits for it any more."""
        return worker.was_ready and worker.pid > 0 and not self.alive(worker)

    def sweep(self, workload: str) -> int:
        """Put away the files of serving workers that are lost; how many there were."""
        gone = [each for each in self.of(workload) if each.duty is Duty.SERVING and self.lost(each)]
        for worker in gone:
            self.drop(worker)
        return len(gone)

    def add(self, id: str, workload: str, spec: Spec, *, number: int, duty: Duty, now: float) -> Worker:
        """A new worker on a free port, on file and not started; the same one again for the same id.

        A number is given once, and once more to the one that stands in beside its worker. Raises Conflict, Refused.
        """
        known = self._workers.get(id)
        if known is not None:
            return known
        stands_in = duty is Duty.SURGE
        if any(each.number == number and stands_in is (each.duty is Duty.SURGE) for each in self.of(workload)):
            what = "is being replaced" if stands_in else "exists"
            raise Conflict(f"worker {number} {what} already")
        worker = Worker(
            id=id, workload=workload, number=number, port=free_port(), created=now, since=now, duty=duty,
            command=fingerprint(spec),
        )  # fmt: skip
        self.keep(worker)
        return worker

    def keep(self, worker: Worker) -> None:
        """Write a worker's file; it is whole or as it was before."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = self._folder / f".{worker.id}.{uuid.uuid4().hex[:8]}"
            fresh.write_bytes(_encode(worker))
            os.replace(fresh, self._file(worker.id))
        except OSError as error:
            raise Refused(f"{self._folder}: a worker's file cannot be written: {error.strerror}") from None
        self._workers[worker.id] = worker

    def drop(self, worker: Worker) -> None:
        """Forget a worker that is gone. What the last few wrote is kept for people to read. Raises Refused."""
        self._workers.pop(worker.id, None)
        try:
            self._file(worker.id).unlink(missing_ok=True)
            logs = [each for each in self._folder.glob("*.log") if each.stem not in self._workers]
            for old in sorted(logs, key=_modified)[:-LOGS_KEPT]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise Refused(f"{self._folder}: a worker's file cannot be removed: {error.strerror}") from None

    def end_of(self, worker: Worker) -> str:
        """How a worker ended and the last line it wrote, in a few words."""
        code = self._processes.exit_code(worker.pid)
        how = "it ended" if code is None else f"exit status {code}" if code >= 0 else f"signal {-code}"
        try:
            lines = self._log(worker.id).read_bytes()[-2000:].decode(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return f"{how}; it wrote last: {lines[-1].strip()}" if lines else how

    def start(self, worker: Worker, spec: Spec) -> None:
        """Start its process, or find the one that was started already. Raises Refused."""
        if self.alive(worker):
            return
        found = self._processes.find(worker.id)
        if found is None:
            port = str(worker.port)
            command = [word.replace("{port}", port) for word in spec.command]
            environment = {**spec.env, "PORT": port}
            found = self._processes.start(worker.id, command, environment, self._log(worker.id))
        worker.pid, worker.started = found
        self.keep(worker)

    def alive(self, worker: Worker) -> bool:
        """True while its process runs."""
        return self._processes.alive(worker.pid, worker.started)

    def end(self, worker: Worker, *, kill: bool) -> None:
        """Tell its process to end, or end it."""
        self._processes.end(worker.pid, worker.started, kill=kill)

    def instance(self, worker: Worker, name: str, command: str) -> Instance:
        """A worker as everybody else knows it; `command` is the word for what new ones run, empty if none do."""
        alive = self.alive(worker)
        return Instance(
            id=worker.id,
            name=name,
            created=worker.created,
            ready=worker.ready and alive,
            since=worker.since,
            was_ready=worker.was_ready,
            draining=worker.duty is Duty.DRAINING,
            running=alive,
            exit_code=self._processes.exit_code(worker.pid),
            config_hash=worker.command,
            newer_config=command if command != worker.command else "",
            address=worker.address,
        )

    def _file(self, id: str) -> Path:
        return self._folder / f"{id}.json"

    def _log(self, id: str) -> Path:
        return self._folder / f"{id}.log"

    def _read(self) -> Iterator[Worker]:
        for file in sorted(self._folder.glob("*.json")):
            try:
                worker = _decode(file.read_bytes())
            except (OSError, msgspec.DecodeError):
                continue  # not a worker's file: our own are always whole
            if worker.pid == 0:
                worker.pid, worker.started = self._processes.find(worker.id) or (0, 0)
            yield worker


def fingerprint(spec: Spec) -> str:
    """A short word for what is run."""
    return hashlib.sha256(_encode([list(spec.command), sorted(spec.env.items())])).hexdigest()[:12]


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])

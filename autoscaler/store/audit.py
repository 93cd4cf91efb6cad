"""The audit: every action of a person or the daemon as one line of JSON, in files that are rotated.

It is a sink of the records that history is made of. Whoever tells it something waits for nothing: lines are made and
written by a thread. While the file cannot be written (a full disk) they wait, the newest too many are dropped and
counted, and `fault` is told when that begins and when it is over.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import msgspec

from autoscaler import clock, log
from autoscaler.errors import SettingsError
from autoscaler.model.decision import Decision, Reason
from autoscaler.model.signal import Missing, Reading
from autoscaler.ports import Record, RecordKind

WAITING = 10_000  # records that may wait to be written
BATCH = 500
RETRY_S = 5.0
CLOSE_S = 2.0
OURSELVES = "daemon"  # who acted, where it was no person

_SAID = {"paused": "pause", "resumed": "resume"}  # what a person did, by the reason of the record
_TRANSIENT = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENFILE, errno.EMFILE)

_encode = msgspec.json.Encoder().encode


class AuditLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One action. `before` and `after` are counts, or policy sets where one took another's place.

    `readings` and `steps` are what a decision was made of.
    """

    at: str
    kind: str
    action: str
    caller: str
    workload: str = ""
    policy: str = ""
    revision: str = ""
    before: int | str | None = None
    after: int | str | None = None
    reason: str = ""
    text: str = ""
    operation: str = ""
    instance: str = ""
    readings: tuple[dict[str, Any], ...] = ()
    steps: tuple[dict[str, Any], ...] = ()
    lines: int = 0  # that were lost


class Audit:
    """Writes to `file`, which starts anew at `size` bytes; `keep` former ones stay beside it as `file.1` and so on.

    `counts` says how many lines were written and dropped; `failing` why none can be written, while that is so.
    """

    def __init__(self, file: Path, *, size: int, keep: int, retry_s: float = RETRY_S) -> None:
        self.fault: Callable[[str], object] = lambda sentence: None
        self.counts: Counter[str] = Counter()
        self.failing = ""
        self._file = _Rotated(file, size, keep)
        self._retry_s = retry_s
        self._revision: str | None = None
        self._told_lost = 0
        self._closing = threading.Event()
        self._waiting: queue.Queue[Record | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    def start(self) -> None:
        """Begin to write. Raises SettingsError for a file that can never be written; a full disk is no reason not to
        scale.
        """
        try:
            self._file.ready()
        except OSError as error:
            if error.errno not in _TRANSIENT:
                said = f"audit.file: {self._file.baseFilename} cannot be written: {error.strerror}"
                raise SettingsError(said, hint="name a file in a folder that the daemon's user may write to") from None
        self._thread.start()

    def accept(self, records: Sequence[Record]) -> None:
        """Take those that are actions."""
        for record in records:
            if not acts(record):
                continue
            try:
                self._waiting.put_nowait(record)
            except queue.Full:
                self.counts["dropped"] += 1

    def close(self) -> None:
        """Write what waits, for two seconds at most."""
        if self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._waiting.put(None, timeout=CLOSE_S)
            self._closing.set()
            self._thread.join(CLOSE_S)
        self._file.close()

    def _run(self) -> None:
        last = False
        while not last:
            batch = [self._waiting.get()]
            with contextlib.suppress(queue.Empty):
                while len(batch) < BATCH and batch[-1] is not None:
                    batch.append(self._waiting.get_nowait())
            last = batch[-1] is None
            try:
                self._write([self._line(record) for record in batch if record is not None])
            except Exception as defect:  # told, and no reason to write nothing more
                self.counts["dropped"] += 1
                self.fault(f"a defect of ours: some lines of the audit are lost: {type(defect).__name__}: {defect}")

    def _write(self, lines: list[bytes]) -> None:
        """Write them, once it can be done; at the end there is one more try."""
        while lines:
            closing, dropped = self._closing.is_set(), self.counts["dropped"]
            try:
                if dropped > self._told_lost:
                    self._file.append(_lost(dropped - self._told_lost))
                    self._told_lost = dropped
                while lines:
                    self._file.append(lines[0])
                    del lines[0]
                    self.counts["written"] += 1
            except OSError as error:
                self._failed(error)
                if closing:
                    return
                self._closing.wait(self._retry_s)
            else:
                self._worked()

    def _failed(self, error: OSError) -> None:
        said = f"the audit cannot be written: {self._file.baseFilename}: {error.strerror}"
        if not self.failing:
            self.fault(said)
        self.failing = said

    def _worked(self) -> None:
        if self.failing:
            self.failing = ""
            self.fault("the audit is written again")

    def _line(self, record: Record) -> bytes:
        before = self._revision
        if record.reason == "activated":
            self._revision = record.revision
        return _encode(_clean(msgspec.to_builtins(line(record, before)))) + b"\n"


class _Rotated(RotatingFileHandler):
    """The standard library's rotation, around a file without a buffer: a line is in it whole or not at all."""

    def __init__(self, file: Path, size: int, keep: int) -> None:
        super().__init__(file, maxBytes=size, backupCount=keep, delay=True)

    def ready(self) -> None:
        """Open it. Raises OSError."""
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        self.stream = self._open()

    def append(self, line: bytes) -> None:
        """Add one line. Raises OSError, and then none of it is there."""
        file = self._descriptor()
        size = os.fstat(file).st_size
        if size and size + len(line) > self.maxBytes:
            self.doRollover()
            file, size = self._descriptor(), 0
        if os.write(file, line) < len(line):
            os.ftruncate(file, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _descriptor(self) -> int:
        if self.stream is None:
            self.ready()
        assert self.stream is not None  # it is ready
        return self.stream.fileno()

    def _open(self) -> Any:
        """For its owner only. A process that was killed while it wrote may have left half a line: it gets an end."""
        file = os.open(self.baseFilename, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            os.write(file, b"\n")
        return os.fdopen(file, "ab", buffering=0)


def acts(record: Record) -> bool:
    """True for what somebody did; a decision that leaves everything as it is is none."""
    if record.kind is not RecordKind.DECISION:
        return True
    decision = record.decision
    if decision is None:
        return record.before != record.after
    foreign = any(each.reason is Reason.FOREIGN_COUNT for each in decision.steps)
    return foreign or (
        decision.act and (decision.changes or bool(decision.replace) or decision.reason is Reason.ADOPTING)
    )


def line(record: Record, revision: str | None) -> AuditLine:
    """The record as a line; `revision` is the policy set that was in force before it, where that is known."""
    activated = record.reason == "activated"
    operation = record.outcome.operation if record.outcome is not None else None
    decision = record.decision
    return AuditLine(
        at=clock.text(record.at),
        kind=record.kind.value,
        action=_action(record),
        caller=record.by or OURSELVES,
        workload=record.workload,
        policy=record.policy,
        revision=record.revision,
        before=revision if activated else record.before,
        after=record.revision if activated else record.after,
        reason=record.reason,
        text=record.text,
        operation=operation.id if operation is not None else "",
        instance=operation.instance if operation is not None else "",
        readings=tuple(_reading(name, each) for name, each in decision.readings) if decision is not None else (),
        steps=tuple(msgspec.to_builtins(each) for each in decision.steps) if decision is not None else (),
    )


def _action(record: Record) -> str:
    """What was done: the operation's word, the person's, or what the record is about."""
    if record.outcome is not None:
        return record.outcome.operation.kind.value
    if record.kind is RecordKind.CONTROL:
        return _SAID.get(record.reason, record.reason)
    return _decided(record.decision) if record.kind is RecordKind.DECISION else record.kind.value


def _decided(decision: Decision | None) -> str:
    if decision is None or (decision.changes and decision.act):
        return "scale"
    if decision.reason is Reason.ADOPTING:
        return "adopt"
    return "replace" if decision.replace else "noticed"


def _reading(name: str, reading: Reading) -> dict[str, Any]:
    if isinstance(reading, Missing):
        return {"signal": name, "missing": reading.why.value, "detail": reading.detail}
    told: dict[str, Any] = {"signal": name, "series": len(reading.points), "age_s": reading.age_s}
    return {**told, "value": reading.points[0].value} if len(reading.points) == 1 else told


def _lost(lines: int) -> bytes:
    text = "so many lines were dropped: they came while the file could not be written"
    said = {"kind": "audit", "action": "lost", "caller": OURSELVES, "lines": lines, "text": text}
    return _encode(said) + b"\n"


def _clean(value: Any) -> Any:
    """Without what looks like a secret."""
    if isinstance(value, str):
        return log.redact(value)
    if isinstance(value, dict):
        return {key: _clean(each) for key, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, list | tuple) else value

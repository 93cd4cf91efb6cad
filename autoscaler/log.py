"""The log: events with fields, as text for people or as JSON lines; secrets are taken out on the way.

`event("scaled", workload=…, before=2, after=6)` is all the daemon calls. Lines go out on a thread of their own, so a
terminal or pipe that does not take them never holds the loop: what does not fit is dropped, and counted in a line.
"""

from __future__ import annotations

import json
import logging
import queue
import re
import sys
import threading
from datetime import UTC, datetime
from typing import TextIO

from autoscaler.unseen import LAYOUT, in_json, visible

WAITING = 10_000  # lines that may wait to be written
CLOSE_S = 2.0
HIDDEN = "[redacted]"

INFO = logging.INFO
WARNING = logging.WARNING
ERROR = logging.ERROR

Field = str | int | float | bool | None

_NAME = "autoscaler"
# A command that has not configured the log says itself what there is to say: an event's bare name helps nobody.
logging.getLogger(_NAME).addHandler(logging.NullHandler())
_SECRET_KEYS = re.compile(r"password|passwd|secret|token|authorization|cookie|credential|api[-_]?key", re.IGNORECASE)
_SECRETS = (
    (re.compile(r"(?<=://)[^/\s]+@"), f"{HIDDEN}@"),
    # A password with a slash; digits before the slash are a port, and an @ behind it is of the path.
    (re.compile(r"(?<=://)[^/\s@:\[?#]+:(?!\d+/)[^\s@?#]+@"), f"{HIDDEN}@"),
    (re.compile(r"\b(authorization[\"']?\s*[=:]\s*[\"']?)(?:[\w-]+\s+)?[^\s,;\"']+", re.IGNORECASE), rf"\1{HIDDEN}"),
    # What GitHub hands out, and what is signed for it: they are told by their looks.
    (re.compile(r"\b(?:gh[opsur]_[A-Za-z0-9_]{10,}|github_pat_[A-Za-z0-9_]{10,})"), HIDDEN),
    (re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"), HIDDEN),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (
        re.compile(
            r"\b((?:password|passwd|secret|token|api[-_]?key)[\"']?\s*[=:]\s*[\"']?)[^\s,;&\"']+", re.IGNORECASE
        ),
        rf"\1{HIDDEN}",
    ),
)


def event(name: str, *, level: int = INFO, **fields: Field) -> None:
    """Write one event. Never raises and never waits."""
    logging.getLogger(_NAME).log(level, name, extra={"fields": fields})


def redact(text: str) -> str:
    """The text without what looks like a secret.

    >>> redact("GET http://ann:s3cret@prometheus:9090/ failed: Bearer abcdef123456")
    'GET http://[redacted]@prometheus:9090/ failed: Bearer [redacted]'
    """
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def configure(form: str = "text", stream: TextIO | None = None) -> Pump:
    """Send everything logged in this process to `stream` (stderr) as `text` or `json`; close the result at the end."""
    pump = Pump(sys.stderr if stream is None else stream)
    pump.setFormatter(JsonLines() if form == "json" else TextLines())
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    root.addHandler(pump)
    root.setLevel(WARNING)
    logging.getLogger(_NAME).setLevel(INFO)
    return pump


class JsonLines(logging.Formatter):
    """One JSON object per line: at, level, event, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        said = {"at": _at(record), "level": record.levelname.lower(), **_fields(record)}
        return in_json(json.dumps(said, ensure_ascii=False, default=str))


class TextLines(logging.Formatter):
    """One line for people: time, event, `key=value` and last the sentence."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, and a traceback below it."""
        fields = _fields(record)
        traceback, sentence = fields.pop("traceback", None), fields.pop("text", None)
        words = [_at(record), str(fields.pop("event"))]
        if record.levelno >= WARNING:
            words.insert(1, record.levelname)
        words += [f"{key}={_word(value)}" for key, value in fields.items() if value not in (None, "")]
        if sentence:
            words.append("· " + str(sentence).replace("\n", " "))
        return visible(" ".join(words)) + (f"\n{visible(str(traceback), keep=LAYOUT)}" if traceback else "")


class Pump(logging.Handler):
    """Takes lines at once and writes them from a thread."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.dropped = 0
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the line, or drop it when the reader is too slow."""
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
            return
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what waits, for two seconds at most."""
        if self._thread.is_alive():
            try:
                self._lines.put(None, timeout=CLOSE_S)
                self._thread.join(CLOSE_S)
            except queue.Full:
                pass
        super().close()

    def _write(self) -> None:
        told = 0
        while (line := self._lines.get()) is not None:
            if self.dropped > told and self._lines.empty():
                line += f"\n{self.dropped - told} log lines dropped: they were not read fast enough"
                told = self.dropped
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # nobody reads any more
                self.dropped += 1


def _fields(record: logging.LogRecord) -> dict[str, Field]:
    own = getattr(record, "fields", None)
    if own is None:  # a library's line
        fields: dict[str, Field] = {"event": "library", "logger": record.name, "text": record.getMessage()}
    else:
        fields = {"event": record.getMessage(), **own}
    if record.exc_info:
        fields["traceback"] = logging.Formatter().formatException(record.exc_info)
    return {key: _safe(key, value) for key, value in fields.items()}


def _safe(key: str, value: Field) -> Field:
    if _SECRET_KEYS.search(key):
        return HIDDEN
    return redact(value) if isinstance(value, str) else value


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _word(value: Field) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if re.fullmatch(r"[^\s\"=]+", text) else json.dumps(text, ensure_ascii=False)

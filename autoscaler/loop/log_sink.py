"""Records as lines of the log."""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler import log
from autoscaler.model.operation import OutcomeKind
from autoscaler.ports import Record, RecordKind

_EVENTS = {
    RecordKind.DECISION: "decided",
    RecordKind.OUTCOME: "ended",
    RecordKind.CONTROL: "told",
    RecordKind.POLICIES: "policies",
    RecordKind.FAULT: "fault",
}
_BAD_ENDS = (OutcomeKind.REFUSED, OutcomeKind.FAILED)


class LogSink:
    """Writes every record as one event; the log drops what nobody reads."""

    def accept(self, records: Sequence[Record]) -> None:
        """Write them."""
        for record in records:
            log.event(
                _EVENTS[record.kind],
                level=_level(record),
                workload=record.workload or None,
                policy=record.policy or None,
                before=record.before,
                after=record.after,
                reason=record.reason,
                by=record.by or None,
                revision=(record.revision or None) if record.kind is RecordKind.POLICIES else None,
                text=record.text,
            )


def _level(record: Record) -> int:
    ended_badly = record.outcome is not None and record.outcome.kind in _BAD_ENDS
    if record.kind is RecordKind.FAULT or ended_badly or record.reason == "rejected":
        return log.WARNING
    return log.INFO

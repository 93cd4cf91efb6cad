"""Where the daemon's doings are told, as the settings say it: the audit's file, and who is notified of what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from autoscaler.model.policy import Node


class AuditSettings(Node, frozen=True, kw_only=True):
    """The file that every action is written to as a line of JSON."""

    file: Annotated[str, Meta(min_length=1, description="the file; without one nothing is written")] | None = None
    megabytes: Annotated[float, Meta(ge=0.01, le=1_000_000, description="at which a new file begins")] = 50.0
    keep: Annotated[int, Meta(ge=1, le=1000, description="how many former files stay beside it")] = 10


def audit_near(audit: AuditSettings, folder: Path) -> AuditSettings:
    """The same with a relative path meant from this folder."""
    return msgspec.structs.replace(audit, file=str(folder / audit.file)) if audit.file is not None else audit

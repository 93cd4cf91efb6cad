"""The machine that measures, in one line."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def machine() -> str:
    """Processor, cores, system and Python."""
    cores = os.cpu_count()
    return (
        f"{_processor()}, {cores} cores; {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(found, platform.processor() or "a processor that does not say its name")

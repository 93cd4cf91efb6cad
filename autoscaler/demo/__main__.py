"""`python -m autoscaler.demo`: ends by itself within two minutes; exit status 0 only if all of it was seen."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from autoscaler.demo.screen import Screen
from autoscaler.demo.story import tell

WITHIN_S = 105.0


def main() -> int:
    """Play the demo in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="autoscaler-demo-") as folder:
        try:
            return asyncio.run(tell(Path(folder), Screen(sys.stdout), WITHIN_S))
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    sys.exit(main())

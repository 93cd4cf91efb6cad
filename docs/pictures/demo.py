"""The picture of the README: `python docs/pictures/demo.py` plays `make demo` and keeps what its screen showed.

The moment is that in which a sick worker's successor is on its way. It ends as the demo does: 0 only if all was seen.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

# Beside the checkout that this file is in, wherever it is run from.
sys.path.insert(0, str(Path(__file__).parents[2]))

from autoscaler.demo.__main__ import WITHIN_S, play
from autoscaler.demo.around import Around
from autoscaler.demo.screen import Look, Screen

PICTURE = Path(__file__).parent / "demo.svg"
COLUMNS, ROWS = 112, 50
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # a picture asks nobody for fonts


class Terminal(io.StringIO):
    """What is written to it is a person's screen."""

    def isatty(self) -> bool:
        return True


class Watched(Screen):
    """A screen of which one moment is kept, as people saw it: what happened, and the table below."""

    def __init__(self) -> None:
        super().__init__(Terminal(), {"TERM": "xterm-256color"})
        self._happened: list[str] = []
        self.moment = ""

    def happened(self, at_s: float, line: str, color: str = "") -> None:
        self._happened.append(self._in(color, self._fitting(f"{at_s:6.1f} s  {line}")))
        print(f"{at_s:6.1f} s  {line}", flush=True)

    def show(self, look: Look) -> None:
        super().show(look)
        if look.underway:
            self.moment = "\n".join([*self._happened, *self._table(look)])


def draw(moment: str) -> str:
    """A terminal's text with its colors as SVG."""
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(moment))
    return FONTS.sub("", console.export_svg(title="make demo", unique_id="demo"))


def main() -> int:
    """Play, and write the picture if all of it was seen."""
    os.environ.update(COLUMNS=str(COLUMNS), LINES=str(ROWS))
    screen = Watched()
    ended = asyncio.run(play(screen, Around, WITHIN_S))
    if ended or not screen.moment:
        print("no picture: not all of the demo was seen", file=sys.stderr)
        return ended or 1
    PICTURE.write_text(draw(screen.moment), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

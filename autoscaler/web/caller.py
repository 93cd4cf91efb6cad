"""Who asks, or why they are not let in."""

from __future__ import annotations

import msgspec


class Refusal(msgspec.Struct, frozen=True):
    """Why something is refused: the HTTP status, a sentence and a hint."""

    status: int
    sentence: str
    hint: str = ""


class Refused(Exception):
    """A request that is not let in."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


class Caller(msgspec.Struct, frozen=True):
    """Who asks: the token's name (empty: nobody in particular), whether it may write.

    `handed_on` is true where another daemon asks, for somebody that it has let in.
    """

    name: str = ""
    write: bool = False
    handed_on: bool = False


SOCKET = Caller(write=True)  # whoever may open the socket; its words carry the name they say themselves

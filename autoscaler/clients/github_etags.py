"""What GitHub answered before, so that it can say "unchanged": by URL, Accept and who asked, for each sees another."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

MOST = 1000
MOST_BYTES = 32_000_000


class Key(NamedTuple):
    """What an answer belongs to. Another login, or another Accept, has another answer at the same URL."""

    url: str
    accept: str
    identity: str


class Kept(NamedTuple):
    """An answer, with its ETag and the next page's URL."""

    etag: str
    body: bytes
    link: str


class Etags:
    """Answers, bounded by number and bytes: what was not used for longest goes."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key) -> Kept | None:
        """The answer of before."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Key, kept: Kept) -> None:
        """Keep an answer; one that is too big for all of it is not kept."""
        self.drop(key)
        if len(kept.body) > self._most_bytes:
            return
        self._kept[key] = kept
        self.size += len(kept.body)
        while len(self._kept) > self._most or self.size > self._most_bytes:
            self.size -= len(self._kept.popitem(last=False)[1].body)

    def drop(self, key: Key) -> None:
        """Forget one."""
        if (old := self._kept.pop(key, None)) is not None:
            self.size -= len(old.body)

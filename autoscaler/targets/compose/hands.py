"""Other hands: what the engine's events tell of who made, stopped and took away containers besides us."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

from autoscaler.targets.compose.container import DRAINING, LEAVING, ONEOFF, OPERATION, PROJECT, SERVICE

QUIET_S = 2.0  # after somebody took or made a container the next one may follow: nothing is made meanwhile
LEAVING_S = 60.0  # what a container may take to end once somebody told it to
OURS_KEPT = 2000
COMPOSE_S = 3.0  # news of what a compose program did for us may be so late

_ENDING = ("2", "3", "9", "15")  # signals that end a container; others ask for something else

Key = tuple[str, str]  # project, service
K = TypeVar("K")


class Hands:
    """Facts with their times, in seconds since the epoch."""

    def __init__(self, stopped: set[str]) -> None:
        self.stopped = stopped  # containers that were stopped by others
        self.changed: dict[Key, float] = {}  # when others created or destroyed a container of the service last
        self.destroyed: dict[str, float] = {}  # when others destroyed any container of the project last
        self._touched: dict[str, float] = {}  # when others stopped or destroyed any container of the project last
        self._made: dict[Key, float] = {}  # when others created a container of the service or started a stopped one
        self._ending: dict[str, tuple[str, float]] = {}  # container told to end by others → project, and when
        self._ours: dict[str, None] = {}
        self._compose: dict[Key, float] = {}  # services for which a compose program works for us → until when

    def ours(self, id: str) -> None:
        """From here on what happens to this container is our doing."""
        self._ours[id] = None
        while len(self._ours) > OURS_KEPT:
            del self._ours[next(iter(self._ours))]

    def composing(self, key: Key, until: float) -> None:
        """Containers of this service that appear until then are made for us."""
        self._compose[key] = until

    def told(self, action: str, id: str, about: Mapping[str, str], at: float, *, past: bool = False) -> None:
        """Note one event about a container of a compose service. `about` are its labels and its name.

        Of the time before we listened (`past`) only names and labels tell whose doing it was: those that an operation
        of ours made are taken to have been ours to remove.
        """
        key = about.get(PROJECT, ""), about.get(SERVICE, "")
        if about.get(ONEOFF) == "True" or not all(key):
            return
        leaving = id in self._ours or about.get("name", "").startswith((DRAINING, LEAVING))
        leaving = leaving or (past and bool(about.get(OPERATION)))
        if action == "start":
            if id in self.stopped:
                _later(self._made, key, at)
            self.stopped.discard(id)
            self._ending.pop(id, None)
        elif action == "create" and not about.get(OPERATION) and at > self._compose.get(key, 0.0):
            _later(self.changed, key, at)
            _later(self._made, key, at)
        elif action == "kill" and not leaving and about.get("signal", "") in _ENDING:
            self._ending[id] = key[0], at
            _later(self._touched, key[0], at)
        elif action in ("die", "destroy"):
            self._ending.pop(id, None)
        if action == "stop" and not leaving:
            self.stopped.add(id)
            _later(self._touched, key[0], at)
        elif action == "destroy" and not leaving:
            _later(self.destroyed, key[0], at)
            _later(self._touched, key[0], at)
            _later(self.changed, key, at)

    def busy(self, key: Key, now: float) -> bool:
        """True while somebody takes containers of the project away, or makes some of the service: more may follow."""
        project = key[0]
        last = max(self._touched.get(project, -math.inf), self._made.get(key, -math.inf))
        if now - last < QUIET_S:
            return True
        return any(theirs == project and now - at < LEAVING_S for theirs, at in self._ending.values())


def _later(kept: dict[K, float], key: K, at: float) -> None:
    kept[key] = max(kept.get(key, at), at)

"""What is being carried out right now, by workload."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from autoscaler.model.operation import BEGIN, Operation, OperationKind

TAKEN_KEPT = 1000

_PARTS = (OperationKind.CREATE, OperationKind.REMOVE)
_COUNTED = (OperationKind.SCALE, *_PARTS)


class Underway:
    """The open operations and the counts they are to reach."""

    def __init__(self) -> None:
        self.intents: dict[str, int] = {}
        self.taken: deque[str] = deque(maxlen=TAKEN_KEPT)  # instances that orders of ours took away
        self._open: dict[str, dict[str, Operation]] = {}  # workload → id → operation

    def __iter__(self) -> Iterator[Operation]:
        for each in self._open.values():
            yield from each.values()

    def put(self, operation: Operation) -> None:
        """It is open, at this stage."""
        self._open.setdefault(operation.ref.key, {})[operation.id] = operation

    def drop(self, operation: Operation) -> None:
        """It has ended."""
        key = operation.ref.key
        left = self._open.get(key, {})
        left.pop(operation.id, None)
        if not left:
            self._open.pop(key, None)

    def clear(self) -> None:
        """Nothing is open as far as this process knows."""
        self._open.clear()
        self.intents.clear()

    def of(self, key: str) -> list[Operation]:
        """The open operations of one workload."""
        found = self._open.get(key)
        return list(found.values()) if found else []

    def busy(self, key: str) -> bool:
        """True while an order is not yet seen on the platform: a new count now would be reckoned from a wrong one."""
        return any(
            each.kind is OperationKind.SCALE or (each.stage == BEGIN and each.kind in _PARTS) for each in self.of(key)
        )

    def removing(self, key: str) -> bool:
        """True while instances are on their way out."""
        return any(
            each.kind is OperationKind.REMOVE or (each.kind is OperationKind.SCALE and each.count < each.before)
            for each in self.of(key)
        )

    def replacing(self, key: str) -> tuple[str, ...]:
        """The instances being replaced."""
        return tuple(each.instance for each in self.of(key) if each.kind is OperationKind.REPLACE)

    def adopting(self, order: Operation) -> bool:
        """True where an order to adopt is being carried out already."""
        kind = OperationKind.ADOPT
        return order.kind is kind and any(each.kind is kind for each in self.of(order.ref.key))

    def intent(self, key: str) -> int | None:
        """The count ordered last, while instances for it are still being created or taken away; else None.

        What is only tidied up (an instance that a dead process left half made) is no part of an order.
        """
        if key not in self._open:
            return None
        ordered = any(each.kind in _COUNTED and each.before != each.count for each in self.of(key))
        return self.intents.get(key) if ordered else None

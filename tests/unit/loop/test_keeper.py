"""What is kept, and what is only said to be: a word is answered once the next daemon would know it too."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from autoscaler.errors import StoreError
from autoscaler.loop.keeper import Keeper
from autoscaler.ports import Fact, FactKind
from autoscaler.store.memory import MemoryStore


class Slow(MemoryStore):
    """A store whose write takes longer than what was left of the lease."""

    ours = True

    async def put(self, facts: Sequence[Fact]) -> None:
        await super().put(facts)
        self.ours = False


async def test_a_word_that_was_kept_after_the_lease_had_run_out_is_not_said_to_be_in_force() -> None:
    store = Slow()
    keeper = Keeper(store, [])
    keeper.ours = lambda: store.ours
    with pytest.raises(StoreError, match="taken over meanwhile"):
        await keeper.insist([Fact(FactKind.PAUSE, "web", b"x")])
    with pytest.raises(StoreError, match="nothing can be kept here"):
        await keeper.insist([Fact(FactKind.PAUSE, "web", b"y")])
    assert [fact.value for fact in await store.facts()] == [b"x"]

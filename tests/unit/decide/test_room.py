"""What workloads share on a platform is handed out once in a cycle: the most urgent first, never more than there is."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.decide.explain import why
from autoscaler.decide.room import shared
from autoscaler.model.decision import Decision, Reason, Stage, Step
from autoscaler.model.observation import Seen
from autoscaler.model.signal import Missing, MissingWhy
from autoscaler.model.target import Pool, TargetState, WorkloadRef


def pool(left: int, each: int = 1, key: str = "pods") -> Pool:
    return Pool(key, left, each, f"ResourceQuota team ({key})")


def grows(
    name: str, current: int, desired: int, *pools: Pool, existing: int | None = None, namespace: str = "shop",
    act: bool = True,
) -> tuple[Decision, Seen]:  # fmt: skip
    """One workload that wants to go from one count to another."""
    ref = WorkloadRef("kubernetes", namespace, "Deployment", name)
    existing = current if existing is None else existing
    state = TargetState(ref=ref, desired=current, existing=existing, ready=existing, at=0.0, pools=pools)
    step = Step(Stage.SIGNAL, current, desired, Reason.ABOVE_TARGET)
    decision = Decision(
        ref=ref, policy=name, at=0.0, current=current, desired=desired, reason=step.reason, steps=(step,), act=act
    )
    return decision, Seen(state=state, readings=())


def handed(*them: tuple[Decision, Seen]) -> list[int]:
    return [each.desired for each in shared([one for one, _ in them], [look for _, look in them])]


def test_two_that_grow_in_one_cycle_are_not_promised_the_same_room() -> None:
    assert handed(grows("a", 2, 5, pool(4)), grows("b", 2, 5, pool(4))) == [5, 3]
    assert handed(grows("a", 2, 5, pool(6)), grows("b", 2, 5, pool(6))) == [5, 5]


def test_one_that_wakes_goes_first_then_the_one_that_lacks_the_most_of_what_it_has() -> None:
    small, large, asleep = grows("c", 1, 4, pool(4)), grows("a", 10, 16, pool(4)), grows("z", 0, 2, pool(4))
    assert handed(large, small) == [11, 4]
    assert handed(large, small, asleep) == [10, 3, 2]


def test_what_a_person_reads_says_that_the_room_is_shared() -> None:
    them = [grows("a", 2, 5, pool(4)), grows("b", 2, 5, pool(4))]
    first, second = shared([one for one, _ in them], [look for _, look in them])
    assert first is them[0][0], "who gets all of it is told nothing"
    assert second.reason is Reason.CAPPED_AT_QUOTA
    assert (
        why(second) == "5 are asked for, ResourceQuota team (pods), shared with others that grow now, leaves room for 3"
    )


def test_a_growth_that_was_capped_alone_before_is_told_once_and_from_what_was_asked_for() -> None:
    decision, look = grows("b", 2, 6, pool(4))
    cap = Step(Stage.BOUND, 9, 6, Reason.CAPPED_AT_QUOTA, {"quota": "ResourceQuota team (pods)"})
    capped = msgspec.structs.replace(decision, reason=cap.reason, steps=(*decision.steps, cap))
    made = shared([grows("a", 1, 4, pool(4))[0], capped], [grows("a", 1, 4, pool(4))[1], look])[1]
    assert [step.after for step in made.steps if step.reason is Reason.CAPPED_AT_QUOTA] == [3]
    assert why(made).startswith("9 are asked for, ")


def test_what_was_ordered_and_does_not_exist_yet_has_its_room() -> None:
    waiting = grows("w", 6, 6, pool(4), existing=3)
    assert handed(waiting, grows("a", 2, 5, pool(4))) == [6, 3]
    alone = grows("w", 6, 9, pool(4), existing=3)
    assert handed(alone) == [7], "its own order counts as well"


def test_what_no_pool_lets_in_takes_room_from_nobody() -> None:
    barred = grows("w", 10, 10, pool(9), pool(0, key="limit"), existing=1)
    assert handed(barred, grows("a", 2, 5, pool(9))) == [10, 5]


def test_room_that_is_not_shared_is_not_taken_from_anybody() -> None:
    assert handed(grows("a", 2, 5, pool(3)), grows("b", 2, 5, pool(3), namespace="lab")) == [5, 5]
    assert handed(grows("a", 2, 5, pool(3, key="x")), grows("b", 2, 5, pool(3, key="y"))) == [5, 5]
    assert handed(grows("a", 2, 5), grows("b", 2, 5, pool(3))) == [5, 5]


def test_who_only_observes_takes_none_and_who_shrinks_gives_none_back_yet() -> None:
    assert handed(grows("a", 2, 5, pool(3), act=False), grows("b", 2, 5, pool(3))) == [5, 5]
    assert handed(grows("a", 5, 2, pool(1)), grows("b", 2, 5, pool(1))) == [2, 3]


def test_a_workload_that_takes_more_of_it_gets_fewer_and_leaves_what_it_cannot_use() -> None:
    assert handed(grows("a", 1, 9, pool(1000, 300)), grows("b", 2, 9, pool(1000, 100))) == [4, 3]


def test_a_state_that_is_not_known_is_in_nobodys_way() -> None:
    blind, _ = grows("a", 2, 2)
    unknown = Seen(state=Missing(MissingWhy.FAILED, "no answer"), readings=())
    decision, look = grows("b", 2, 5, pool(3))
    assert [each.desired for each in shared([blind, decision], [unknown, look])] == [2, 5]


_AMOUNT = st.integers(0, 12)
_WORKLOAD = st.tuples(
    _AMOUNT, _AMOUNT, _AMOUNT, st.integers(0, 4), st.sampled_from(["shop", "lab"]), st.booleans()
)  # current, desired and existing count, what one takes of cpu, where, and whether it acts
Drawn = tuple[int, int, int, int, str, bool]


def them_of(drawn: Sequence[Drawn], pods: int, cpu: int) -> list[tuple[Decision, Seen]]:
    return [
        grows(
            f"w{n}", current, desired, pool(pods), *([pool(cpu, each, "cpu")] if each else []),
            existing=existing, namespace=namespace, act=act,
        )
        for n, (current, desired, existing, each, namespace, act) in enumerate(drawn)
    ]  # fmt: skip


@given(st.lists(_WORKLOAD, max_size=8), st.integers(0, 20), st.integers(0, 30), st.randoms())
@settings(max_examples=300, deadline=None)
def test_what_is_granted_is_never_more_than_there_is_and_the_order_of_workloads_plays_no_part(
    drawn: list[Drawn], pods: int, cpu: int, dice: random.Random
) -> None:
    them = them_of(drawn, pods, cpu)
    made = shared([one for one, _ in them], [look for _, look in them])
    granted: dict[tuple[str, str], int] = {}
    for (before, look), after in zip(them, made, strict=True):
        assert isinstance(look.state, TargetState)
        assert after.desired == before.desired or before.current <= after.desired < before.desired
        new = after.desired - max(before.current, look.state.existing)
        if not after.act or after.desired <= before.current or new <= 0:
            continue
        for each in look.state.pools:
            place = (look.state.ref.namespace, each.key)
            granted[place] = granted.get(place, 0) + new * each.each
    for (_, key), amount in granted.items():
        assert amount <= (pods if key == "pods" else cpu)
    mixed = list(them)
    dice.shuffle(mixed)
    again = shared([one for one, _ in mixed], [look for _, look in mixed])
    assert {each.ref.key: each.desired for each in again} == {each.ref.key: each.desired for each in made}

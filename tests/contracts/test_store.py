"""What every store promises; each test runs against all of them."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_wire import ConfigMap
from autoscaler.clock import ManualClock, SystemClock
from autoscaler.decide.hpa import Event, History, Recommendation
from autoscaler.decide.memory import Memory
from autoscaler.errors import StoreError
from autoscaler.model.decision import Reason
from autoscaler.model.operation import Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.signal import Missing, MissingWhy, Point, Series
from autoscaler.ports import Fact, FactKind, Record, RecordKind
from autoscaler.store.cluster_memory import CONFIG_MAPS, ClusterMemory, names
from autoscaler.store.memory import MemoryStore
from autoscaler.store.sqlite import SqliteStore
from tests.parts.kubernetes import ControlPlane
from tests.support import nouns

Either = MemoryStore | SqliteStore | ClusterMemory
NEVER_FILLS = 10**9


def in_cluster(plane: ControlPlane, namespace: str = "") -> ClusterMemory:
    """A new pod's store, in a namespace of its own or in this one."""
    if not namespace:
        namespace = f"ops-{uuid.uuid4().hex[:8]}"
        plane.namespace(namespace)
    api = KubernetesApi(SystemClock(), kubeconfig=str(plane.kubeconfig()))
    return ClusterMemory(MemoryStore(), api, namespace, "autoscaler")


@pytest.fixture(params=["memory", "sqlite", pytest.param("cluster", marks=pytest.mark.kubernetes)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Either]:
    make: dict[str, Callable[[], Either]] = {
        "memory": MemoryStore,
        "sqlite": lambda: SqliteStore(tmp_path / "memory.db", ManualClock(1000.0)),
        "cluster": lambda: in_cluster(request.getfixturevalue("control_plane")),
    }
    made = make[request.param]()
    yield made
    await made.close()


async def test_a_new_store_knows_nothing(store: Either) -> None:
    assert list(await store.facts()) == []
    assert list(await store.history(None, until=NEVER_FILLS, limit=10)) == []


async def test_history_comes_newest_first_and_no_later_than_asked(store: Either) -> None:
    await store.append([nouns.record(at, "a") for at in (10.0, 20.0, 30.0)])
    assert [line.at for line in await store.history("a", until=20.0, limit=10)] == [20.0, 10.0]


async def test_history_gives_the_newest_when_there_are_more_than_asked_for(store: Either) -> None:
    await store.append([nouns.record(float(at), "a") for at in range(100)])
    assert [line.at for line in await store.history("a", until=NEVER_FILLS, limit=3)] == [99.0, 98.0, 97.0]


async def test_what_happened_at_the_same_time_keeps_its_order(store: Either) -> None:
    await store.append([nouns.record(10.0, "a", "first"), nouns.record(10.0, "a", "second")])
    await store.append([nouns.record(10.0, "b", "third")])
    lines = await store.history(None, until=10.0, limit=10)
    assert [line.text for line in lines] == ["third", "second", "first"]


async def test_lines_that_come_late_stand_at_their_own_time(store: Either) -> None:
    await store.append([nouns.record(20.0, text="on time")])
    await store.append([nouns.record(10.0, text="late")])
    assert [line.text for line in await store.history(None, until=NEVER_FILLS, limit=10)] == ["on time", "late"]


async def test_one_workloads_history_is_its_own_and_all_is_all(store: Either) -> None:
    await store.append([nouns.record(1.0, "a"), nouns.record(2.0, "b"), nouns.record(3.0)])
    assert [line.workload for line in await store.history("a", until=NEVER_FILLS, limit=10)] == ["a"]
    assert [line.workload for line in await store.history(None, until=NEVER_FILLS, limit=10)] == ["", "b", "a"]


async def test_a_line_comes_back_as_it_was_with_its_decision_and_outcome(store: Either) -> None:
    readings = (
        ("requests", Series((Point(1.5, (("job", "web"),)),), age_s=3.0)),
        ("cpu", Missing(MissingWhy.STALE, "5 m old")),
    )
    made = nouns.decision(current=2, desired=6, reason=Reason.ABOVE_TARGET, readings=readings)
    operation = Operation(id="1", kind=OperationKind.SCALE, ref=nouns.ref(), started=1.0, deadline=2.0, count=6)
    line = Record(
        at=1000.25,
        kind=RecordKind.OUTCOME,
        workload=nouns.ref().key,
        policy="web",
        revision="r1",
        before=2,
        after=6,
        reason="applied",
        text="2 → 6",
        by="ann",
        decision=made,
        outcome=Outcome(operation, OutcomeKind.APPLIED, 3.0, "done", 6),
    )
    await store.append([line])
    assert list(await store.history(nouns.ref().key, until=NEVER_FILLS, limit=1)) == [line]


async def test_facts_are_kept_replaced_and_taken_away(store: Either) -> None:
    await store.put([Fact(FactKind.PAUSE, "a", b"1"), Fact(FactKind.INTENT, "a", b"2")])
    await store.put([Fact(FactKind.PAUSE, "a", b"3"), Fact(FactKind.INTENT, "a", None)])
    assert list(await store.facts()) == [Fact(FactKind.PAUSE, "a", b"3")]


async def test_of_two_facts_with_one_name_the_later_holds(store: Either) -> None:
    await store.put([Fact(FactKind.PAUSE, "a", b"1"), Fact(FactKind.PAUSE, "a", None)])
    await store.put([Fact(FactKind.PAUSE, "b", None), Fact(FactKind.PAUSE, "b", b"2")])
    assert list(await store.facts()) == [Fact(FactKind.PAUSE, "b", b"2")]


async def test_facts_are_any_bytes(store: Either) -> None:
    fact = Fact(FactKind.MEMORY, "ключ/key", bytes(range(256)))
    await store.put([fact])
    assert list(await store.facts()) == [fact]


async def test_taking_away_what_is_not_there_is_no_fault(store: Either) -> None:
    await store.put([Fact(FactKind.PAUSE, "a", None)])
    await store.append([])
    assert list(await store.facts()) == []


# what only a store has that pods share


@pytest.mark.kubernetes
async def test_the_next_pod_knows_what_the_last_one_kept_but_for_its_history(control_plane: ControlPlane) -> None:
    namespace = f"ops-{uuid.uuid4().hex[:8]}"
    control_plane.namespace(namespace)
    first, second = in_cluster(control_plane, namespace), in_cluster(control_plane, namespace)
    kept = [Fact(FactKind.MEMORY, f"kubernetes/default/shop/Deployment/web-{i}", b"%d" % i) for i in range(200)]
    await first.put([*kept, Fact(FactKind.PAUSE, "a", b"1")])
    await first.append([nouns.record(1.0, "a")])
    assert set(await second.facts()) == {*kept, Fact(FactKind.PAUSE, "a", b"1")}
    assert list(await second.history(None, until=NEVER_FILLS, limit=10)) == []
    await first.close()
    await second.close()


@pytest.mark.kubernetes
async def test_words_and_orders_that_are_kept_at_once_are_all_kept(control_plane: ControlPlane) -> None:
    namespace = f"ops-{uuid.uuid4().hex[:8]}"
    control_plane.namespace(namespace)
    first, second = in_cluster(control_plane, namespace), in_cluster(control_plane, namespace)
    facts = [Fact(kind, str(number), b"x") for kind in (FactKind.PAUSE, FactKind.OPERATION) for number in range(5)]
    await asyncio.gather(*(first.put([each]) for each in facts))
    assert {(each.kind, each.key) for each in await second.facts()} == {(each.kind, each.key) for each in facts}
    await first.close()
    await second.close()


@pytest.mark.kubernetes
async def test_what_another_pod_wrote_is_never_overwritten_unseen(control_plane: ControlPlane) -> None:
    namespace = f"ops-{uuid.uuid4().hex[:8]}"
    control_plane.namespace(namespace)
    old, new = in_cluster(control_plane, namespace), in_cluster(control_plane, namespace)
    await old.put([Fact(FactKind.PAUSE, "a", b"1")])
    await new.put([Fact(FactKind.PAUSE, "b", b"2")])
    with pytest.raises(StoreError, match="somebody else has written it meanwhile"):
        await old.put([Fact(FactKind.PAUSE, "c", b"3")])
    assert {fact.key for fact in await new.facts()} == {"a", "b"}
    await old.put([Fact(FactKind.PAUSE, "c", b"3")])
    assert {fact.key for fact in await new.facts()} == {"a", "b", "c"}, "once it was read again it can be added to"
    await old.close()
    await new.close()


@pytest.mark.kubernetes
async def test_the_memories_of_ten_thousand_workloads_fit(control_plane: ControlPlane) -> None:
    namespace = f"ops-{uuid.uuid4().hex[:8]}"
    control_plane.namespace(namespace)
    store = in_cluster(control_plane, namespace)
    chance, times = random.Random(1), [1_764_000_000.0 + 15.017 * beat for beat in range(20)]
    many = []
    for number in range(10_000):
        past = tuple(Recommendation(chance.randint(1, 40), at) for at in times)
        ups = tuple(Event(chance.randint(1, 9), chance.choice(times)) for _ in range(4))
        memory = Memory(first_seen=times[0], fingerprint=f"{number:016x}", history=History(past, ups, ups), wish=3)
        many.append(Fact(FactKind.MEMORY, nouns.ref(f"web-{number}").key, msgspec.json.encode(memory)))
    await store.put(many)
    assert len(await store.facts()) == len(many)
    api = KubernetesApi(SystemClock(), kubeconfig=str(control_plane.kubeconfig()))
    sizes = [
        sum(map(len, (await api.get(CONFIG_MAPS, namespace, name, ConfigMap)).binary_data.values()))
        for name in names("autoscaler")[:-1]
    ]
    assert max(sizes) < 2**20, "a ConfigMap holds 1 MiB"
    await api.close()
    await store.close()

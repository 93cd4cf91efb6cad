"""CPU and memory of pods as metrics.k8s.io tells them: the HPA's recorded pods, and what is missing and why."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_wire import PodMetrics
from autoscaler.clock import SystemClock
from autoscaler.decide.hpa.pods import Failure
from autoscaler.decide.per_instance import proposed
from autoscaler.decide.plan import goal_of, prepare
from autoscaler.decide.step import step
from autoscaler.model.observation import Ask, Seen
from autoscaler.model.pod import Container, PodFacts
from autoscaler.model.policy import Resource, Signal
from autoscaler.model.signal import Missing, MissingWhy, Series
from autoscaler.model.target import Instance, TargetState, WorkloadRef
from autoscaler.policy.load import load
from autoscaler.sources.pod_metrics import IN_FLIGHT, PodMetricsSource, reading
from benchmarks.hpa_nouns import read_pods, read_reading, read_timing
from tests.support.recorded_pods import instance_of, measured, stamp
from tests.support.recorded_pods import told as recorded
from tests.unit.decide.test_hpa_vectors import FOLDER, needed
from tests.unit.targets.kubernetes.fake_api import FakeApi

NOW = 1_000_000.0
WEB = WorkloadRef("kubernetes", "shop", "Deployment", "web")
CPU = Signal(name="cpu", resource=Resource.CPU, utilization=0.5)
CORES = Signal(name="cores", resource=Resource.CPU, per_replica=0.5)
APP = Signal(name="app", resource=Resource.CPU, container="app", utilization=0.5)
BYTES = Signal(name="bytes", resource=Resource.MEMORY, per_replica=100e6)
BOTH = (Container("app", {"cpu": 200}), Container("log", {"cpu": 50}))


def used(name: str, at: float = NOW - 10, window: str = "15.5s", **containers: dict[str, str]) -> PodMetrics:
    return measured(name, at, window, containers)


def table(*told: PodMetrics) -> dict[str, PodMetrics]:
    return {each.metadata.name: each for each in told}


def pod(name: str, *containers: Container, ready: bool = True, started: float = NOW - 3600) -> Instance:
    facts = PodFacts(phase="Running", ready=str(ready), started=started, containers=containers or BOTH)
    since = started + 5
    return Instance(
        id=f"uid-{name}", name=name, created=started, ready=ready, since=since, was_ready=ready, pod=facts
    )  # fmt: skip


def values(made: Any) -> list[float]:
    assert isinstance(made, Series), made
    return [point.value for point in made.points]


def ask(signal: Signal, *pods: Instance) -> Ask:
    return Ask(WEB, signal, instances=pods)


def test_from_the_wire_to_the_count_recorded_pods_are_counted_as_the_hpa_counted_them() -> None:
    """Samples of pods that are in no list are left out: the cluster's own list has none of them."""
    needed()
    checked = shares = containers = failures = 0
    lines = [line for file in sorted(FOLDER.glob("metric_*.jsonl")) for line in file.read_text().splitlines()]
    for vector in map(json.loads, lines):
        given, out = vector["in"], vector["out"]
        if given["function"] not in ("resource_value", "resource_utilization"):
            continue
        samples, pods = read_reading(given).samples, [instance_of(each, NOW) for each in read_pods(given)]
        resource = {"cpu": Resource.CPU, "memory": Resource.MEMORY}.get(given["resource"])
        if resource is None or set(samples or {}) - {each.name for each in pods} or not given["pod_level_resources"]:
            continue
        share, container = given["function"] == "resource_utilization", given.get("container") or None
        aim = {"utilization": given["target"] / 100} if share else {"per_replica": given["target"] / 1000}
        signal = Signal(name="s", resource=resource, container=container, **aim)
        told = recorded(samples, resource.value, container or "", NOW)
        made = reading(ask(signal, *pods), told, NOW)
        if isinstance(made, Missing):
            if made.why is not MissingWhy.STALE:
                assert out["error"], (vector["id"], made)
                failures += 1
            continue
        state = TargetState(ref=WEB, desired=0, existing=0, ready=0, at=NOW, instances=tuple(pods))
        tolerance = given["tolerance_down"], given["tolerance_up"]
        got = proposed(goal_of(signal), made, state, given["current_replicas"], tolerance, NOW, 60, read_timing(given))
        if isinstance(got, Failure):
            assert got.value == out["error"], vector["id"]
            failures += 1
            continue
        assert (got.replicas, got.usage) == (out["replicas"], out["usage"]), vector["id"]
        assert got.utilization == out.get("utilization"), vector["id"]
        checked += 1
        shares += share
        containers += container is not None
    assert checked >= 300, checked
    assert min(shares, containers, failures) >= 30, (shares, containers, failures)


def test_a_pod_is_the_sum_of_its_containers_in_cores_or_as_a_share_of_what_it_requests() -> None:
    told = table(used("a", app={"cpu": "150m", "memory": "64Mi"}, log={"cpu": "25000000n", "memory": "1Mi"}))
    cores, share, app, bytes_ = (reading(ask(each, pod("a")), told, NOW) for each in (CORES, CPU, APP, BYTES))
    assert [values(each) for each in (cores, share, app, bytes_)] == [[0.175], [0.7], [0.75], [65 * 1024**2]]
    assert isinstance(cores, Series)
    assert (cores.age_s, cores.samples) == (10.0, ((NOW - 10, 15.5),))


def test_a_ready_pod_without_a_reading_is_unread_and_one_that_starts_is_not() -> None:
    told = table(used("a", app={"cpu": "1"}))
    made = reading(ask(CORES, pod("a"), pod("b"), pod("c", ready=False)), told, NOW)
    assert isinstance(made, Series)
    assert made.unread == ("uid-b",)


@pytest.mark.parametrize(
    ("signal", "containers", "why", "said"),
    [
        (CPU, (Container("app", {"memory": 1}),), MissingWhy.NO_REQUEST, "pod a has no CPU request for container app"),
        (APP, (Container("web", {"cpu": 1}),), MissingWhy.NO_REQUEST, "pod a has no container app; it has: web"),
    ],
)
def test_a_pod_that_requests_nothing_has_no_share_and_the_way_out_is_named(
    signal: Signal, containers: tuple[Container, ...], why: MissingWhy, said: str
) -> None:
    made = reading(ask(signal, pod("a", *containers)), table(used("a", app={"cpu": "1"})), NOW)
    assert isinstance(made, Missing)
    assert (made.why, said in made.detail) == (why, True), made.detail


def test_no_reading_of_any_pod_and_readings_of_long_ago_are_missing_and_never_zero() -> None:
    none = reading(ask(CORES, pod("a")), {}, NOW)
    old = reading(ask(CORES, pod("a")), table(used("a", NOW - 130, app={"cpu": "1"})), NOW)
    part = reading(ask(CORES, pod("a")), table(used("a", app={"cpu": "1"}, log={"memory": "1"})), NOW)
    strange = reading(ask(CORES, pod("a")), table(used("a", app={"cpu": "much"})), NOW)
    told = [each.why for each in (none, old, part, strange) if isinstance(each, Missing)]
    assert told == [MissingWhy.EMPTY, MissingWhy.STALE, MissingWhy.EMPTY, MissingWhy.FAILED]


def test_a_policy_without_strict_parity_counts_pods_as_the_hpa_does_too() -> None:
    text = """
name: web
target: {kubernetes: {namespace: shop, name: web}}
replicas: {min: 1, max: 20}
signals: [{name: cpu, resource: cpu, utilization: 50%}]
"""
    (policy,) = load([("web.yaml", text)], "r").policies
    old, new = [pod(name) for name in "abcd"], pod("e", ready=False, started=NOW - 20)
    told = table(*(used(each.name, app={"cpu": "200m"}, log={"cpu": "25m"}) for each in (*old, new)))

    def wish(*pods: Instance) -> int:
        ready = sum(each.ready for each in pods)
        state = TargetState(ref=WEB, desired=len(pods), existing=len(pods), ready=ready, at=NOW, instances=pods)
        made = reading(ask(policy.signals[0], *pods), told, NOW)
        return step([prepare(WEB, policy)], [Seen(state=state, readings=(made,))], {}, NOW).decisions[0].steps[0].after

    assert wish(*old) == 8, "4 × 90 % ÷ 50 %"
    assert wish(*old, new) == 8, "5 × 72 % ÷ 50 %: the new one counts as empty while others need more"


async def test_a_round_over_all_namespaces_ends_in_time_and_keeps_what_was_answered(tmp_path: Path) -> None:
    api = FakeApi()
    del api.objects["pods"]
    over = asyncio.Event()

    async def never(_: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    async def told(_: web.Request) -> web.StreamResponse:
        item = {"metadata": {"name": "web-a"}, "timestamp": stamp(NOW), "window": "10s"}
        containers = [{"name": "app", "usage": {"cpu": "100m"}}, {"name": "log", "usage": {"cpu": "0"}}]
        return web.json_response({"metadata": {}, "items": [{**item, "containers": containers}]})

    await api.start()
    api.once("GET", "/shop-0/pods", told)
    asks = []
    for number in range(5 * IN_FLIGHT + 2):
        namespace = f"shop-{number}"
        api.once("GET", f"/{namespace}/pods", never)
        ref = WorkloadRef("kubernetes", namespace, "Deployment", "web")
        asks.append(Ask(ref, CORES, instances=(pod("web-a"),)))
    clock = SystemClock()
    source = PodMetricsSource(lambda: KubernetesApi(clock, kubeconfig=str(api.kubeconfig(tmp_path))), round_s=0.5)
    began = clock.monotonic()
    first, *late = await source.read(asks, NOW)
    assert clock.monotonic() - began < 2
    assert values(first) == [0.1]
    for each in late:
        assert isinstance(each, Missing)
        assert each.why is MissingWhy.FAILED
        assert "within 0.5 s of this cycle" in each.detail
    over.set()
    await source.close()
    await api.stop()

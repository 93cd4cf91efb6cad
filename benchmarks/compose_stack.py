"""A compose service on a real engine: the share of load it serves once steered, and what growing to ten costs.

Skipped with its reason where there is no engine to use.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
from _pytest.outcomes import Failed, Skipped

from autoscaler.clients.docker_engine import QUICK, DockerEngine
from autoscaler.clock import SystemClock
from autoscaler.loop.act import Actor
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.registry import Targets
from autoscaler.model.operation import Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.policy import ComposeTarget as Named
from autoscaler.model.policy import Policy, TargetSpec
from autoscaler.store.lease_file import FileLease
from autoscaler.store.sqlite import SqliteStore
from autoscaler.targets.compose import ComposeTarget
from autoscaler.targets.compose.clone import twin
from autoscaler.targets.compose.stages import WAIT
from autoscaler.targets.naming import named
from benchmarks.rows import Row
from tests.e2e.daemon import DaemonProcess
from tests.parts.compose import Compose, Project, Stack, fresh_name
from tests.parts.engine import Engine, open_engine
from tests.parts.images import LabImages, lab_images
from tests.parts.require import require
from tests.support.load import Wrk, wrk
from tests.support.wait import until

CONNECTIONS = 24
WORK_S = 0.05  # what a request takes once a copy has a slot for it
MEASURED_S = 8
ROUNDS = 3
TEN = 10

POLICY = """
name: web
target: {{compose: {{project: {project}, service: app}}}}
replicas: {{min: 1, max: 6}}
signals: [{{name: in flight, prometheus: 'sum(http_requests_in_flight{{job="app"}})', per_replica: 4, max_age: 10s}}]
"""
SERVICE = """
version: "2.4"
services:
  app:
    image: ${APP_IMAGE}
    entrypoint: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 600 & wait; done"]
    stop_grace_period: 1s
"""


def share_of_load() -> list[Row]:
    """What part of the requests that CONNECTIONS clients could send without any wait is served."""
    try:
        with prepared("haproxy", "prometheus", "compose-v2", "wrk") as (engine, images):
            alone, count, steered = _served(engine, images)
    except (Skipped, Failed) as none:
        return [Row("share of load served", None, said=f"skipped: {none.msg}")]
    offered = CONNECTIONS / WORK_S
    return [
        Row("share of load served, one copy", None, said=f"{alone / offered:.0%} ({alone:.0f} requests/s)"),
        Row(f"share of load served, {count} chosen", None, said=f"{steered / offered:.0%} ({steered:.0f} requests/s)"),
        Row("share of load served, ratio", None, "above 2", said=f"{steered / alone:.2f}"),
    ]


def one_to_ten() -> list[Row]:
    """Nine more containers by our operations, persisted as the daemon does, against the engine's own calls alone."""
    try:
        with prepared("compose-v2") as (engine, images), tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "docker-compose.yml")
            file.write_text(SERVICE)
            project = Project(Compose("v2", engine), file, fresh_name("ten"), env=images.env)
            try:
                ours, bare = _grown(project, Path(folder))
            finally:
                project.down()
    except (Skipped, Failed) as none:
        return [Row("compose 1 → 10", None, said=f"skipped: {none.msg}")]
    return [
        Row("compose 1 → 10, our operations", None, said=f"{ours:.2f} s"),
        Row("compose 1 → 10, nine creates and starts", None, said=f"{bare:.2f} s"),
        Row("compose 1 → 10, ratio", None, "at most 1.15", said=f"{ours / bare:.2f}"),
    ]


@contextlib.contextmanager
def prepared(*parts: str) -> Iterator[tuple[Engine, LabImages]]:
    """An engine with the images of the stack. Raises Skipped or Failed where a part is missing."""
    require("docker", "busybox", "haproxy", "prometheus", *parts)
    engine = open_engine()
    try:
        yield engine, lab_images(engine)
    finally:
        engine.close()


def _served(engine: Engine, images: LabImages) -> tuple[float, int, float]:
    """Requests per second of one copy, the number of copies the daemon chose, and theirs."""
    stack = Stack(Compose("v2", engine), images, fresh_name("bench"))
    with tempfile.TemporaryDirectory() as folder:
        daemon = DaemonProcess(
            Path(folder),
            POLICY.format(project=stack.name),
            prometheus={"url": stack.prometheus_url},
            docker={"host": engine.host},
        )
        try:
            stack.begin(1)
            alone = wrk(stack.lb_url, connections=CONNECTIONS, seconds=MEASURED_S)
            daemon.start()
            load = Wrk(stack.lb_url, connections=CONNECTIONS, seconds=120)
            try:
                until(lambda: len(stack.containers("app", "--filter", "health=healthy")) >= 4, "four copies", within=90)
            finally:
                load.stop()
            steered = wrk(stack.lb_url, connections=CONNECTIONS, seconds=MEASURED_S)
            return alone.rps, stack.replicas(), steered.rps
        finally:
            if daemon.alive:
                daemon.stop()
            stack.down()


def _grown(project: Project, folder: Path) -> tuple[float, float]:
    """Median wall seconds from one container to ten running ones: by our operations, and by the engine's calls."""
    ours: list[float] = []
    bare: list[float] = []
    for round_ in range(ROUNDS):
        project.up("--scale", "app=1")
        ours.append(asyncio.run(_by_operations(project, folder / str(round_))))
        project.up("--scale", "app=1")
        bare.append(_by_calls(project))
    return statistics.median(ours), statistics.median(bare)


async def _by_operations(project: Project, folder: Path) -> float:
    clock = SystemClock()
    folder.mkdir()
    target = ComposeTarget(DockerEngine(project.engine.host), clock)
    policy = Policy(name="app", target=TargetSpec(compose=Named(project=project.name, service="app")))
    ref = named(policy)
    target.discover([policy])
    lease = FileLease(folder / "lease", clock)
    await lease.hold()
    store = SqliteStore(folder / "memory.sqlite", clock)
    targets = Targets({"compose": lambda: target})
    actor = Actor(targets, Keeper(store, []), lease, clock)
    ended: list[Outcome] = []
    started: dict[str, float] = {}

    def before_call(operation: Operation) -> None:
        if operation.stage == WAIT:
            started.setdefault(operation.id, time.monotonic())

    actor.ended = ended.append
    actor.before_call = before_call
    await target.states([ref])
    now, began = clock.now(), time.monotonic()
    order = Operation(id="ten", kind=OperationKind.SCALE, ref=ref, started=now, deadline=now + 60, before=1, count=TEN)
    await actor.begin([order])
    while len(ended) < TEN - 1:
        await asyncio.sleep(0.05)
    assert all(each.kind is OutcomeKind.APPLIED for each in ended), ended
    await actor.close()
    await store.close()
    await target.close()
    await lease.release()
    return max(started.values()) - began


def _by_calls(project: Project) -> float:
    """The same containers by nothing but create and start, as many side by side as we have threads."""
    api: Any = docker.APIClient(base_url=project.engine.host, version="auto", num_pools=QUICK)
    sibling = api.inspect_container(project.containers("app")[0])
    names = [f"{project.name}-app-{number}" for number in range(2, TEN + 1)]
    bodies = [twin(sibling, n, k, image=sibling["Config"]["Image"], operation="").body for k, n in enumerate(names, 2)]

    def make(name: str, body: dict[str, Any]) -> None:
        api.start(api.create_container_from_config(body, name)["Id"])

    began = time.monotonic()
    with ThreadPoolExecutor(QUICK) as pool:
        list(pool.map(make, names, bodies))
    took = time.monotonic() - began
    assert project.replicas() == TEN
    api.close()
    return took

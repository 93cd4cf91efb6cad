"""One of two containers becomes sick under load: surge, stop first and restart in place, in one run.

From the engine's own event on: when our first call arrives at its socket, when the successor is healthy by its event,
and how many requests through a retrying balancer had no good answer. Beside it the engine alone: create, start
and healthy of the same container. Skipped with its reason where there is no engine to use.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
from _pytest.outcomes import Failed, Skipped

from autoscaler.targets.compose.clone import twin
from autoscaler.targets.compose.state import ROLLOUT_S
from benchmarks.compose_stack import prepared
from benchmarks.rows import Row
from tests.e2e.daemon import DaemonProcess
from tests.parts.compose import PROJECT, Compose, Stack, fresh_name
from tests.parts.process import free_port
from tests.support.front import Front
from tests.support.load import SteadyLoad
from tests.support.wait import until

ROUNDS = 3
POLICY = """
name: app
target: {{compose: {{project: {project}, service: app}}}}
recycle: {{when: {{unhealthy_for: 1s}}}}
"""


class Events:
    """What the engine tells of the health of a project's containers: (time, container, word), as it comes."""

    def __init__(self, api: Any, project: str) -> None:
        self.seen: list[tuple[float, str, str]] = []
        filters = {"type": "container", "event": ["health_status"], "label": f"{PROJECT}={project}"}
        self._stream = api.events(decode=True, filters=filters)
        threading.Thread(target=self._follow, daemon=True).start()

    def first(self, word: str, after: float, *, of: Callable[[str], bool]) -> float:
        """When a container was told to be so, the first time after `after`; waits for it."""

        def found() -> float:
            return next((at for at, id, told in self.seen if told == word and at > after and of(id)), 0.0)

        return until(found, what=f"a container is {word}", within=60, every=0.02)

    def close(self) -> None:
        self._stream.close()

    def _follow(self) -> None:
        for event in self._stream:
            word = str(event["Action"]).partition(": ")[2]
            self.seen.append((event["timeNano"] / 1e9, str(event["Actor"]["ID"]), word))


def replaced() -> list[Row]:
    """The three ways and the engine alone."""
    try:
        with prepared("compose-v2") as (engine, images), tempfile.TemporaryDirectory() as folder:
            stack = Stack(Compose("v2", engine), images, fresh_name("recycle"))
            try:
                stack.begin(2)
                return _Site(stack, Path(folder)).measured()
            finally:
                stack.down()
    except (Skipped, Failed) as none:
        return [Row("replacing a sick container", None, said=f"skipped: {none.msg}")]


class _Site:
    """Two copies behind HAProxy, and one that becomes sick."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._api: Any = docker.APIClient(base_url=stack.engine.host, version="auto", timeout=60)
        self._events = Events(docker.APIClient(base_url=stack.engine.host, version="auto", timeout=None), stack.name)
        self._name = stack.containers("app")[1]

    def measured(self) -> list[Row]:
        """All rows."""
        alone = statistics.median(self._alone() for _ in range(ROUNDS))
        with self._daemon() as (made, front):
            surge = [
                self._ours(made, front, f"POST /containers/create.*name=[0-9a-f]{{12}}_{self._name}")
                for _ in range(ROUNDS)
            ]
            self._fix()
            first = [self._ours(made, front, "POST /containers/[^/]+/rename.*name=replacing_") for _ in range(ROUNDS)]
        self._unfix()
        place = [self._in_place() for _ in range(ROUNDS)]
        self._events.close()
        orders = [order for order, *_ in [*surge, *first]]
        by = {"surge": surge, "stop first": first, "restart in place": place}
        healthy = {way: statistics.median(took for _, took, *_ in each) for way, each in by.items()}
        rows = [
            Row(
                "sick: event to order", None, "100 ms", f"{statistics.median(orders):.0f} ms, most {max(orders):.0f} ms"
            ),
            Row("create, start and healthy, the engine alone", None, said=f"{alone:.2f} s"),
        ]
        for way, runs in by.items():
            failed, sent = sum(each[2] for each in runs), sum(each[3] for each in runs)
            ratio = "" if way == "restart in place" else f", {healthy[way] / alone:.2f} times the engine alone"
            rows.append(Row(f"sick: event to healthy, {way}", None, said=f"{healthy[way]:.2f} s{ratio}"))
            rows.append(Row(f"sick: failed requests, {way}", None, "none", f"{failed} of {sent}"))
        return rows

    def _ours(self, made: DaemonProcess, front: Front, call: str) -> tuple[float, float, int, int]:
        """Milliseconds from the event to the order, seconds to healthy, requests failed and sent."""
        quiet = time.time() + ROLLOUT_S + 1  # what other hands made just now would be a deployment
        until(lambda: time.time() > quiet, what="nobody makes containers", within=2 * ROLLOUT_S)
        made.cli("resume", "app")  # the one after the other in one place would wait longer and longer
        there = {each["Id"] for each in self._api.containers(filters={"label": f"{PROJECT}={self._stack.name}"})}
        orders: list[float] = []
        front.before(call, lambda: orders.append(time.time()))
        with SteadyLoad(self._stack.lb_url, clients=6, every=0.02) as load:
            sick = self._make_sick()
            well = self._events.first("healthy", sick, of=lambda id: id not in there)
            until(lambda: self._settled(there), what="replaced, and no trace", within=60)
        return (orders[0] - sick) * 1000, well - sick, sum(load.failed.values()), load.sent

    def _in_place(self) -> tuple[float, float, int, int]:
        """As autoheal does: restarted as soon as the engine tells."""
        id = self._id()
        with SteadyLoad(self._stack.lb_url, clients=6, every=0.02) as load:
            sick = self._make_sick()
            self._api.restart(id, timeout=10)
            well = self._events.first("healthy", sick, of=lambda told: told == id)
            self._stack.settled(2)
        return 0.0, well - sick, sum(load.failed.values()), load.sent

    def _alone(self) -> float:
        """Seconds of nothing but create, start and the health check of one more like the others."""
        name = f"{self._stack.name}-app-9"
        record = self._api.inspect_container(self._id())
        body = twin(record, name, 9, image=record["Config"]["Image"], operation="").body
        began = time.time()
        id = self._api.create_container_from_config(body, name)["Id"]
        self._api.start(id)
        well = self._events.first("healthy", began, of=lambda told: told == id)
        self._api.remove_container(id, force=True, v=True)
        return well - began

    def _make_sick(self) -> float:
        """When the engine tells that it is unhealthy."""
        id, began = self._id(), time.time()
        self._stack.engine.docker("exec", id, "wget", "-q", "-O", "-", "http://127.0.0.1:8000/sick")
        return self._events.first("unhealthy", began, of=lambda told: told == id)

    def _settled(self, before: set[str]) -> bool:
        names = self._stack.containers("app", "--all")
        return len(names) == 2 and self._name in names and self._id() not in before

    def _id(self) -> str:
        return str(self._api.inspect_container(self._name)["Id"])

    def _fix(self) -> None:
        """From now on it has a port on the host that only one can have."""
        self._again({"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(free_port())}]})

    def _unfix(self) -> None:
        self._again({})

    def _again(self, ports: dict[str, Any]) -> None:
        """Made anew by other hands, with these ports on the host."""
        record = self._api.inspect_container(self._name)
        record["HostConfig"]["PortBindings"] = ports
        self._api.remove_container(record["Id"], force=True, v=True)
        body = twin(record, self._name, 2, image=record["Config"]["Image"], operation="").body
        body["Labels"].pop("io.autoscaler.operation")
        self._api.start(self._api.create_container_from_config(body, self._name)["Id"])
        self._stack.settled(2)

    @contextmanager
    def _daemon(self) -> Iterator[tuple[DaemonProcess, Front]]:
        front = Front(self._folder / "engine.sock", self._stack.engine.host)
        front.start()
        made = DaemonProcess(self._folder, POLICY.format(project=self._stack.name), docker={"host": front.host})
        try:
            made.start()
            yield made, front
        finally:
            made.stop()
            front.stop()

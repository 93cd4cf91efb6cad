"""Faults around a compose service, seen from outside: one clear message each, no shrink, no crash, and on it goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pytest

from tests.e2e.daemon import DaemonProcess
from tests.e2e.lone import SERVICES, Lone, Service
from tests.parts.compose import Project
from tests.parts.fixtures import ComposeProject
from tests.parts.process import free_port
from tests.support.front import Front
from tests.support.oracle import Oracle
from tests.support.wait import never, until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

POLICY = """
name: app
target: {{compose: {{project: {project}, service: app}}}}
replicas: {{min: {count}, max: {count}}}
behavior: {{down: {{stabilization: 0s}}}}
recycle: {{when: {{unhealthy_for: 1s}}}}
"""
BY_LOAD = """
name: app
target: {{compose: {{project: {project}, service: app}}}}
replicas: {{min: 1, max: 3}}
signals: [{{name: load, prometheus: sum(load), per_replica: 100}}]
behavior: {{down: {{stabilization: 1s}}}}
"""


class Steered:
    """A service and the daemon that steers it; leaving the block ends it, and it must have lived until then."""

    def __init__(self, service: Service, folder: Path, host: str, **settings: object) -> None:
        self.service = service
        self.daemon = DaemonProcess(folder, self.policy(1), docker={"host": host}, **settings)

    def __enter__(self) -> Steered:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        status = self.daemon.stop()
        print(self.daemon.text())
        if kind is None:
            assert status == 0
            assert "Traceback" not in self.daemon.text()

    def policy(self, count: int) -> str:
        """So many, by the owner's word."""
        return POLICY.format(project=self.service.project.name, count=count)

    def wants(self, count: int) -> None:
        """The owner changes the policy."""
        self.daemon.policy_file.write_text(self.policy(count))

    def reached(self, count: int) -> None:
        """Wait until there are so many healthy containers under their final names, and nothing else."""
        until(lambda: self.service.settled(count), what=f"{count} healthy containers", within=60)

    def trouble(self, words: str) -> None:
        """Wait until `status` says so."""
        until(lambda: words in self.daemon.workload()["trouble"], what=f"status says: {words}", within=60)
        assert words in self.daemon.cli("status")

    def turns(self, cycles: int) -> None:
        """Wait until it has gone through so many more cycles."""
        seen = self.daemon.status()["cycle"]["count"]
        until(lambda: self.daemon.status()["cycle"]["count"] >= seen + cycles, what=f"{cycles} cycles", within=60)

    def lines(self, words: str) -> list[str]:
        """The lines of the log with these words."""
        return [line for line in self.daemon.text().splitlines() if words in line]


@pytest.fixture
def steered(service: Lone, front: Front, tmp_path: Path) -> Iterator[Steered]:
    with Steered(service, tmp_path, front.host) as made:
        yield made


# the engine


def test_the_engine_goes_away_and_comes_back(steered: Steered, front: Front) -> None:
    service = steered.service
    steered.wants(2)
    steered.daemon.start()
    steered.reached(2)
    front.stop()
    steered.trouble("does not answer: no such socket")
    service.remove(service.names(2)[1])
    steered.turns(3)
    assert len(steered.lines("reason=state_missing")) == 1, "told once, not every cycle"
    assert list(service.ids()) == service.names(1)
    front.start()
    steered.reached(2)
    assert steered.daemon.workload()["trouble"] == ""


def test_an_engine_that_says_nothing_does_not_stop_the_loop(steered: Steered, front: Front) -> None:
    service = steered.service
    steered.wants(2)
    steered.daemon.start()
    steered.reached(2)
    front.freeze()
    service.remove(service.names(2)[1])
    steered.trouble("no answer within 5 s")
    steered.turns(1)
    front.thaw()
    steered.reached(2)


# other hands


def test_a_container_removed_under_our_hands_is_made_again(steered: Steered) -> None:
    steered.wants(3)
    steered.daemon.start()
    steered.reached(3)
    before = steered.service.ids()
    gone = steered.service.names(3)[1]
    steered.service.remove(gone)
    lost = before.pop(gone)
    until(lambda: lost not in steered.service.ids().values() and steered.service.well(3), "three again", within=60)
    assert before.items() <= steered.service.ids().items(), "the others stay as they were"


@pytest.mark.parametrize(
    "call", ["POST /containers/create", "POST /networks/[^/]+/connect", "GET /containers/.*/archive"]
)
def test_the_container_others_are_made_like_is_removed_in_the_middle(steered: Steered, front: Front, call: str) -> None:
    steered.wants(2)
    steered.daemon.start()
    steered.reached(2)
    name = steered.service.names(2)[1]  # the newest is the one that is copied
    before = steered.service.ids()[name]
    front.before(call, lambda: steered.service.remove(name))
    steered.wants(3)
    until(lambda: before not in steered.service.ids().values(), what=f"{name} is removed", within=60)
    until(lambda: steered.service.well(3), what="three healthy containers", within=60)
    said = f"the new container was taken away again: {before[:12]} is gone"
    unknown = "archive" in call  # what compose copied into it was not known yet
    assert len(steered.lines(said)) == int(unknown), "one that may lack the other's secrets is not kept"


def test_a_stranger_has_the_next_name_and_the_new_container_gets_the_one_after(steered: Steered) -> None:
    service = steered.service
    first, taken, after = service.names(3)
    image = service.project.env["APP_IMAGE"]
    service.engine.docker("create", "--name", taken, image)
    try:
        steered.wants(2)
        steered.daemon.start()
        until(lambda: service.healthy() == 2, what="two healthy containers", within=60)
        steered.turns(3)
        assert sorted(service.ids()) == [first, after]
        said = f"{taken} is the name of a container of somebody else, so the new one is {after}"
        assert len(steered.lines(said)) == 1
        assert said in steered.daemon.cli("history", "app")
    finally:
        service.engine.docker("rm", taken)


def test_somebody_scales_at_the_same_moment_and_there_is_one_of_each_number(steered: Steered, front: Front) -> None:
    project = steered.service.project
    front.before("POST /containers/create", lambda: project.up("--no-recreate", "--scale", "app=2"))
    steered.wants(2)
    steered.daemon.start()
    steered.reached(2)
    steered.turns(3)
    assert steered.service.settled(2)
    assert "is already in use" in "".join(steered.lines("reason=conflict"))


# services that cannot have another container


@pytest.mark.parametrize("which", ["port", "name"])
def test_what_only_one_container_can_have_is_a_refusal_with_its_reason(
    compose_project: ComposeProject, front: Front, tmp_path: Path, which: str
) -> None:
    (tmp_path / "signs").mkdir()
    port, name = free_port(), "only-one"
    more = {"port": f'ports: ["127.0.0.1:{port}:8000"]', "name": f"container_name: {tmp_path.name}-{name}"}[which]
    project: Project = compose_project(SERVICES.format(signs=tmp_path / "signs", more=more))
    project.up()
    service = Service(project)
    until(lambda: service.healthy() == 1, what="it is healthy", within=60)
    there = service.ids()
    why = {"port": f"host port {port} (for 8000/tcp) is fixed", "name": "the service has a container_name"}[which]
    with Steered(service, tmp_path, front.host) as steered:
        steered.wants(2)
        steered.daemon.start()
        steered.trouble(f"the service cannot have another container: {why}")
        steered.turns(4)
        assert service.ids() == there
        assert len(steered.lines(why)) == 1, "told once, not every cycle"
        if which == "port":  # a new one beside the sick one would need the port too: that one stops first
            steered.wants(1)
            until(lambda: not steered.daemon.workload()["trouble"], what="no trouble any more", within=60)
            service.make_sick(next(iter(there)))
            until(lambda: not set(service.ids().values()) & set(there.values()), what="the sick one is gone", within=60)
            until(lambda: service.healthy() == 1, what="a new one has its port", within=60)


# Prometheus


FAULTS = {
    "error": "HTTP 500: internal: the disk is on fire",
    "page": "HTTP 502, which is not an answer of Prometheus: <html>Bad Gateway</html>",
    "slow": "no answer within 5 s",
    "empty": "empty: the query gives no series",
    "nan": "nan: the query gives NaN",
}


def test_a_prometheus_that_fails_in_every_way_never_shrinks_the_service(
    lone: Lone, front: Front, tmp_path: Path
) -> None:
    lone.begin(2)
    there = lone.ids()
    with Oracle() as oracle, Steered(lone, tmp_path, front.host, prometheus={"url": oracle.url}) as steered:
        daemon = steered.daemon
        daemon.policy_file.write_text(BY_LOAD.format(project=lone.project.name))
        oracle.value = "200"
        daemon.start()
        for fault, said in FAULTS.items():
            oracle.fault = fault
            until(lambda said=said: said in daemon.cli("explain", "app"), what=f"explain says: {said}", within=60)
            never(lambda: lone.ids() != there, what=f"a change by {fault}", for_s=2)
            oracle.fault = ""
            until(lambda: not daemon.workload()["missing"], what="the data is back", within=60)
        assert len(steered.lines("reason=no_opinion")) == len(FAULTS), "told once each"
        oracle.value = "50"
        steered.reached(1)


# policies


def test_a_policy_broken_while_running_leaves_the_last_good_one_in_force(steered: Steered) -> None:
    daemon = steered.daemon
    daemon.start()
    daemon.policy_file.write_text(steered.policy(2).replace("min: 2", "min: 3"))
    until(lambda: "do not load" in daemon.cli("status"), what="the broken policy is told")
    assert "replicas" in "".join(steered.lines("policies rejected, the last good ones stay"))
    steered.turns(2)
    assert steered.service.settled(1)
    steered.wants(2)
    steered.reached(2)
    assert "do not load" not in daemon.cli("status")

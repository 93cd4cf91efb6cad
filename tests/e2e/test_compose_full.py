"""Compose beside other hands: zero and back, deployments, projects taken down, selectors, words before the stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import pytest

from tests.e2e.daemon import DaemonProcess
from tests.e2e.lone import SERVICES, Service
from tests.parts.fixtures import ComposeProject
from tests.support.front import Front
from tests.support.oracle import Oracle
from tests.support.wait import never, until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

BOTH = pytest.mark.parametrize("compose", ["v2", "v1"], indirect=True)
IDLE = """
name: app
target: {{compose: {{project: {project}, service: app}}}}
replicas: {{min: 1, max: 3}}
idle: {{after: 1s}}
signals: [{{name: load, prometheus: sum(load), per_replica: 100, wake_above: 0}}]
behavior: {{down: {{stabilization: 0s}}}}
"""
STEADY = """
name: app
target: {{compose: {{project: {project}, service: app}}}}
replicas: {{min: {least}, max: {most}}}
behavior: {{down: {{stabilization: 0s}}}}
"""
ROUNDS = 'environment: {ROUND: "${ROUND:-1}"}'


class Story:
    """One service, a daemon on it and the load it sees; what the daemon wrote is shown at the end."""

    def __init__(self, service: Service, folder: Path, policies: str, **settings: object) -> None:
        self.oracle = Oracle()
        self.service = service
        self.project = service.project
        settings = {"docker": {"host": service.engine.host}, "prometheus": {"url": self.oracle.url}, **settings}
        self.daemon = DaemonProcess(folder, policies.format(project=self.project.name), **settings)

    def __enter__(self) -> Story:
        self.oracle.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        status = self.daemon.stop() if self.daemon.alive else 0
        self.oracle.__exit__(kind, error, at)
        print(self.daemon.text())
        if kind is None:
            assert status == 0
            assert "Traceback" not in self.daemon.text()

    def has(self, count: int) -> None:
        """Wait for so many healthy containers and nothing else."""
        until(lambda: self.service.well(count), what=f"{count} healthy containers", within=90)

    def reason(self, word: str) -> None:
        """Wait until the decision has this reason."""
        until(lambda: self.daemon.workload()["reason"] == word, what=f"the reason is {word}", within=60)

    def off(self, *, for_s: float = 4.0) -> None:
        """It is the owner's zero: told as such, and nothing is made."""
        self.reason("held_zero_by_owner")
        never(lambda: len(self.service.ids("--filter", "status=running")) > 0, what="a container", for_s=for_s)
        assert "off by its owner" in self.daemon.cli("explain", "app") or self.daemon.workload()["desired"] == 0

    def set_round(self, number: int) -> None:
        """From now on compose makes containers of another configuration."""
        self.project.env["ROUND"] = str(number)

    def rounds(self) -> set[str]:
        """Which configurations run."""
        told = "{{range .Config.Env}}{{println .}}{{end}}"
        ids = list(self.service.ids().values())
        lines = self.service.engine.docker("inspect", "--format", told, *ids).splitlines() if ids else []
        return {line.partition("=")[2] for line in lines if line.startswith("ROUND=")}


@pytest.fixture
def made(compose_project: ComposeProject, tmp_path: Path) -> Service:
    """The small service, not up yet."""
    (tmp_path / "signs").mkdir()
    return Service(compose_project(SERVICES.format(signs=tmp_path / "signs", more=ROUNDS)))


# zero and back


@BOTH
def test_idle_to_zero_and_back_over_a_kill_and_compose_finds_everything_up_to_date(
    made: Service, tmp_path: Path
) -> None:
    made.project.up("--scale", "app=1")
    with Story(made, tmp_path, IDLE) as story:
        story.oracle.value = "150"
        story.daemon.start()
        story.has(2)
        story.oracle.value = "0"
        until(lambda: not made.ids(), what="nothing is left", within=60)
        story.reason("idle")
        story.daemon.kill()
        story.daemon.start()
        story.reason("idle")
        never(made.ids, what="a container at idle", for_s=3)
        story.oracle.value = "150"
        story.has(2)
        until(lambda: "made as remembered from" in story.daemon.text(), what="it is told")
        there = made.ids()
        assert story.daemon.stop() == 0
    made.project.up("--scale", "app=2")
    assert made.ids() == there, "compose found something to do"


def test_a_project_taken_down_while_it_is_idle_stays_down_over_a_restart_and_comes_back_with_it(
    made: Service, tmp_path: Path
) -> None:
    made.project.up()
    with Story(made, tmp_path, IDLE) as story:
        story.daemon.start()
        until(lambda: not made.ids(), what="nothing is left", within=60)
        story.reason("idle")
        made.project.run("down")
        story.oracle.value = "150"
        story.off()
        assert story.daemon.stop() == 0
        story.daemon.start()
        story.off()
        made.project.up()
        story.has(2)


def test_every_way_in_which_a_person_takes_all_away_is_the_owners_zero(made: Service, tmp_path: Path) -> None:
    made.project.up()
    with Story(made, tmp_path, STEADY.replace("{least}", "2").replace("{most}", "2")) as story:
        story.daemon.start()
        story.has(2)
        for words in (("stop",), ("up", "-d", "--scale", "app=0"), ("down",)):
            made.project.run(*words)
            story.off(for_s=3.0)
            made.project.up("--scale", "app=2")
            story.has(2)
            until(lambda: story.daemon.workload()["current"] == 2, what="it counts again", within=60)


def test_a_service_stopped_by_a_person_comes_back_when_they_say_resume(made: Service, tmp_path: Path) -> None:
    made.project.up()
    with Story(made, tmp_path, STEADY.replace("{least}", "1").replace("{most}", "1")) as story:
        story.daemon.start()
        story.has(1)
        made.project.run("up", "-d", "--scale", "app=0")
        story.off()
        story.daemon.cli("resume", "app")
        story.has(1)


# deployments and other counts


@BOTH
def test_a_deployment_while_running_ends_with_all_new_and_as_many(made: Service, tmp_path: Path) -> None:
    made.project.up("--scale", "app=3")
    with Story(made, tmp_path, STEADY.replace("{least}", "3").replace("{most}", "6")) as story:
        story.daemon.start()
        story.has(3)
        story.set_round(2)
        made.project.up("--scale", "app=3")
        until(lambda: story.rounds() == {"2"}, what="all are new", within=60)
        story.has(3)
        story.daemon.cli("override", "app", "4", "--for", "1m")
        story.has(4)
        assert story.rounds() == {"2"}, "a new one is like the new ones"


def test_a_persons_raise_is_held_and_a_plain_up_that_resets_the_count_is_undone(made: Service, tmp_path: Path) -> None:
    made.project.up()
    with Story(made, tmp_path, STEADY.replace("{least}", "3").replace("{most}", "9")) as story:
        story.daemon.start()
        story.has(3)
        until(lambda: not story.daemon.workload()["doing"], what="it is done", within=60)
        made.project.up()  # the file says one
        said = "somebody else changed the count from 3 to 1"
        until(lambda: said in story.daemon.cli("history", "app"), what="it is told")
        story.has(3)
        made.project.up("--scale", "app=5")
        never(lambda: len(made.ids()) < 5, what="a shrink of a person's raise", for_s=6)
        assert "somebody else changed the count from 3 to 5" in story.daemon.cli("history", "app")


def test_half_a_deployment_holds_the_count_and_the_drift_is_shown(made: Service, tmp_path: Path) -> None:
    made.project.up("--scale", "app=3")
    names = sorted(made.ids())
    story = Story(made, tmp_path, STEADY.replace("{least}", "1").replace("{most}", "3"))
    with story:
        made.remove(names[2])
        story.set_round(2)
        made.project.up("--no-recreate", "--scale", "app=3")
        story.daemon.policy_file.write_text(
            IDLE.format(project=made.project.name).replace("idle: {after: 1s}\n", "").replace(", wake_above: 0", "")
        )
        story.oracle.value = "50"
        story.daemon.start()
        story.has(3)
        until(lambda: "a rollout is in progress" in story.daemon.cli("explain", "app"), what="the reason", within=90)
        assert story.rounds() == {"1", "2"}
        assert story.daemon.cli("status", "app").count("drifted") == 1
        never(lambda: len(made.ids()) < 3, what="a shrink in mid-deployment", for_s=5)


def test_compose_down_while_running_leaves_nothing_and_the_daemon_says_why(made: Service, tmp_path: Path) -> None:
    made.project.up("--scale", "app=3")
    with Story(made, tmp_path, STEADY.replace("{least}", "3").replace("{most}", "6")) as story:
        story.daemon.start()
        story.has(3)
        for _ in range(2):
            made.project.run("down")
            assert made.project.leavings() == []
            story.off(for_s=3.0)
            made.project.up("--scale", "app=3")
            story.has(3)
            until(lambda: story.daemon.workload()["current"] == 3, what="it counts again", within=60)


# selectors


MANY = """
version: "2.4"
services:
{services}
networks: {{default: {{}}}}
"""
ONE = """  {name}:
    image: ${{APP_IMAGE}}
    entrypoint: [sleep, "900"]
    init: true
    stop_grace_period: 1s
    labels: {{scaled: "{scaled}"}}
"""
SELECTED = """
name: all
target: {{compose: {{project: "*", selector: {{scaled: "{mark}"}}}}}}
replicas: {{min: {least}, max: 2}}
---
name: own
target: {{compose: {{project: {project}, service: s00}}}}
replicas: {{min: 1, max: 1}}
"""


def test_thirty_services_by_one_selector_and_one_more_that_comes_later(
    compose_project: ComposeProject, tmp_path: Path
) -> None:
    mark = tmp_path.name
    names = [f"s{number:02d}" for number in range(30)]

    def text(which: Sequence[str]) -> str:
        return MANY.format(services="".join(ONE.format(name=name, scaled=mark) for name in which))

    unmarked = ONE.format(name="plain", scaled="other")
    project = compose_project(text(names).replace("networks:", f"{unmarked}networks:"))
    project.up()
    service = Service(project)
    policy = SELECTED.replace("{mark}", mark)
    with Story(service, tmp_path, policy.replace("{least}", "1")) as story:
        story.daemon.start()
        keys = {f"compose/default/{project.name}/service/{name}" for name in names}
        until(lambda: {each["key"] for each in story.daemon.status()["workloads"]} == keys, "all are found")
        steering = {each["key"].rpartition("/")[2]: each["policy"] for each in story.daemon.status()["workloads"]}
        assert steering.pop("s00") == "own", "the explicit policy comes first"
        assert set(steering.values()) == {"all"}
        one_more = ONE.format(name="late", scaled=mark)
        project.file.write_text(project.file.read_text().replace("networks:", f"{one_more}networks:"))
        project.run("up", "-d", "--no-recreate", "late")
        late = f"compose/default/{project.name}/service/late"
        until(lambda: late in {each["key"] for each in story.daemon.status()["workloads"]}, "the new one is found")
        story.daemon.policy_file.write_text(policy.replace("{least}", "2").format(project=project.name))
        until(lambda: project.replicas("late") == project.replicas("s29") == 2, "they are scaled", within=120)
        assert project.replicas("s00") == project.replicas("plain") == 1
        assert story.daemon.text().count("reason=selected") == 1, "told once"


# a word before the stop


HEARS = """
import http.server, os, socket
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def do_POST(self):
        open("/signs/" + socket.gethostname(), "w").write(self.path)
        self.send_response(int(open("/signs/code").read())); self.end_headers()
    def log_message(self, *words): pass
http.server.HTTPServer(("", 8000), Handler).serve_forever()
"""


@pytest.mark.parametrize("code", [200, 503])
def test_an_instance_is_told_before_it_drains_and_one_that_does_not_hear_leaves_all_the_same(
    compose_project: ComposeProject, tmp_path: Path, code: int
) -> None:
    signs = tmp_path / "signs"
    signs.mkdir()
    (signs / "server.py").write_text(HEARS)
    (signs / "code").write_text(str(code))
    text = SERVICES.replace(
        """["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 600 & wait; done"]""", '["python3", "/signs/server.py"]'
    ).replace(":/signs:ro", ":/signs")
    service = Service(compose_project(text.format(signs=signs, more="init: true")))
    service.project.up("--scale", "app=2")
    lifecycle = 'lifecycle: {{before_stop: {{http: ":8000/drain"}}, drain: 2s, stop_within: 1s}}\n'
    with Story(service, tmp_path, STEADY.replace("{least}", "1").replace("{most}", "1") + lifecycle) as story:
        until(lambda: service.well(2), what="two healthy ones", within=60)
        names = sorted(service.ids())
        story.daemon.start()
        gone = service.ids()[names[1]]
        heard = signs / gone[:12]
        until(heard.exists, what="it was told", within=60)
        assert gone in service.ids().values(), "it drains after that"
        assert heard.read_text() == "/drain"
        until(lambda: list(service.ids()) == names[:1], what="it is gone", within=30)
        until(lambda: "remove: " in story.daemon.cli("history", "app"), what="its end is on record")
        assert ("it answered 503" in story.daemon.cli("history", "app")) is (code == 503)


# engines by name


@pytest.fixture
def edge(made: Service, tmp_path: Path) -> Iterator[Front]:
    """Another way to the same engine."""
    front = Front(tmp_path / "edge.sock", made.engine.host)
    front.start()
    yield front
    front.stop()


def test_an_engine_by_its_name_is_scaled_and_the_other_one_is_not_asked(
    made: Service, edge: Front, tmp_path: Path
) -> None:
    made.project.up()
    policy = STEADY.replace("{least}", "2").replace("{most}", "2").replace("service: app", "service: app, engine: edge")
    nowhere = {"host": f"unix://{tmp_path}/nobody.sock"}
    with Story(made, tmp_path, policy, docker=nowhere, engines={"edge": {"host": edge.host}}) as story:
        story.daemon.start()
        story.has(2)
        assert story.daemon.workload()["key"] == f"compose/edge/{made.project.name}/service/app"
        assert any(call.startswith("POST /containers/create") for call in edge.calls)
        edge.stop()
        until(lambda: "no such socket" in story.daemon.workload()["trouble"], what="its absence is told", within=60)
        edge.start()
        until(lambda: not story.daemon.workload()["trouble"], what="it is back", within=60)
        made.remove(made.names(2)[1])
        story.has(2)

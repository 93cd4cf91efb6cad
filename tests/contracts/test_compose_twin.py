"""A container that the target makes, beside one that compose makes: the engine tells no difference that matters."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from autoscaler.clients.docker_engine import DockerEngine
from autoscaler.clock import SystemClock
from autoscaler.model.operation import Advanced, Operation, OperationKind, Outcome, OutcomeKind, Split
from autoscaler.model.policy import ComposeTarget as Named
from autoscaler.model.policy import Policy, TargetSpec
from autoscaler.targets.compose import ComposeTarget
from tests.parts.compose import Project
from tests.parts.fixtures import ComposeProject
from tests.support.wait import until

pytestmark = [pytest.mark.docker, pytest.mark.parametrize("compose", ["v2", "v1"], indirect=True)]

SERVICES = """
version: "2.4"
services:
  db:
    image: ${APP_IMAGE}
    networks: [front]
  web:
    image: ${APP_IMAGE}
    environment: {WORK: "0.01", GREETING: "two words"}
    labels: {team: shop}
    links: ["db:database"]
    networks: {front: {aliases: [shop]}, back: {aliases: [rear]}}
    volumes: ["kept:/kept", "/scratch", "/tmp:/outside:ro"]
    ports: ["127.0.0.1::8000"]
    tmpfs: [/quick]
    mem_limit: 200m
    cap_drop: [NET_RAW]
    ulimits: {nofile: 2048}
    stop_grace_period: 1s
    init: true
    restart: unless-stopped
networks: {front: {}, back: {}}
volumes: {kept: {}}
"""
OWN = re.compile(r"[0-9a-f]{12,64}|(?<=web[-_])[0-9]+")


@pytest.fixture
async def target(compose_project: ComposeProject) -> AsyncIterator[ComposeTarget]:
    made = ComposeTarget(DockerEngine(compose_project.compose.engine.host), SystemClock())
    yield made
    await made.close()


@pytest.fixture
def project(compose_project: ComposeProject) -> Project:
    made = compose_project(SERVICES)
    made.up("--scale", "web=2")
    return made


async def carried_out(target: ComposeTarget, order: Operation) -> list[Outcome]:
    """An operation's parts one after the other."""
    ends: list[Outcome] = []
    following: list[Operation] = [order]
    while following:
        after: Advanced = await target.advance(following[0])
        following = following[1:] + list(after.parts) if isinstance(after, Split) else following
        if isinstance(after, Outcome):
            ends.append(after)
            following = following[1:]
        elif isinstance(after, Operation):
            following[0] = after
    return ends


def inspected(project: Project) -> list[dict[str, Any]]:
    """Every replica of web as the engine tells it, by number."""
    names = project.containers("web")
    found: list[dict[str, Any]] = json.loads(project.engine.docker("inspect", *names))
    return sorted(found, key=lambda each: int(each["Config"]["Labels"]["com.docker.compose.container-number"]))


def shape(record: dict[str, Any]) -> dict[str, Any]:
    """What two replicas of one service have in common: ids, numbers, addresses and ports taken out."""
    odd = ("io.autoscaler.operation", "io.autoscaler.origin", "com.docker.compose.container-number")
    labels = {key: value for key, value in record["Config"]["Labels"].items() if key not in odd}
    number = record["Config"]["Labels"]["com.docker.compose.container-number"]
    by_linker = re.compile(rf"(?<=db-){number}$")  # v2 names what is linked by the number of who links to it
    networks = {
        name: {
            "aliases": sorted({OWN.sub("#", each) for each in endpoint["Aliases"]}),
            "links": sorted(by_linker.sub("#", each) for each in endpoint["Links"] or []),
            "network": endpoint["NetworkID"],
        }
        for name, endpoint in record["NetworkSettings"]["Networks"].items()
    }
    mounts = [
        {key: OWN.sub("#", str(value)) for key, value in mount.items() if key in ("Type", "Name", "Destination", "RW")}
        for mount in record["Mounts"]
    ]
    config = {**record["Config"], "Labels": labels}
    for whole in (config, record["HostConfig"]):
        whole.update({key: value or None for key, value in whole.items()})  # nothing is told in several ways
    host = {key: value for key, value in record["HostConfig"].items() if key != "ContainerIDFile"}
    config["Env"] = sorted(config["Env"])  # compose has these in any order
    host["Binds"] = sorted(host.get("Binds") or [])
    host["Mounts"] = sorted(host.get("Mounts") or [], key=lambda each: str(each["Target"]))
    return {
        "config": json.loads(re.sub(OWN, "#", json.dumps(config, sort_keys=True))),
        "host": json.loads(re.sub(OWN, "#", json.dumps(host, sort_keys=True))),
        "networks": networks,
        "mounts": sorted(mounts, key=lambda each: each["Destination"]),
        "image": record["Image"],
    }


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Which settings two shapes tell differently."""
    flat = [
        {f"{part} {key}": value for part in ("config", "host", "networks") for key, value in each[part].items()}
        | {"mounts": each["mounts"], "image": each["image"]}
        for each in (one, other)
    ]
    keys = {key for each in flat for key in each}
    return {key: tuple(each.get(key) for each in flat) for key in keys if flat[0].get(key) != flat[1].get(key)}


async def test_a_clone_is_what_compose_itself_would_have_made(project: Project, target: ComposeTarget) -> None:
    policy = Policy(name="web", target=TargetSpec(compose=Named(project=project.name, service="web")))
    ((ref, _),) = target.discover([policy])
    before = {each["Name"]: each["Id"] for each in inspected(project)}
    order = Operation(
        id="3c0ffee00001", kind=OperationKind.SCALE, ref=ref, started=0.0, deadline=9e9, before=2, count=3
    )
    (end,) = await carried_out(target, order)
    assert end.kind is OutcomeKind.APPLIED, end
    first, second, clone = inspected(project)
    assert differences(shape(clone), shape(second)) == {}
    assert re.fullmatch(rf"/{project.name}[-_]web[-_]3", clone["Name"])
    volumes = [{m["Name"] for m in each["Mounts"] if m["Destination"] == "/scratch"} for each in (first, second, clone)]
    assert len(set.union(*volumes)) == 3, "each has an anonymous volume of its own"
    asked = ("exec", clone["Name"].lstrip("/"), "wget", "-q", "-O", "-", "http://database:8000/healthz")
    until(lambda: project.engine.docker(*asked) == "ok", "the linked service answers by its other name")

    project.up("--scale", "web=3")
    after = {each["Name"]: each["Id"] for each in inspected(project)}
    assert after == {**before, clone["Name"]: clone["Id"]}, "compose found something to do"
    project.run("down", "--volumes", "--timeout", "1")
    until(lambda: project.leavings() == [], "nothing is left")

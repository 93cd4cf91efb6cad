"""A container of a compose service as the engine tells it, and the contract of its labels and names."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from autoscaler.clock import parse

PREFIX = "com.docker.compose."
PROJECT, SERVICE, NUMBER = f"{PREFIX}project", f"{PREFIX}service", f"{PREFIX}container-number"
ONEOFF, HASH, IMAGE, REPLACE = f"{PREFIX}oneoff", f"{PREFIX}config-hash", f"{PREFIX}image", f"{PREFIX}replace"
VERSION = f"{PREFIX}version"
OPERATION = "io.autoscaler.operation"  # our own: which operation made this container
FOLLOWS = "follows-"  # before the operation's id: made because the one in whose network it lives was replaced
UNNAMED = re.compile(r"[0-9a-f]{64}")  # the name any engine gives to a volume that has none
ORIGIN = "io.autoscaler.origin"  # our own: when compose made the one that the first twin was made like
TAG = "io.autoscaler.image"  # our own: the image's name, where a container had to be made from its id

DRAINING = "draining_"
LEAVING = "replacing_"  # it stops before its successor is made, and comes back if there is none
_SURGE = re.compile(r"(?P<old>[0-9a-f]{12})_(?P<name>.+)")


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """What decides about one container; times in seconds since the epoch, 0 for never."""

    id: str
    name: str
    project: str
    service: str
    number: int
    created: float
    state: str  # created running paused restarting removing exited dead
    health: str = ""  # starting healthy unhealthy; empty without a healthcheck
    failing_since: float = 0.0
    healthy_once: bool = False
    started: float = 0.0
    finished: float = 0.0
    exit_code: int = 0
    restarts: int = 0
    oom_killed: bool = False
    restart_policy: str = "no"
    image: str = ""
    config_hash: str = ""
    operation: str = ""
    address: str = ""
    stop_timeout: int = 10
    origin: float = 0.0  # when its configuration came into being
    tag: str = ""  # the name of its image
    lives_in: str = ""  # the id of the container whose network it uses (network_mode: service:…)

    @property
    def kept_running(self) -> bool:
        """True where the engine starts it again whenever it ends, unless somebody stopped it."""
        return self.restart_policy in ("always", "unless-stopped")

    @property
    def draining(self) -> bool:
        """True when it is on its way out by our hand."""
        return self.name.startswith(DRAINING)

    @property
    def leaving(self) -> bool:
        """True when it makes room for a successor that cannot run beside it: it stands for both until then."""
        return self.name.startswith(LEAVING)

    @property
    def replaces(self) -> str:
        """The first twelve digits of the container it is to take the place of; empty for most.

        Compose v1 marks the old one so, with its own id, while it makes the new one.
        """
        found = _SURGE.fullmatch(self.name)
        return found["old"] if found and found["old"] != self.id[:12] else ""

    @property
    def final_name(self) -> str:
        """Its name without the marks of drains and replacements."""
        return final_name(self.name)

    @property
    def ready(self) -> bool:
        """True when it serves."""
        return self.state == "running" and self.health in ("", "healthy")


def final_name(name: str) -> str:
    """A name without marks.

    >>> final_name("draining_0123456789ab_shop-web-1")
    'shop-web-1'
    """
    name = name.removeprefix(DRAINING).removeprefix(LEAVING)
    while found := _SURGE.fullmatch(name):
        name = found["name"]
    return name


def pattern(project: str, service: str) -> re.Pattern[str]:
    """Names compose gives: `project-service-3`, with underscores by compose v1."""
    return re.compile(rf"(?P<stem>{re.escape(project)}[-_]{re.escape(service)}[-_])(?P<number>[0-9]+)")


def container(record: dict[str, Any]) -> Container:
    """A container from what inspecting it tells."""
    labels, state = record["Config"].get("Labels") or {}, record["State"]
    health = state.get("Health") or {}
    check = record["Config"].get("Healthcheck") or {}
    has_check = bool(check.get("Test")) and check["Test"][0] != "NONE" and health.get("Status") not in (None, "none")
    log = health.get("Log") or []
    started = _time(state.get("StartedAt"))
    return Container(
        id=record["Id"],
        name=record["Name"].lstrip("/"),
        project=labels.get(PROJECT, ""),
        service=labels.get(SERVICE, ""),
        number=int(labels.get(NUMBER) or 0),
        created=_time(record.get("Created")),
        state=state.get("Status", ""),
        health=health["Status"] if has_check else "",
        failing_since=_failing_since(log),
        healthy_once=_healthy_once(health, check, log, started),
        started=started,
        finished=_time(state.get("FinishedAt")),
        exit_code=int(state.get("ExitCode") or 0),
        restarts=int(record.get("RestartCount") or 0),
        oom_killed=bool(state.get("OOMKilled")),
        restart_policy=(record["HostConfig"].get("RestartPolicy") or {}).get("Name") or "no",
        image=record.get("Image", ""),
        config_hash=labels.get(HASH, ""),
        operation=labels.get(OPERATION, ""),
        address=_address(record),
        stop_timeout=int(record["Config"].get("StopTimeout") or 10),
        lives_in=lives_in(record["HostConfig"].get("NetworkMode")),
        origin=_time(labels.get(ORIGIN) or record.get("Created")),
        tag=labels.get(TAG) or record["Config"].get("Image", ""),
    )


def lives_in(mode: str | None) -> str:
    """The id of the container whose network a container uses, by its network mode; empty for one of its own."""
    kind, _, other = (mode or "").partition(":")
    return other if kind == "container" else ""


def _time(text: str | None) -> float:
    return 0.0 if not text or text.startswith("0001") else parse(text)


def _failing_since(log: list[dict[str, Any]]) -> float:
    """When the failures at the end of the health log began (it holds five probes); 0 where the last one was fine."""
    since = 0.0
    for probe in reversed(log):
        if probe.get("ExitCode") == 0:
            break
        since = _time(probe.get("End"))
    return since


def _healthy_once(health: dict[str, Any], check: dict[str, Any], log: list[dict[str, Any]], started: float) -> bool:
    """True when a probe passed since the start: in the log, or because the failures in a row do not fill the time."""
    if health.get("Status") == "healthy" or any(probe.get("ExitCode") == 0 for probe in log):
        return True
    if not log or not started:
        return False
    probe_s = ((check.get("Interval") or 30e9) + (check.get("Timeout") or 30e9)) / 1e9
    failing_s = (int(health.get("FailingStreak") or 0) + 1) * probe_s + (check.get("StartPeriod") or 0) / 1e9
    return _time(log[-1].get("End")) - started > failing_s


def _address(record: dict[str, Any]) -> str:
    networks = (record.get("NetworkSettings") or {}).get("Networks") or {}
    if "host" in networks:
        return "127.0.0.1"
    return next((each["IPAddress"] for each in networks.values() if each.get("IPAddress")), "")

"""One more container of a service: the create call of a sibling's twin, so like it that compose itself sees no odds.

A clone keeps every label, network, mount and limit; only number, name and what belongs to one container differ.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from autoscaler.errors import Refused
from autoscaler.targets.compose.container import (
    IMAGE,
    NUMBER,
    OPERATION,
    ORIGIN,
    PROJECT,
    REPLACE,
    TAG,
    UNNAMED,
    VERSION,
    lives_in,
    pattern,
)

_PER_CONTAINER = ("MacAddress", "OnBuild")
_OTHERS_NETWORK = ("host", "container:")
_ALIKE = ("WorkingDir", "User", "StopSignal", "Healthcheck", "Shell")  # an image's own, unless the service says other
_NO_NETWORKS = (*_OTHERS_NETWORK, "none")


class Twin(msgspec.Struct, frozen=True):
    """The body of the create call, and the networks to connect before the start: their ids and endpoints."""

    body: dict[str, Any]
    networks: tuple[tuple[str, dict[str, Any]], ...] = ()


def cannot(record: dict[str, Any], *, beside: bool) -> str:
    """Why no twin can run beside this container; empty if one can. `beside`: it stays, else it leaves later."""
    for port, bindings in (record["HostConfig"].get("PortBindings") or {}).items():
        for binding in bindings or ():
            wanted = binding.get("HostPort") or "0"
            if wanted != "0" and "-" not in wanted:
                return f"host port {wanted} (for {port}) is fixed, and only one container can have it"
    for name, endpoint in _networks(record).items():
        given = endpoint.get("IPAMConfig") or {}
        fixed = given.get("IPv4Address") or given.get("IPv6Address")
        if fixed:
            return f"address {fixed} on network {name} is fixed, and only one container can have it"
    if lives_in(record["HostConfig"].get("NetworkMode")):
        return "it uses another container's network (network_mode), where its ports are taken already"
    labels = record["Config"]["Labels"]
    name = record["Name"].lstrip("/")
    known = pattern(labels["com.docker.compose.project"], labels["com.docker.compose.service"])
    if beside and not known.search(name):
        return f"the service has a container_name ({name}), and only one container can have it"
    return ""


def twin(record: dict[str, Any], name: str, number: int, *, image: str, operation: str) -> Twin:
    """The create call for a container `name` like the inspected one. `image` is the name or id it is made from."""
    config = {key: value for key, value in copy.deepcopy(record["Config"]).items() if key not in _PER_CONTAINER}
    host = {key: value for key, value in copy.deepcopy(record["HostConfig"]).items() if key != "ContainerIDFile"}
    short, mode = record["Id"][:12], host.get("NetworkMode") or "default"
    if config.get("Hostname") == short or mode.startswith(_OTHERS_NETWORK):
        config.pop("Hostname", None)
    if mode.startswith(_OTHERS_NETWORK):
        config.pop("ExposedPorts", None)
    tag = named(record)
    labels = {k: value for k, value in (config.get("Labels") or {}).items() if k not in (REPLACE, OPERATION, TAG)}
    labels |= {NUMBER: str(number), OPERATION: operation, ORIGIN: labels.get(ORIGIN) or record["Created"]}
    if image != tag:
        labels[TAG] = tag
    if IMAGE in labels:
        labels[IMAGE] = record["Image"]
    config |= {"Labels": labels, "Image": image}
    _fresh_volumes(record, config, host)
    links = _Links(record, number)
    host["Links"] = [links.anew(_link(each)) for each in host.get("Links") or ()]
    networks = {} if mode.startswith(_NO_NETWORKS) else _networks(record)
    endpoints = {
        network: _endpoint(
            endpoint,
            plain=network == "bridge",
            old=(short, record["Name"].lstrip("/")),
            new=_new(labels, name),
            links=links,
        )
        for network, endpoint in networks.items()
    }
    primary = "bridge" if mode == "default" else mode
    first = {primary: endpoints[primary]} if primary in endpoints else {}
    body = {**config, "HostConfig": host, "NetworkingConfig": {"EndpointsConfig": first}}
    others = tuple((networks[each]["NetworkID"], endpoints[each]) for each in sorted(endpoints) if each not in first)
    return Twin(body, others)


def named(record: dict[str, Any]) -> str:
    """The name of the image a container is meant to run, also where it was made from the image's id."""
    config = record["Config"]
    return str((config.get("Labels") or {}).get(TAG) or config["Image"])


def renewed(record: dict[str, Any], old: dict[str, Any], id: str) -> dict[str, Any]:
    """The record without what came from the configuration of its `old` image, so that of the image `id` applies.

    Inspecting a container tells both as one; what compose or the owner set as it was in the old image cannot be told
    from it, and follows the new one too.
    """
    config = {key: value for key, value in record["Config"].items() if key not in _ALIKE or value != old.get(key)}
    if (record["Config"].get("Entrypoint") or None) == (old.get("Entrypoint") or None):
        config.pop("Entrypoint", None)
        if (record["Config"].get("Cmd") or None) == (old.get("Cmd") or None):
            config.pop("Cmd", None)
    was = old.get("Env") or ()
    config["Env"] = [each for each in config.get("Env") or () if each not in was]
    for key in ("Volumes", "ExposedPorts"):
        config[key] = {name: each for name, each in (config.get(key) or {}).items() if name not in (old.get(key) or {})}
    labels = (old.get("Labels") or {}).items()
    config["Labels"] = {name: text for name, text in config["Labels"].items() if (name, text) not in labels}
    volumes = old.get("Volumes") or {}
    mounts = [each for each in record.get("Mounts") or () if each.get("Destination") not in volumes or not _own(each)]
    return {**record, "Config": config, "Image": id, "Mounts": mounts}


def resolved(record: dict[str, Any], known: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The record with its networks as they are now: `known` are those of its names. Raises Refused.

    A network goes with its project and comes back under its name and another id. Of several of one name it is the
    project's own; one that nobody's project owns must be the only one, or the one it was.
    """
    project = record["Config"]["Labels"][PROJECT]
    host, networks = dict(record["HostConfig"]), dict[str, Any]()
    for name, endpoint in _networks(record).items():
        there = [each for each in known if each["Name"] == name]
        own = [each for each in there if (each.get("Labels") or {}).get(PROJECT) == project]
        same = [each for each in there if each["Id"] == endpoint.get("NetworkID")]
        fitting = own or same or there
        if not fitting:
            raise Refused(f"its network {name} is not there: the project was taken down")
        if len(fitting) > 1:
            raise Refused(f"there are {len(fitting)} networks named {name}, and none of them is the project's own")
        id = str(fitting[0]["Id"])
        key = name if len(there) == 1 else id  # the engine takes a name only where it is the only one
        networks[key] = {**endpoint, "NetworkID": id}
        if host.get("NetworkMode") == name:
            host["NetworkMode"] = key
    return {**record, "HostConfig": host, "NetworkSettings": {"Networks": networks}}


def names_of_networks(record: dict[str, Any]) -> list[str]:
    """The networks a container needs to be there by name."""
    mode = record["HostConfig"].get("NetworkMode") or "default"
    return [] if mode.startswith(_NO_NETWORKS) else sorted(_networks(record))


def _networks(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return (record.get("NetworkSettings") or {}).get("Networks") or {}


def _new(labels: dict[str, str], name: str) -> str:
    """The alias a container has by its name: compose v2 gives one, v1 does not."""
    return "" if labels.get(VERSION, "").startswith("1.") else name


class _Links:
    """Links as the twin has them: compose v2 gives what is linked two aliases with the number of who links to it.

    `db` is reached by web-1 as `db-1` and `shop-db-1`, by web-2 as `db-2` and `shop-db-2`, whichever container it is.
    """

    def __init__(self, record: dict[str, Any], number: int) -> None:
        labels = record["Config"]["Labels"]
        self._project = labels[PROJECT]
        self._old = "" if labels.get(VERSION, "").startswith("1.") else labels.get(NUMBER, "")
        self._number = number

    def anew(self, link: str) -> str:
        """`source:alias` with such an alias made the twin's own; any other link as it is."""
        source, _, alias = link.partition(":")
        service, _, number = alias.removeprefix(f"{self._project}-").rpartition("-")
        own = number == self._old and pattern(self._project, service).fullmatch(source)
        return f"{source}:{alias.removesuffix(number)}{self._number}" if own else link


def _endpoint(
    endpoint: dict[str, Any], *, plain: bool, old: tuple[str, str], new: str, links: _Links
) -> dict[str, Any]:
    """What to connect with: the same aliases but those that name one container. The default bridge takes none."""
    kept = {"DriverOpts": endpoint["DriverOpts"]} if endpoint.get("DriverOpts") else {}
    if endpoint.get("Links"):
        kept["Links"] = [links.anew(each) for each in endpoint["Links"]]
    if plain:
        return kept
    marks = (*old, old[1].partition("_")[2] if re.match(r"[0-9a-f]{12}_", old[1]) else old[1])
    aliases = [each for each in endpoint.get("Aliases") or () if each not in marks]
    if new and new not in aliases:
        aliases.append(new)
    return {**kept, "Aliases": aliases}


def _fresh_volumes(record: dict[str, Any], config: dict[str, Any], host: dict[str, Any]) -> None:
    """Named volumes and binds stay; an anonymous volume belongs to one container, its twin gets a fresh one."""
    anonymous = {mount["Destination"] for mount in record.get("Mounts") or () if _own(mount)}
    host["Binds"] = [each for each in host.get("Binds") or () if not UNNAMED.fullmatch(each.partition(":")[0])]
    kept = [
        each
        for each in host.get("Mounts") or ()
        if not (each.get("Type") == "volume" and UNNAMED.fullmatch(each.get("Source") or ""))
    ]
    declared = {each.get("Target") for each in kept}
    host["Mounts"] = kept
    if not kept:
        host.pop("Mounts")
    fresh: dict[str, Any] = {destination: {} for destination in sorted(anonymous) if destination not in declared}
    config["Volumes"] = {**(config.get("Volumes") or {}), **fresh} or None


def _own(mount: dict[str, Any]) -> bool:
    """True for an anonymous volume: it belongs to one container and goes with it."""
    return mount.get("Type") == "volume" and bool(UNNAMED.fullmatch(mount.get("Name") or ""))


def _link(link: str) -> str:
    """`/db:/web-1/alias` as the create call wants it: `db:alias`."""
    source, _, alias = link.partition(":")
    return f"{source.lstrip('/')}:{alias.rpartition('/')[2]}"

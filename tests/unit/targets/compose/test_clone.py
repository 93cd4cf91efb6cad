"""A twin has everything its sibling has, but for what belongs to one container."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from autoscaler.errors import Refused
from autoscaler.targets.compose.clone import cannot, named, names_of_networks, renewed, resolved, twin
from tests.unit.targets.compose.records import ANONYMOUS, FIRST, IMAGE, P, record


def body(source: dict[str, Any], *, name: str = "shop-web-2", number: int = 2) -> dict[str, Any]:
    return twin(source, name, number, image="shop/web:1", operation="op").body


def endpoint(source: dict[str, Any], network: str = "shop_default") -> dict[str, Any]:
    return dict(body(source)["NetworkingConfig"]["EndpointsConfig"][network])


def test_every_label_is_kept_but_the_number_and_what_a_recreate_left() -> None:
    source = record(labels={"team": "shop", f"{P}replace": "shop-web-1", "io.autoscaler.operation": "older"})
    labels = body(source)["Labels"]
    own = {"io.autoscaler.operation": "op", "io.autoscaler.origin": source["Created"]}
    expected = {k: v for k, v in source["Config"]["Labels"].items() if k != f"{P}replace"}
    assert labels == {**expected, f"{P}container-number": "2", **own}


def test_the_image_label_is_the_image_that_is_used() -> None:
    assert body(record(labels={f"{P}image": "sha256:older"}))["Labels"][f"{P}image"] == IMAGE


def test_compose_v1_has_no_image_label_and_gets_none() -> None:
    source = record(labels={f"{P}version": "1.29.2"})
    del source["Config"]["Labels"][f"{P}image"]
    assert f"{P}image" not in body(source)["Labels"]


def test_settings_and_limits_are_kept() -> None:
    source = record(config={"User": "app", "StopTimeout": 20}, host={"Memory": 2**28, "CapDrop": ["NET_RAW"]})
    made = body(source)
    assert (made["User"], made["StopTimeout"], made["Env"]) == ("app", 20, ["GREETING=two words"])
    assert (made["HostConfig"]["Memory"], made["HostConfig"]["CapDrop"]) == (2**28, ["NET_RAW"])
    assert made["Image"] == "shop/web:1"


def test_the_source_stays_as_it_was() -> None:
    source = record(host={"Binds": [f"{ANONYMOUS}:/data:rw"], "Links": ["/shop-db-1:/shop-web-1/db"]})
    before = copy.deepcopy(source)
    twin(source, "shop-web-2", 2, image="x", operation="op")
    assert source == before


def test_what_belongs_to_one_container_is_left_out() -> None:
    source = record(config={"MacAddress": "02:42:0a:00:00:02", "OnBuild": None}, host={"ContainerIDFile": "/run/id"})
    made = body(source)
    assert not {"MacAddress", "OnBuild", "Hostname"} & set(made)
    assert "ContainerIDFile" not in made["HostConfig"]


def test_a_hostname_that_somebody_chose_is_kept() -> None:
    assert body(record(config={"Hostname": "shop"}))["Hostname"] == "shop"
    assert body(record(config={"Hostname": "shop"}, host={"NetworkMode": "none"}, networks={}))["Hostname"] == "shop"


@pytest.mark.parametrize("mode", ["host", "container:" + "d" * 64])
def test_without_a_network_of_its_own_it_gets_no_hostname_and_no_aliases(mode: str) -> None:
    source = record(
        config={"Hostname": "machine", "ExposedPorts": {"80/tcp": {}}},
        host={"NetworkMode": mode},
        networks={"host": {"NetworkID": "h"}} if mode == "host" else {},
    )
    made = twin(source, "shop-web-2", 2, image="x", operation="op")
    assert not {"Hostname", "ExposedPorts"} & set(made.body)
    assert made.body["NetworkingConfig"] == {"EndpointsConfig": {}}
    assert made.networks == ()


def test_aliases_that_name_one_container_become_those_of_the_new_one() -> None:
    assert endpoint(record())["Aliases"] == ["web", "shop-web-2"]


def test_compose_v1_gives_no_alias_by_name() -> None:
    source = record(name="shop_web_1", labels={f"{P}version": "1.29.2"})
    made = twin(source, "shop_web_2", 2, image="x", operation="op").body
    assert made["NetworkingConfig"]["EndpointsConfig"]["shop_default"]["Aliases"] == ["web"]


def test_the_twin_of_one_that_took_a_place_has_no_alias_of_its_temporary_name() -> None:
    network = {"NetworkID": "n", "Aliases": ["web", "shop-web-1", "0123456789ab_shop-web-1"]}
    source = record(name="0123456789ab_shop-web-1", networks={"shop_default": network})
    assert endpoint(source)["Aliases"] == ["web", "shop-web-2"]


def test_the_first_network_comes_at_the_create_the_others_by_id_before_the_start() -> None:
    networks = {
        "shop_front": {"NetworkID": "f", "Aliases": ["web", "shop"]},
        "shop_back": {"NetworkID": "k", "Aliases": ["web", "rear"], "DriverOpts": {"o": "1"}},
    }
    made = twin(
        record(host={"NetworkMode": "shop_front"}, networks=networks), "shop-web-2", 2, image="x", operation="op"
    )
    assert list(made.body["NetworkingConfig"]["EndpointsConfig"]) == ["shop_front"]
    assert made.networks == (("k", {"DriverOpts": {"o": "1"}, "Aliases": ["web", "rear", "shop-web-2"]}),)


@pytest.mark.parametrize("mode", ["bridge", "default"])
def test_the_default_bridge_takes_no_aliases(mode: str) -> None:
    source = record(host={"NetworkMode": mode}, networks={"bridge": {"NetworkID": "b", "Aliases": None}})
    assert endpoint(source, "bridge") == {}


def test_links_come_back_as_the_create_call_wants_them() -> None:
    source = record(host={"Links": ["/shop-db-1:/shop-web-1/database"]})
    assert body(source)["HostConfig"]["Links"] == ["shop-db-1:database"]


def test_links_on_a_network_are_kept() -> None:
    network = {"NetworkID": "n", "Aliases": ["web"], "Links": ["shop-db-1:database"]}
    assert endpoint(record(networks={"shop_default": network}))["Links"] == ["shop-db-1:database"]


@pytest.mark.parametrize(
    ("version", "link", "new"),
    [
        ("2.20.0", "shop-db-1:db-1", "shop-db-1:db-2"),
        ("2.20.0", "shop-db-2:db-1", "shop-db-2:db-2"),
        ("2.20.0", "shop-db-2:shop-db-1", "shop-db-2:shop-db-2"),
        ("2.20.0", "shop-db-1:db-7", "shop-db-1:db-7"),
        ("2.20.0", "other-db-1:db-1", "other-db-1:db-1"),
        ("1.29.2", "shop_db_1:db_1", "shop_db_1:db_1"),
    ],
)
def test_what_is_linked_has_the_number_of_who_links_to_it_as_compose_v2_does(version: str, link: str, new: str) -> None:
    network = {"NetworkID": "n", "Aliases": ["web"], "Links": [link]}
    source = record(labels={f"{P}version": version}, networks={"shop_default": network}, host={"Links": [link]})
    assert endpoint(source)["Links"] == [new]
    assert body(source)["HostConfig"]["Links"] == [new]
    same = twin(source, "shop-web-1", 1, image="shop/web:1", operation="op").body
    assert same["HostConfig"]["Links"] == [link], "a replacement has the same number"


def test_named_volumes_and_binds_stay() -> None:
    binds = ["shop_kept:/kept:rw", "/srv/shop:/srv:ro"]
    mounts = [{"Type": "volume", "Name": "shop_kept", "Destination": "/kept"}]
    made = body(record(host={"Binds": binds}, mounts=mounts))
    assert made["HostConfig"]["Binds"] == binds
    assert made["Volumes"] is None
    assert "Mounts" not in made["HostConfig"]


def test_an_anonymous_volume_handed_on_by_name_becomes_a_fresh_one() -> None:
    mounts = [{"Type": "volume", "Name": ANONYMOUS, "Destination": "/scratch"}]
    for host in (
        {"Binds": [f"{ANONYMOUS}:/scratch:rw"]},
        {"Mounts": [{"Type": "volume", "Source": ANONYMOUS, "Target": "/scratch"}]},
    ):
        made = body(record(host=host, mounts=mounts))
        assert made["Volumes"] == {"/scratch": {}}
        assert ANONYMOUS not in str(made["HostConfig"])


def test_an_anonymous_volume_declared_as_a_mount_stays_declared_once() -> None:
    declared = {"Type": "volume", "Target": "/scratch"}
    mounts = [{"Type": "volume", "Name": ANONYMOUS, "Destination": "/scratch"}]
    made = body(record(host={"Mounts": [declared]}, mounts=mounts))
    assert made["HostConfig"]["Mounts"] == [declared]
    assert made["Volumes"] is None


# what cannot be


def test_a_fixed_host_port_is_one_containers() -> None:
    source = record(host={"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}})
    assert "host port 8080" in cannot(source, beside=True)
    assert "host port 8080" in cannot(source, beside=False)


@pytest.mark.parametrize("port", ["", "0", "8000-8010"])
def test_a_free_port_or_a_range_is_for_many(port: str) -> None:
    source = record(host={"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": port}], "81/tcp": None}})
    assert cannot(source, beside=True) == ""


@pytest.mark.parametrize("key", ["IPv4Address", "IPv6Address"])
def test_a_fixed_address_is_one_containers(key: str) -> None:
    network = {"NetworkID": "n", "Aliases": [], "IPAMConfig": {key: "10.0.0.9"}}
    source = record(networks={"shop_default": network})
    assert "10.0.0.9" in cannot(source, beside=True)


def test_a_container_name_allows_no_second_one_and_a_replacement() -> None:
    source = record(name="the-shop")
    assert "container_name (the-shop)" in cannot(source, beside=True)
    assert cannot(source, beside=False) == ""


@pytest.mark.parametrize("name", ["shop-web-1", "shop_web_1", f"{FIRST[:12]}_shop-web-1", "draining_shop-web-1"])
def test_composes_own_names_with_or_without_our_marks_are_no_container_name(name: str) -> None:
    assert cannot(record(name=name), beside=True) == ""


def test_one_in_another_containers_network_allows_no_second_one() -> None:
    source = record(host={"NetworkMode": "container:" + "d" * 64}, networks={})
    assert "another container's network" in cannot(source, beside=True)
    assert "another container's network" in cannot(source, beside=False)


# the image


def test_a_container_made_from_an_images_id_remembers_the_name_in_a_label() -> None:
    by_id = twin(record(), "shop-web-2", 2, image=IMAGE, operation="op").body
    assert by_id["Labels"]["io.autoscaler.image"] == "shop/web:1"
    source = record(labels={"io.autoscaler.image": "shop/web:1"}, config={"Image": IMAGE})
    assert named(source) == "shop/web:1"
    again = twin(source, "shop-web-3", 3, image="shop/web:1", operation="op").body
    assert "io.autoscaler.image" not in again["Labels"]
    still = twin(source, "shop-web-3", 3, image=IMAGE, operation="op").body
    assert still["Labels"]["io.autoscaler.image"] == "shop/web:1"


# networks that may have been made again


def network(id: str, *, name: str = "shop_default", project: str = "") -> dict[str, Any]:
    return {"Id": id, "Name": name, "Labels": {f"{P}project": project} if project else None}


def ids(source: dict[str, Any], *known: dict[str, Any]) -> dict[str, str]:
    networks = resolved(source, known)["NetworkSettings"]["Networks"]
    return {name: end["NetworkID"] for name, end in networks.items()}


def test_a_network_is_found_by_its_name() -> None:
    assert ids(record(), network("new", project="shop")) == {"shop_default": "new"}
    assert ids(record(), network("new")) == {"shop_default": "new"}, "an external one"


def test_of_several_of_one_name_it_is_the_projects_own_and_told_by_its_id() -> None:
    known = network("theirs", project="blog"), network("ours", project="shop")
    assert ids(record(), *known) == {"ours": "ours"}
    assert resolved(record(), known)["HostConfig"]["NetworkMode"] == "ours"
    body = twin(resolved(record(), known), "shop-web-2", 2, image="x", operation="op").body
    assert list(body["NetworkingConfig"]["EndpointsConfig"]) == ["ours"]


def test_of_several_that_nobody_owns_it_is_the_one_it_was_or_none() -> None:
    assert ids(record(), network("other"), network("n" * 64)) == {"n" * 64: "n" * 64}
    with pytest.raises(Refused, match="there are 2 networks named shop_default"):
        resolved(record(), [network("a"), network("b")])


def test_a_network_that_is_gone_means_a_project_taken_down() -> None:
    with pytest.raises(Refused, match="its network shop_default is not there: the project was taken down"):
        resolved(record(), [])


def test_only_networks_that_are_joined_need_to_be_there() -> None:
    assert names_of_networks(record()) == ["shop_default"]
    assert names_of_networks(record(host={"NetworkMode": "host"}, networks={"host": {}})) == []


OLD_IMAGE = {
    "Env": ["PATH=/bin", "VERSION=1"], "Cmd": ["serve"], "Entrypoint": ["/run"], "WorkingDir": "/app", "User": "app",
    "Labels": {"vendor": "us", "version": "1"}, "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}},
    "StopSignal": "SIGTERM", "Healthcheck": {"Test": ["CMD", "old"]},
}  # fmt: skip


def test_what_came_from_the_old_image_is_left_to_the_new_one_and_what_the_service_set_stays() -> None:
    mounts = [
        {"Type": "volume", "Name": ANONYMOUS, "Destination": "/data"},
        {"Type": "volume", "Name": "shop_files", "Destination": "/files"},
    ]
    config = {
        **OLD_IMAGE, "Env": ["GREETING=two words", *OLD_IMAGE["Env"]], "User": "root",
        "Healthcheck": {"Test": ["NONE"]}, "ExposedPorts": {"80/tcp": {}, "9000/tcp": {}},
    }  # fmt: skip
    labels = config.pop("Labels")
    source = record(labels=labels, config={k: v for k, v in config.items() if k != "Labels"}, mounts=mounts)
    made = twin(renewed(source, OLD_IMAGE, "sha256:new"), "shop-web-1", 1, image="shop/web:1", operation="op").body
    assert made["Env"] == ["GREETING=two words"]
    assert (made["User"], made["Healthcheck"]) == ("root", {"Test": ["NONE"]})
    assert not {"Cmd", "Entrypoint", "WorkingDir", "StopSignal"} & set(made)
    assert made["ExposedPorts"] == {"9000/tcp": {}}
    assert made["Volumes"] is None, "the new image says itself where it wants anonymous volumes"
    assert not {"vendor", "version"} & set(made["Labels"])
    assert (made["Image"], made["Labels"][f"{P}image"]) == ("shop/web:1", "sha256:new")


def test_a_command_beside_an_entrypoint_of_the_service_is_kept_as_it_cannot_be_the_images() -> None:
    source = record(config={"Entrypoint": ["/mine"], "Cmd": ["serve"]})
    assert renewed(source, OLD_IMAGE, "sha256:new")["Config"]["Cmd"] == ["serve"]


def test_a_twin_of_a_twin_tells_when_compose_made_the_first() -> None:
    first = body(record())["Labels"]
    later = {**record(labels=first), "Created": "2020-01-01T00:00:00Z"}
    assert body(later)["Labels"]["io.autoscaler.origin"] == record()["Created"]

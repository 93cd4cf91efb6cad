"""Which instances should be in data that is read from them, and whom the labels of a series name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from autoscaler.model.target import Instance

# Labels in which exporters, service discovery and cAdvisor tell whose series it is.
LABELS = (
    "address",
    "container",
    "container_name",
    "exported_instance",
    "exported_pod",
    "host",
    "hostname",
    "instance",
    "kubernetes_pod_name",
    "name",
    "pod",
    "pod_name",
    "server",
)
LOOPBACK = ("127.", "::1", "localhost")


def expected(instances: Iterable[Instance]) -> Iterator[Instance]:
    """Who should be in the data: the ready, and who was ready once.

    A sick one may still carry load, or be sick because of it: left out, its load would seem gone. One that only starts
    carries none yet.
    """
    return (each for each in instances if each.running and not each.draining and (each.ready or each.was_ready))


def words(instance: Instance) -> list[str]:
    """What a label may call an instance; an address that others have too is none."""
    address = instance.address
    if _host(address) == address:  # without a port
        address = "" if address.strip("[]").startswith(LOOPBACK) else address.strip("[]")
    return [word for word in (instance.name, address) if word]


def named(instances: Sequence[Instance], metric: Mapping[str, str]) -> str:
    """The id of the one instance that the labels of a series name; empty where they name none, or several."""
    called = {word for label in LABELS if label in metric for word in spellings(metric[label])}
    found = {each.id for each in instances if not called.isdisjoint(words(each))}
    return found.pop() if len(found) == 1 else ""


def spellings(value: str) -> tuple[str, ...]:
    """What the value of a label may call an instance: as it is, and without port."""
    bare = value.lstrip("/")  # an engine's own names of containers begin with a slash
    host = _host(bare).strip("[]") if ":" in bare else bare
    return (bare, host) if host != bare else (bare,)


def _host(address: str) -> str:
    """The address without its port, if it has one.

    >>> [_host(each) for each in ("10.0.0.5:8080", "[::1]:80", "::1", "web-1")]
    ['10.0.0.5', '[::1]', '::1', 'web-1']
    """
    host, _, port = address.rpartition(":")
    return host if host and port.isdecimal() and (":" not in host or host.endswith("]")) else address

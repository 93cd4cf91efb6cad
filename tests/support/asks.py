"""Asks as the loop would put them to a source."""

from __future__ import annotations

from autoscaler.model.observation import Ask
from autoscaler.model.policy import Reduce, Resource, Scrape, ScrapeMode, Signal
from autoscaler.model.target import Instance
from tests.support import nouns


def query(
    text: str, *, name: str = "load", max_age: float | None = None, reduce: Reduce | None = None, voucher: bool = False
) -> Ask:
    """A question to Prometheus."""
    signal = Signal(name=name, prometheus=text, per_replica=1.0, max_age=max_age, reduce=reduce)
    return Ask(nouns.ref(), signal, text, voucher=voucher)


def page(
    metric: str,
    *instances: Instance,
    mode: ScrapeMode = ScrapeMode.GAUGE,
    match: dict[str, str] | None = None,
    port: int | None = None,
    max_age: float | None = None,
) -> Ask:
    """A question to the instances themselves."""
    scrape = Scrape(metric=metric, mode=mode, match=match or {}, port=port)
    signal = Signal(name="load", scrape=scrape, per_replica=1.0, max_age=max_age)
    return Ask(nouns.ref(), signal, "", instances)


def used(resource: Resource, *instances: Instance) -> Ask:
    """A question to the platform, of what the instances use."""
    return Ask(nouns.ref(), Signal(name="load", resource=resource, per_replica=1.0), "", instances)


def instance(
    address: str,
    *,
    id: str = "",
    ready: bool = True,
    was_ready: bool = True,
    draining: bool = False,
    running: bool = True,
) -> Instance:
    """An instance at an address (`http://` in front is taken off)."""
    bare = address.removeprefix("http://")
    return Instance(
        id=id or bare,
        name=id or bare,
        created=0.0,
        ready=ready,
        since=0.0,
        was_ready=was_ready,
        draining=draining,
        running=running,
        address=bare,
    )

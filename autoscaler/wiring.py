"""Settings → adapters. With `policy_wiring`, the only file that names adapters."""

from __future__ import annotations

import contextlib
import re
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from autoscaler.clients.access import Access, check
from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.decide.notify import Route
from autoscaler.errors import SettingsError
from autoscaler.loop.registry import Targets
from autoscaler.outlets import Notified
from autoscaler.ports import Clock, Lease, Messenger, Source, Stockroom, Store, Target
from autoscaler.servers import PrometheusServer
from autoscaler.settings import Settings
from autoscaler.sources.intervals import Intervals
from autoscaler.sources.past import PastSource, Server

if TYPE_CHECKING:
    from autoscaler.clients.kubernetes_api import KubernetesApi
    from autoscaler.clients.kubernetes_reviews import Reviews
    from autoscaler.sources.push import PushSource
    from autoscaler.store.audit import Audit

MEMORY = "memory.sqlite"  # in the data folder


class Adapters(msgspec.Struct, frozen=True):
    """The platforms and sources of one process; Prometheus servers by the name of their source."""

    targets: Targets
    sources: Mapping[str, Source]
    prometheus: Mapping[str, PrometheusClient]
    past: PastSource
    pushed: PushSource | None  # where there is a receiver


@contextlib.asynccontextmanager
async def adapters_of(
    settings: Settings, clock: Clock, *, read_only: bool, current: int | None = None
) -> AsyncIterator[Adapters]:
    """Platforms and sources, built when they are first needed, closed at the end."""
    from autoscaler.clients.docker_stats import DockerStats
    from autoscaler.sources.platform import PlatformSource
    from autoscaler.sources.pod_metrics import PodMetricsSource
    from autoscaler.sources.prometheus import PrometheusSource
    from autoscaler.sources.scrape import ScrapeSource
    from autoscaler.targets.pretended import PretendedTarget
    from autoscaler.targets.read_only import ReadOnly

    # What only looks writes nothing: a dry run beside a daemon must not touch what that one remembers.
    specs = None if read_only else settings.data_folder / "specs"
    makers: dict[str, Callable[[], Target]] = {
        "compose": lambda: _compose(settings.docker.host, clock, specs=specs),
        "kubernetes": lambda: _kubernetes(settings, clock),
        "process": lambda: _process(settings, clock),
    }
    for name, engine in settings.engines.items():
        makers[f"compose/{name}"] = partial(_compose, engine.host, clock, instance=name, specs=specs)
    if current is not None:
        makers = {platform: lambda: PretendedTarget(current, clock) for platform in makers}
    if read_only:
        makers = {name: lambda make=make: ReadOnly(make(), clock) for name, make in makers.items()}  # type: ignore[misc]
    targets = Targets(makers)
    servers = servers_of(settings)
    clients = {name: PrometheusClient(server.access) for name, server in servers.items()}
    api = partial(_kubernetes_api, settings, clock)
    meters = {("compose", "default"): DockerStats(settings.docker.host)}
    meters |= {("compose", name): DockerStats(engine.host) for name, engine in settings.engines.items()}
    sources: dict[str, Source] = {
        **{name: PrometheusSource(client, intervals=servers[name].intervals) for name, client in clients.items()},
        "scrape": ScrapeSource(clock),
        "platform": PlatformSource(meters, clock, {"kubernetes": PodMetricsSource(api)}),
    }
    pushed = _push(settings)
    if pushed is not None:
        sources["push"] = pushed
    try:
        yield Adapters(targets, sources, clients, PastSource(servers, settings.cycle), pushed)
    finally:
        for target in targets.made().values():
            await target.close()
        for source in sources.values():
            await source.close()


def tenancy(settings: Settings, clock: Clock) -> tuple[Lease, Store]:
    """Who may act and what the next one knows: files of this machine, or objects that daemons in a cluster share."""
    from autoscaler.store.lease_file import FileLease
    from autoscaler.store.sqlite import SqliteStore

    folder = settings.data_folder
    local = SqliteStore(folder / MEMORY, clock)
    if settings.kubernetes.lease is None:
        return FileLease(folder / "lease", clock), local
    from autoscaler.store.cluster_lease import ClusterLease
    from autoscaler.store.cluster_memory import ClusterMemory

    namespace, _, name = settings.kubernetes.lease.partition("/")
    identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
    lease = ClusterLease(_kubernetes_api(settings, clock), clock, namespace, name, identity, settings.url)
    return lease, ClusterMemory(local, _kubernetes_api(settings, clock), namespace, name)


def reviews_of(settings: Settings, clock: Clock) -> Reviews | None:
    """Who asks whose tokens the cluster's API server knows; None where the settings want no such tokens."""
    if not settings.web.cluster or settings.kubernetes.lease is None:
        return None
    from autoscaler.clients.kubernetes_reviews import Reviews

    namespace, _, name = settings.kubernetes.lease.partition("/")
    return Reviews(_kubernetes_api(settings, clock), namespace, name)


def audit_of(settings: Settings) -> Audit | None:
    """What writes the audit, begun; None without a file. Raises SettingsError for one that can never be written."""
    from autoscaler.store.audit import Audit

    told = settings.audit
    if told.file is None:
        return None
    audit = Audit(Path(told.file).expanduser(), size=int(told.megabytes * 1e6), keep=told.keep)
    audit.start()
    return audit


def receivers_of(settings: Settings) -> list[tuple[Route, Messenger]]:
    """Who is notified of what, and the way there. Raises SettingsError for a way that cannot be gone."""
    return [(_route(name, each), _messenger(f"notify.{name}", each)) for name, each in settings.notify.items()]


def _route(name: str, told: Notified) -> Route:
    return Route(
        name=name,
        kinds=frozenset(told.kinds),
        labels=told.labels,
        after_s=told.after,
        repeat_s=told.repeat,
        most=told.most,
    )


def _messenger(key: str, told: Notified) -> Messenger:
    if told.webhook is not None:
        from autoscaler.clients.webhook import Webhook
        from autoscaler.messengers.webhook import WebhookMessenger

        access = Access(url=told.webhook, name=key, bearer_file=told.bearer_file or "", ca=told.ca or "")
        check(access)
        return WebhookMessenger(Webhook(access))
    try:
        from autoscaler.clients.apprise_sender import AppriseSender, loaded, urls_in
    except ModuleNotFoundError:
        raise _missing("notifications by apprise", "notify") from None
    from autoscaler.messengers.chat import ChatMessenger

    if told.apprise_file is not None:
        return ChatMessenger(AppriseSender(partial(urls_in, told.apprise_file)))
    urls = [told.apprise or ""]
    try:
        loaded(urls)
    except SettingsError as error:
        hint = "apprise's documentation has a URL for each"
        raise SettingsError(f"{key}.apprise: {error.message}", hint=hint) from None
    return ChatMessenger(AppriseSender(lambda: urls))


def stockroom(targets: Targets, place: str) -> Stockroom | None:
    """What lies about on a platform; None where it cannot be had or has nothing to tell."""
    make: Callable[[], Stockroom | None] | None = getattr(targets.get(place), "stockroom", None)
    return make() if make is not None else None


def _push(settings: Settings) -> PushSource | None:
    """What keeps pushed series; None without a receiver."""
    if settings.push.address is None:
        return None
    try:
        from autoscaler.sources.push import PushSource
    except ModuleNotFoundError:
        raise _missing("a receiver and push signals", "push") from None
    return PushSource()


def servers_of(settings: Settings) -> dict[str, Server]:
    """The Prometheus servers by the name of their source. Raises SettingsError for certificates that cannot be used."""
    told: dict[str, PrometheusServer] = {"prometheus": settings.prometheus}
    told |= {f"prometheus/{name}": server for name, server in settings.servers.items()}
    servers = {source: Server(_access(key_of(source), server), Intervals()) for source, server in told.items()}
    for each in servers.values():
        check(each.access)
    return servers


def key_of(source: str) -> str:
    """Where in the settings the server of a source stands.

    >>> key_of("prometheus"), key_of("prometheus/eu")
    ('prometheus', 'servers.eu')
    """
    usual, _, server = source.partition("/")
    return f"servers.{server}" if server else usual


def _access(name: str, server: PrometheusServer) -> Access:
    basic = server.basic
    files = {key: getattr(server, key) or "" for key in ("bearer_file", "ca", "cert", "key", "proxy")}
    return Access(
        url=server.url,
        name=name,
        user=basic.username if basic is not None else "",
        password=(basic.password or "") if basic is not None else "",
        password_file=(basic.password_file or "") if basic is not None else "",
        headers=server.headers,
        **files,
    )


def _compose(host: str | None, clock: Clock, *, specs: Path | None, instance: str = "default") -> Target:
    try:
        from autoscaler.clients.docker_engine import DockerEngine
    except ModuleNotFoundError:
        raise _missing("compose targets", "docker") from None
    from autoscaler.targets.compose import ComposeTarget

    folder = specs / instance if specs is not None else None
    name = socket.gethostname()  # in a container, unless somebody chose another, the beginning of its id
    own = name if re.fullmatch(r"[0-9a-f]{12}", name) else ""
    return ComposeTarget(DockerEngine(host), clock, instance=instance, specs=folder, host=host, own=own)


def _kubernetes(settings: Settings, clock: Clock) -> Target:
    from autoscaler.targets.kubernetes import KubernetesTarget

    return KubernetesTarget(_kubernetes_api(settings, clock), clock, events=settings.kubernetes.events)


def _kubernetes_api(settings: Settings, clock: Clock) -> KubernetesApi:
    try:
        from autoscaler.clients.kubernetes_api import KubernetesApi
    except ModuleNotFoundError:
        raise _missing("kubernetes targets", "kubernetes") from None

    told = settings.kubernetes
    return KubernetesApi(clock, kubeconfig=told.kubeconfig, context=told.context)


def _process(settings: Settings, clock: Clock) -> Target:
    from autoscaler.targets.process import ProcessTarget

    return ProcessTarget(settings.data_folder / "workers", clock)


def _missing(what: str, extra: str) -> SettingsError:
    return SettingsError(f"{what} need a library that is not installed", hint=f"pip install 'autoscaler[{extra}]'")

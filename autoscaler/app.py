"""The composition root: settings → adapters → daemon. The only file that names adapters."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from autoscaler import log
from autoscaler.backtest import record as recorder
from autoscaler.backtest.recording import Recording
from autoscaler.backtest.replay import acting
from autoscaler.clients import control
from autoscaler.clients.access import Access, check
from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.decide.plan import Plan
from autoscaler.errors import PolicyError, SettingsError, SourceError, StoreError, Unreachable, UsageError
from autoscaler.loop.act import Actor
from autoscaler.loop.board import Board
from autoscaler.loop.claims import claimed
from autoscaler.loop.cleaner import PLACE, Cleaner, Previews, preview
from autoscaler.loop.cycle import Cycle
from autoscaler.loop.daemon import Daemon, Load, Parts
from autoscaler.loop.desk import Desk
from autoscaler.loop.foresee import NOTHING, foresee, retelling, taken_over
from autoscaler.loop.gallery import Gallery
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.log_sink import LogSink
from autoscaler.loop.observe import Observer
from autoscaler.loop.past import Past
from autoscaler.loop.recollect import Recollection, left
from autoscaler.loop.registry import Targets
from autoscaler.loop.rehearse import Foresight, remembering
from autoscaler.loop.timetable import Timetable
from autoscaler.loop.warming import Warming
from autoscaler.model.operation import Operation
from autoscaler.model.policy import Cleanup, Policy, PolicySet
from autoscaler.policy.fit import misfits
from autoscaler.policy.load import Loader, load
from autoscaler.ports import Clock, Fact, Lease, PolicySource, Source, Stockroom, Store, Target
from autoscaler.servers import PrometheusServer
from autoscaler.settings import Settings
from autoscaler.sources.intervals import Intervals
from autoscaler.sources.past import PastSource, Server
from autoscaler.web import metrics
from autoscaler.web.metrics import Family

if TYPE_CHECKING:
    from autoscaler.clients.kubernetes_api import KubernetesApi
    from autoscaler.sources.push import PushSource
    from autoscaler.web.receiver import Door

ANSWER_S = 5.0
MEMORY = "memory.sqlite"  # in the data folder


class Adapters(msgspec.Struct, frozen=True):
    """The platforms and sources of one process; Prometheus servers by the name of their source."""

    targets: Targets
    sources: Mapping[str, Source]
    prometheus: Mapping[str, PrometheusClient]
    past: PastSource
    pushed: PushSource | None  # where there is a receiver


async def run(
    settings: Settings, *, read_only: bool = False, before_call: Callable[[Operation], None] | None = None
) -> None:
    """Run the daemon until SIGTERM or SIGINT. Raises AutoscalerError when it cannot start.

    `before_call` is told each operation whose next platform call is about to leave.
    """
    from autoscaler.clock import SystemClock
    from autoscaler.store.policy_folder import FolderSource

    clock = SystemClock()
    policies = FolderSource([Path(each) for each in settings.policies], clock)
    async with _adapters(settings, clock, read_only=read_only) as adapters:
        board = Board(started=clock.now(), cycle_s=settings.cycle)
        await steer(settings, adapters, policies, clock, board=board, read_only=read_only, before_call=before_call)
    log.event("stopped")


async def steer(
    settings: Settings,
    adapters: Adapters,
    policies: PolicySource,
    clock: Clock,
    *,
    board: Board,
    read_only: bool = False,
    before_call: Callable[[Operation], None] | None = None,
    started: Callable[[Daemon], None] = lambda daemon: None,
) -> None:
    """Run a daemon over these adapters and policies until SIGTERM, SIGINT or its own `stop`.

    `started` is told the daemon before its first cycle. Raises AutoscalerError when it cannot start.
    """
    from autoscaler.web.doors import Rooms
    from autoscaler.web.events import Streams
    from autoscaler.web.server import Vitals, serve

    lease, store = _tenancy(settings, clock)
    streams = Streams(board)
    keeper = Keeper(store, [LogSink(), streams])
    actor = Actor(adapters.targets, keeper, lease, clock)
    if before_call is not None:
        actor.before_call = before_call
    cycle = Cycle(Observer(adapters.targets, adapters.sources), actor, keeper, board, clock)
    room = partial(_stockroom, adapters.targets)
    cleaner = Cleaner(room, keeper, board, clock, timetable=Timetable(), act=not read_only)
    parts = Parts(
        targets=adapters.targets,
        cycle=cycle,
        actor=actor,
        keeper=keeper,
        lease=lease,
        policies=policies,
        board=board,
        clock=clock,
        load=loading(settings),
        warming=Warming(adapters.past.apart(), cycle, board, clock, settings.cycle, lambda: lease.remaining() > 0),
        cleaner=cleaner,
    )
    daemon = Daemon(parts, settings.cycle)
    past = Past(board, keeper, retelling(adapters.past.apart(), settings.cycle))
    desk = Desk(board, keeper, clock, daemon.control, past, cycle.recollect)
    vitals = Vitals(board, clock.now, leading=lambda: lease.remaining() > 0, store_failing=lambda: bool(keeper.failing))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, daemon.stop)
    if settings.kubernetes.lease is None:
        await daemon.begin()
    rooms = Rooms(desk, Gallery(board, desk, clock, partial(attempt, settings)), streams)
    async with serve(rooms, vitals, settings.socket_path, settings.address, settings.web):
        log.event("started", socket=str(settings.socket_path), listen=settings.listen, read_only=read_only)
        if settings.kubernetes.lease is None or await daemon.stand_by():
            # Opened only where somebody decides by it: what is sent to one that stands by would be lost.
            async with _receiving(settings, adapters, clock, daemon.wake) as door:
                vitals.more = partial(_meters, adapters, door)
                started(daemon)
                await daemon.run()
    await lease.close()
    await store.close()


def _tenancy(settings: Settings, clock: Clock) -> tuple[Lease, Store]:
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
    lease = ClusterLease(_kubernetes_api(settings, clock), clock, namespace, name, identity)
    return lease, ClusterMemory(local, _kubernetes_api(settings, clock), namespace, name)


async def dry_run(
    settings: Settings,
    *,
    current: int | None = None,
    memory: bool = True,
    only: Callable[[Sequence[Policy]], Sequence[Policy]] = list,
) -> Foresight:
    """What the daemon of these settings would decide in its next cycle. Changes nothing.

    By the memory of the daemon that runs, or ran last, in the data folder; of workloads that it does not know, and of
    all without `memory`, as one would decide that had run before. With `current` no platform is asked and no memory
    taken over: every workload is taken to have that many ready instances. `only` chooses among the policies. Raises
    AutoscalerError for policies that do not load, platforms that cannot be had and a Prometheus that does not answer.
    """
    from autoscaler.store.policy_files import read

    texts = read([Path(each) for each in settings.policies])
    return await attempt(settings, texts, None, current, memory=memory, only=only)


async def attempt(
    settings: Settings,
    texts: Sequence[tuple[str, str]],
    file: str | None,
    current: int | None,
    *,
    memory: bool = True,
    only: Callable[[Sequence[Policy]], Sequence[Policy]] = list,
) -> Foresight:
    """A dry run of the policies in these texts of files, only of those in one file where it is named."""
    from autoscaler.clock import SystemClock
    from autoscaler.store.policy_files import identity

    clock = SystemClock()
    loaded = _fitting(settings, load, texts, identity(texts)).placed
    policies = only([each.policy for each in loaded if file is None or each.file == file])
    async with _adapters(settings, clock, read_only=True, current=current) as adapters:
        await adapters.targets.survey(policies)
        found = adapters.targets.discover(policies)
        if adapters.targets.faults:
            raise UsageError("\n".join(adapters.targets.faults.values()), hint="--current N asks no platform")
        kept, trouble = await _left(settings, clock) if memory and current is None else (None, "")
        taken = NOTHING if kept is None else taken_over(kept, clock.now())
        claims = {claim.ref.key: claim for claim in claimed(found, taken.steering, taken.prints)}
        plans = [claims[key].plan() for key in dict.fromkeys(ref.key for ref, _ in found)]
        asked = {signal.source for plan in plans for signal in plan.workload.policy.signals}
        servers = {name: client for name, client in adapters.prometheus.items() if name in asked}
        silent = await _silent(servers)
        observer = Observer(adapters.targets, adapters.sources)
        told, notes = await foresee(plans, observer, adapters.past, clock, settings.cycle, silent, taken)
        refused = [claim.sentence() for claim in claims.values() if claim.refused]
        return Foresight(
            at=clock.now(),
            cycle_s=settings.cycle,
            prometheus=", ".join(each.url for each in servers.values()) or adapters.prometheus["prometheus"].url,
            pretended=current,
            notes=tuple(dict.fromkeys([*filter(None, [trouble]), *refused, *silent.values(), *notes])),
            workloads=tuple(told),
            memory=None if kept is None else remembering(kept, clock.now()),
        )


async def _left(settings: Settings, clock: Clock) -> tuple[Recollection | None, str]:
    """What the daemon of this data folder remembers: the running one's own word, else what is on the disk.

    None, and where there is one the reason, where neither can be had.
    """
    from autoscaler.store.sqlite import facts_in

    with contextlib.suppress(Unreachable, msgspec.DecodeError):
        status, answer = await asyncio.to_thread(control.ask, settings.socket_path, "GET", "/api/v1/memory")
        if status == 200:
            return msgspec.json.decode(answer, type=Recollection), ""
    try:
        found = await asyncio.to_thread(facts_in, settings.data_folder / MEMORY)
    except StoreError as error:
        return None, f"the memory of the last daemon is left aside: {error.message}"
    return (None, "") if found is None else (left(*found), "")


async def preview_cleanups(settings: Settings, only: Callable[[Sequence[Cleanup]], Sequence[Cleanup]]) -> Previews:
    """What the clean-ups of these settings would do now, as a daemon would that remembers what this one's store does.

    Changes nothing. Raises AutoscalerError for policies that do not load and engines that cannot be had.
    """
    from autoscaler.clock import SystemClock
    from autoscaler.store.policy_files import identity, read
    from autoscaler.store.sqlite import SqliteStore

    clock, file = SystemClock(), settings.data_folder / MEMORY
    texts = read([Path(each) for each in settings.policies])
    cleanups = only([each.cleanup for each in _fitting(settings, load, texts, identity(texts)).cleanups])
    facts: Sequence[Fact] = ()
    notes = (
        () if file.exists() else (f"no daemon has kept anything in {file}: images and volumes it saw are not known",)
    )
    if file.exists():
        store = SqliteStore(file, clock)
        facts = await store.facts()
        await store.close()
    async with _adapters(settings, clock, read_only=True) as adapters:
        found = []
        for each in cleanups:
            place = PLACE if each.engine is None else f"{PLACE}/{each.engine}"
            room = _stockroom(adapters.targets, place)
            if room is None:
                raise UsageError(adapters.targets.faults[place])
            found.append(await preview(each, room, facts, clock.now()))
    return Previews(at=clock.now(), cleanups=tuple(found), notes=notes)


def imagined(settings: Settings, revision: str = "") -> list[Plan]:
    """The plans of all policies of these settings, without asking any platform; those that observe act.

    As they are, or as they were at a git `revision`. What only recycles is left out. Raises AutoscalerError for
    policies that do not load, for selectors, and where there is no such revision.
    """
    from autoscaler.store.policy_files import read
    from autoscaler.store.policy_revision import read_at

    places = [Path(each) for each in settings.policies]
    texts = [text for place in places for text in read_at(place, revision)] if revision else read(places)
    return imagined_from(settings, texts)


def imagined_from(settings: Settings, texts: Sequence[tuple[str, str]]) -> list[Plan]:
    """The same of these names and texts of files."""
    from autoscaler.store.policy_files import identity
    from autoscaler.targets.naming import named

    policies = _fitting(settings, load, texts, identity(texts)).policies
    several = [policy.name for policy in policies if not policy.target.explicit and policy.replicas is not None]
    if several:
        raise UsageError(
            f"{several[0]}: its target is a selector, so its queries are those of many workloads",
            hint="look back with a copy of it that names one of them",
        )
    return [acting(named(policy), policy) for policy in policies if policy.replicas is not None]


async def record(
    settings: Settings, plans: Sequence[Plan], since: float, until: float, *, load: str, told: recorder.Tell
) -> Recording:
    """What the queries of these plans gave at each cycle between two times. Raises AutoscalerError."""
    past = PastSource(_servers(settings), settings.cycle)
    return await recorder.record(plans, past, recorder.cycles(since, until, settings.cycle), load=load, told=told)


def loading(settings: Settings) -> Load:
    """How the daemon loads one set after the other: beside its cycles, and only what is not as it was."""
    loader = Loader()

    async def load_beside(texts: Sequence[tuple[str, str]], revision: str) -> PolicySet:
        return await asyncio.to_thread(_fitting, settings, loader.load, texts, revision)

    return load_beside


def _fitting(
    settings: Settings,
    load: Callable[[Sequence[tuple[str, str]], str], PolicySet],
    texts: Sequence[tuple[str, str]],
    revision: str,
) -> PolicySet:
    """The policies in these texts, where all of them fit these settings. Raises PolicyError with every problem."""
    loaded = load(texts, revision)
    wrong = misfits(
        loaded.placed,
        loaded.cleanups,
        cycle_s=settings.cycle,
        servers=settings.servers,
        engines=settings.engines,
        strict_may_act=settings.strict_may_act,
        receives=settings.push.address is not None,
    )
    if wrong:
        raise PolicyError(tuple(wrong))
    return loaded


async def _silent(servers: Mapping[str, PrometheusClient]) -> dict[str, str]:
    """Which of these servers do not answer at all, and why. Raises SourceError with a way out where none does."""

    async def ask(client: PrometheusClient) -> str:
        try:
            await client.instant("1", ANSWER_S)
        except SourceError as error:
            return f"Prometheus does not answer: {error.message}"
        return ""

    found = dict(zip(servers, await asyncio.gather(*map(ask, servers.values())), strict=True))
    silent = {name: why for name, why in found.items() if why}
    if silent and len(silent) == len(servers):
        name, why = next(iter(silent.items()))
        key, _, server = name.partition("/")
        way_out = f"set servers.{server}.url in the settings" if server else f"set {key}.url in the settings"
        raise SourceError(why, hint=way_out if server else f"{way_out}, or AUTOSCALER_PROMETHEUS_URL")
    return silent


@contextlib.asynccontextmanager
async def _adapters(
    settings: Settings, clock: Clock, *, read_only: bool, current: int | None = None
) -> AsyncIterator[Adapters]:
    """Platforms and sources, built when they are first needed, closed at the end."""
    from autoscaler.clients.docker_stats import DockerStats
    from autoscaler.sources.platform import PlatformSource
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
    servers = _servers(settings)
    clients = {name: PrometheusClient(server.access) for name, server in servers.items()}
    meters = {("compose", "default"): DockerStats(settings.docker.host)}
    meters |= {("compose", name): DockerStats(engine.host) for name, engine in settings.engines.items()}
    sources: dict[str, Source] = {
        **{name: PrometheusSource(client, intervals=servers[name].intervals) for name, client in clients.items()},
        "scrape": ScrapeSource(clock),
        "platform": PlatformSource(meters, clock),
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


def _stockroom(targets: Targets, place: str) -> Stockroom | None:
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


def _meters(adapters: Adapters, door: Door | None) -> list[Family]:
    """What /metrics tells beside the board."""
    asked = {(name, how): n for name, client in adapters.prometheus.items() for how, n in client.outcomes.items()}
    return [metrics.queries(asked), *(door.families() if door is not None else ())]


@contextlib.asynccontextmanager
async def _receiving(
    settings: Settings, adapters: Adapters, clock: Clock, wake: Callable[[str], None]
) -> AsyncIterator[Door | None]:
    """The receiver's door, open, where the settings want one."""
    if adapters.pushed is None or settings.push.address is None:
        yield None
        return
    from autoscaler.web.receiver import Door, receive

    adapters.pushed.wake = wake
    door = Door(settings.push, adapters.pushed, clock.now)
    async with receive(door, settings.push.address):
        yield door


def _servers(settings: Settings) -> dict[str, Server]:
    """The Prometheus servers by the name of their source. Raises SettingsError for certificates that cannot be used."""
    told: dict[str, tuple[str, PrometheusServer]] = {"prometheus": ("prometheus", settings.prometheus)}
    told |= {f"prometheus/{name}": (f"servers.{name}", server) for name, server in settings.servers.items()}
    servers = {source: Server(_access(name, server), Intervals()) for source, (name, server) in told.items()}
    for each in servers.values():
        check(each.access)
    return servers


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

    return KubernetesTarget(_kubernetes_api(settings, clock), clock)


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

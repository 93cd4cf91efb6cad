"""The composition root: settings → adapters → daemon. The only file that names adapters."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from autoscaler import log
from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.decide.plan import Plan, prepare
from autoscaler.errors import PolicyError, SettingsError, SourceError, UsageError
from autoscaler.loop.act import Actor
from autoscaler.loop.board import Board
from autoscaler.loop.cycle import Cycle
from autoscaler.loop.daemon import Daemon, Parts
from autoscaler.loop.desk import Desk
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.log_sink import LogSink
from autoscaler.loop.observe import Observer
from autoscaler.loop.past import Past, Retell
from autoscaler.loop.registry import Targets
from autoscaler.loop.rehearse import HOLE, Foresight, foretold, reach_s, rehearse
from autoscaler.loop.underway import Underway
from autoscaler.model.decision import Decision
from autoscaler.model.observation import Ask, Seen
from autoscaler.model.operation import Operation
from autoscaler.model.policy import PolicySet, ScrapeMode
from autoscaler.model.signal import Reading
from autoscaler.model.target import TargetState
from autoscaler.policy.fit import misfits
from autoscaler.policy.load import load
from autoscaler.policy.placeholders import fill
from autoscaler.ports import Clock, Source, Target
from autoscaler.settings import Settings
from autoscaler.sources.intervals import Intervals

ANSWER_S = 5.0
BETWEEN_SCRAPES_S = 1.0  # a counter has a rate only once it was read twice


class Adapters(msgspec.Struct, frozen=True):
    """The platforms and sources of one process."""

    targets: Targets
    sources: Mapping[str, Source]
    prometheus: PrometheusClient
    intervals: Intervals


async def run(
    settings: Settings, *, read_only: bool = False, before_call: Callable[[Operation], None] | None = None
) -> None:
    """Run the daemon until SIGTERM or SIGINT. Raises AutoscalerError when it cannot start.

    `before_call` is told each operation whose next platform call is about to leave.
    """
    from autoscaler.clock import SystemClock
    from autoscaler.store.lease_file import FileLease
    from autoscaler.store.policy_folder import FolderSource
    from autoscaler.store.sqlite import SqliteStore
    from autoscaler.web.server import Vitals, serve

    clock = SystemClock()
    folder = settings.data_folder
    lease = FileLease(folder / "lease", clock)
    async with _adapters(settings, clock, read_only=read_only) as adapters:
        policies = FolderSource([Path(each) for each in settings.policies], clock)
        board = Board(started=clock.now(), cycle_s=settings.cycle)
        store = SqliteStore(folder / "memory.sqlite", clock)
        keeper = Keeper(store, [LogSink()])
        actor = Actor(adapters.targets, keeper, lease, clock)
        if before_call is not None:
            actor.before_call = before_call
        cycle = Cycle(Observer(adapters.targets, adapters.sources), actor, keeper, board, clock)
        parts = Parts(
            targets=adapters.targets,
            cycle=cycle,
            actor=actor,
            keeper=keeper,
            lease=lease,
            policies=policies,
            board=board,
            clock=clock,
            load=partial(_fitting, settings),
        )
        daemon = Daemon(parts, settings.cycle)
        past = Past(board, keeper, _retelling(settings, adapters.intervals))
        desk = Desk(board, keeper, clock, daemon.control, past)
        vitals = Vitals(
            board, clock.now, leading=lambda: lease.remaining() > 0, store_failing=lambda: bool(keeper.failing)
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, daemon.stop)
        await daemon.begin()
        async with serve(desk, vitals, settings.socket_path, settings.address):
            log.event("started", socket=str(settings.socket_path), listen=settings.listen, read_only=read_only)
            await daemon.run()
        await store.close()
        log.event("stopped")


async def dry_run(settings: Settings, *, current: int | None = None) -> Foresight:
    """What a daemon with these settings would decide now, had it run before. Changes nothing.

    With `current` no platform is asked: every workload is taken to have that many ready instances. Raises
    AutoscalerError for policies that do not load, platforms that cannot be had and a Prometheus that does not answer.
    """
    from autoscaler.clock import SystemClock
    from autoscaler.sources.window import beats
    from autoscaler.store.policy_files import identity, read

    clock = SystemClock()
    texts = read([Path(each) for each in settings.policies])
    policies = _fitting(settings, texts, identity(texts)).policies
    async with _adapters(settings, clock, read_only=True, current=current) as adapters:
        found = adapters.targets.discover(policies)
        if adapters.targets.faults:
            raise UsageError("\n".join(adapters.targets.faults.values()), hint="--current N asks no platform")
        plans = [prepare(ref, policy) for ref, policy in found]
        signals = [each for plan in plans for each in plan.workload.policy.signals]
        if any(each.prometheus is not None for each in signals):
            await _answering(adapters.prometheus)
        reach = max((reach_s(plan, settings.cycle) for plan in plans), default=0.0)
        times, notes = beats(clock.now(), reach, settings.cycle), list[str]()
        pasts = [await _past(settings, plan, times, adapters.intervals, notes) for plan in plans]
        observer = Observer(adapters.targets, adapters.sources)
        seen = await observer.look(plans, Underway(), clock.now(), wake=False)
        if any(each.scrape is not None and each.scrape.mode is ScrapeMode.RATE for each in signals):
            await clock.sleep(BETWEEN_SCRAPES_S)
            seen = await observer.look(plans, Underway(), clock.now(), wake=False)
        now = clock.now()
        decided = [
            rehearse(plan, look, times, past, now=now, cycle_s=settings.cycle)
            for plan, look, past in zip(plans, seen, pasts, strict=True)
        ]
        return Foresight(
            at=now,
            cycle_s=settings.cycle,
            prometheus=adapters.prometheus.url,
            pretended=current,
            notes=tuple(dict.fromkeys(notes)),
            workloads=tuple(map(foretold, plans, decided)),
        )


def _fitting(settings: Settings, texts: Sequence[tuple[str, str]], revision: str) -> PolicySet:
    """The policies in these texts, where all of them fit these settings. Raises PolicyError with every problem."""
    loaded = load(texts, revision)
    wrong = misfits(
        loaded.placed,
        cycle_s=settings.cycle,
        servers=settings.servers,
        engines=settings.engines,
        strict_may_act=settings.strict_may_act,
    )
    if wrong:
        raise PolicyError(tuple(wrong))
    return loaded


def _retelling(settings: Settings, intervals: Intervals) -> Retell:
    """Decides a cycle of the past once more, from what Prometheus tells of it and of the time before."""

    async def retell(plan: Plan, state: TargetState, at: float) -> Decision:
        from autoscaler.sources.window import beats

        times, notes = beats(at + settings.cycle, reach_s(plan, settings.cycle), settings.cycle), list[str]()
        past = await _past(settings, plan, times, intervals, notes)
        if not past:
            raise SourceError("; ".join(notes) or "the policy has no signals")
        names = [signal.name for signal in plan.workload.policy.signals]
        readings = tuple(past[name][-1] if name in past else HOLE for name in names)
        before = {name: told[:-1] for name, told in past.items()}
        look = Seen(state=state, readings=readings)
        return rehearse(plan, look, times[:-1], before, now=at, cycle_s=settings.cycle)

    return retell


async def _answering(client: PrometheusClient) -> None:
    """Raises SourceError with a way out where Prometheus does not answer at all."""
    try:
        await client.instant("1", ANSWER_S)
    except SourceError as error:
        way_out = "set prometheus.url in the settings, or AUTOSCALER_PROMETHEUS_URL"
        raise SourceError(f"Prometheus does not answer: {error.message}", hint=way_out) from None


async def _past(
    settings: Settings, plan: Plan, times: Sequence[float], intervals: Intervals, notes: list[str]
) -> dict[str, Sequence[Reading]]:
    """The readings each query of a plan gave lately; without those Prometheus does not tell, and a note of them."""
    from autoscaler.clients.prometheus_range import RangeClient
    from autoscaler.sources.window import window

    client = RangeClient(settings.prometheus.url)
    past: dict[str, Sequence[Reading]] = {}
    for each in plan.workload.policy.signals:
        name = f"{plan.workload.policy.name}, {each.name}"
        if each.prometheus is None:
            notes.append(f"{name}: read from the instances, so what it was before is not known")
            continue
        ask = Ask(plan.ref, each, fill(each.prometheus, plan.ref))
        try:
            past[each.name] = await window(client, ask, times, settings.cycle, intervals)
        except SourceError as error:
            notes.append(f"{name}: {error.message}")
    await client.close()
    return past


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

    makers: dict[str, Callable[[], Target]] = {
        "compose": lambda: _compose(settings.docker.host, clock),
        "kubernetes": lambda: _kubernetes(settings, clock),
        "process": lambda: _process(settings, clock),
    }
    for name, engine in settings.engines.items():
        makers[f"compose/{name}"] = partial(_compose, engine.host, clock, instance=name)
    if current is not None:
        makers = {platform: lambda: PretendedTarget(current, clock) for platform in makers}
    if read_only:
        makers = {name: lambda make=make: ReadOnly(make(), clock) for name, make in makers.items()}  # type: ignore[misc]
    targets = Targets(makers)
    client, intervals = PrometheusClient(settings.prometheus.url), Intervals()
    meters = {("compose", "default"): DockerStats(settings.docker.host)}
    meters |= {("compose", name): DockerStats(engine.host) for name, engine in settings.engines.items()}
    sources: dict[str, Source] = {
        "prometheus": PrometheusSource(client, intervals=intervals),
        "scrape": ScrapeSource(clock),
        "platform": PlatformSource(meters, clock),
    }
    try:
        yield Adapters(targets, sources, client, intervals)
    finally:
        for target in targets.made().values():
            await target.close()
        for source in sources.values():
            await source.close()


def _compose(host: str | None, clock: Clock, *, instance: str = "default") -> Target:
    try:
        from autoscaler.clients.docker_engine import DockerEngine
    except ModuleNotFoundError:
        raise _missing("compose", "docker") from None
    from autoscaler.targets.compose import ComposeTarget

    return ComposeTarget(DockerEngine(host), clock, instance=instance)


def _kubernetes(settings: Settings, clock: Clock) -> Target:
    try:
        from autoscaler.clients.kubernetes_api import KubernetesApi
    except ModuleNotFoundError:
        raise _missing("kubernetes", "kubernetes") from None
    from autoscaler.targets.kubernetes import KubernetesTarget

    told = settings.kubernetes
    return KubernetesTarget(KubernetesApi(clock, kubeconfig=told.kubeconfig, context=told.context), clock)


def _process(settings: Settings, clock: Clock) -> Target:
    from autoscaler.targets.process import ProcessTarget

    return ProcessTarget(settings.data_folder / "workers", clock)


def _missing(platform: str, extra: str) -> SettingsError:
    return SettingsError(
        f"{platform} targets need a library that is not installed", hint=f"pip install 'autoscaler[{extra}]'"
    )

"""The composition root: settings → adapters → daemon."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler import log
from autoscaler.forge import Report
from autoscaler.loop.act import Actor
from autoscaler.loop.board import Board
from autoscaler.loop.cleaner import Cleaner
from autoscaler.loop.cycle import Cycle
from autoscaler.loop.daemon import Daemon, Parts
from autoscaler.loop.desk import Desk
from autoscaler.loop.foresee import retelling
from autoscaler.loop.gallery import Gallery
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.live import LiveReport
from autoscaler.loop.log_sink import LogSink
from autoscaler.loop.notifier import Notifier
from autoscaler.loop.observe import Observer
from autoscaler.loop.past import Past
from autoscaler.loop.puller import Puller
from autoscaler.loop.timetable import Timetable
from autoscaler.loop.warming import Warming
from autoscaler.model.operation import Operation
from autoscaler.policy_wiring import forge_of, github_of, loading, policies_of, proving
from autoscaler.ports import Clock, Forge, Lease, PolicySource, Repository, Sink
from autoscaler.rehearsal import attempt
from autoscaler.settings import Settings
from autoscaler.web import metrics
from autoscaler.web.exposition import Family
from autoscaler.wiring import Adapters, adapters_of, audit_of, receivers_of, reviews_of, stockroom, tenancy

if TYPE_CHECKING:
    from autoscaler.store.audit import Audit
    from autoscaler.web.receiver import Door
    from autoscaler.web.relay import Relay


async def run(
    settings: Settings, *, read_only: bool = False, before_call: Callable[[Operation], None] | None = None
) -> None:
    """Run the daemon until SIGTERM or SIGINT. Raises AutoscalerError when it cannot start.

    `before_call` is told each operation whose next platform call is about to leave.
    """
    from autoscaler.clock import SystemClock

    clock = SystemClock()
    board = Board(started=clock.now(), cycle_s=settings.cycle)
    github = github_of(settings, clock)
    policies = policies_of(settings, clock, show=board.comes_from, github=github)
    forge = forge_of(settings, github) if github is not None and settings.git.url is not None else None
    try:
        async with adapters_of(settings, clock, read_only=read_only) as adapters:
            await steer(
                settings, adapters, policies, clock,
                board=board, read_only=read_only, before_call=before_call, forge=forge,
            )  # fmt: skip
    finally:
        if github is not None:
            await github.close()
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
    forge: Forge | None = None,
) -> None:
    """Run a daemon over these adapters and policies until SIGTERM, SIGINT or its own `stop`.

    `forge` is told which policies are live, unless nothing is to be changed anywhere. `started` is told the daemon
    before its first cycle. Raises AutoscalerError when it cannot start.
    """
    from autoscaler.web.cluster_callers import Callers
    from autoscaler.web.doors import Rooms
    from autoscaler.web.events import Streams
    from autoscaler.web.server import Vitals, serve

    lease, store = tenancy(settings, clock)
    streams = Streams(board)
    audit = audit_of(settings)
    sinks: list[Sink] = [LogSink(), streams, adapters.targets, *([audit] if audit is not None else [])]
    keeper = Keeper(store, sinks)
    receivers = receivers_of(settings)
    notifier: Notifier | None = None
    if receivers:
        failing = str if audit is None else lambda: audit.failing
        notifier = Notifier(receivers, board, keeper, clock, lambda: lease.remaining() > 0, also=failing)
    sinks += [notifier] if notifier is not None else []
    keeper.repository = settings.git.url or ""
    live: LiveReport | None = None
    if forge is not None:
        told = settings.github.report is not Report.OFF and not read_only
        live = LiveReport(forge, board, keeper, clock, told=told)
        sinks.append(live)
    actor = Actor(adapters.targets, keeper, lease, clock)
    if before_call is not None:
        actor.before_call = before_call
    cycle = Cycle(Observer(adapters.targets, adapters.sources), actor, keeper, board, clock)
    room = partial(stockroom, adapters.targets)
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
        puller=Puller(adapters.targets, keeper, clock, lambda: cycle.plans, timetable=Timetable(), act=not read_only),
        repository=policies if isinstance(policies, Repository) else None,
        prove=proving(settings),
        notifier=notifier,
        live=live,
    )
    daemon = Daemon(parts, settings.cycle)
    past = Past(board, keeper, retelling(adapters.past.apart(), settings.cycle))
    shared = settings.kubernetes.lease is not None
    desk = Desk(board, keeper, clock, daemon.control, past, cycle.recollect, shared=shared)
    vitals = Vitals(board, clock.now, leading=lambda: lease.remaining() > 0, store_failing=lambda: bool(keeper.failing))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop)
    if audit is not None:
        audit.fault = lambda sentence: loop.call_soon_threadsafe(keeper.fault, sentence)  # told by a thread of its own
    if settings.kubernetes.lease is None:
        await daemon.begin()
    rooms = Rooms(desk, Gallery(board, desk, clock, partial(attempt, settings)), streams)
    relay = _relay(settings, lease, clock)
    reviews = reviews_of(settings, clock)
    callers = Callers(reviews, clock.monotonic, lambda said: keeper.fault(said)) if reviews is not None else None
    names = [settings.kubernetes.address] if settings.kubernetes.address is not None else []
    doors = serve(
        rooms, vitals, settings.socket_path, settings.address, settings.web, relay=relay, names=names, callers=callers
    )  # fmt: skip
    try:
        async with doors:
            log.event("started", socket=str(settings.socket_path), listen=settings.listen, read_only=read_only)
            if settings.kubernetes.lease is None or await daemon.stand_by():
                # Opened only where somebody decides by it: what is sent to one that stands by would be lost.
                async with _receiving(settings, adapters, clock, daemon.wake) as door:
                    vitals.more = partial(_meters, adapters, door, audit, notifier, live)
                    started(daemon)
                    await daemon.run()
    finally:
        await lease.close()
        await store.close()
        if reviews is not None:
            await reviews.close()
        if notifier is not None:
            await notifier.close()
        if audit is not None:
            await asyncio.to_thread(audit.close)


def _relay(settings: Settings, lease: Lease, clock: Clock) -> Relay | None:
    """What hands requests on, where daemons share a lease. Raises SettingsError."""
    from autoscaler.web.guard import Tokens
    from autoscaler.web.relay import Relay

    if settings.kubernetes.lease is None:
        return None
    tokens = Tokens(Path(settings.web.tokens) if settings.web.tokens is not None else None)
    relay = Relay(lease, tokens, clock.now, reachable=bool(settings.url), certificate=settings.web.cert)
    relay.check()
    return relay


def _meters(
    adapters: Adapters, door: Door | None, audit: Audit | None, notifier: Notifier | None, live: LiveReport | None
) -> list[Family]:
    """What /metrics tells beside the board."""
    asked = {(name, how): n for name, client in adapters.prometheus.items() for how, n in client.outcomes.items()}
    told: Mapping[str, int] = getattr(adapters.targets.made().get("kubernetes"), "events", {})
    found = [metrics.queries(asked), metrics.events(told)]
    if notifier is not None:
        found.append(metrics.notifications(notifier.counts))
    if live is not None:
        found += metrics.github(live.remaining, failing=live.failing)
    if audit is not None:
        found += metrics.audit(audit.counts, failing=bool(audit.failing))
    return [*found, *(door.families() if door is not None else ())]


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

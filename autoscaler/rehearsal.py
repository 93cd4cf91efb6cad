"""What commands ask of these settings without a daemon: dry runs, previews, plans and their past."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from autoscaler.backtest import record as recorder
from autoscaler.backtest.recording import Recording
from autoscaler.backtest.replay import acting
from autoscaler.clients import control
from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.decide.measured import sources
from autoscaler.decide.plan import Plan
from autoscaler.errors import SourceError, StoreError, Unreachable, UsageError
from autoscaler.loop.claims import claimed
from autoscaler.loop.cleaner import Previews, place_of, preview
from autoscaler.loop.foresee import NOTHING, foresee, taken_over
from autoscaler.loop.observe import Observer
from autoscaler.loop.recollect import Recollection, left
from autoscaler.loop.rehearse import Foresight, remembering
from autoscaler.model.policy import Cleanup, Policy, PolicySet
from autoscaler.policy.load import load
from autoscaler.policy_wiring import fitting, texts_of
from autoscaler.ports import Clock, Fact
from autoscaler.settings import Settings, around
from autoscaler.sources.past import PastSource
from autoscaler.wiring import MEMORY, adapters_of, key_of, servers_of, stockroom

ANSWER_S = 5.0


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
    texts = await asyncio.to_thread(texts_of, settings)
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

    clock = SystemClock()
    loaded = (await asyncio.to_thread(_fitting, settings, texts)).placed  # a daemon that is asked goes on meanwhile
    policies = only([each.policy for each in loaded if file is None or each.file == file])
    async with adapters_of(settings, clock, read_only=True, current=current) as adapters:
        await adapters.targets.survey(policies)
        found = adapters.targets.discover(policies)
        if adapters.targets.faults:
            raise UsageError("\n".join(adapters.targets.faults.values()), hint="--current N asks no platform")
        kept, trouble = await _left(settings, clock) if memory and current is None else (None, "")
        taken = NOTHING if kept is None else await asyncio.to_thread(taken_over, kept, clock.now())
        claims = {claim.ref.key: claim for claim in claimed(found, taken.steering, taken.prints)}
        plans = [claims[key].plan() for key in dict.fromkeys(ref.key for ref, _ in found)]
        asked = {name for plan in plans for name in sources(plan.workload.policy)}
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
        status, answer = await asyncio.to_thread(control.ask, settings.socket_path, "GET", f"{control.API}/memory")
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
    from autoscaler.store.sqlite import facts_in

    clock, file = SystemClock(), settings.data_folder / MEMORY
    texts = texts_of(settings)
    cleanups = only([each.cleanup for each in _fitting(settings, texts).cleanups])
    found_there = await asyncio.to_thread(facts_in, file)
    facts: Sequence[Fact] = () if found_there is None else found_there[0]
    nothing = f"no daemon has kept anything in {file}: images and volumes it saw are not known"
    notes = (nothing,) if found_there is None else ()
    async with adapters_of(settings, clock, read_only=True) as adapters:
        found = []
        for each in cleanups:
            place = place_of(each)
            room = stockroom(adapters.targets, place)
            if room is None:
                raise UsageError(adapters.targets.faults[place], hint="`autoscaler doctor` tells what it needs there")
            found.append(await preview(each, room, facts, clock.now()))
    return Previews(at=clock.now(), cleanups=tuple(found), notes=notes)


def imagined(settings: Settings, revision: str = "") -> list[Plan]:
    """The plans of all policies of these settings, without asking any platform; those that observe act.

    As they are, or as they were at a git `revision`. What only recycles is left out. Raises AutoscalerError for
    policies that do not load, for selectors, and where there is no such revision.
    """
    from autoscaler.store.policy_revision import defaults_at, read_at

    if not revision:
        return imagined_from(settings, texts_of(settings))
    places = [Path(each) for each in settings.policies]
    texts = [text for place in places for text in read_at(place, revision)]
    sets = around(settings)
    also = [] if sets is None else defaults_at(places, revision, sets)
    return imagined_from(settings, [*texts, *((f"{revision}:{name}", text) for name, text in also)])


def imagined_from(settings: Settings, texts: Sequence[tuple[str, str]]) -> list[Plan]:
    """The same of these names and texts of files."""
    from autoscaler.targets.naming import named

    policies = _fitting(settings, texts).policies
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
    past = PastSource(servers_of(settings), settings.cycle)
    return await recorder.record(plans, past, recorder.cycles(since, until, settings.cycle), load=load, told=told)


def _fitting(settings: Settings, texts: Sequence[tuple[str, str]]) -> PolicySet:
    """The policies in these texts, where all of them fit these settings. Raises PolicyError with every problem."""
    from autoscaler.store.policy_files import identity

    return fitting(settings, load, texts, identity(texts))


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
        also = ", or AUTOSCALER_PROMETHEUS_URL" if name == "prometheus" else ""
        raise SourceError(why, hint=f"set {key_of(name)}.url in the settings{also}")
    return silent

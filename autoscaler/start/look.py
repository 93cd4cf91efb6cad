"""What is there for a first policy: workloads on the platforms, counters in Prometheus, and what the past says of one.

By the same adapters as the daemon's; nothing is changed anywhere.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.clients.prometheus_range import RangeClient
from autoscaler.clock import SystemClock
from autoscaler.errors import SourceError
from autoscaler.model.policy import ComposeTarget, KubernetesTarget, Policy, TargetSpec
from autoscaler.model.policy.target import EVERY
from autoscaler.model.signal import Missing
from autoscaler.model.target import WorkloadRef
from autoscaler.policy.promql import quoted
from autoscaler.policy.units import duration
from autoscaler.settings import Settings
from autoscaler.start.fit import Fit, Series, Shape, fits, labels, names, replicas
from autoscaler.start.found import DEPLOYMENT, Found, Measured, Workload
from autoscaler.start.past import PASTS_S, STEP_S, Carried, Times, carried, filled
from autoscaler.wiring import Adapters, adapters_of, servers_of

ANSWER_S = 20.0
SMOOTH_S = 300.0  # the window of a rate over the past: a burst of seconds says nothing of what a replica carries


async def look(
    settings: Settings, wanted: Sequence[WorkloadRef], platforms: Sequence[str], namespace: str, current: int | None
) -> Found:
    """The workloads that are `wanted`, or all on these platforms, and the counters that fit them.

    With `current` no platform is asked. Raises AutoscalerError where Prometheus does not answer.
    """
    clock = SystemClock()
    async with adapters_of(settings, clock, read_only=True) as adapters:
        series = asyncio.ensure_future(_series(adapters.prometheus["prometheus"]))
        try:
            if current is None:
                workloads, others, notes = await _workloads(adapters, wanted, platforms, namespace)
            else:
                workloads, others, notes = [Workload(ref, current) for ref in wanted], [], []
            there = await series
        finally:
            series.cancel()
    refs = [each.ref for each in workloads]
    return Found(
        workloads=tuple(workloads),
        fits=fits([*refs, *others], there),
        ready={ref.key: query for ref in refs if (query := replicas(ref, there))},
        server=adapters.prometheus["prometheus"].url,
        notes=tuple(notes),
    )


async def _series(client: PrometheusClient) -> list[Series]:
    query = f"group by (__name__, {', '.join(labels())}) ({{__name__=~{quoted(names())}}})"
    try:
        answer = await client.instant(query, ANSWER_S)
    except SourceError as error:
        hint = error.hint or "--prometheus URL, or prometheus.url in the settings"
        raise SourceError(f"Prometheus does not tell which metrics it has: {error.message}", hint=hint) from None
    return [
        Series(each.metric["__name__"], {name: value for name, value in each.metric.items() if name != "__name__"})
        for each in answer.samples
        if "__name__" in each.metric
    ]


async def _workloads(
    adapters: Adapters, wanted: Sequence[WorkloadRef], platforms: Sequence[str], namespace: str
) -> tuple[list[Workload], list[WorkloadRef], list[str]]:
    """The workloads that are meant, others beside them whose labels may be alike, and what could not be read."""
    probes = [_probe(each, namespace) for each in platforms if each == "compose" or not wanted]
    await adapters.targets.survey(probes)
    there = sorted(ref for ref, _ in adapters.targets.discover(probes))
    found = list(wanted) or [ref for ref in there if namespace in ("", ref.namespace)]
    workloads: list[Workload] = []
    for platform in dict.fromkeys(ref.platform for ref in found):
        mine = [ref for ref in found if ref.platform == platform]
        for ref, state in zip(mine, await adapters.targets.states(platform, mine), strict=True):
            if isinstance(state, Missing):
                workloads.append(Workload(ref, None, state.detail or state.why.value))
            else:
                workloads.append(Workload(ref, state.existing))
    notes = [f"{name}: {why}" for name, why in adapters.targets.faults.items()]
    for platform in platforms:
        if platform not in {ref.platform for ref in found} | set(adapters.targets.faults):
            (state,) = await adapters.targets.states(platform, [_nobody(platform, namespace)])
            notes.append(f"{platform}: {state.detail}" if isinstance(state, Missing) else f"{platform}: nothing there")
    return workloads, [ref for ref in there if ref not in found], notes


def _probe(platform: str, namespace: str) -> Policy:
    """A policy whose selector finds every workload there; of compose in all projects, which few labels tell apart."""
    target = (
        TargetSpec(compose=ComposeTarget(project=EVERY))
        if platform == "compose"
        else TargetSpec(kubernetes=KubernetesTarget(namespace=namespace or EVERY))
    )
    return Policy(name="init", target=target)


def _nobody(platform: str, namespace: str) -> WorkloadRef:
    """A workload that is asked for only to hear why a platform tells of none."""
    kind = "service" if platform == "compose" else DEPLOYMENT
    return WorkloadRef(platform, namespace or "default", kind, "any")


async def measure(settings: Settings, fit: Fit, ready: str, count: int) -> Measured:
    """A closer look at one counter. `ready` is the query of the counts, empty for none; `count` is that of now.

    Raises SourceError where the present cannot be had; of a past that cannot, not even of a day, it says why.
    """
    server, clock = servers_of(settings)["prometheus"], SystemClock()
    client, past = PrometheusClient(server.access), RangeClient(server.access)
    end, why = float(math.floor(clock.now())), ""
    try:
        shape = await _shape(client, fit)
        window = duration(shape.window_s)
        for back_s in PASTS_S:
            try:
                told = await _carried(past, fit, shape.window_s, ready, count, (end - back_s, end))
                return Measured(shape=shape, window=window, carried=told)
            except SourceError as error:
                why = error.message
    finally:
        await client.close()
        await past.close()
    return Measured(shape=shape, window=window, carried=None, why=why)


async def _carried(
    past: RangeClient, fit: Fit, window_s: float, ready: str, count: int, over: tuple[float, float]
) -> Carried | None:
    """What one replica carried between two times. Raises SourceError."""
    load: Times = {}
    # Of what began lately a short window is filled earlier.
    for smooth_s in (max(SMOOTH_S, window_s), window_s):
        load = filled(await _past(past, fit.rate(duration(smooth_s)), over) or {}, over[0], smooth_s)
        if load:
            break
    served = await _past(past, fit.rate(duration(smooth_s), fit.served) if fit.served else "", over)
    counts = await _past(past, ready or fit.counted(), over)
    return carried(load, counts, count, served)


async def _past(client: RangeClient, query: str, over: tuple[float, float]) -> Times | None:
    """What a query gave over the past; None where there is no query, or it gave nothing."""
    if not query:
        return None
    told = await client.window(query, *over, STEP_S)
    return {at: float(value) for at, value in told.series[0].values.items()} if told.series else None


async def _shape(client: PrometheusClient, fit: Fit) -> Shape:
    selector = fit.selector()

    async def one(query: str) -> float | None:
        answer = await client.instant(query, ANSWER_S)
        return float(answer.samples[0].value[1]) if answer.samples else None

    changes = await one(f"sum(changes({selector}[1h]))") or 0.0
    resets = await one(f"sum(resets({selector}[1h]))") or 0.0
    # By the same steps both: shorter intervals than a step come out as a step, which is short enough for any window.
    at = f"timestamp({selector})[10m:15s]"
    interval = await one(f"max((max_over_time({at}) - min_over_time({at})) / changes({at}))")
    if interval is not None and not math.isfinite(interval):
        interval = None
    return Shape(changes=changes, resets=resets, interval_s=interval)

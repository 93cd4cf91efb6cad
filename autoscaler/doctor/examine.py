"""Tries everything: policies, servers, platforms with their workloads and signals, rights, memory, the daemon itself.

By the same adapters, loader and look as the daemon's; nothing is changed anywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from autoscaler.built import version
from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.clock import SystemClock
from autoscaler.decide.explain import span
from autoscaler.decide.measured import sources
from autoscaler.decide.plan import Plan
from autoscaler.decide.step import step
from autoscaler.doctor.findings import Diagnosis, Finding, Verdict, failure, fault, fine, of_signal, settled, warning
from autoscaler.doctor.house import around
from autoscaler.errors import AutoscalerError, PolicyError, SourceError, parted
from autoscaler.loop.claims import Claim, claimed
from autoscaler.loop.foresee import looked
from autoscaler.loop.observe import Observer
from autoscaler.loop.underway import Underway
from autoscaler.model.decision import Stage
from autoscaler.model.observation import Seen
from autoscaler.model.policy import Mode, Placed, PolicySet
from autoscaler.model.signal import Missing
from autoscaler.policy.load import load
from autoscaler.policy_wiring import fitting, texts_of
from autoscaler.settings import Settings
from autoscaler.wiring import Adapters, adapters_of, key_of

ANSWER_S = 5.0
WAYS_IN = {
    "compose": "is the engine running, is its socket in docker.host or DOCKER_HOST, may our user open it?",
    "kubernetes": "does kubectl show it, with the same kubeconfig and context?",
}
SKEW_S = 2.0  # clocks further apart than this move windows and ages by more than a look does


async def examine(settings: Settings) -> Diagnosis:
    """Try everything once. What does not work is a finding, not an error."""
    clock = SystemClock()
    loaded, findings = await asyncio.to_thread(_policies, settings)
    async with adapters_of(settings, clock, read_only=True) as adapters:
        silent: set[str] = set()
        for name, client in sorted(_asked(loaded, adapters).items()):
            told = await _prometheus(name, client, clock)
            findings += told
            if any(each.verdict is Verdict.FAILURE for each in told):
                silent.add(name)
        findings += await _platforms(loaded, adapters, clock, silent, settings.cycle)
    findings += await asyncio.to_thread(around, settings, clock.now())
    return Diagnosis(at=clock.now(), release=version(), findings=settled(findings))


def _policies(settings: Settings) -> tuple[Sequence[Placed], list[Finding]]:
    from autoscaler.store.policy_files import identity

    about, places = "policies", settings.git.url or ", ".join(settings.policies)
    try:
        texts = texts_of(settings)
        loaded: PolicySet = fitting(settings, load, texts, identity(texts))
    except PolicyError as error:
        return (), [failure(about, *parted(problem)) for problem in error.problems]
    except AutoscalerError as error:
        return (), [fault(about, error, "name them on the command line, or with `policies` in the settings")]
    if not loaded.placed and not loaded.cleanups:
        hint = "name files or folders with `policies` in the settings; the README begins with a first one"
        return (), [warning(about, f"there are none in {places}", hint)]
    acting = sum(each.policy.mode is Mode.ACT for each in loaded.placed)
    return loaded.placed, [fine(about, f"{len(loaded.placed)} in {places}, of which {acting} act")]


def _asked(placed: Sequence[Placed], adapters: Adapters) -> Mapping[str, PrometheusClient]:
    """The servers that policies ask; the usual one while there are no policies."""
    names = {name for each in placed for name in sources(each.policy)} if placed else {"prometheus"}
    return {name: client for name, client in adapters.prometheus.items() if name in names}


async def _prometheus(name: str, client: PrometheusClient, clock: SystemClock) -> list[Finding]:
    began, since = clock.now(), clock.monotonic()
    try:
        answer = await client.instant("time()", ANSWER_S)
    except SourceError as error:
        return [fault(name, error, f"set {key_of(name)}.url in the settings")]
    took = clock.monotonic() - since
    found = [fine(name, f"{client.url} answers in {1000 * took:.0f} ms")]
    off = max((abs(float(each.value[0]) - began - took / 2) - took / 2 for each in answer.samples), default=0.0)
    if off > SKEW_S:
        hint = "set both by NTP: windows open by the one, samples age by the other"
        found.append(warning(name, f"its clock and ours are {span(off)} apart", hint))
    return found


async def _platforms(
    placed: Sequence[Placed], adapters: Adapters, clock: SystemClock, silent: set[str], cycle_s: float
) -> list[Finding]:
    """Every platform, workload and signal, as one cycle sees them."""
    policies = [each.policy for each in placed]
    await adapters.targets.survey(policies)
    claims = claimed(adapters.targets.discover(policies), {})
    plans = [claim.plan() for claim in claims]
    found = [failure(name, *parted(said)) for name, said in adapters.targets.faults.items()]
    found += _claims(claims, placed if not found else ())
    looks = await looked(plans, Observer(adapters.targets, adapters.sources), Underway(), clock)
    places = {each.policy.name: f"{each.file}:{each.line}" for each in placed}
    for plan, seen in zip(plans, looks, strict=True):
        found += _workload(plan, seen, places[plan.workload.policy.name], silent, cycle_s)
    steered = [(plan.ref, plan.workload.policy) for plan in plans]
    for name, target in adapters.targets.made().items():
        lacking = getattr(target, "lacking", None)
        try:
            found += [failure(name, *each) for each in await lacking(steered)] if lacking is not None else []
        except AutoscalerError as error:
            found.append(fault(name, error))
    return found


def _claims(claims: Sequence[Claim], placed: Sequence[Placed]) -> list[Finding]:
    """Workloads that several policies would steer, and selectors that find none."""
    hint = "let one policy name the workload, or narrow a selector"
    found = [failure(each.ref.place, each.sentence(), hint) for each in claims if each.refused]
    finding = {each.policy.name for each in claims} | {name for each in claims for name in each.refused}
    for each in placed:
        if each.policy.name not in finding and not each.policy.target.explicit:
            about, hint = f"policy {each.policy.name}", "compare it with the labels of the workloads"
            found.append(warning(about, f"{each.file}:{each.line}: its selector finds no workload", hint))
    return found


def _workload(plan: Plan, seen: Seen, place: str, silent: set[str], cycle_s: float) -> list[Finding]:
    """What is to be said of one workload's state and signals; nothing of what a silent server would have told."""
    state = seen.state
    if isinstance(state, Missing):
        said, hint = parted(state.detail or state.why.value)
        return [failure(plan.ref.place, f"{plan.key}: {said}", hint or WAYS_IN.get(plan.ref.platform, ""))]
    found = [fine(plan.ref.place, f"{plan.key}: {state.ready} of {state.existing} ready")]
    (decision,) = step([plan], [seen], {}, state.at, cycle_s=cycle_s).decisions
    steps = {each.facts.get("signal"): each for each in decision.steps if each.stage is Stage.SIGNAL}
    for signal, reading in zip(plan.workload.policy.signals, seen.readings, strict=True):
        about = f"{plan.key} · {signal.name}"
        if signal.push is not None:
            said = "pushed to a running daemon only: `autoscaler status` tells what came"
            found.append(Finding(about=about, verdict=Verdict.NONE, text=said, place=place))
        elif signal.source not in silent:
            found.append(of_signal(about, place, signal, steps.get(signal.name), reading))
    apart = [signal for signal in plan.measures if signal.source not in silent]
    told = [(f"{plan.key} · {each.name}", each, seen.measured[each.name]) for each in apart]
    return found + [of_signal(about, place, signal, None, reading) for about, signal, reading in told]

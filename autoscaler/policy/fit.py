"""Whether policies fit the daemon they are for: what can only be told beside its settings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from autoscaler.model.policy import GROWTH_PARTS, Mode, Parity, Placed, PlacedCleanup, Policy
from autoscaler.policy.nodes import Problem
from autoscaler.policy.units import duration
from autoscaler.policy.words import nearest

Misfit = tuple[str, str]  # what does not fit, and a way out


def misfits(
    policies: Sequence[Placed],
    cleanups: Sequence[PlacedCleanup] = (),
    *,
    cycle_s: float,
    servers: Collection[str],
    engines: Collection[str],
    strict_may_act: bool,
    receives: bool,
    processes: bool,
) -> list[str]:
    """Each thing that does not fit, as file:line:column: sentence and hint.

    `servers` and `engines` are named ones; `receives` says that there is a receiver for what is pushed, `processes`
    that policies may start programs.
    """
    found = [
        str(Problem(each.file, each.line, 1, f"{each.policy.name}: {said}", hint))
        for each in policies
        for said, hint in (
            *_every(each.policy, cycle_s),
            *_growth(each.policy, cycle_s),
            *_servers(each.policy, servers),
            *_engine(each.policy, engines),
            *_strict(each.policy, strict_may_act),
            *(() if receives else _unheard(each.policy)),
            *(() if processes else _starts(each.policy)),
        )
    ]
    for each_cleanup in cleanups:
        file, line, name = each_cleanup.file, each_cleanup.line, each_cleanup.cleanup.name
        for said, hint in _known_engine("engine", each_cleanup.cleanup.engine, engines):
            found.append(str(Problem(file, line, 1, f"{name}: {said}", hint)))
    return found


def _every(policy: Policy, cycle_s: float) -> Iterator[Misfit]:
    if policy.every is None:
        return
    cycles = policy.every / cycle_s
    if abs(cycles - round(cycles)) > 1e-6 or round(cycles) < 1:
        said = f"every: {duration(policy.every)} is no multiple of the daemon's cycle, {duration(cycle_s)}"
        yield said, f"{duration(max(1, round(cycles)) * cycle_s)}?"


def _growth(policy: Policy, cycle_s: float) -> Iterator[Misfit]:
    asked = policy.recycle.when.memory_growth if policy.recycle is not None else None
    least_s = GROWTH_PARTS * max(cycle_s, policy.every or 0.0)
    if asked is not None and asked.per < least_s:
        said = f"recycle.when.memory_growth.per: {duration(asked.per)} is less than {GROWTH_PARTS} looks take"
        yield said, f"at least {duration(least_s)}; hours are usual"


def _servers(policy: Policy, servers: Collection[str]) -> Iterator[Misfit]:
    for index, signal in enumerate(policy.signals):
        if signal.server is not None and signal.server not in servers:
            said = f"signals[{index}].server: the daemon's settings know no server {signal.server}"
            yield said, _known(signal.server, servers, "servers")
    outlier = policy.recycle.when.outlier if policy.recycle is not None else None
    if outlier is not None and outlier.server is not None and outlier.server not in servers:
        said = f"recycle.when.outlier.server: the daemon's settings know no server {outlier.server}"
        yield said, _known(outlier.server, servers, "servers")


def _engine(policy: Policy, engines: Collection[str]) -> Iterator[Misfit]:
    engine = policy.target.compose.engine if policy.target.compose is not None else None
    yield from _known_engine("target.compose.engine", engine, engines)


def _known_engine(key: str, engine: str | None, engines: Collection[str]) -> Iterator[Misfit]:
    if engine is not None and engine not in engines:
        said = f"{key}: the daemon's settings know no engine {engine}"
        yield said, _known(engine, engines, "engines")


def _strict(policy: Policy, strict_may_act: bool) -> Iterator[Misfit]:
    if policy.parity is Parity.STRICT and policy.mode is Mode.ACT and not strict_may_act:
        said = "parity: strict has no guards, and the daemon's settings do not let such a policy act"
        yield said, "mode: observe, or strict_may_act: true in the settings"


def _unheard(policy: Policy) -> Iterator[Misfit]:
    for index, signal in enumerate(policy.signals):
        if signal.push is not None:
            said = f"signals[{index}].push: the daemon's settings open no receiver, so nothing would ever arrive"
            yield said, "push: {listen: 127.0.0.1:8731} in the settings"


def _starts(policy: Policy) -> Iterator[Misfit]:
    if policy.target.process is not None:
        said = "target.process: policies come from git, and the daemon's settings do not let those start programs"
        yield said, "git: {processes: true} in the settings, where whoever may push may run programs there"


def _known(name: str, names: Collection[str], key: str) -> str:
    near = nearest(name, sorted(names))
    if near:
        return f"did you mean {near}?"
    return f"known there: {', '.join(sorted(names))}" if names else f"add it under {key}: of the settings"

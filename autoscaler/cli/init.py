"""`autoscaler init`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from autoscaler.cli import dry_run
from autoscaler.cli.reach import known
from autoscaler.cli.root import config
from autoscaler.cli.say import say
from autoscaler.cli.table import counted, table
from autoscaler.errors import AutoscalerError, UsageError, way_out
from autoscaler.model.target import WorkloadRef
from autoscaler.settings import Settings
from autoscaler.start.choose import Told, by_cpu, by_requests, chosen_fit, file_name, nothing_fits
from autoscaler.start.fit import Fit
from autoscaler.start.found import Found, Measured, Workload, parsed, shown
from autoscaler.start.write import CPU, Chosen, beside, policy

PLATFORMS = ("compose", "kubernetes")
MOST_FITS = 4  # that are looked at closely


@click.command("init", short_help="Write a first policy with a test, and show what it would do.")
@click.option("--target", metavar="WORKLOAD", help="PROJECT/SERVICE or NAMESPACE/NAME, or kubernetes/shop/web.")
@click.option("--metric", help=f"The counter to follow, or {CPU}; the one that fits best by default.")
@click.option("--min", "least", type=click.IntRange(min=1), help="Never fewer replicas.")
@click.option(
    "--max", "most", type=click.IntRange(min=1), help="Never more; twice what the last week needed by default."
)
@click.option(
    "--per-replica", type=click.FloatRange(min=0, min_open=True), help="Requests per second that one should carry."
)
@click.option("--capacity", type=click.FloatRange(min=0, min_open=True), help="The most that one replica can carry.")
@click.option("--observe", is_flag=True, help="Write a policy that only watches.")
@click.option("--name", help="The policy's name; the workload's by default.")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help="Where to write; the settings' by default."
)
@click.option("--on", type=click.Choice(PLATFORMS), help="Look on this platform only.")
@click.option("--namespace", default="", help="Look in this namespace or compose project only.")
@click.option("--current", type=click.IntRange(min=0), help="Take the target to have this count; no platform is asked.")
@click.option("--prometheus", help="The server's URL; that of the settings by default.")
@click.option("--yes", is_flag=True, help="Ask nothing; without a terminal nothing is asked anyway.")
@config
def command(
    target: str | None,
    metric: str | None,
    least: int | None,
    most: int | None,
    per_replica: float | None,
    capacity: float | None,
    observe: bool,
    name: str | None,
    folder: Path | None,
    on: str | None,
    namespace: str,
    current: int | None,
    prometheus: str | None,
    yes: bool,
    config: Path | None,
) -> None:
    """Write a first policy for a workload that is there, with a test beside it, and say what it would do now.

    Compose services and Deployments are looked for, and in Prometheus a request counter whose labels name one of them.
    What one replica should carry comes from the last week. Two files are written, never over one that is there; nothing
    else is changed.
    """
    from autoscaler.start.look import look

    settings = known(config, prometheus, ())
    place = _folder(settings, folder)
    asking = sys.stdin.isatty() and not yes
    explicit = target is not None and target.partition("/")[0] in PLATFORMS
    if current is not None and not explicit:
        raise UsageError("--current: no platform is asked, so say what there is", hint="--target compose/shop/web")
    wanted = [parsed(target, ())] if target is not None and explicit else []
    found = asyncio.run(look(settings, wanted, _platforms(settings, on, wanted), namespace, current))
    workload = _workload(found, target, asking)
    file = file_name(name or "", workload)
    told = Told(name=name or "", per_replica=per_replica, capacity=capacity, min=least, max=most, observe=observe)
    chosen = _chosen(settings, found, workload, metric, told, asking)
    files = place / f"{file}.yaml", place / f"{file}.test.yaml"
    _write(settings, chosen, files)
    whole = msgspec.structs.replace(settings, policies=_places(settings, place))
    _run_test(whole, files[1])
    _rehearse(whole, chosen, current)
    say(f"\nNext: autoscaler doctor {files[0]}; then autoscaler run, which steers, or run --read-only.")


def _platforms(settings: Settings, on: str | None, wanted: Sequence[WorkloadRef]) -> Sequence[str]:
    """Where to look: a cluster only where anything names one."""
    if wanted:
        return list(dict.fromkeys(ref.platform for ref in wanted))
    if on is not None:
        return [on]
    try:
        from autoscaler.clients.kubernetes_api import named
    except ModuleNotFoundError:
        return PLATFORMS[:1]
    return PLATFORMS if named(settings.kubernetes.kubeconfig) else PLATFORMS[:1]


def _workload(found: Found, target: str | None, asking: bool) -> Workload:
    """The workload to write a policy for. Raises UsageError."""
    there = {each.ref.key: each for each in found.workloads}
    if not there:
        hint = "is it running? --on, --namespace and --target say where to look"
        raise UsageError("\n".join(["no compose service and no Deployment was found", *found.notes]), hint=hint)
    if target is not None:
        workload = there.get(parsed(target, found.workloads).key)
        assert workload is not None  # what is named outright was looked at, and others are named by what was found
    else:
        workload = _pick(found, asking)
    if workload.count is None:
        raise UsageError(
            f"{shown(workload.ref)}: {workload.why}",
            hint="--target names another one; `autoscaler init --on` looks at one platform only",
        )
    return workload


def _pick(found: Found, asking: bool) -> Workload:
    rows = [
        (str(place), shown(each.ref), "?" if each.count is None else str(each.count), _best(found.fits[each.ref.key]))
        for place, each in enumerate(found.workloads, start=1)
    ]
    listed = table(("", "WORKLOAD", "REPLICAS", "COUNTER"), rows)
    fitting = [each for each in found.workloads if any(not fit.also for fit in found.fits[each.ref.key])]
    if asking:
        say(listed)
        usual = found.workloads.index(fitting[0]) + 1 if fitting else 1
        number = click.prompt("\nWhich one", type=click.IntRange(1, len(rows)), default=usual)
        return found.workloads[number - 1]
    if len(fitting) == 1:
        return fitting[0]
    if len(found.workloads) == 1:
        return found.workloads[0]
    said = "several workloads have counters" if fitting else "no workload has a counter that names it alone"
    raise UsageError(
        f"{said}, so say which is meant:\n{listed}", hint=f"--target {shown((fitting or list(found.workloads))[0].ref)}"
    )


def _best(fits: Sequence[Fit]) -> str:
    own = next((each.metric for each in fits if not each.also), None)
    return own or (f"{fits[0].metric} names others just as well" if fits else "none that names it")


def _chosen(
    settings: Settings, found: Found, workload: Workload, metric: str | None, told: Told, asking: bool
) -> Chosen:
    from autoscaler.start.look import measure

    fits, key = found.fits[workload.ref.key], workload.ref.key
    if metric == CPU:
        return by_cpu(workload, told)
    own = [each for each in fits if asking or not each.also][:MOST_FITS]  # whoever is asked sees what else they name
    if metric is not None:
        own = [chosen_fit(metric, workload.ref, fits)]
    measured = {
        each.metric: asyncio.run(measure(settings, each, found.ready.get(key, ""), workload.count or 0)) for each in own
    }
    for each in own:
        if wrong := measured[each.metric].shape.wrong:
            say(f"{each.metric}: left out, {wrong}")
    own = [each for each in own if not measured[each.metric].shape.wrong]
    if not own:
        nothing = nothing_fits(workload.ref, fits, found.server)
        if asking:
            say(nothing.message)
            if click.confirm(f"\nFollow CPU instead, as {workload.ref.platform} measures it", default=False):
                return by_cpu(workload, told)
        raise nothing
    # One without a past comes after those that have one: there is nothing to begin with.
    own.sort(key=lambda each: measured[each.metric].carried is None)
    fit = own[0]
    say(f"\n{shown(workload.ref)}, {counted(workload.count or 0, 'replica')}; counters that name it, best first:")
    for place, each in enumerate(own, start=1):
        say(f"  {place}  {each.metric}\n     {each.because}\n     {_numbers(measured[each.metric])}")
    if asking and len(own) > 1:
        fit = own[click.prompt("\nWhich one", type=click.IntRange(1, len(own)), default=1) - 1]
    if asking:
        told = _asked(told, measured[fit.metric])
    made = by_requests(workload, told, fit, measured[fit.metric])
    if asking and told.max is None:
        made = by_requests(workload, _bounded(told, made), fit, measured[fit.metric])
    return made


def _numbers(measured: Measured) -> str:
    if measured.carried is None:
        return measured.why or "nothing came that is known for long enough"
    return f"{measured.carried.per_replica:g} per replica: {measured.carried.because}"


def _asked(told: Told, measured: Measured) -> Told:
    if told.per_replica is not None or told.capacity is not None:
        return told
    usual = None if measured.carried is None else measured.carried.per_replica
    number = click.prompt(
        "Requests per second that one replica should carry", type=click.FloatRange(min=0, min_open=True), default=usual
    )
    return told if number == usual else msgspec.structs.replace(told, per_replica=number)


def _bounded(told: Told, made: Chosen) -> Told:
    low = click.prompt("Never fewer replicas than", type=click.IntRange(min=1), default=made.min)
    return msgspec.structs.replace(
        told, min=low, max=click.prompt("Never more than", type=click.IntRange(min=low), default=max(low, made.max))
    )


def _folder(settings: Settings, told: Path | None) -> Path:
    place = told or Path(settings.policies[0])
    if place.exists() and not place.is_dir():
        raise UsageError(f"{place} is a file, so there is no folder to write to", hint="--folder policies")
    return place


def _places(settings: Settings, folder: Path) -> tuple[str, ...]:
    """What is loaded together: the settings' policies as far as they are there, and the folder that was written to."""
    there = [each for each in settings.policies if Path(each).exists()]
    above = {each.resolve() for each in (folder, *folder.resolve().parents)}
    return tuple(there) if any(Path(each).resolve() in above for each in there) else (*there, str(folder))


def _write(settings: Settings, chosen: Chosen, files: tuple[Path, Path]) -> None:
    """Write both files, once it is sure that the whole set loads with them and that nothing is in their place."""
    from autoscaler.policy.load import load
    from autoscaler.policy_wiring import fitting
    from autoscaler.store.policy_files import read

    for file in files:
        if file.exists():
            raise UsageError(
                f"{file} is there already, and init writes over nothing", hint="--name or --folder for another place"
            )
    text = policy(chosen)
    places = [Path(each) for each in _places(settings, files[0].parent) if Path(each).exists()]
    fitting(settings, load, [*read(places), (str(files[0]), text)], "init")
    try:
        files[0].parent.mkdir(parents=True, exist_ok=True)
        for file, content in zip(files, (text, beside(chosen, str(files[0]))), strict=True):
            with file.open("x", encoding="utf-8") as written:
                written.write(content)
    except OSError as error:
        raise AutoscalerError(f"{error.filename}: cannot be written: {error.strerror}", hint=way_out(error)) from None
    say(f"\nwrote {files[0]}\n\n" + "".join(f"    {line}\n" for line in text.splitlines()))


def _run_test(settings: Settings, file: Path) -> None:
    from autoscaler.backtest.scenario import judged
    from autoscaler.backtest.scenario_load import suite

    verdicts = judged(suite([file], policies=settings.policies, cycle_s=settings.cycle))
    said = f"{verdicts.failed} failed" if verdicts.failed else "all pass"
    say(f"wrote {file}: {counted(len(verdicts.tests), 'test')}, {said}\n")


def _rehearse(settings: Settings, chosen: Chosen, current: int | None) -> None:
    from autoscaler import rehearsal

    seen = asyncio.run(
        rehearsal.dry_run(
            settings, current=current, only=lambda policies: [each for each in policies if each.name == chosen.name]
        )
    )
    dry_run.show(seen)

"""`autoscaler tune`."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from autoscaler.backtest.assumed import Asked
from autoscaler.backtest.compare import Candidate
from autoscaler.backtest.honesty import treatments
from autoscaler.backtest.moves import tries, untunable
from autoscaler.backtest.report import tuned, words
from autoscaler.backtest.report.page import page
from autoscaler.backtest.tuning import LEAST_BUDGET, PROOF, Found, Outcome, Tuning, tune
from autoscaler.cli.past import FILE, history, one_past, save, service, writable
from autoscaler.cli.reach import known, progress, reach
from autoscaler.cli.root import config, output
from autoscaler.cli.say import give, print_json, say
from autoscaler.cli.table import table
from autoscaler.decide.plan import Plan
from autoscaler.errors import UsageError
from autoscaler.policy.edit import patch
from autoscaler.policy.load import Loaded, Text, read
from autoscaler.settings import Settings, around
from autoscaler.store import policy_files

BUDGET = 40  # replays: every value of a policy with one signal; some minutes for a month at 15 s
FINE = 20_000  # points of a curve in a page


@click.command("tune", short_help="Search for one change that would have done better.")
@click.argument("path", metavar="POLICY", type=click.Path(path_type=Path))
@click.option("--policy", "name", default="", help="Which policy, where the file or folder has several.")
@click.option("--data", type=FILE, help="A recording, instead of asking Prometheus.")
@reach
@service
@click.option("--within", type=click.FloatRange(min=0, max=100), help="Percent of requests that may take too long.")
@click.option("--budget", type=click.IntRange(min=LEAST_BUDGET), default=BUDGET, help="At most so many replays; 40.")
@click.option("--diff", is_flag=True, help="Print the proposal as a unified diff.")
@click.option("--write", type=FILE, help="Write the proposal as a patch, for `patch -p1` or `git apply`.")
@click.option("--html", type=FILE, help="Write a report of the held-out part, before and after.")
@click.option("--svg", type=FILE, help="Write a picture of cost against shortage.")
@output
@config
def command(
    path: Path,
    name: str,
    data: Path | None,
    prometheus: str | None,
    since: str | None,
    until: str | None,
    asked: Asked,
    within: float | None,
    budget: int,
    diff: bool,
    write: Path | None,
    html: Path | None,
    svg: Path | None,
    form: str,
    config: Path | None,
) -> None:
    """Search for one change that would have served a policy better, and show the evidence.

    Targets, minimum, stabilization, tolerances and rates are changed one at a time in the policy's own file and
    replayed like a backtest on the first two thirds of the past; the best is judged on the last third. Nothing is
    changed but the files named by --write, --html and --svg. The last 30 days by default.
    """
    one_past(data, prometheus, since, until)
    writable(write, html, svg)
    chosen = known(config, prometheus, [path])
    texts = policy_files.read([path], around(chosen))
    loaded = _one(texts, chosen, name, path)
    now = _plan(_plans(chosen, texts), loaded)
    past, called, _ = history(chosen, [now], asked, data, (since, until))
    changes, stuck = tries(texts, loaded, lambda given: _plans(chosen, given), budget - 1 - PROOF)
    if not changes:
        policy = loaded.placed.policy
        why = "; ".join([*untunable(policy, treatments(policy)), *stuck])
        raise UsageError(
            f"{policy.name}: nothing of it can be tuned: {why or 'no key of it has another value to try'}",
            hint="tuned are per_replica, utilization, replicas.min, and what stands in behavior",
        )
    found = tune(
        now, changes, past, called, asked, progress("replaying"), within=within, points=1 if html is None else FINE
    )
    told = msgspec.structs.replace(found.told, notes=(*found.told.notes, *stuck), patch=_patch(found, loaded, texts))
    if html is not None and found.judged is not None:
        save(html, page(found.judged))
    if svg is not None:
        save(svg, tuned.picture(told))
    if write is not None and told.patch is not None:
        save(write, told.patch)
    if form == "json":
        print_json(told)
    else:
        _text(told, diff)
    if told.patch is None and (write is not None or diff):
        say("no patch: nothing is proposed", err=True)
    if html is not None and found.judged is None:
        say(f"{html}: not written, there is no change to compare", err=True)


def _plans(chosen: Settings, texts: Sequence[Text]) -> list[Plan]:
    from autoscaler.rehearsal import imagined_from

    return imagined_from(chosen, texts)


def _one(texts: Sequence[Text], chosen: Settings, name: str, path: Path) -> Loaded:
    """The policy that is tuned, with the places of its values. Raises AutoscalerError."""
    scaled = {each.workload.policy.name for each in _plans(chosen, texts)}
    found = [each for each in read(texts).loaded if each.placed.policy.name in scaled]
    if name:
        found = [each for each in found if each.placed.policy.name == name]
    if len(found) == 1:
        return found[0]
    if not found:
        what = f"no policy {name} with replicas" if name else "no policy with replicas"
        raise UsageError(f"{path}: {what} there", hint=f"there are {', '.join(sorted(scaled)) or 'none'}")
    raise UsageError(
        f"{path}: {len(found)} policies are there, one is tuned at a time",
        hint=f"--policy {found[0].placed.policy.name}, or one of {', '.join(sorted(scaled))}",
    )


def _plan(plans: Sequence[Plan], loaded: Loaded) -> Candidate:
    wanted = loaded.placed.policy.name
    return Candidate("as it is", next(each for each in plans if each.workload.policy.name == wanted))


def _patch(found: Found, loaded: Loaded, texts: Sequence[Text]) -> str | None:
    """The proposal as a patch of the file as it stands on disk, named from here where it lies below."""
    if found.best is None or found.told.outcome is not Outcome.PROPOSED:
        return None
    file = loaded.placed.file
    raw = Path(file).read_bytes().decode("utf-8")
    bom = "\ufeff" if raw.startswith("\ufeff") else ""
    relative = os.path.relpath(file)
    name = Path(file).name if relative.startswith("..") else Path(relative).as_posix()
    return patch(name, bom + dict(texts)[file], bom + found.best.text)


def _text(told: Tuning, diff: bool) -> None:
    say("\n".join(tuned.headline(told)))
    for note in told.notes:
        say(textwrap.fill(f"note: {note}", 100, subsequent_indent="  ", break_on_hyphens=False))
    say("\n" + table(tuned.HEAD, tuned.rows(told)))
    say("\n" + textwrap.fill(tuned.LEGEND, 100))
    say("\n" + "\n".join(tuned.chart(told)))
    say("\n" + "\n".join(tuned.verdict(told)))
    say("\n" + "\n".join(["How it was replayed", *(f"  {line}" for line in words.replayed(told))]))
    if diff and told.patch is not None:
        give("\n" + told.patch)

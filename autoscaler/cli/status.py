"""`autoscaler status`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from autoscaler.cli.root import output
from autoscaler.cli.say import print_json, say
from autoscaler.cli.table import counted, table
from autoscaler.cli.talk import Daemon, daemon, when
from autoscaler.decide.cleanup import amount
from autoscaler.decide.explain import span
from autoscaler.loop.answers import CleanupStatus, Status, WorkloadDetail, WorkloadStatus
from autoscaler.model.commits import Origin

MANY = 20  # workloads; of more than so many the quiet ones are only counted
QUIET = ("within_tolerance", "on_target", "on_step", "largest_wish", "awaiting_cycle", "idle")  # reasons


@click.command("status")
@click.argument("workload", required=False)
@click.option("--all", "everything", is_flag=True, help="The quiet workloads as well, however many there are.")
@output
@daemon
def command(workload: str | None, everything: bool, form: str, daemon: Daemon) -> None:
    """Show every workload at a glance, or one with its instances.

    WORKLOAD is the name of its policy, or any name of its own that no other has. Of more than 20 workloads the quiet
    ones are only counted: those at the count they should have, all ready, with data, by nobody's word. JSON has all.
    """
    if workload is not None:
        detail = daemon.get(f"/workloads/{workload}", WorkloadDetail)
        print_json(detail) if form == "json" else _detail(detail)
        return
    status = daemon.get("/status", Status)
    print_json(status) if form == "json" else _status(status, everything)


def _status(status: Status, everything: bool) -> None:
    last = status.cycle.at
    ago = "none yet" if last is None else f"{span(max(0.0, status.at - last))} ago"
    say(
        f"{counted(len(status.workloads), 'workload')}, policies {status.policies.revision or 'not loaded yet'}, "
        f"cycle every {span(status.cycle.every_s)}, last {ago}"
    )
    if status.policies.rejected:
        say(f"\nThe newer policies {status.policies.rejected} do not load; the ones before stay in force:")
        for problem in status.policies.problems:
            say(f"  {problem}")
    for line in standing(status.policies.origin) if status.policies.origin is not None else ():
        say(f"\n{line}")
    if status.store:
        say(f"\nThe store fails: {status.store}")
    if status.pause is not None:
        say("\nEverything is paused: `autoscaler resume fleet` ends it")
    fold = len(status.workloads) > MANY and not everything
    shown = [each for each in status.workloads if not (fold and quiet(each))]
    rows = [_row(each, status.at) for each in shown]
    if rows:
        say()
        say(table(("WORKLOAD", "READY", "COUNT", "WANTED", "BOUNDS", "SINCE", "REASON", "BECAUSE"), rows))
    folded = len(status.workloads) - len(shown)
    if folded:
        say(f"\n{counted(folded, 'quiet workload')}: `autoscaler status --all` shows them")
    if status.cleanups:
        rows = [_cleanup(each, status.at) for each in status.cleanups]
        say()
        say(table(("CLEAN-UP", "PROJECT", "NEXT", "LAST RUN", "REMOVED", "FREED", "LEFT", "TROUBLE"), rows))
    for fault in status.faults[:5]:
        say(f"\n{when(fault.at)} fault: {fault.sentence}")


def standing(origin: Origin) -> Iterator[str]:
    """What is to be known of the repository that policies come from, worst first."""
    if origin.trouble:
        yield f"Policies from git in trouble since {when(origin.since)}; those in force stay: {origin.trouble}"
    if origin.held:
        yield f"{origin.ref} was forced to {origin.held}, which is held back: `autoscaler sync --accept {origin.held}`"
    if origin.rollback is not None:
        back = origin.rollback
        yield f"Rolled back to {back.commit} until {when(back.until)} by {back.by or 'somebody'}: {back.why}"
    elif origin.pinned:
        yield f"Pinned to {origin.pinned} by the settings; {origin.ref} is at {origin.head or 'a commit not known yet'}"


def _cleanup(each: CleanupStatus, now: float) -> tuple[str, ...]:
    due = "-" if each.next is None else f"in {span(max(0.0, each.next - now))}"
    ran = "-" if each.at is None else f"{span(max(0.0, now - each.at))} ago"
    name = f"{each.policy} [observe]" if each.mode == "observe" else each.policy
    return name, each.project, due, ran, str(each.removed), amount(each.freed_bytes), str(each.held), each.trouble


def quiet(each: WorkloadStatus) -> bool:
    """True where there is nothing to tell of a workload: it is as its signals want it, and nobody's hand is on it."""
    there = each.desired is not None and each.current == each.desired == each.existing == each.ready
    told = each.missing or each.trouble or each.doing or each.pause is not None or each.override is not None
    return there and not told and each.reason in QUIET


def _row(each: WorkloadStatus, now: float) -> tuple[str, ...]:
    def shown(count: int | None) -> str:
        return "?" if count is None else str(count)

    notes = [each.because or each.trouble or "waiting for the first cycle"]
    if each.trouble and each.ready is not None:
        notes.append(f"[{each.trouble}]")
    if each.mode == "observe":
        notes.insert(0, "[observe]")
    if each.history:
        notes.append(f"[{each.history}]")
    if each.compared is not None:
        notes.append(f"[{each.compared.algorithm} would have {each.compared.desired}]")
    notes += [f"[{doing.kind} {doing.stage}]" for doing in each.doing[:3]]
    bounds = "-" if each.min is None else f"{each.min}..{each.max}"
    since = "-" if each.since is None else span(max(0.0, now - each.since))
    words = " ".join(notes)
    return each.key, shown(each.ready), shown(each.existing), shown(each.desired), bounds, since, each.reason, words


def _detail(detail: WorkloadDetail) -> None:
    say("\n".join(detail.lines) or "not decided yet")
    rows = [
        (
            each.name,
            ("draining" if each.draining else "ready" if each.ready else "not ready")
            + (", drifted" if each.drifted else ""),
            when(each.created),
            str(each.restarts),
            each.address or "-",
        )
        for each in detail.instances
    ]
    if rows:
        say()
        say(table(("INSTANCE", "STATE", "CREATED", "RESTARTS", "ADDRESS"), rows))

"""`autoscaler import`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import click

from autoscaler.cli.root import output
from autoscaler.cli.say import give, print_json, say
from autoscaler.errors import PolicyError, UsageError
from autoscaler.policy.importers import adapter, hpa, keda
from autoscaler.policy.importers.autoscaling import NAME
from autoscaler.policy.importers.manifest import Text
from autoscaler.policy.importers.parts import Wanted
from autoscaler.policy.importers.report import EXIT, Turned, report, told
from autoscaler.policy.importers.text import policies
from autoscaler.policy.nodes import Problem
from autoscaler.policy.placeholders import sample
from autoscaler.policy.promql import facts
from autoscaler.store.policy_files import read

PIPE = Path("-")
IMPORTERS: dict[str, Callable[[Sequence[Text], Wanted, str, list[Problem]], list[Turned]]] = {
    "hpa": hpa.turn,
    "keda": keda.turn,
}


@click.command("import")
@click.argument("kind", type=click.Choice(list(IMPORTERS)))
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, exists=True, allow_dash=True)
)
@click.option("--query", "queries", multiple=True, metavar="METRIC=PROMQL", help="The query behind a metric.")
@click.option(
    "--adapter-rules",
    "rules",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A prometheus-adapter's configuration.",
)
@click.option("--server", "servers", multiple=True, metavar="URL=NAME", help="Our name of a trigger's Prometheus.")
@click.option("--parity", type=click.Choice(["guarded", "strict"]), default="guarded", help="With or without guards.")
@click.option("--mode", type=click.Choice(["act", "observe"]), help="By default act; observe in strict parity.")
@click.option("--namespace", default="default", help="For objects that name none.")
@output
def command(
    kind: str,
    files: tuple[Path, ...],
    queries: tuple[str, ...],
    rules: Path | None,
    servers: tuple[str, ...],
    parity: str,
    mode: str | None,
    namespace: str,
    form: str,
) -> None:
    """Turn HorizontalPodAutoscalers or ScaledObjects into policies.

    FILE is a manifest, a folder of them, or - for standard input; several documents and Lists are taken apart, other
    kinds stay aside. Policies go to standard output, the report of every key to standard error. A METRIC of the
    custom or external metrics API needs its query, or the rules of the adapter that serves it; OBJECT/METRIC is
    that of one object only.

    \b
    Exit status 0  all is equal
                1  all is carried, some of it differently
                2  something cannot be read; nothing is written
                3  something is not carried
    """
    if not re.search(NAME, namespace):
        raise UsageError(f"--namespace: expected a name that Kubernetes takes, got {namespace}")
    strict = parity == "strict"
    problems: list[Problem] = []
    wanted = Wanted(
        queries=_queries(queries),
        rules=_rules(rules, problems),
        servers=dict(_pairs("--server", servers, "URL=NAME", last=True)),
        strict=strict,
        mode=hpa.mode(mode, strict=strict),
    )
    texts = read([each for each in files if each != PIPE])
    texts += [("stdin", sys.stdin.read())] if PIPE in files else []
    turned = IMPORTERS[kind](texts, wanted, namespace, problems)
    if problems:
        raise PolicyError(tuple(str(problem) for problem in sorted(set(problems))))
    answer(policies(turned), turned, form)


def answer(output: str, turned: Sequence[Turned], form: str) -> NoReturn:
    """Print what was made and the report of every key; the exit status is that of the worst."""
    made = report(output, turned)
    if form == "json":
        print_json(made)
    else:
        give(made.output)
        say(told(turned), err=True)
    sys.exit(EXIT[made.carried])


def _queries(given: tuple[str, ...]) -> dict[str, str]:
    found = dict(_pairs("--query", given, "METRIC=PROMQL"))
    for metric, query in found.items():
        wrong = facts(sample(query))
        if isinstance(wrong, str):
            raise UsageError(
                f"--query {metric}: this query cannot be parsed: {wrong}",
                hint="try it in Prometheus first, and quote it for the shell",
            )
    return found


def _rules(file: Path | None, problems: list[Problem]) -> adapter.Rules:
    if file is None:
        return adapter.NONE
    ((name, text),) = read([file])
    return adapter.read(name, text, problems)


def _pairs(option: str, given: tuple[str, ...], shape: str, *, last: bool = False) -> Iterator[tuple[str, str]]:
    for each in given:
        left, sign, right = each.rpartition("=") if last else each.partition("=")
        if not (left and sign and right.strip()):
            raise UsageError(f"{option}: expected {shape}, got {each}")
        yield left.strip(), right.strip()

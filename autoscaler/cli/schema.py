"""`autoscaler schema`."""

from __future__ import annotations

import json

import click

from autoscaler.cli.say import give
from autoscaler.policy.schema import Schema, of_struct, schema


@click.command("schema")
@click.option("--tests", is_flag=True, help="That of policy tests (*.test.yaml) instead.")
def command(tests: bool) -> None:
    """Print the JSON Schema of policy files, for editors."""
    give(json.dumps(_of_tests() if tests else schema(), indent=2, ensure_ascii=False), nl=True)


def _of_tests() -> Schema:
    from autoscaler.backtest.scenario_spec import PolicyTest

    return of_struct(PolicyTest, "A test of a policy of autoscaler")

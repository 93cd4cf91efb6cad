"""`autoscaler schema`."""

from __future__ import annotations

import json

import click

from autoscaler.policy.schema import schema


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of policy files, for editors."""
    click.echo(json.dumps(schema(), indent=2, ensure_ascii=False))

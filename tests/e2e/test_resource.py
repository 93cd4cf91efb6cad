"""CPU of real containers drives a real service: each is as busy as its limit lets it be, so there are more of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.daemon import DaemonProcess
from tests.parts.fixtures import ComposeProject
from tests.support.wait import until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

SERVICES = """
version: "2.4"
services:
  burn:
    image: ${APP_IMAGE}
    entrypoint: ["sh", "-c", "while :; do :; done"]
    cpus: 0.1
    stop_grace_period: 0s
"""
POLICY = """
name: burn
target: {{compose: {{project: {project}, service: burn}}}}
replicas: {{min: 1, max: 2}}
signals:
  - {{name: cpu, resource: cpu, utilization: 60%}}
"""


def test_containers_at_their_limit_become_more(compose_project: ComposeProject, tmp_path: Path) -> None:
    project = compose_project(SERVICES)
    project.up()
    engine = {"host": project.engine.host}
    daemon = DaemonProcess(tmp_path, POLICY.format(project=project.name), docker=engine).start()
    try:
        until(lambda: project.replicas("burn") == 2, "there are two", within=60)
        (line,) = [
            each
            for each in json.loads(daemon.cli("history", "burn", "--format", "json"))["lines"]
            if each.get("after") == 2 and each["kind"] == "decision"
        ][-1:]
        assert line["reason"] == "above_target"
        assert "cpu" in line["text"], line
    finally:
        daemon.stop()

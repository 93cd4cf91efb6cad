"""`autoscaler tune` over three days that a real Prometheus tells of."""

from __future__ import annotations

import json
import math
import subprocess
import time
from pathlib import Path

import pytest

from autoscaler.policy.load import load
from tests.e2e.test_backtest import POLICY, autoscaler
from tests.parts.prometheus import PrometheusMaker

PAST_S = 3 * 86400 + 3600
EVERY_S = 60


def counted(now: float) -> str:
    """Three days of a counter scraped every minute."""
    lines, total = ["# TYPE requests counter"], 0.0
    for ago in range(PAST_S + 600, 0, -EVERY_S):
        total += EVERY_S * (100 + 60 * math.sin(ago / 86400 * 2 * math.pi))
        lines.append(f'requests_total{{job="web"}} {total:.3f} {now - ago:.3f}')
    return "\n".join([*lines, "# EOF\n"])


@pytest.mark.prometheus
@pytest.mark.e2e
def test_a_change_is_found_in_the_past_of_a_server_and_its_patch_applies(
    prometheus_server: PrometheusMaker, tmp_path: Path
) -> None:
    server = prometheus_server(openmetrics=counted(time.time()))
    (tmp_path / "autoscaler.yaml").write_text("cycle: 2m\n")
    policy = POLICY.replace("[1m]", "[4m]").replace("max_age: 45s", "max_age: 3m   # a minute between scrapes")
    (tmp_path / "shop.yaml").write_text(policy)
    words = ("tune", "shop.yaml", "--prometheus", server.url, "--from", f"{PAST_S}s", "--capacity", "30")
    done = autoscaler(tmp_path, *words, "--budget", "8", "--write", "x.patch", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert "reading the past: 100 %" in done.stderr
    told = json.loads(done.stdout)
    assert (told["outcome"], told["change"]["key"]) == ("proposed", "requests.per_replica")
    assert told["judged"]["after"]["replica_hours"] < told["judged"]["before"]["replica_hours"]
    subprocess.run(["git", "apply", "x.patch"], cwd=tmp_path, check=True, timeout=30)
    after = (tmp_path / "shop.yaml").read_text()
    assert "# a minute between scrapes" in after
    (changed,) = load([("shop.yaml", after)], "r").policies
    assert f"{changed.signals[0].per_replica:g}" == told["change"]["after"]

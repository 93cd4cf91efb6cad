"""Pushed by a real Prometheus: from the sample to the order, without waiting for the cycle."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import pytest

from tests.e2e.workers import Workers, workers
from tests.parts.gauges import GaugeServer
from tests.parts.process import free_port
from tests.parts.prometheus import PrometheusMaker, scrape_config
from tests.support.wait import until

pytestmark = [pytest.mark.e2e, pytest.mark.prometheus]

PAGE = (Path(__file__).parents[2] / "docs" / "push.md").read_text()
PUSHED = 'push: {match: "queue_length{job=\\"shop\\"}", as: gauge}'
TRIALS = 3


def sending(address: str, gauges: str, token: Path) -> str:
    """The documented snippet beside a scrape of our exporter."""
    (snippet,) = re.findall(r"```yaml\n# prometheus.yml\n(.*?)```", PAGE, re.DOTALL)
    told = textwrap.dedent(snippet).replace("autoscaler:8731", address)
    told = told.replace("/etc/prometheus/push-token", str(token))
    return f"{scrape_config({'shop': [gauges]})[:-1]},\n" + json.dumps({"remote_write": _parsed(told)})[1:]


def _parsed(text: str) -> object:
    import yaml

    return yaml.safe_load(text)["remote_write"]


def test_a_real_prometheus_pushes_and_the_order_does_not_wait_for_the_cycle(
    tmp_path: Path, prometheus_server: PrometheusMaker, gauge_server: GaugeServer
) -> None:
    token = tmp_path / "token"
    token.write_text("correct horse\n")
    address = f"127.0.0.1:{free_port()}"
    gauge_server.set("queue_length", 5)
    receiver = {"listen": address, "bearer_file": str(token)}
    with workers(tmp_path, cycle="60s", push=receiver) as shop:
        policy = shop.policy_file.read_text().replace("scrape: {metric: load, as: gauge}", PUSHED)
        shop.policy_file.write_text(policy)
        shop.start()
        server = prometheus_server(config=sending(address, gauge_server.address, token))
        until(lambda: server.value("queue_length") == 5, "the queue is scraped")
        spans = []
        for trial in range(TRIALS):
            known = _orders(shop)
            gauge_server.set("queue_length", 15 + 10 * trial)
            until(lambda known=known: _orders(shop) > known, what="an order long before the cycle", within=10)
            ordered = _ordered_at(shop)
            sampled = server.value(f"min_over_time(timestamp(queue_length == {15 + 10 * trial})[20s:100ms])")
            assert sampled is not None
            spans.append(ordered - sampled)
            until(lambda: shop.workload()["ready"] == shop.workload()["desired"], "what was ordered serves")
        print(f"from the sample to the order: {', '.join(f'{1000 * span:.0f} ms' for span in spans)}")
        assert min(spans) < 0.5, "the least of it is what it takes on a machine that has time"
        assert "above_target" in shop.cli("history", "shop")


def _history(shop: Workers) -> list[dict[str, object]]:
    lines = json.loads(shop.cli("history", "shop", "--format", "json"))["lines"]
    return [each for each in lines if each["kind"] == "decision" and each["before"] != each["after"]]


def _orders(shop: Workers) -> int:
    return len(_history(shop))


def _ordered_at(shop: Workers) -> float:
    return max(float(str(each["at"])) for each in _history(shop))

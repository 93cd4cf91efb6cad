"""Every query of the dashboard for Grafana, asked of a real Prometheus that scrapes a real daemon."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.workers import workers
from tests.parts.process import free_port
from tests.parts.prometheus import PrometheusMaker, PrometheusServer, scrape_config
from tests.support.wait import until
from tests.unit.test_monitoring import queries

pytestmark = [pytest.mark.e2e, pytest.mark.prometheus]

# What this daemon has not: clean-ups, a cluster, a repository, hours to learn in. Nothing answers their queries.
SILENT = (
    "_cleanup_", "_kubernetes_", "_policies_git_", "_github_", "coverage_ratio", "forecast_error", "signal_learned",
    "signal_capacity", "signal_good_ratio", "signal_objective",
)  # fmt: skip
SIGNALS = """per_replica: 10
  - {name: one, prometheus: vector(1), per_replica: 10}
  - {name: none, prometheus: absent_metric, per_replica: 1}"""


def asked(server: PrometheusServer, query: str) -> dict[str, Any]:
    """The whole answer, with what Prometheus has to say about the query."""
    with urllib.request.urlopen(
        f"{server.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}", timeout=10
    ) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def test_every_query_of_the_dashboard_is_answered(tmp_path: Path, prometheus_server: PrometheusMaker) -> None:
    listen, push = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    sends = {"remote_write": [{"url": f"http://{push}/api/v1/write"}]}
    server = prometheus_server(config=json.dumps(json.loads(scrape_config({"autoscaler": [listen]})) | sends))
    settings = {
        "listen": listen, "push": {"listen": push}, "prometheus": {"url": server.url},
        "audit": {"file": str(tmp_path / "audit.jsonl")},
        "notify": {"nobody": {"webhook": f"http://127.0.0.1:{free_port()}", "after": "0s"}},
    }  # fmt: skip
    with workers(tmp_path, cycle="1s", more="compare: adaptive", **settings) as shop:
        policy = shop.policy_file.read_text()
        shop.policy_file.write_text(policy.replace("per_replica: 10", SIGNALS, 1))
        shop.start()
        shop.load(500.0)
        waits = {query.replace("$__rate_interval", "10s").replace("$workload", ".*") for _, query in queries()}
        odd: dict[str, Any] = {}

        def answered() -> bool:
            for query in list(waits):
                told = asked(server, query)
                odd.update({query: told} if told.get("warnings") or told.get("infos") else {})
                if told["data"]["result"]:
                    waits.remove(query)
            open_ = [query for query in waits if not any(word in query for word in SILENT)]
            assert not open_, open_
            return True

        until(answered, "every query is answered", within=90, every=1)
        assert not odd, odd

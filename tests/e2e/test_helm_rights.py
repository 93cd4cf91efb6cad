"""The daemon as the chart installs it: its ServiceAccount, settings and policies, and nothing beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.e2e.shop import POLICY, Shop
from tests.e2e.test_helm import CHART, run, values
from tests.parts.process import free_port
from tests.support.wait import until

pytestmark = [pytest.mark.kubernetes, pytest.mark.prometheus, pytest.mark.e2e]


def test_by_the_rights_of_the_chart_it_scales_deletes_and_hands_on_and_asks_for_no_more(
    shop: Shop, tmp_path: Path
) -> None:
    shop.open(2)
    cluster, ops = shop.cluster, f"ops-{shop.namespace}"
    cluster.namespace(ops)
    policy = POLICY.format(namespace=shop.namespace, minimum=2).replace("recycle: {", "recycle: {method: delete, ")
    told = values(
        tmp_path,
        policies={"web.yaml": policy},
        namespaces=[shop.namespace],
        rights={"recycle": False, "delete": True},
        prometheus={"url": shop.prometheus.url},
        cycle="500ms",
    )
    config = ["--kubeconfig", cluster.kubeconfig(), "--namespace", ops]
    run("install", "autoscaler", CHART, *config, "-f", told)
    maps = f"/api/v1/namespaces/{ops}/configmaps/autoscaler"
    settings = yaml.safe_load(cluster.hand("GET", f"{maps}-settings")["data"]["autoscaler.yaml"])
    (text,) = cluster.hand("GET", f"{maps}-policies")["data"].values()
    account = cluster.kubeconfig_of(ops, "autoscaler")
    (tmp_path / "tokens").write_text("pods peer what-only-these-two-know\n")
    for key in ("data", "policies"):  # where this machine has other places than the pod
        del settings[key]
    settings["kubernetes"] |= {"kubeconfig": str(account), "address": "127.0.0.1"}
    settings["web"]["tokens"] = str(tmp_path / "tokens")
    one, other = (
        shop.daemon(account, folder=name, **{**settings, "listen": f"127.0.0.1:{free_port()}"}, policy=text)
        for name in ("one", "other")
    )
    one.start()
    other.start(standby=True)
    shop.load(400)
    shop.scaled(4)
    sick = shop.pods()[0]
    cluster.make_sick(shop.namespace, sick)
    until(lambda: sick not in shop.pods(), "the sick pod is gone")
    other.cli("pause", "web")
    assert one.stop() == 0
    until(lambda: other.workload()["reason"] == "paused", "the next one goes on from there", within=10)
    refused = cluster.refused(ops, "autoscaler")
    assert not refused, f"asked for more than the chart gives: {refused}"
    run("uninstall", "autoscaler", *config)

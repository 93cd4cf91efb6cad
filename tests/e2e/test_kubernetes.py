"""A Deployment on a real API server follows the load in a real Prometheus; the daemon is a process with few rights.

The count is watched from outside: `changes` is how often anybody has changed it, by the Deployment's generation.
"""

from __future__ import annotations

import pytest

from tests.e2e.shop import POLICY, Shop, documented, lines
from tests.support.wait import never, until

pytestmark = [pytest.mark.kubernetes, pytest.mark.prometheus, pytest.mark.e2e]

NO_SHRINK_S = (
    7.0  # longer than what holds a shrink up where the data is there: 2 s of stabilization, 2 cycles of settling
)


def test_a_deployment_goes_up_and_down_with_the_load(shop: Shop) -> None:
    shop.open()
    daemon = shop.daemon().start()
    never(lambda: shop.changes, "a change without a cause", for_s=3)
    shop.load(450)
    shop.scaled(5)
    shop.load(40)
    shop.scaled(1)
    assert shop.changes == 2, "one raise, one shrink"
    assert {"above_target", "below_target"} <= {line["reason"] for line in lines(daemon)}
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.text()


def test_a_vanished_metric_does_not_shrink_the_deployment(shop: Shop) -> None:
    shop.open()
    daemon = shop.daemon().start()
    shop.load(400)
    shop.scaled(4)
    shop.gauges.drop("load")
    until(lambda: "signal_missing" in daemon.cli("explain", "web"), "the missing signal is told")
    never(lambda: shop.changes > 1, "a shrink without data", for_s=NO_SHRINK_S)
    shop.load(100)
    shop.scaled(1)


def test_prometheus_down_does_not_shrink_the_deployment(shop: Shop) -> None:
    shop.open()
    daemon = shop.daemon().start()
    shop.load(400)
    shop.scaled(4)
    shop.prometheus.stop()
    shop.load(100)
    until(lambda: "signal_missing" in daemon.cli("explain", "web"), "the missing signal is told")
    never(lambda: shop.changes > 1, "a shrink without data", for_s=NO_SHRINK_S)
    assert daemon.alive
    shop.prometheus.start()
    shop.scaled(1)


def test_killed_right_before_and_right_after_an_order_it_converges(shop: Shop) -> None:
    shop.open()
    daemon = shop.daemon().start(kill_at="scale:begin")
    shop.load(450)
    daemon.died()
    assert shop.changes == 0, "it died before its call"
    with shop.cluster.node.away():
        daemon.start()
        until(lambda: shop.replicas == 5, "five are ordered")
        daemon.kill()
        assert shop.ready == 1, "it died in mid-scale"
        daemon.start()
    shop.scaled(5)
    never(lambda: shop.changes > 1, "a second order", for_s=2)
    shop.load(600)
    shop.scaled(6)


def test_the_api_server_restarted_while_running_the_daemon_comes_back_and_scales(shop: Shop) -> None:
    shop.open(2)
    daemon = shop.daemon().start()
    with shop.cluster.api_away():
        shop.load(350)
        until(lambda: "did not answer" in daemon.cli("history", "web") or daemon.workload()["doing"], "an order waits")
    shop.scaled(4)
    until(lambda: daemon.workload()["ready"] == 4, "the daemon sees four ready")
    shop.load(150)
    shop.scaled(2, within=60)
    assert shop.changes == 2
    assert daemon.alive
    assert "Traceback" not in daemon.text()


def test_a_foreign_writer_is_named_its_cut_is_raised_again_and_its_raise_respected(shop: Shop) -> None:
    shop.open(4)
    daemon = shop.daemon().start()
    until(lambda: daemon.workload()["desired"] == 4, "the daemon has decided")
    shop.cluster.scale(shop.namespace, "web", 2)
    shop.scaled(4)
    assert shop.changes == 2, "one cut, one raise"
    raised = until(lambda: [line for line in lines(daemon) if (line["before"], line["after"]) == (2, 4)], "on record")
    assert any("somebody else (kubectl) changed the count from 4 to 2" in line["text"] for line in raised), raised
    shop.cluster.scale(shop.namespace, "web", 6)
    said = "somebody else (kubectl) changed the count from 4 to 6"
    until(lambda: any(said in line["text"] for line in lines(daemon)), "a raise is named too")
    assert shop.changes == 3, "which is respected for a while"


def test_an_hpa_keeps_its_count_until_the_policy_adopts_it_and_all_is_told_on_the_workload(shop: Shop) -> None:
    shop.open(2)
    path = f"/apis/autoscaling/v2/namespaces/{shop.namespace}/horizontalpodautoscalers"
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    shop.cluster.hand("POST", path, {"metadata": {"name": "old"}, "spec": {"scaleTargetRef": target, "maxReplicas": 9}})
    may = {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["get", "delete"]}
    rights = [*documented(), may]
    daemon = shop.daemon(shop.cluster.service_account(shop.namespace, "adopting", rights)).start()
    shop.load(500)
    until(lambda: daemon.workload()["reason"] == "other_autoscaler", "the HPA is named")
    assert "HorizontalPodAutoscaler old sets this count" in daemon.cli("explain", "web")
    never(lambda: shop.changes, "a change beside the HPA", for_s=3)
    written = daemon.policy_file.read_text()
    daemon.policy_file.write_text(written.replace("name: web}}", "name: web, adopt: true}}"))
    shop.scaled(5)
    assert shop.cluster.hand("GET", path)["items"] == []
    ends = [line["text"] for line in lines(daemon) if line["kind"] == "outcome"]
    assert any(each.startswith("adopt: HorizontalPodAutoscaler old is deleted; it was {") for each in ends), ends

    def told() -> set[str]:
        found = shop.cluster.hand("GET", f"/apis/events.k8s.io/v1/namespaces/{shop.namespace}/events")["items"]
        return {each["reason"] for each in found if each.get("reportingController") == "autoscaler"}

    until(lambda: told() >= {"OtherAutoscaler", "Adopted", "ScaledUp"}, "all three are told")


def test_a_zero_by_the_owner_is_left_alone(shop: Shop) -> None:
    shop.open(2)
    daemon = shop.daemon(minimum=2).start()
    until(lambda: daemon.workload()["desired"] == 2, "the daemon has decided")
    shop.cluster.scale(shop.namespace, "web", 0)
    until(lambda: daemon.workload()["reason"] == "held_zero_by_owner", "the owner's zero is told")
    never(lambda: shop.changes > 1, "a count that the owner did not want", for_s=2)
    shop.cluster.scale(shop.namespace, "web", 1)
    shop.scaled(2)


def test_a_sick_pod_is_evicted_once_and_its_owner_puts_a_new_one(shop: Shop) -> None:
    shop.open(2)
    daemon = shop.daemon(minimum=2).start()
    until(lambda: daemon.workload()["ready"] == 2, "the daemon sees both ready")
    sick, well = shop.pods()
    shop.cluster.make_sick(shop.namespace, sick)
    until(lambda: sick not in shop.pods(), "the sick pod is gone")
    until(lambda: shop.ready == 2, "a new one is ready")
    after = shop.pods()
    assert well in after
    until(lambda: any("was evicted" in line["text"] for line in lines(daemon)), "the replacement has ended")
    never(lambda: shop.pods() != after, "another replacement", for_s=3)
    ends = [line for line in lines(daemon) if line["kind"] == "outcome"]
    assert [line["reason"] for line in ends] == ["applied"], ends
    assert shop.changes == 0


def test_old_pods_go_by_one_rollout_restart_where_the_policy_says_so(shop: Shop) -> None:
    shop.open(2)
    rule = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]}
    kubeconfig = shop.cluster.service_account(shop.namespace, "restarting", [*documented(), rule])
    policy = POLICY.format(namespace=shop.namespace, minimum=2).partition("recycle:")[0]
    recycle = "recycle: {when: {unhealthy_for: 2s, older_than: 1s}, method: restart, budget: {count: 1, per: 1h}}\n"
    before = shop.pods()
    daemon = shop.daemon(kubeconfig, policy=policy + recycle).start()
    until(lambda: not set(before) & set(shop.pods()) and shop.ready == 2, "both are new and ready")
    template = shop.cluster.deployed(shop.namespace, "web")["spec"]["template"]["metadata"]
    assert "kubectl.kubernetes.io/restartedAt" in template["annotations"]
    after = shop.pods()
    never(lambda: shop.pods() != after, "another one within the budget's hour", for_s=3)
    assert shop.changes == 1, "one change of the template"
    ends = [line["text"] for line in lines(daemon) if line["kind"] == "outcome"]
    assert ends == ["replace: Deployment web replaces all its pods (restarted)"], ends


def test_a_wrong_kubeconfig_is_one_clear_message_and_mended_without_a_restart(shop: Shop) -> None:
    shop.open(1)
    missing = shop.cluster.kubeconfig().with_name(f"{shop.namespace}-later.kubeconfig")
    daemon = shop.daemon(missing).start()
    said = f"no usable cluster configuration in {missing}"
    until(lambda: said in daemon.cli("status"), "the status says what is wrong")
    never(lambda: daemon.text().count(said) > 1, "the same message again", for_s=3)
    assert "name a kubeconfig file" in daemon.text()
    assert daemon.alive
    missing.write_bytes(shop.cluster.service_account(shop.namespace, "later", documented()).read_bytes())
    shop.load(250)
    shop.scaled(3)


@pytest.mark.parametrize(("resource", "verbs"), [("deployments/scale", '["patch"]'), ("pods", '["list", "watch"]')])
def test_a_missing_right_is_one_clear_message_with_the_rule_to_add(shop: Shop, resource: str, verbs: str) -> None:
    shop.open(1)
    rules = [rule for rule in documented() if resource not in rule["resources"]]
    daemon = shop.daemon(shop.cluster.service_account(shop.namespace, "poor", rules)).start()
    shop.load(250)
    rule = f'resources: ["{resource}"]'
    until(lambda: rule in daemon.cli("status"), "the status tells the rule")
    assert f"verbs: {verbs}" in daemon.cli("status")
    until(lambda: rule in daemon.text(), "so does the log")
    never(lambda: daemon.text().count(rule) > 1, "the same message again", for_s=3)
    assert (daemon.alive, shop.changes) == (True, 0)
    assert "Traceback" not in daemon.text()

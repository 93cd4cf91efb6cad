"""`import` and `export` as people call them: policies out, report beside, exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autoscaler.cli.root import root
from autoscaler.errors import AutoscalerError, PolicyError, UsageError
from autoscaler.policy.load import load
from tests.support.manifests import METRICS, hpa, prometheus, scaled_object

QUERY = 'queue_depth=sum(queue_depth{queue="orders"})'


def call(*words: str, stdin: str = "") -> Result:
    found = CliRunner().invoke(root, list(words), input=stdin)
    if isinstance(found.exception, AutoscalerError):
        raise found.exception
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "hpa.yaml").write_text(hpa("orders", METRICS["a queue"], "behavior: {}"))
    return tmp_path / "hpa.yaml"


def test_policies_go_out_and_the_report_goes_beside(file: Path) -> None:
    done = call("import", "hpa", str(file), "--query", QUERY)
    (placed,) = load([("out", done.stdout)], "r").placed
    assert placed.policy.name == "orders"
    assert f"{file}:1: HorizontalPodAutoscaler shop/orders: different" in done.stderr
    assert done.stderr.endswith("0 equal, 1 different, 0 not carried\n")


def test_the_exit_status_tells_how_well_it_went(file: Path) -> None:
    strict = ("--parity", "strict", "--mode", "act")
    assert call("import", "hpa", str(file), "--query", QUERY, *strict).exit_code == 0
    assert call("import", "hpa", str(file), "--query", QUERY).exit_code == 1
    assert call("import", "hpa", str(file)).exit_code == 3
    file.write_text("kind: Service")
    with pytest.raises(PolicyError) as caught:
        call("import", "hpa", str(file))
    assert caught.value.exit_code == 2


def test_standard_input_is_read_as_a_file(file: Path) -> None:
    done = call("import", "hpa", "-", stdin=hpa("web", METRICS["cpu"], ""))
    assert "# from stdin:1, HorizontalPodAutoscaler shop/web" in done.stdout


def test_the_answer_as_json_has_the_text_and_every_key(file: Path) -> None:
    told = json.loads(call("import", "hpa", str(file), "--query", QUERY, "--format", "json").stdout)
    assert told["carried"] == "different"
    assert told["output"].startswith("# from ")
    (one,) = told["objects"]
    assert {"line": 15, "key": "spec.metrics[0].external", "carried": "equal"}.items() <= one["findings"][1].items()


def test_a_trigger_s_server_has_a_name(tmp_path: Path) -> None:
    (tmp_path / "so.yaml").write_text(scaled_object(prometheus()))
    server = "http://prometheus.monitoring:9090=main"
    done = call("import", "keda", str(tmp_path), "--server", server)
    assert "server: main" in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--query", "queue_depth"), "--query: expected METRIC=PROMQL, got queue_depth"),
        (("--query", "queue_depth=sum("), "--query queue_depth: this query cannot be parsed"),
        (("--server", "=main"), "--server: expected URL=NAME, got =main"),
    ],
)
def test_a_word_that_cannot_be_used_is_refused(file: Path, words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence.replace("(", r"\(")):
        call("import", "hpa", str(file), *words)


def test_what_was_imported_is_exported_and_imported_again_as_it_was(file: Path, tmp_path: Path) -> None:
    policy, manifest = tmp_path / "policy.yaml", tmp_path / "back.yaml"
    policy.write_text(call("import", "hpa", str(file), "--query", QUERY).stdout)
    back = call("export", "hpa", str(policy))
    assert back.exit_code == 1
    assert "apiVersion: autoscaling/v2" in back.stdout
    manifest.write_text(back.stdout)
    again = call("import", "hpa", str(manifest))
    first, second = (load([("p", text)], "r").policies for text in (policy.read_text(), again.stdout))
    assert first == second


def test_an_export_of_what_no_hpa_can_say_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(
        "name: web\ntarget: {compose: {project: shop, service: web}}\nreplicas: {max: 3}\n"
        "signals: [{name: load, prometheus: sum(load), per_replica: 5}]\n"
    )
    done = call("export", "hpa", str(tmp_path / "web.yaml"))
    assert (done.exit_code, done.stdout) == (3, "")
    assert "web.yaml:2  target: an HPA scales Kubernetes workloads" in done.stderr

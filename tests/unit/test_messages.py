"""What people are told when something is wrong: each message says what, where and what next.

The table is of messages as they are printed. Beside it, whatever the code raises for a person has a hint, or a sentence
that names what was expected.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from autoscaler.cli.root import root
from autoscaler.errors import AutoscalerError, way_out

PACKAGE = Path(__file__).parents[2] / "autoscaler"
POLICY = """\
name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 6}
signals: [{name: load, prometheus: up, per_replica: 5}]
"""
SETTINGS = """\
data: data
prometheus: {url: "http://127.0.0.1:9"}
docker: {host: "unix:///nowhere.sock"}
"""
PATH = "look at the path: one that begins with no / starts in the folder that the command runs in"
START = "start one with `autoscaler run`, or name its settings with --config"
YAML = "look at this line and the one above: indentation, brackets, and quotes around text with : or #"
AWAY = "is that its address? prometheus.url in the settings, or AUTOSCALER_PROMETHEUS_URL"
FIRST = "`autoscaler init` writes a first one; or name where they are, here or in autoscaler.yaml"

POLICIES = {  # what stands there: what is said of it, and the hint
    "name: web\n  x: 1\n": ("p.yaml:2:4: this is not YAML: mapping values are not allowed in this context", YAML),
    POLICY + "extra: 1\n": ("p.yaml:5:1: extra: unknown key", "known here: name, target, replicas, "),
    POLICY.replace("signals", "signal"): ("p.yaml:4:1: signal: unknown key", "did you mean signals?"),
    POLICY.replace("min: 2", "min: 9"): (
        "p.yaml:3:25: replicas.max: must be at least replicas.min (9), got 6",
        "raise max, or lower min",
    ),
    POLICY.replace(", per_replica: 5", ""): (
        "p.yaml:4:11: signals[0]: expected exactly one goal of per_replica, value, utilization, steps, or only "
        "wake_above, got none",
        "add per_replica: the load one replica should carry",
    ),
    POLICY.replace("compose: {project: shop, service: web}", "swarm: {}"): (
        "p.yaml:2:10: target.swarm: not available yet",
        "remove the key: this version cannot do it",
    ),
    POLICY.replace("max: 6", "max: six"): (
        "p.yaml:3:25: replicas.max: expected a whole number, at least 1, at most 100000, got six",
        "",
    ),
    POLICY.replace("name: web\n", ""): ("p.yaml:1:1: policy: name is missing", "add name: …"),
    POLICY.replace("replicas: {min: 2, max: 6}\n", ""): (
        "p.yaml:1:1: policy: replicas is missing: signals need bounds",
        "add replicas: {min: 1, max: 10}",
    ),
    f"{POLICY}---\n{POLICY.replace('name: web', 'name: other')}": (
        "p.yaml:6:1: target: policy web at p.yaml:1 steers compose/shop/web already",
        "one workload has one policy; put both into one",
    ),
    POLICY + "behavior: {down: {stabilization: 5}}\n": (
        "p.yaml:5:34: behavior.down.stabilization: expected a duration such as 30s, at least 0, at most 1h, got 5",
        "5s?",
    ),
    POLICY.replace("name: web", "name: !!str web"): (
        "p.yaml:1:7: tags are not used here, got !!str",
        "remove the tag",
    ),
    POLICY + "deep: " + "[" * 60 + "]" * 60: (
        "p.yaml:5:57: nested more than 50 deep",
        "a policy is six deep: look for a line that is indented too far",
    ),
}
SET = {
    "cycle: fast\n": (
        "autoscaler.yaml:1:8: cycle: expected a duration such as 30s, at least 100ms, at most 1h, got fast",
        "one number and one of ms s m h d: 90m",
    ),
    "cicle: 15s\n": ("autoscaler.yaml:1:1: cicle: unknown key", "did you mean cycle?"),
    "listen: nowhere\n": (
        "autoscaler.yaml:1:1: listen: expected host:port or off, got nowhere",
        "127.0.0.1:8730",
    ),
    "prometheus: {url: ftp://x}\n": (
        "autoscaler.yaml:1:19: prometheus.url: expected text like https://prometheus:9090, got ftp://x",
        "",
    ),
    "a: [\n": ("autoscaler.yaml:2:1: this is not YAML: did not find expected node content", YAML),
    "cycle: 15s\n---\ncycle: 15s\n": (
        "autoscaler.yaml:3:1: expected one document, got several",
        "take the line --- out: settings are one document",
    ),
}
COMMANDS = {
    "validate nowhere": ("no policies at nowhere: there is no such file or folder", FIRST),
    "validate empty": (
        "no policies at empty: nothing there ends in .yaml or .yml",
        "`autoscaler init` writes a first one; or name the folder they are in",
    ),
    "validate latin.yaml": ("latin.yaml:1:10: this is not UTF-8 text", "save it as UTF-8"),
    "test policies": (
        "no policy tests at policies",
        "a test stands beside its policy: web.test.yaml beside web.yaml",
    ),
    "status": ("no daemon answers at data/autoscaler.sock: No such file or directory", START),
    "explain web": ("no daemon answers at data/autoscaler.sock: No such file or directory", START),
    "explain web --at then": ("--at: expected a time such as ", ""),
    "status --config none.yaml": (
        "none.yaml: cannot be read: No such file or directory",
        f"{PATH}; --config names another",
    ),
    "status --server nowhere": (
        "--server: expected a URL such as https://autoscaler.example.com:8730, got nowhere",
        "",
    ),
    "status --server http://127.0.0.1:9": (
        "no daemon answers at http://127.0.0.1:9: Connection refused",
        "is that its `listen`?",
    ),
    "pause web --for soon": ("--for: expected a duration such as 30m or 2h, got soon", ""),
    "rollback": ("a rollback needs an end", "--for 2h; revert the commit in the repository meanwhile"),
    "backtest policies/web.yaml --data none.rec": (
        "none.rec: cannot be read: No such file or directory",
        PATH,
    ),
    "backtest policies/web.yaml --data policies/web.yaml": (
        "policies/web.yaml: this is not a recording",
        "`autoscaler record` makes one",
    ),
    "backtest policies/web.yaml --from 30d": (
        "web, load: the past cannot be read: http://127.0.0.1:9: cannot connect",
        AWAY,
    ),
    "dry-run policies": (
        "Prometheus does not answer: http://127.0.0.1:9: cannot connect: Connection refused",
        "set prometheus.url in the settings, or AUTOSCALER_PROMETHEUS_URL",
    ),
    "init --yes": (
        "Prometheus does not tell which metrics it has: http://127.0.0.1:9: cannot connect: Connection refused",
        "--prometheus URL, or prometheus.url in the settings",
    ),
    "benchmark --traces nowhere": ("nowhere: no such folder", "name the folder with the traces: --traces DIR"),
    "notify": ("nobody is notified by these settings", "see docs/notifications.md for the key notify"),
    "plan policies --against main": (
        "policies: not in a git repository",
        "only what git has can be compared with: git init, git add and git commit, there",
    ),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one policy and settings that lead nowhere; commands run in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("AUTOSCALER_PROMETHEUS_URL", "AUTOSCALER_CONFIG", "DOCKER_HOST", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "policies").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "policies" / "web.yaml").write_text(POLICY)
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    (tmp_path / "autoscaler.yaml").write_text(SETTINGS)
    return tmp_path


def said(*words: str) -> str:
    """What the command ends with."""
    done = CliRunner().invoke(root, list(words), standalone_mode=False)
    assert isinstance(done.exception, AutoscalerError), (done.output, done.exception)
    return str(done.exception)


def check(told: str, sentence: str, hint: str) -> None:
    found, at, rest = told.partition(sentence)
    assert at, told
    assert not found or found.endswith("\n"), told
    assert f"\n  hint: {hint}" in rest if hint else "expected" in sentence, told


@pytest.mark.parametrize(("text", "sentence", "hint"), [(text, *told) for text, told in POLICIES.items()])
def test_a_wrong_policy_is_told_with_its_place_and_the_way_out(
    place: Path, text: str, sentence: str, hint: str
) -> None:
    (place / "p.yaml").write_text(text)
    check(said("validate", "p.yaml"), sentence, hint)


@pytest.mark.parametrize(("text", "sentence", "hint"), [(text, *told) for text, told in SET.items()])
def test_wrong_settings_are_told_with_their_place_and_the_way_out(
    place: Path, text: str, sentence: str, hint: str
) -> None:
    (place / "autoscaler.yaml").write_text(text)
    check(said("validate", "policies"), sentence, hint)


@pytest.mark.parametrize(("words", "sentence", "hint"), [(words, *told) for words, told in COMMANDS.items()])
def test_a_command_that_cannot_do_it_says_what_where_and_what_next(
    place: Path, words: str, sentence: str, hint: str
) -> None:
    check(said(*words.split()), sentence, hint)


def test_a_file_that_cannot_be_used_has_a_way_out_for_every_cause() -> None:
    assert way_out(FileNotFoundError(2, "")) == PATH
    assert way_out(UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "")) == "save it as UTF-8"
    assert way_out(OSError(5, "Input/output error")) == "see that it is a plain file on a disk that works"


# every message there is

FOR_PEOPLE = {"AutoscalerError", "LeaseError", "SettingsError", "StoreError", "UsageError"}
VALID = ("expected", "must ", "cannot be negative")  # the sentence itself says what is right
HANDED_ON = {  # what they say was made elsewhere, with its hint
    "autoscaler/settings.py": 2,  # the problems of the file, each with its own
    "autoscaler/clients/apprise_sender.py": 2,  # wiring.py adds where the URLs stand, and the hint
    "autoscaler/store/cluster_lease.py": 1,  # what the API server said, with its own
    "autoscaler/store/cluster_memory.py": 2,  # the same
    "autoscaler/web/endpoint.py": 1,  # it ends with what is expected
}


def bare() -> Iterator[tuple[str, int, str]]:
    """Where one is made with neither a hint nor a sentence that says what is right."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FOR_PEOPLE):
                continue
            hinted = any(each.arg == "hint" for each in node.keywords)
            if not hinted and not any(word in ast.unparse(node) for word in VALID):
                yield str(file.relative_to(PACKAGE.parent)), node.lineno, ast.unparse(node)


def test_every_message_for_a_person_has_a_hint_or_says_what_is_right() -> None:
    found = list(bare())
    counts = {file: sum(each == file for each, _, _ in found) for file, _, _ in found}
    assert counts == HANDED_ON, [each for each in found if each[0] not in HANDED_ON]

"""The daemon's settings: file, environment over it, and every problem with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.errors import SettingsError
from autoscaler.settings import LogForm, load, told


def written(folder: Path, text: str) -> Path:
    file = folder / "autoscaler.yaml"
    file.write_text(text)
    return file


def test_without_a_file_everything_has_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = load(None, {})
    assert found.cycle == 15.0
    assert found.address == ("127.0.0.1", 8730)
    assert found.policies == ("policies",)


def test_a_file_and_the_environment_over_it(tmp_path: Path) -> None:
    file = written(tmp_path, "cycle: 5s\nprometheus: {url: 'http://p:9090'}\nlisten: off\nlog: json\n")
    environment = {
        "AUTOSCALER_CYCLE": "1s",
        "AUTOSCALER_DOCKER_HOST": "unix:///run/d.sock",
        "AUTOSCALER_PORT": "tcp://x",
    }
    found = load(file, environment)
    assert found.cycle == 1.0
    assert found.prometheus.url == "http://p:9090"
    assert found.docker.host == "unix:///run/d.sock"
    assert found.address is None
    assert found.log is LogForm.JSON


def test_policies_of_a_file_stand_beside_it_and_those_of_the_environment_where_they_say(tmp_path: Path) -> None:
    assert load(written(tmp_path, "policies: [mine]\n"), {}).policies == (str(tmp_path / "mine"),)
    told = load(None, {"AUTOSCALER_POLICIES": "/a:/b", "AUTOSCALER_CONFIG": str(written(tmp_path, "{}\n"))})
    assert told.policies == ("/a", "/b")


SERVERS = """\
prometheus: {url: 'https://p', ca: ca.pem, bearer_file: token, headers: {X-Scope-OrgID: shop}}
servers:
  eu: {url: 'https://eu', basic: {username: a, password_file: secret}, cert: /c.pem, key: /k.pem}
  us: {url: 'https://us', proxy: 'http://proxy:3128', basic: {username: a, password: b}}
engines: {west: {host: 'tcp://west:2375'}}
strict_may_act: true
scrape_interval: 30s
"""


def test_servers_and_engines_have_names_and_their_files_stand_beside_the_settings(tmp_path: Path) -> None:
    found = load(written(tmp_path, SERVERS), {"AUTOSCALER_SERVERS": "x", "AUTOSCALER_PROMETHEUS_BASIC": "y"})
    assert (found.prometheus.ca, found.prometheus.bearer_file) == (str(tmp_path / "ca.pem"), str(tmp_path / "token"))
    assert found.prometheus.headers == {"X-Scope-OrgID": "shop"}
    eu, us = found.servers["eu"], found.servers["us"]
    assert eu.basic is not None
    assert eu.basic.password_file == str(tmp_path / "secret")
    assert (eu.cert, eu.key) == ("/c.pem", "/k.pem")
    assert us.basic is not None
    assert (us.basic.password, us.proxy) == ("b", "http://proxy:3128")
    assert found.engines["west"].host == "tcp://west:2375"
    assert (found.strict_may_act, found.scrape_interval) == (True, 30.0)


def test_the_audit_stands_beside_the_settings_and_has_a_size(tmp_path: Path) -> None:
    found = load(
        written(tmp_path, "audit: {file: audit.jsonl, megabytes: 0.5, keep: 3}\n"), {"AUTOSCALER_AUDIT_KEEP": "4"}
    )
    assert found.audit.file == str(tmp_path / "audit.jsonl")
    assert (found.audit.megabytes, found.audit.keep) == (0.5, 4)
    assert load(written(tmp_path, "{}\n"), {}).audit.file is None


def test_whether_anybody_has_said_what_the_settings_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not told(None, {"AUTOSCALER_PORT": "tcp://x", "HOME": "/"})
    assert told(None, {"AUTOSCALER_CYCLE": "5s"})
    assert told(Path("any.yaml"), {})
    written(tmp_path, "{}\n")
    assert told(None, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cycle: 15\n", "autoscaler.yaml:1:8: cycle: expected a duration such as 30s"),
        ("cycel: 15s\n", "hint: did you mean cycle?"),
        ("prometheus: {url: ftp://x}\n", "prometheus.url: expected text like"),
        ("listen: here\n", "listen: expected host:port or off, got here"),
        ("listen: 0.0.0.0:99999\n", "listen: expected host:port or off"),
        ("policies: one.yaml\n", "policies: expected a list, got one.yaml"),
        ("a: b: c\n", "this is not YAML"),
        ("- a\n", "autoscaler.yaml:1:1: settings: expected a map, got a list"),
        ("servers: {eu: {}}\n", "servers.eu: url is missing"),
        ("servers: {eu: {url: eu}}\n", "servers.eu.url: expected text like https://prometheus:9090, got eu"),
        ("servers: [eu]\n", "servers: expected a map, got a list"),
        ("prometheus: {cert: a}\n", "prometheus: key is missing: a certificate and its key go together"),
        ("prometheus: {basic: {username: a}}\n", "basic: expected exactly one of password, password_file, got none"),
        ("prometheus: {basic: {username: a, password: b, password_file: c}}\n", "password_file, got both"),
        ("prometheus: {url: 'http://a:b@p', bearer_file: c}\n", "got bearer_file and a user in url"),
        ("prometheus: {headers: {Authorization: x}, bearer_file: c}\n", "got bearer_file and headers.Authorization"),
        ("audit: {megabytes: 5M}\n", "audit.megabytes: expected a number"),
        ("audit: {file: ''}\n", "audit.file: expected"),
        ("notify: {a: {}}\n", "notify.a: expected exactly one of webhook, apprise, apprise_file, got none"),
        ("notify: {a: {webhook: 'http://x', apprise: 'json://x'}}\n", "got webhook and apprise\n  hint: two receivers"),
        ("notify: {a: {webhook: x}}\n", "notify.a.webhook: expected text like https://hooks.example.com, got x"),
        ("notify: {a: {webhook: 'http://x', kinds: [short]}}\n", "notify.a.kinds[0]: expected state_missing"),
        ("notify: {a: {apprise: 'json://x', ca: b}}\n", "notify.a.ca: does nothing without a webhook"),
        ("web: {cluster: true}\n", "web.cluster: does nothing without kubernetes.lease"),
        ("notify: {a: {webhook: 'http://x', after: 60}}\n", "notify.a.after: expected a duration such as 30s"),
        ("engines: {west: {}}\n", "engines.west: host is missing"),
        ("strict_may_act: yes\n", "strict_may_act: expected true or false, got yes\n  hint: did you mean true?"),
        ("---\n{cycle: 1s}\n---\n{cycle: 2s}\n", "expected one document, got several"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path, text), {})
    assert said in str(caught.value)


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="AUTOSCALER_CYCLE: expected a duration such as 30s, at least 100ms"):
        load(written(tmp_path, "log: json\n"), {"AUTOSCALER_CYCLE": "fast"})


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        load(tmp_path / "nothing.yaml", {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("git: {url: 'http://x/y.git'}", "git.url"),
        ("git: {url: 'https://me:pw@x/y.git'}", "holds a user or password"),
        ("git: {ref: main}", "git.url: is missing, and ref does nothing without it"),
        ("git: {url: 'https://x/y', ref: '-x'}", "git.ref"),
        ("git: {url: 'https://x/y', path: ../up}", "expected a path in the repository, got ../up"),
        ("git: {url: 'file:///x', token_file: t}", "is not sent by file"),
        ("git: {url: 'https://x/y', trust: signers}", "signers are trusted, and none are named"),
        ("git: {url: 'https://x/y', keys: k}", "any commit is trusted, so keys does nothing"),
        ("git: {url: 'https://x/y', pin: abc}", "git.pin"),
        ("git: {url: 'https://x/y'}\npolicies: [mine]", "they come from git, so those files do nothing"),
    ],
)
def test_a_repository_that_cannot_be_meant_is_told_with_its_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as told:
        load(written(tmp_path, f"{text}\n"), {})
    assert said in str(told.value)
    assert "hint" in str(told.value) or "expected" in str(told.value)


def test_files_of_a_repository_stand_beside_the_settings(tmp_path: Path) -> None:
    text = "git: {url: 'ssh://git@x/y', trust: signers, signers: s, keys: k, ca: c}\n"
    git = load(written(tmp_path, text), {}).git
    assert (git.signers, git.keys, git.ca) == tuple(str(tmp_path / each) for each in "skc")
    assert (git.url, git.every) == ("ssh://git@x/y", 60.0)

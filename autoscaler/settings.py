"""The daemon's own settings: a YAML file, and environment variables over it. Never policy.

Every key may come from the environment: `prometheus.url` is AUTOSCALER_PROMETHEUS_URL. Lists are separated by the
path separator there.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, inspect

from autoscaler import forge, outlets
from autoscaler.errors import SettingsError, way_out
from autoscaler.forge import GitHubSettings, Report
from autoscaler.model.policy import DURATION, Node
from autoscaler.outlets import AuditSettings, Notified
from autoscaler.policy import nodes
from autoscaler.policy.convert import Converter, Fault
from autoscaler.servers import Engine, GitSettings, PrometheusServer, PrometheusSettings, Receiver, near, place, rules

ENVIRONMENT = "AUTOSCALER_"
PLACES = ("autoscaler.yaml", "/etc/autoscaler/autoscaler.yaml")


class LogForm(enum.Enum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


class DockerSettings(Node, frozen=True, kw_only=True):
    """Which Docker engine compose services run on."""

    host: (
        Annotated[str, Meta(min_length=1, description="its socket; DOCKER_HOST or the usual socket by default")] | None
    ) = None


class KubernetesSettings(Node, frozen=True, kw_only=True):
    """Which cluster; in a pod the cluster it runs in, elsewhere the current context of the usual kubeconfig."""

    kubeconfig: Annotated[str, Meta(min_length=1, description="the kubeconfig file")] | None = None
    context: Annotated[str, Meta(min_length=1, description="the context in it")] | None = None
    events: Annotated[bool, Meta(description="whether changes and refusals are told as Events on the workloads")] = True
    lease: (
        Annotated[
            str,
            Meta(
                pattern=r"^[a-z0-9][-a-z0-9]*/[a-z0-9][-.a-z0-9]*$",
                description="NAMESPACE/NAME of the Lease that daemons share: one acts and keeps its memory in "
                "ConfigMaps beside it, the others stand by",
                examples=["ops/autoscaler"],
            ),
        ]
        | None
    ) = None
    address: (
        Annotated[
            str,
            Meta(
                pattern=r"^[-.:a-zA-Z0-9]+$",
                description="the name or IP at which the other daemons of the lease reach `listen`: with a peer line "
                "in web.tokens, one that stands by hands on what it is asked",
                examples=["10.1.2.3"],
            ),
        ]
        | None
    ) = None


class WebSettings(Node, frozen=True, kw_only=True):
    """Who may use the API and the dashboard at `listen`; the socket asks nothing of this."""

    tokens: Annotated[str, Meta(min_length=1, description="a file of tokens, read again when it changes")] | None = None
    open: Annotated[bool, Meta(description="whether whoever is on this machine may read without a token")] = True
    hosts: Annotated[tuple[str, ...], Meta(description="further names it may be asked by, as a proxy's")] = ()
    cert: Annotated[str, Meta(min_length=1, description="a file with the certificate of https")] | None = None
    key: Annotated[str, Meta(min_length=1, description="a file with its key")] | None = None
    workload_series: Annotated[bool, Meta(description="whether /metrics has series of each workload")] = True
    plain: Annotated[bool, Meta(description="whether tokens are taken unencrypted from other machines")] = False
    cluster: Annotated[
        bool,
        Meta(
            description="whether tokens that the cluster knows are taken too: whose they are, and what their owners "
            "may, is asked of its API server"
        ),
    ] = False


class Settings(Node, frozen=True, kw_only=True):
    """Everything the daemon and the commands are told outside of policies."""

    policies: Annotated[tuple[str, ...], Meta(min_length=1, description="files and folders with policies")] = (
        "policies",
    )
    git: Annotated[GitSettings, Meta(description="a repository with policies, instead of `policies`")] = GitSettings()
    github: Annotated[GitHubSettings, Meta(description="GitHub's API, for what git alone cannot do")] = GitHubSettings()
    prometheus: Annotated[PrometheusSettings, Meta(description="where queries are asked")] = PrometheusSettings()
    servers: Annotated[dict[str, PrometheusServer], Meta(description="further servers, by the name signals use")] = {}
    push: Annotated[Receiver, Meta(description="where series are pushed to by remote write")] = Receiver()
    docker: Annotated[DockerSettings, Meta(description="which Docker engine")] = DockerSettings()
    engines: Annotated[dict[str, Engine], Meta(description="further engines, by the name targets use")] = msgspec.field(
        default_factory=dict
    )
    kubernetes: Annotated[KubernetesSettings, Meta(description="which cluster")] = KubernetesSettings()
    cycle: Annotated[float, Meta(ge=0.1, le=3600, description="time between two decisions", extra=DURATION)] = 15.0
    scrape_interval: Annotated[
        float,
        Meta(gt=0, le=3600, description="how often Prometheus scrapes; lint asks windows for four", extra=DURATION),
    ] = 15.0
    strict_may_act: Annotated[bool, Meta(description="whether a policy may be parity: strict with mode: act")] = False
    data: Annotated[str, Meta(min_length=1, description="folder for memory, lease and socket")] = ""
    socket: Annotated[str, Meta(min_length=1, description="the API's unix socket; in the data folder by default")] = ""
    listen: Annotated[str, Meta(description="host:port of dashboard, API, /metrics and health, or off")] = (
        "127.0.0.1:8730"
    )
    web: Annotated[WebSettings, Meta(description="who may use dashboard and API there")] = WebSettings()
    notify: Annotated[dict[str, Notified], Meta(description="who is told what needs a person, by a name")] = {}
    audit: Annotated[AuditSettings, Meta(description="the file of every action")] = AuditSettings()
    log: Annotated[LogForm, Meta(description="text or json lines")] = LogForm.TEXT

    @property
    def data_folder(self) -> Path:
        """The folder for what outlives the process."""
        return Path(self.data).expanduser() if self.data else _usual_data()

    @property
    def socket_path(self) -> Path:
        """The API's unix socket."""
        return Path(self.socket).expanduser() if self.socket else self.data_folder / "autoscaler.sock"

    @property
    def url(self) -> str:
        """Where the other daemons of the lease reach the API; empty where nobody says."""
        host, own = self.kubernetes.address, self.address
        if host is None or own is None:
            return ""
        return f"http{'s' if self.web.cert else ''}://{f'[{host}]' if ':' in host else host}:{own[1]}"

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port to listen on; None for `off`."""
        return place(self.listen)


class Chosen(Settings, frozen=True, kw_only=True):
    """The same with other policies than the settings name: those a command was told of. `sets` are the settings' own.

    Such policies are judged with the defaults of the set they stand in.
    """

    sets: tuple[str, ...] = ()


def choosing(settings: Settings, paths: Sequence[str]) -> Settings:
    """The settings with these policies instead of their own; the same where none are told."""
    if not paths:
        return settings
    kept = {name: getattr(settings, name) for name in Settings.__struct_fields__}
    return Chosen(**{**kept, "policies": tuple(paths)}, sets=settings.policies)


def around(settings: Settings) -> tuple[str, ...] | None:
    """Where the sets are whose defaults hold for chosen policies; None where the policies are the settings' own."""
    return settings.sets if isinstance(settings, Chosen) else None


def told(file: Path | None, environment: Mapping[str, str], places: Sequence[str] = PLACES) -> bool:
    """True when somebody has said what the daemon's settings are."""
    names = {ENVIRONMENT + field.upper() for field in Settings.__struct_fields__}
    return file is not None or _found(environment, places) is not None or bool(names & set(environment))


def load(file: Path | None, environment: Mapping[str, str], places: Sequence[str] = PLACES) -> Settings:
    """The settings from this file (or one of the usual places) and the environment.

    Raises SettingsError with all problems.
    """
    problems: list[nodes.Problem] = []
    file = file or _found(environment, places)
    written = _read(file, problems) if file is not None else None
    node = _with_environment(written, environment, inspect.type_info(Settings))
    if problems:
        raise SettingsError("\n".join(map(str, problems)))
    if node is None:
        return Settings()
    name = str(file) if file is not None else "environment"
    made = Converter(name, problems, rules=_rules, whole="settings").struct(node, Settings)
    if made is not None:
        problems.extend(_faults(name, made))
    if problems or made is None:
        raise SettingsError("\n".join(_said(each) for each in sorted(set(problems))))
    return _near(made, file)


def _found(environment: Mapping[str, str], places: Sequence[str]) -> Path | None:
    told = environment.get(f"{ENVIRONMENT}CONFIG")
    if told:
        return Path(told)
    return next((Path(place) for place in places if Path(place).is_file()), None)


def _read(file: Path, problems: list[nodes.Problem]) -> nodes.Node | None:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(
            f"{file}: cannot be read: {error.strerror}", hint=f"{way_out(error)}; --config names another"
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file}: this is not UTF-8 text", hint="save it as UTF-8") from None
    found = nodes.documents(str(file), text, problems)
    if len(found) > 1:
        problems.append(
            nodes.Problem(
                str(file),
                found[1].line,
                1,
                "expected one document, got several",
                "take the line --- out: settings are one document",
            )
        )
    return found[0] if found else None


def _with_environment(
    node: nodes.Node | None, environment: Mapping[str, str], kind: Any, above: str = ""
) -> nodes.Node | None:
    """The node with what the environment says put over it. Its values stand in line 0, which is named so."""
    value = dict(node.value) if node is not None and isinstance(node.value, dict) else {}
    if node is not None and not isinstance(node.value, dict):
        return node
    changed = False
    for field in kind.fields:
        name = f"{above}{field.name.upper()}"
        inner = field.type.type if isinstance(field.type, inspect.Metadata) else field.type
        if _is_map(inner):
            continue  # a map of names cannot be told in one variable; it stands in the file
        if isinstance(inner, inspect.StructType):
            below = _with_environment(value.get(field.name), environment, inner, f"{name}_")
            if below is not value.get(field.name) and below is not None:
                value[field.name], changed = below, True
        elif (told := environment.get(ENVIRONMENT + name)) is not None:
            value[field.name], changed = _told(told, inner), True
    if not changed:
        return node
    keys = node.keys if node is not None else {}
    return nodes.Node(node.line if node else 0, node.column if node else 0, value, keys=keys)


def _is_map(kind: Any) -> bool:
    if isinstance(kind, inspect.UnionType):
        kind = kind.types[0]
        kind = kind.type if isinstance(kind, inspect.Metadata) else kind
        return isinstance(kind, inspect.StructType)
    return isinstance(kind, inspect.DictType)


def _told(text: str, kind: Any) -> nodes.Node:
    if isinstance(kind, inspect.VarTupleType):
        return nodes.Node(0, 0, tuple(nodes.Node(0, 0, part, part) for part in text.split(os.pathsep) if part))
    return nodes.Node(0, 0, nodes.resolve(text), text)


def _rules(struct: object) -> Iterator[Fault]:
    yield from rules(struct)
    yield from outlets.rules(struct)
    yield from forge.rules(struct)


def _faults(file: str, settings: Settings) -> list[nodes.Problem]:
    if settings.git.url is not None and settings.policies != Settings().policies:
        said = "policies: they come from git, so those files do nothing"
        return [nodes.Problem(file, 1, 1, said, "remove policies, or git")]
    if settings.github.report is not Report.OFF and not forge.repository(settings.github, settings.git):
        said = "github.report: it is not known of which repository: git.url is none of github.url"
        return [nodes.Problem(file, 1, 1, said, "write git.url, or github.repository: OWNER/NAME")]
    if settings.github.report is not Report.OFF and settings.git.url is None:
        said = "github.report: does nothing for policies from files"
        return [nodes.Problem(file, 1, 1, said, "write git.url, or remove github.report")]
    try:
        place(settings.listen)
    except ValueError as error:
        return [nodes.Problem(file, 1, 1, f"listen: {error}", "127.0.0.1:8730")]
    if (settings.web.cert is None) != (settings.web.key is None):
        missing = "key" if settings.web.key is None else "cert"
        said = f"web.{missing} is missing: a certificate and its key go together"
        return [nodes.Problem(file, 1, 1, said, f"add {missing}: FILE")]
    if settings.web.cluster and settings.kubernetes.lease is None:
        said = "web.cluster: does nothing without kubernetes.lease, whose namespace and name rights are given to"
        return [nodes.Problem(file, 1, 1, said, "take it out, or set kubernetes.lease: NAMESPACE/NAME")]
    if settings.kubernetes.address is not None:
        needs = {
            "kubernetes.lease": settings.kubernetes.lease,
            "listen": settings.address,
            "web.tokens": settings.web.tokens,
        }
        missing = ", ".join(key for key, value in needs.items() if value is None)
        if missing:
            said = f"kubernetes.address: does nothing without {missing}"
            return [nodes.Problem(file, 1, 1, said, "take it out, or say where the others reach this one, and how")]
    return []


def _said(problem: nodes.Problem) -> str:
    """A problem as it is told; one of the environment (line 0) by the variable's name."""
    if problem.line:
        return str(problem)
    path, _, sentence = problem.sentence.partition(": ")
    variable = ENVIRONMENT + path.partition("[")[0].upper().replace(".", "_")
    return f"{variable}: {sentence}" + (f"\n  hint: {problem.hint}" if problem.hint else "")


def _near(settings: Settings, file: Path | None) -> Settings:
    """Relative paths of a file mean beside that file."""
    if file is None:
        return settings
    return msgspec.structs.replace(
        settings,
        web=near(settings.web, file.parent),
        policies=tuple(str(file.parent / path) for path in settings.policies),
        prometheus=near(settings.prometheus, file.parent),
        push=near(settings.push, file.parent),
        git=near(settings.git, file.parent),
        github=near(settings.github, file.parent),
        audit=near(settings.audit, file.parent),
        notify={name: near(each, file.parent) for name, each in settings.notify.items()},
        servers={name: near(server, file.parent) for name, server in settings.servers.items()},
    )


def _usual_data() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/autoscaler")
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "autoscaler"

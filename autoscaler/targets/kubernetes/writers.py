"""Who wrote a count: field managers by the names people know, and what each must be told to leave it alone."""

from __future__ import annotations

from autoscaler.clients.kubernetes_wire import ManagedFields, Workload, Written

OURS = "autoscaler"  # our field manager

APPLIES = "leave spec.replicas out of what it applies"
ARGO = (
    "leave spec.replicas out of its manifests, or give the Application ignoreDifferences: [{{group: {group}, kind: "
    "{kind}, jsonPointers: [/spec/replicas]}}] and syncOptions: [RespectIgnoreDifferences=true]"
)
FLUX = "leave spec.replicas out of the manifests that it reconciles"
HELM = "leave spec.replicas out of what the chart renders"
HPA = "delete the HorizontalPodAutoscaler, or this policy"

# By the manager's name, or by how it begins where that ends in a dash: who it is (empty: by its own name), a way out.
_KNOWN: dict[str, tuple[str, str]] = {
    "argocd-": ("Argo CD", ARGO),
    "kustomize-controller": ("Flux", FLUX),
    "helm-controller": ("Flux", HELM),
    "helm": ("", HELM),
    "kube-controller-manager": ("a HorizontalPodAutoscaler", HPA),
    "keda": ("KEDA", "delete the ScaledObject, or this policy"),
    "keda-": ("KEDA", "delete the ScaledObject, or this policy"),
    "kubectl-client-side-apply": ("", APPLIES),
    "terraform": ("", APPLIES),
    "pulumi-": ("", APPLIES),
}


def owner(workload: Workload | Written) -> str:
    """The field manager that wrote the count last, which may be us; empty where none is on record."""
    entry = _entry(workload)
    return entry.manager if entry is not None else ""


def writer(workload: Workload | Written) -> str:
    """Who else wrote the count last; empty where it was us, or where nobody is on record (a zero through /scale)."""
    name = owner(workload)
    return "" if name == OURS else known_as(name)


def known_as(manager: str) -> str:
    """A field manager with who that is.

    >>> known_as("argocd-controller"), known_as("kubectl"), known_as("kube-controller-manager")
    ('Argo CD as argocd-controller', 'kubectl', 'a HorizontalPodAutoscaler as kube-controller-manager')
    """
    who, _ = _found(manager)
    return f"{who} as {manager}" if who else manager


def remedy(workload: Workload | Written, kind: str) -> str:
    """What keeps the last writer of the count from writing it again; empty where that is us, a person, or not known.

    `kind` is the workload's, with version and group where it is a custom one.
    """
    entry = _entry(workload)
    if entry is None or entry.manager == OURS:
        return ""
    if entry.manager == "kubectl" and entry.operation == "Apply":
        return APPLIES
    name, _, rest = kind.partition(".")
    return _found(entry.manager)[1].format(kind=name, group=rest.partition(".")[2] or "apps")


def _found(manager: str) -> tuple[str, str]:
    name = manager.lower()
    if name in _KNOWN:
        return _KNOWN[name]
    return next((told for begin, told in _KNOWN.items() if begin.endswith("-") and name.startswith(begin)), ("", ""))


def _entry(workload: Workload | Written) -> ManagedFields | None:
    owners = [
        each
        for each in workload.metadata.managed_fields
        if each.fields_v1 is not None and each.fields_v1.spec is not None and each.fields_v1.spec.replicas is not None
    ]
    # An update that changes the count takes it away from all others; who owns it beside us only agrees.
    ours = next((each for each in owners if each.manager == OURS and each.operation == "Update"), None)
    if ours is not None:
        return ours
    return max(owners, key=lambda each: each.time.timestamp() if each.time is not None else 0.0, default=None)

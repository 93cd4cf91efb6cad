"""What the owner asked for. These structs are the single source of loader, schema and reference.

Each field carries its unit, bounds, default and sentence: `Annotated[type, Meta(ge=…, description=…), …]`. The
loader turns text into these types (`30s`, `70%`) by the marker in `extra`; nothing else knows the keys.
"""

from autoscaler.model.policy.behavior import HPA_BEHAVIOR, Behavior, Direction, Legacy, Rate, Reversals, Select
from autoscaler.model.policy.cleanup import Cleanup, Orphans, Removals
from autoscaler.model.policy.lifecycle import BeforeStop, Lifecycle, Recycle, When
from autoscaler.model.policy.node import DURATION, NUMBER, PERCENT, QUANTITY, Name, Node, Seconds
from autoscaler.model.policy.policy import (
    Algorithm,
    Combine,
    Idle,
    Kind,
    Mode,
    Objective,
    OnDoubt,
    Parity,
    Policy,
    Scope,
    Window,
)
from autoscaler.model.policy.set import Placed, PlacedCleanup, PolicySet
from autoscaler.model.policy.signal import (
    Empty,
    Failing,
    Fallback,
    LoadStep,
    NotANumber,
    Plausible,
    Reduce,
    Resource,
    Scrape,
    ScrapeMode,
    Signal,
    ZeroIf,
)
from autoscaler.model.policy.target import ComposeTarget, KubernetesTarget, ProcessTarget, Ready, Replicas, TargetSpec

__all__ = [
    "DURATION",
    "HPA_BEHAVIOR",
    "NUMBER",
    "PERCENT",
    "QUANTITY",
    "Algorithm",
    "BeforeStop",
    "Behavior",
    "Cleanup",
    "Combine",
    "ComposeTarget",
    "Direction",
    "Empty",
    "Failing",
    "Fallback",
    "Idle",
    "Kind",
    "KubernetesTarget",
    "Legacy",
    "Lifecycle",
    "LoadStep",
    "Mode",
    "Name",
    "Node",
    "NotANumber",
    "Objective",
    "OnDoubt",
    "Orphans",
    "Parity",
    "Placed",
    "PlacedCleanup",
    "Plausible",
    "Policy",
    "PolicySet",
    "ProcessTarget",
    "Rate",
    "Ready",
    "Recycle",
    "Reduce",
    "Removals",
    "Replicas",
    "Resource",
    "Reversals",
    "Scope",
    "Scrape",
    "ScrapeMode",
    "Seconds",
    "Select",
    "Signal",
    "TargetSpec",
    "When",
    "Window",
    "ZeroIf",
]

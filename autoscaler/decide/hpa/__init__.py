"""The arithmetic of the Kubernetes HPA (autoscaling/v2), exact to rounding and ties. It knows nothing else.

`quantity` numbers · `pods` which count · `metric` one metric → a proposal · `rules` speed as written · `history` what
is remembered · `smooth` wish → count · `passes` a whole pass with its conditions. Pure: `now` is an argument.
"""

from autoscaler.decide.hpa.history import Event, History, Recommendation, record, seeded, without_recommendations
from autoscaler.decide.hpa.metric import average_value, value
from autoscaler.decide.hpa.quantity import cut, milli
from autoscaler.decide.hpa.rules import (
    DEFAULT_DOWN,
    DEFAULT_UP,
    LEGACY,
    Behavior,
    Legacy,
    Rate,
    Rules,
    Select,
    completed,
)
from autoscaler.decide.hpa.several import winner
from autoscaler.decide.hpa.smooth import Limit, Result, hpa, policy_limit_down, policy_limit_up

__all__ = [
    "DEFAULT_DOWN",
    "DEFAULT_UP",
    "LEGACY",
    "Behavior",
    "Event",
    "History",
    "Legacy",
    "Limit",
    "Rate",
    "Recommendation",
    "Result",
    "Rules",
    "Select",
    "average_value",
    "completed",
    "cut",
    "hpa",
    "milli",
    "policy_limit_down",
    "policy_limit_up",
    "record",
    "seeded",
    "value",
    "winner",
    "without_recommendations",
]

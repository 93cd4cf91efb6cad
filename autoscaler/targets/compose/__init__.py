"""Services of compose projects on a Docker engine as a target."""

from autoscaler.targets.compose.target import ComposeTarget

__all__ = ["ComposeTarget"]

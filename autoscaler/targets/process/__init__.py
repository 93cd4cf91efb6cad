"""Worker processes on this machine as a target."""

from autoscaler.targets.process.target import ProcessTarget

__all__ = ["ProcessTarget"]

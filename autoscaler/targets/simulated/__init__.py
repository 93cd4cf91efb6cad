"""A platform that exists in memory: for dry runs, policy tests, benchmarks and the simulated world."""

from autoscaler.targets.simulated.fleet import Fleet
from autoscaler.targets.simulated.target import SimulatedTarget

__all__ = ["Fleet", "SimulatedTarget"]

"""The commands. Each is one file that parses, calls and prints; imported only when it is asked for."""

from autoscaler.cli.root import main

__all__ = ["main"]

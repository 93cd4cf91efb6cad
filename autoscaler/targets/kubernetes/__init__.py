"""Kubernetes workloads: states from watches, counts through /scale, sick pods by eviction."""

from autoscaler.targets.kubernetes.target import KubernetesTarget

__all__ = ["KubernetesTarget"]

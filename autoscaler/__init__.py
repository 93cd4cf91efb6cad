"""An autoscaler for Kubernetes and for Docker Compose, from one policy language."""

__version__ = "0.1.0"

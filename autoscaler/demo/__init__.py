"""The main job on an embedded example, with nothing but Python: `python -m autoscaler.demo`."""

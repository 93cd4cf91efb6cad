"""The same decisions on a recording: what a policy would have done, and how good that would have been."""

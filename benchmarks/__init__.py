"""Timings and ratios, and the vectors of the HPA run through the real code. Nothing here ships in the package."""

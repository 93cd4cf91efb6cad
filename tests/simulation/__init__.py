"""The simulated world: whole daemons on virtual time, surroundings that fail by seed, rules checked throughout."""

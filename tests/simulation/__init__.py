"""The simulated world: whole daemons on virtual time against surroundings that fail by seed, rules checked throughout."""

"""Data sets: the registry, simulated cells, and images."""

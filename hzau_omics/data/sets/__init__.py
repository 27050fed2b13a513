"""Data sets: the registry and its packages, simulated cells, and images."""

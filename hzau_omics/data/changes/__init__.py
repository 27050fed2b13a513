"""Noticing that data changed: digests of rows, names of cells, and what was registered."""

"""Differences between two groups of cells: a test, an effect, and what is believed of it."""

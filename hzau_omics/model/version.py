"""The number of the model."""

MODEL_VERSION = 3
"""Raised whenever training gives other results. Figures that the documentation quotes name it."""

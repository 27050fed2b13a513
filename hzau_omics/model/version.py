"""The number of the model."""

MODEL_VERSION = 6
"""Raised whenever training gives other results. Figures that the documentation quotes name it."""

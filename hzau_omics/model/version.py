"""The number of the model."""

MODEL_VERSION = 4
"""Raised whenever training gives other results. Figures that the documentation quotes name it."""

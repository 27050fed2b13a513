"""Mapping of new samples onto a reference: labels with probabilities, protein, place."""

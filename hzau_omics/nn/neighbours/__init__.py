"""Predictions from measured cells that may share their latent with the cell in question."""

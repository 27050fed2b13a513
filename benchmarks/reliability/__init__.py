"""Measurements of held-out cells that fail, and what models say of them."""

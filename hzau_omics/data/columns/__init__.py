"""Columns of obs: where they are looked up, categories, and numbers."""

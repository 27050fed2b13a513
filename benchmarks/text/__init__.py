"""Cells found and annotated by words."""

"""Columns of ``obs``: lookup (``obs``), categories (``category``), numbers (``numeric``)."""

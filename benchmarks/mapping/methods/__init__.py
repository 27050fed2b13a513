"""One file per method; each has ``PACKAGES`` and ``fit``."""

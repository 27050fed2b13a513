"""Cells on disk: more of them than fit into memory, written once and streamed."""

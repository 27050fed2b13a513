"""Label conservation and batch mixing of an embedding."""

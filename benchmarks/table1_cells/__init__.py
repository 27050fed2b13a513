"""Table 1 on cells in place of images."""

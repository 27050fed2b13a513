"""Cost of training by size of the data."""

"""Whether data have changed since set-up: digests of rows, identity of cells, and their record."""

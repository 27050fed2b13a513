"""What differs between groups of cells."""

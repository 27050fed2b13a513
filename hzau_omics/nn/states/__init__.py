"""States of cells, and how groups of cells lie shifted within each of them."""

"""Everything that touches scvi-tools' registration and its inherited methods."""

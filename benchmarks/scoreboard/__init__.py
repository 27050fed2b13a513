"""All claims of the README on one page, commit by commit."""

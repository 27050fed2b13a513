"""Programs for those who work on the package; they are no part of it."""

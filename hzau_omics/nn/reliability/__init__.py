"""How far a measurement can be trusted: heads, corruption in training, and evidence."""

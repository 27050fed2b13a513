"""Training from disk beside training in memory."""

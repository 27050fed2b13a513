"""The training objective: its options, its terms, and the loss."""

"""One file per question that a user asks of a trained model."""

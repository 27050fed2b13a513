"""What brings measurements of a new batch to those that the encoders were trained on."""

"""What is calibrated once training has ended."""

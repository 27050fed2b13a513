"""Training throughput beside totalVI and MultiVI."""

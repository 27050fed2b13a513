"""Table 1 of Wu and Goodman (2018): variance of log importance weights."""

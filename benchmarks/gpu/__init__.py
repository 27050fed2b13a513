"""The package on a GPU, checked and timed by one command."""

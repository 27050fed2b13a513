"""Draws of observations on the CPU: drawing them, their quantiles, and means without any."""

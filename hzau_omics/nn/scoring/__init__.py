"""Scores of measurements that a trained network gives."""

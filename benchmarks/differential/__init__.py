"""Differential expression: error rates, power, effect sizes, values that were not measured."""

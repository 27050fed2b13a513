"""Measurements beside the package, run as modules.

``python -m benchmarks.imputation`` and ``python -m benchmarks.integration``.
"""

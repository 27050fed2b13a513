"""Metrics and baselines as pure functions on arrays.

Nothing here knows a model: predictions, observations, embeddings and labels come in as arrays.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hzau_omics.metrics.baselines import group_mean_imputation, knn_imputation, ridge_imputation
    from hzau_omics.metrics.calibration import (
        Coverage,
        interval_coverage,
        pit_uniformity,
        randomised_pit,
    )
    from hzau_omics.metrics.correlation import mean_feature_pearson, pearson_per_feature
    from hzau_omics.metrics.neighbors import cross_validated_knn_accuracy, knn_label_accuracy

__all__ = [
    "Coverage",
    "cross_validated_knn_accuracy",
    "group_mean_imputation",
    "interval_coverage",
    "knn_imputation",
    "knn_label_accuracy",
    "mean_feature_pearson",
    "pearson_per_feature",
    "pit_uniformity",
    "randomised_pit",
    "ridge_imputation",
]

_HOME = {
    "Coverage": "calibration",
    "cross_validated_knn_accuracy": "neighbors",
    "group_mean_imputation": "baselines",
    "interval_coverage": "calibration",
    "knn_imputation": "baselines",
    "knn_label_accuracy": "neighbors",
    "mean_feature_pearson": "correlation",
    "pearson_per_feature": "correlation",
    "pit_uniformity": "calibration",
    "randomised_pit": "calibration",
    "ridge_imputation": "baselines",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOME:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return list(__all__)

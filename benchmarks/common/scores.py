"""Measures that several benchmarks share."""

from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score


def auroc(good: Any, bad: Any) -> float:
    """Return how well a score tells good from bad measurements, higher = good."""
    values = np.concatenate([np.asarray(good), np.asarray(bad)])
    return float(roc_auc_score(np.repeat([1, 0], [len(good), len(bad)]), values))

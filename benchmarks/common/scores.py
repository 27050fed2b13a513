"""Measures that several benchmarks share."""

from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from hzau_omics.metrics import interval_coverage

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Central intervals whose coverage is measured."""

NEIGHBOURS = 15
"""Nearest neighbours that vote on a cell's type, or are looked at for its batch."""


def auroc(good: Any, bad: Any) -> float:
    """Return how well a score tells good from bad measurements, higher = good."""
    values = np.concatenate([np.asarray(good), np.asarray(bad)])
    return float(roc_auc_score(np.repeat([1, 0], [len(good), len(bad)]), values))


def coverages(pit: Any) -> dict[str, float]:
    """Return the share of values in central intervals of several levels."""
    return {
        f"coverage{100 * level:.0f}": float(interval_coverage(pit, level).overall)
        for level in LEVELS
    }

"""Scores of an imputation: correlation of log1p values, and coverage from the PIT."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from benchmarks.common.scores import LEVELS
from hzau_omics.metrics import interval_coverage, pearson_per_feature


@dataclass(kw_only=True)
class Prediction:
    """What a method says about the held-out cells.

    ``log1p`` has shape (n_test, n_target), in log1p counts. ``pit`` (same shape) holds randomised
    probability integral transforms where the method gives a distribution. ``info`` is free text and
    numbers for the record: epochs, recipe, what the method saw.
    """

    log1p: np.ndarray
    pit: np.ndarray | None = None
    info: dict[str, object] = field(default_factory=dict)


def score(prediction: Prediction, observed: np.ndarray, features: list[str]) -> pd.DataFrame:
    """Score each feature of a prediction against observed counts.

    Returns
    -------
    Columns ``feature``; ``pearson`` of log1p counts, higher is better, NaN for a constant feature;
    ``coverage50`` to ``coverage95``, the share of cells in that central interval (NaN: no PIT).
    """
    table = pd.DataFrame(
        {"feature": features, "pearson": pearson_per_feature(prediction.log1p, np.log1p(observed))}
    )
    for level in LEVELS:
        table[f"coverage{level * 100:.0f}"] = (
            np.nan
            if prediction.pit is None
            else interval_coverage(prediction.pit, level).per_feature
        )
    return table

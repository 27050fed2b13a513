"""What is measured of calls, log2 fold changes and intervals."""

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

LEVELS = (0.05, 0.1)
Z = 1.6448536269514722
"""Half the width of a 90 % interval in standard errors."""
EXPRESSED = 0.05
"""Counts per cell from which on a gene's fold change is looked at."""


def percent(level: float) -> str:
    """Return a level as text."""
    return f"{100 * level:g} %"


def of_null(found: pd.DataFrame) -> dict[str, float]:
    """Return how many features are called at each target, and whether any is."""
    values = {}
    for level in LEVELS:
        n = int((found["q_value"] <= level).sum())
        values[f"any call, {percent(level)}"] = float(n > 0)
        values[f"calls, {percent(level)}"] = float(n)
    return values


def of_truth(
    found: pd.DataFrame, change: np.ndarray, mean: np.ndarray, level: float = 0.05
) -> dict[str, float]:
    """Return how well changes are found.

    Parameters
    ----------
    found
        What a method says, features in the order of `change`.
    change
        True log2 fold change (feature,); 0 for none.
    mean
        Counts per cell before genes were thinned (feature,).
    level
        Target of the false discovery rate.
    """
    true = change != 0
    seen = mean >= EXPRESSED
    used = true & seen
    return of_calls(found, true, level) | {
        "power, expressed": float((found["q_value"] <= level)[used].mean()),
        "slope of lfc_mean": slope(change[used], found["lfc_mean"].to_numpy()[used]),
        "slope of lfc": slope(change[used], found["lfc"].to_numpy()[used]),
        "coverage, changed": coverage(found, change, used),
        "coverage, all": coverage(found, change, seen),
        "coverage, changed, of lfc": coverage(_of_estimate(found), change, used),
    }


def _of_estimate(found: pd.DataFrame) -> pd.DataFrame:
    """Return 90 % intervals of the plain estimates."""
    reach = Z * found["lfc_error"]
    return found.assign(low=found["lfc"] - reach, high=found["lfc"] + reach)


def of_calls(found: pd.DataFrame, true: np.ndarray, level: float = 0.05) -> dict[str, float]:
    """Return how well features that differ are told from others.

    Parameters
    ----------
    found
        What a method says, features in the order of `true`.
    true
        Which features differ (feature,).
    level
        Target of the false discovery rate.
    """
    called = found["q_value"].to_numpy() <= level
    return {
        "AUPRC": float(average_precision_score(true, found["score"])),
        "false discoveries": float((called & ~true).sum() / max(called.sum(), 1)),
        "power": float(called[true].mean()),
    }


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Return the slope of the least-squares line; NaN where `y` is not given."""
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < 3:
        return float("nan")
    return float(np.polyfit(x[known], y[known], 1)[0])


def coverage(found: pd.DataFrame, change: np.ndarray, rows: np.ndarray) -> float:
    """Return the share of true changes inside the intervals of some features."""
    low, high = found["low"].to_numpy()[rows], found["high"].to_numpy()[rows]
    if np.isnan(low).all():
        return float("nan")
    return float(((low <= change[rows]) & (change[rows] <= high)).mean())

"""Measures of the quality of cells, for tables and reports: totals, features, shares of marks."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TOTAL, DETECTED = "total", "n_features"
"""Columns with sums of counts, and with numbers of features above 0."""

_MITOCHONDRIAL = ("MT-", "mt-", "Mt-")


def percent(mark: str) -> str:
    """Return the column with the share of a mark.

    Examples
    --------
    >>> percent("mitochondrial")
    'percent_mitochondrial'
    """
    return f"percent_{mark}"


def mitochondrial(names: Iterable[object]) -> NDArray[np.bool_]:
    """Return which features are mitochondrial genes, by name; shape (feature).

    Examples
    --------
    >>> mitochondrial(["MT-CO1", "mt-Nd1", "Mt-co1", "MTOR"]).tolist()
    [True, True, True, False]
    """
    return np.array([str(one).startswith(_MITOCHONDRIAL) for one in names], dtype=bool)


def row_sums(values: Any) -> NDArray[np.float64]:
    """Return the sum of each row of an array or a sparse array; shape (cell)."""
    return np.asarray(values.sum(axis=1), dtype=np.float64).ravel()


def cell_measures(
    values: Any, marks: Mapping[str, NDArray[np.bool_]], cells: "pd.Index[str]"
) -> pd.DataFrame:
    """Return totals, numbers of detected features, and shares of marked features.

    Parameters
    ----------
    values
        Counts (cell, feature), an array or a sparse array by rows.
    marks
        Mark -> which features have it (feature).
    cells
        Names of the cells.

    Returns
    -------
    pandas.DataFrame
        One row per cell: ``total``, ``n_features`` (above 0), and for each mark
        ``percent_<mark>`` (0 to 100; NaN if no feature has it, or the cell has no counts).

    Examples
    --------
    >>> marks = {"mitochondrial": np.array([True, False])}
    >>> counts = np.array([[1, 3], [0, 0]])
    >>> cell_measures(counts, marks, pd.Index(["a", "b"])).to_numpy().tolist()
    [[4.0, 2.0, 25.0], [0.0, 0.0, nan]]
    """
    total = row_sums(values)
    detected = np.asarray((values > 0).sum(axis=1)).ravel()
    table = pd.DataFrame({TOTAL: total, DETECTED: detected}, index=cells)
    some = np.where(total > 0, total, np.nan)
    for mark, which in marks.items():
        own = row_sums(values[:, np.flatnonzero(which)]) if which.any() else np.nan
        table[percent(mark)] = 100 * own / some
    return table

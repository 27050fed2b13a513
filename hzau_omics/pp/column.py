"""Columns of text or labels: their strings, with what counts as missing."""

from typing import Any

import numpy as np
import pandas as pd

from hzau_omics.errors import DataContractError


def strings(values: pd.Series, column: str) -> pd.Series:
    """Check that a column holds strings, and mark empty and blank ones as missing.

    Returns
    -------
    pandas.Series
        Dtype object: a string, or None where the value is missing.

    Raises
    ------
    DataContractError
        If a value is neither a string nor missing.
    """
    plain = values.astype(object)
    missing = plain.isna().to_numpy()
    wrong = np.array([not isinstance(value, str) for value in plain], dtype=bool) & ~missing
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        value: Any = plain.iloc[row]
        msg = (
            f"The column {column!r} must hold strings or missing values. "
            f"Cell {values.index[row]!r} has {value!r} of type {type(value).__name__}"
            f" ({int(wrong.sum())} such cells). Convert these to strings, or set them to None."
        )
        raise DataContractError(msg)
    blank = np.array([isinstance(value, str) and not value.strip() for value in plain], dtype=bool)
    return plain.where(~(missing | blank), None)

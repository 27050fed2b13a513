"""Columns of text or labels, read in the global order of cells."""

from typing import Any

import numpy as np
import pandas as pd
from mudata import MuData

from hzau_omics.data.columns.obs import single_column
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.messages import did_you_mean, listed


def find_column(mdata: MuData, column: str) -> pd.Series:
    """Find a column in the global ``obs``, else in the ``obs`` of one modality.

    Parameters
    ----------
    mdata
        The data.
    column
        Name of the column; ``"rna:note"`` asks for the column ``"note"`` of modality ``"rna"``.

    Returns
    -------
    pandas.Series
        One value per cell, in global order; missing where the cell lacks that modality.

    Raises
    ------
    DataContractError
        If there is no such column, or several have its name.
    ConfigError
        If several modalities have it and the global ``obs`` has not.
    """
    if column in mdata.obs:
        return single_column(mdata.obs, column, "mdata.obs")
    found = {f"{name}:{key}": (name, key) for name in mdata.mod for key in mdata.mod[name].obs}
    matches = [full for full, (_, key) in found.items() if column in (full, key)]
    if len(matches) > 1:
        msg = (
            f"The column {column!r} is in the obs of several modalities and not in mdata.obs. "
            f"Choose one of {listed(matches)}."
        )
        raise ConfigError(msg)
    if not matches:
        known = [*mdata.obs.columns, *found]
        msg = (
            f"There is no column {column!r} in mdata.obs or in the obs of a modality. "
            f"Columns: {listed(known, limit=20)}." + did_you_mean(column, known)
        )
        raise DataContractError(msg)
    name, key = found[matches[0]]
    own = single_column(mdata.mod[name].obs, key, f"mdata[{name!r}].obs")
    return pd.Series(own.reindex(mdata.obs_names))


def strings(values: pd.Series, column: str) -> pd.Series:
    """Check that a column holds strings, and mark empty and blank ones as missing.

    Returns
    -------
    pandas.Series
        Dtype object: a string, or None where the cell has none.

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

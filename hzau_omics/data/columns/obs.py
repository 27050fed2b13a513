"""Columns of ``obs``: found globally or in the modalities, turned into codes or numbers."""

from typing import Any

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.columns.category import UNKNOWN, differing, distinct, require_all
from hzau_omics.data.columns.numeric import numbers_of
from hzau_omics.data.contract.layout import CategoricalLayout, ContinuousLayout
from hzau_omics.data.contract.presence import row_map
from hzau_omics.errors import DataContractError
from hzau_omics.messages import did_you_mean, listed


def obs_column(mdata: MuData, key: str, *, role: str = "column") -> "pd.Series[Any]":
    """Return a column for every cell of the MuData.

    ``mdata.obs`` comes first. A key that is absent there is looked up in the ``obs`` of every
    modality, and the values are put together per cell.

    Parameters
    ----------
    mdata
        The data; not changed.
    key
        Name of the column.
    role
        What the column is used for, for messages ("batch key").

    Raises
    ------
    DataContractError
        If there is no such column, or two modalities disagree about a cell.
    """
    if key in mdata.obs.columns:
        return single_column(mdata.obs, key, "mdata.obs")
    holders = _holders(mdata, key)
    if not holders:
        raise _no_column(mdata, key, role)
    values = np.full(mdata.n_obs, None, dtype=object)
    origin = np.full(mdata.n_obs, "", dtype=object)
    for name in holders:
        rows = row_map(mdata, name)
        column = single_column(mdata.mod[name].obs, key, f"mdata[{name!r}].obs")
        cells = np.flatnonzero(rows >= 0)
        cells = cells[column.notna().to_numpy()[rows[cells]]]
        new = _boxed(column)[rows[cells]]
        told = np.flatnonzero(origin[cells] != "")
        differ = told[differing(values[cells[told]], new[told])]
        if len(differ):
            i = differ[0]
            cell = cells[i]
            msg = (
                f"The {role} {key!r} differs between modalities: cell {mdata.obs_names[cell]!r} "
                f"has {values[cell]!r} in {origin[cell]!r} and {new[i]!r} in {name!r}. "
                f"Put one column {key!r} into mdata.obs."
            )
            raise DataContractError(msg)
        values[cells], origin[cells] = new, name
    return pd.Series(values, index=mdata.obs_names, name=key)


def single_column(frame: pd.DataFrame, key: str, where: str) -> "pd.Series[Any]":
    """Return a column of a frame, in which its name must stand once.

    Raises
    ------
    DataContractError
        If several columns have the name.
    """
    found = frame[key]
    if isinstance(found, pd.DataFrame):
        count = "two" if found.shape[1] == 2 else found.shape[1]
        msg = (
            f"{where} has {count} columns {key!r}. Keep the first of each name: "
            f"{where} = {where}.loc[:, ~{where}.columns.duplicated()]."
        )
        raise DataContractError(msg)
    return pd.Series(found)


def _boxed(column: "pd.Series[Any]") -> NDArray[np.object_]:
    """Return the values as objects that keep their precision, which astype(object) loses."""
    return np.fromiter(column.array, dtype=object, count=len(column))


def _holders(mdata: MuData, key: str) -> list[str]:
    return [name for name, adata in mdata.mod.items() if key in adata.obs.columns]


def _no_column(mdata: MuData, key: str, role: str) -> DataContractError:
    found = {"mdata.obs": list(mdata.obs.columns)}
    found |= {f"mdata[{name!r}].obs": list(adata.obs.columns) for name, adata in mdata.mod.items()}
    options = [str(column) for columns in found.values() for column in columns]
    places = "; ".join(f"{where} has {listed(names, limit=20)}" for where, names in found.items())
    return DataContractError(
        f"The {role} {key!r} is no column of obs. {places}." + did_you_mean(key, options)
    )


def categorical_layout(mdata: MuData, key: str, role: str) -> CategoricalLayout:
    """Read the categories of a column: the order of a pandas categorical, else sorted.

    Raises
    ------
    DataContractError
        If the column is missing, or has no value for some cell.
    """
    column = obs_column(mdata, key, role=role)
    found = require_all(distinct(column), column, key, role)
    return CategoricalLayout(key, found.categories(key, role))


def labels_layout(mdata: MuData, key: str, *, may_be_empty: bool = False) -> CategoricalLayout:
    """Read the label column, in which cells may have no value.

    Raises
    ------
    DataContractError
        If the column is missing, or has no value at all.
    """
    role = "labels key"
    categories = distinct(obs_column(mdata, key, role=role)).categories(key, role)
    if not categories and not may_be_empty:
        msg = f"The labels key {key!r} has no value for any cell."
        raise DataContractError(msg)
    return CategoricalLayout(key, categories)


def category_codes(mdata: MuData, layout: CategoricalLayout, role: str) -> NDArray[np.int64]:
    """Return the code of every cell in a registered column.

    Raises
    ------
    DataContractError
        If the column is missing, has no value for some cell, or a value that was not registered.
    """
    if layout.key is None:
        return np.zeros(mdata.n_obs, dtype=np.int64)
    return codes_of(obs_column(mdata, layout.key, role=role), layout, role)


def codes_of(column: "pd.Series[Any]", layout: CategoricalLayout, role: str) -> NDArray[np.int64]:
    """Return the code of every value of a column.

    Raises
    ------
    DataContractError
        If a value is missing, or was not registered.
    """
    found = require_all(distinct(column), column, str(layout.key), role)
    found.categories(str(layout.key), role)
    codes = found.codes(layout.categories)
    unseen = dict.fromkeys(found.texts[i] for i in np.unique(found.rows[codes == UNKNOWN]))
    if unseen:
        msg = (
            f"The {role} {layout.key!r} has values that were not in the training data: "
            f"{listed(unseen)}. Known: {listed(layout.categories, limit=20)}. Use a known value, "
            "or train with these cells."
        )
        raise DataContractError(msg)
    return codes


def label_codes(mdata: MuData, layout: CategoricalLayout) -> NDArray[np.int64]:
    """Return the label code of every cell, `UNKNOWN` where it has no registered label."""
    key = str(layout.key)
    if key not in mdata.obs.columns and not _holders(mdata, key):
        return np.full(mdata.n_obs, UNKNOWN, dtype=np.int64)
    return distinct(obs_column(mdata, key, role="labels key")).codes(layout.categories)


def continuous_values(mdata: MuData, key: str) -> NDArray[np.float64]:
    """Return a continuous covariate of every cell, as it is.

    Raises
    ------
    DataContractError
        If the column is missing, holds no numbers, or a value is missing or infinite.
    """
    return numbers_of(obs_column(mdata, key, role="continuous covariate"), key)


def continuous_layout(mdata: MuData, key: str) -> ContinuousLayout:
    """Read mean and standard deviation of a continuous covariate (1 where it is constant).

    Raises
    ------
    DataContractError
        If the column is missing, or not finite everywhere.
    """
    values = continuous_values(mdata, key)
    std = float(values.std())
    return ContinuousLayout(key, float(values.mean()), std if std > 0 else 1.0)

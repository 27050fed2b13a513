"""Columns of ``obs``: the one lookup, globally or in the modalities, and their codes or numbers."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.contract.columns.category import UNKNOWN, differing, distinct, require_all
from hzau_omics.data.contract.columns.numeric import numbers_of
from hzau_omics.data.contract.layout import CategoricalLayout, ContinuousLayout
from hzau_omics.data.contract.presence import ABSENT, row_map
from hzau_omics.errors import DataContractError
from hzau_omics.messages import did_you_mean, listed

_ALSO = {
    "batch key": "; or give a MuData with new batches to a method of the model (mdata=...), which "
    "takes them if the model was set up with batch_key"
}
"""What else can be done about unseen values of a column."""


def obs_column(mdata: MuData, key: str, *, role: str = "column") -> "pd.Series[Any]":
    """Return a column for every cell of the MuData.

    ``mdata.obs`` comes first. A key that is absent there is looked up in the ``obs`` of every
    modality, and the values are merged per cell.

    Parameters
    ----------
    mdata
        The data; not changed.
    key
        Name of the column; ``"rna:note"`` asks for the column ``"note"`` of modality ``"rna"``.
    role
        What the column is used for, for messages ("batch key").

    Returns
    -------
    pandas.Series
        One value per cell, in the order of ``mdata.obs_names``; missing where no modality of the
        cell has one. Merged values are categorical only where all modalities have the same
        categories in the same order.

    Raises
    ------
    DataContractError
        If there is no such column, several have its name, or two modalities disagree about a cell.
    """
    if key in mdata.obs.columns:
        return single_column(mdata.obs, key, "mdata.obs")
    holders = _holders(mdata, key)
    if not holders:
        raise _no_column(mdata, key, role)
    values = np.full(mdata.n_obs, None, dtype=object)
    origin = np.full(mdata.n_obs, "", dtype=object)
    dtypes = []
    for name, own_key in holders:
        rows = row_map(mdata, name)
        column = single_column(mdata.mod[name].obs, own_key, f"mdata[{name!r}].obs")
        dtypes.append(column.dtype)
        cells = np.flatnonzero(rows != ABSENT)
        cells = cells[column.notna().to_numpy()[rows[cells]]]
        new = _boxed(column)[rows[cells]]
        known = np.flatnonzero(origin[cells] != "")
        differ = known[differing(values[cells[known]], new[known])]
        if len(differ):
            i = differ[0]
            cell = cells[i]
            options = [f"{modality}:{key}" for modality, _ in holders]
            msg = (
                f"The {role} {key!r} differs between modalities: cell {mdata.obs_names[cell]!r} "
                f"has {values[cell]!r} in {origin[cell]!r} and {new[i]!r} in {name!r}. "
                f"Choose one of {listed(options)}, or put one column {key!r} into mdata.obs."
            )
            raise DataContractError(msg)
        values[cells], origin[cells] = new, name
    merged = pd.Series(values, index=mdata.obs_names, name=key)
    shared = _shared_categories(dtypes)
    return merged if shared is None else merged.astype(shared)


def single_column(frame: pd.DataFrame, key: str, where: str) -> "pd.Series[Any]":
    """Return a column of a data frame in which its name occurs once.

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


def _shared_categories(dtypes: list[Any]) -> pd.CategoricalDtype | None:
    """Return the type of categorical columns with the same categories in the same order."""
    first = dtypes[0]
    # Dtypes of unordered categories are equal in any order, and the order is what the user chose.
    same = isinstance(first, pd.CategoricalDtype) and all(
        dtype == first and dtype.categories.equals(first.categories) for dtype in dtypes
    )
    return first if same else None


def _boxed(column: "pd.Series[Any]") -> NDArray[np.object_]:
    """Return the values as objects of their own type; ``astype(object)`` loses the precision."""
    return np.fromiter(column.array, dtype=object, count=len(column))


def _holders(mdata: MuData, key: str) -> list[tuple[str, str]]:
    """Return the modalities with a column, and its name in their ``obs``."""
    named = [(name, key) for name, adata in mdata.mod.items() if key in adata.obs.columns]
    if named or not isinstance(key, str):
        return named
    return [
        (name, own_key)
        for name, adata in mdata.mod.items()
        if key.startswith(f"{name}:")
        and (own_key := key.removeprefix(f"{name}:")) in adata.obs.columns
    ]


def _has_column(mdata: MuData, key: str) -> bool:
    """Return whether a column is in ``mdata.obs`` or in the ``obs`` of a modality."""
    return key in mdata.obs.columns or bool(_holders(mdata, key))


def _no_column(mdata: MuData, key: str, role: str) -> DataContractError:
    own = [f"{name}:{column}" for name, adata in mdata.mod.items() for column in adata.obs.columns]
    # A column of modalities is found by its own name, too.
    plain = dict.fromkeys(str(column) for one in mdata.mod.values() for column in one.obs.columns)
    options = [*map(str, mdata.obs.columns), *plain, *own]
    return DataContractError(
        f"The {role} {key!r} is not a column of obs. mdata.obs has "
        f"{listed(mdata.obs.columns, limit=20)}; the modalities have {listed(own, limit=20)}."
        + did_you_mean(key, options)
    )


def categorical_layout(mdata: MuData, key: str, role: str) -> CategoricalLayout:
    """Read the categories of a column: the order of a pandas categorical, else sorted.

    Raises
    ------
    DataContractError
        If the column is missing, or a cell has no value.
    """
    column = obs_column(mdata, key, role=role)
    values = require_all(distinct(column), column, key, role)
    return CategoricalLayout(key, values.categories(key, role))


def labels_layout(
    mdata: MuData, key: str, *, without: Collection[str] = (), may_be_empty: bool = False
) -> CategoricalLayout:
    """Read the label column, in which cells may have no value; values `without` are none, too.

    Raises
    ------
    DataContractError
        If the column is missing, or has no value at all.
    """
    role = "labels key"
    found = distinct(obs_column(mdata, key, role=role)).categories(key, role)
    categories = tuple(one for one in found if one not in without)
    if not categories and not may_be_empty:
        msg = (
            f"The labels key needs a label for at least one cell. Every value of {key!r} is "
            "missing or that of cells without a label: leave labels_key out, or fill in labels."
        )
        raise DataContractError(msg)
    return CategoricalLayout(key, categories, unlabeled=tuple(without))


def category_codes(mdata: MuData, layout: CategoricalLayout, role: str) -> NDArray[np.int64]:
    """Return the code of every cell in a registered column.

    Raises
    ------
    DataContractError
        If the column is missing, a cell has no value, or a value was not registered.
    """
    if layout.key is None or (layout.optional and not _has_column(mdata, layout.key)):
        return np.zeros(mdata.n_obs, dtype=np.int64)
    return codes_of(obs_column(mdata, layout.key, role=role), layout, role)


def codes_of(column: "pd.Series[Any]", layout: CategoricalLayout, role: str) -> NDArray[np.int64]:
    """Return the code of every value of a column.

    Raises
    ------
    DataContractError
        If a value is missing, or was not registered.
    """
    values = require_all(distinct(column), column, str(layout.key), role)
    values.categories(str(layout.key), role)  # refuses different values that read alike
    codes = values.codes(layout.categories)
    unseen = dict.fromkeys(values.texts[i] for i in np.unique(values.rows[codes == UNKNOWN]))
    if unseen:
        msg = (
            f"The {role} {layout.key!r} has values that were not in the training data: "
            f"{listed(unseen)}. Known: {listed(layout.categories, limit=20)}. Use a known value, "
            f"or train with these cells{_ALSO.get(role, '')}."
        )
        raise DataContractError(msg)
    return codes


def label_codes(mdata: MuData, layout: CategoricalLayout) -> NDArray[np.int64]:
    """Return the label code of every cell, `UNKNOWN` where it has no registered label."""
    key = str(layout.key)
    if not _has_column(mdata, key):
        return np.full(mdata.n_obs, UNKNOWN, dtype=np.int64)
    return distinct(obs_column(mdata, key, role="labels key")).codes(layout.categories)


def continuous_values(mdata: MuData, key: str) -> NDArray[np.float64]:
    """Return a continuous covariate of every cell, not standardised.

    Raises
    ------
    DataContractError
        If the column is missing, holds no numbers, or a value is missing or infinite.
    """
    return numbers_of(obs_column(mdata, key, role="continuous covariate"), key)


def continuous_layout(mdata: MuData, key: str) -> ContinuousLayout:
    """Return mean and standard deviation of a continuous covariate.

    The standard deviation of a constant covariate is taken as 1.

    Raises
    ------
    DataContractError
        If the column is missing, or a value is not a finite number.
    """
    values = continuous_values(mdata, key)
    std = float(values.std())
    return ContinuousLayout(key, float(values.mean()), std if std > 0 else 1.0)

"""Columns of ``obs``: found globally or in the modalities, turned into codes or numbers."""

from typing import Any

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.layout import CategoricalLayout, ContinuousLayout
from hzau_omics.data.messages import did_you_mean, listed
from hzau_omics.data.presence import row_map
from hzau_omics.errors import DataContractError

UNKNOWN = -1


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
        return pd.Series(mdata.obs[key])
    holders = _holders(mdata, key)
    if not holders:
        raise _no_column(mdata, key, role)
    values = np.full(mdata.n_obs, None, dtype=object)
    origin = np.full(mdata.n_obs, "", dtype=object)
    for name in holders:
        rows = row_map(mdata, name)
        column = mdata.mod[name].obs[key]
        cells = np.flatnonzero(rows >= 0)
        cells = cells[column.notna().to_numpy()[rows[cells]]]
        new = column.astype(object).to_numpy()[rows[cells]]
        clash = (origin[cells] != "") & (values[cells] != new)
        if clash.any():
            cell = cells[np.flatnonzero(clash)[0]]
            msg = (
                f"The {role} {key!r} differs between modalities: cell {mdata.obs_names[cell]!r} "
                f"has {values[cell]!r} in {origin[cell]!r} and "
                f"{new[np.flatnonzero(clash)[0]]!r} in {name!r}. "
                f"Put one column {key!r} into mdata.obs."
            )
            raise DataContractError(msg)
        values[cells], origin[cells] = new, name
    return pd.Series(values, index=mdata.obs_names, name=key)


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


def as_text(column: "pd.Series[Any]", key: str, role: str) -> NDArray[np.object_]:
    """Return the values as text; whole numbers lose their decimal point.

    Raises
    ------
    DataContractError
        If a value is missing; the message names the first cells.
    """
    missing = column.isna().to_numpy()
    if missing.any():
        cells = column.index[missing]
        msg = (
            f"The {role} {key!r} must have a value for every cell; {len(cells)} have none: "
            f"{listed(cells)}. Fill it in, or remove these cells."
        )
        raise DataContractError(msg)
    return _to_text(column)


def _to_text(column: "pd.Series[Any]") -> NDArray[np.object_]:
    def text(value: object) -> str:
        whole = isinstance(value, float | np.floating) and float(value).is_integer()
        return str(int(value)) if whole else str(value)  # type: ignore[call-overload]

    codes, values = pd.factorize(column.astype(object), use_na_sentinel=True)
    texts = np.asarray([*(text(value) for value in values), None], dtype=object)
    return np.asarray(texts[codes], dtype=object)


def categorical_layout(mdata: MuData, key: str, role: str) -> CategoricalLayout:
    """Read the categories of a column: the order of a pandas categorical, else sorted.

    Raises
    ------
    DataContractError
        If the column is missing, or has no value for some cell.
    """
    column = obs_column(mdata, key, role=role)
    found = set(as_text(column, key, role))
    return CategoricalLayout(key, _ordered(column, found))


def labels_layout(mdata: MuData, key: str, *, may_be_empty: bool = False) -> CategoricalLayout:
    """Read the label column, in which cells may have no value.

    Raises
    ------
    DataContractError
        If the column is missing, or has no value at all.
    """
    column = obs_column(mdata, key, role="labels key")
    found = {value for value in _to_text(column) if value is not None}
    if not found and not may_be_empty:
        msg = f"The labels key {key!r} has no value for any cell."
        raise DataContractError(msg)
    return CategoricalLayout(key, _ordered(column, found))


def _ordered(column: "pd.Series[Any]", found: set[str]) -> tuple[str, ...]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        order = _to_text(pd.Series(column.cat.categories))
    else:
        values = [value for value in pd.unique(column) if not pd.isna(value)]
        numeric = all(isinstance(value, int | float | np.number) for value in values)
        ranked = sorted(values) if numeric else sorted(values, key=str)
        order = _to_text(pd.Series(ranked, dtype=object))
    return tuple(dict.fromkeys(value for value in order if value in found))


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
    values = as_text(column, str(layout.key), role)
    codes = pd.Index(layout.categories).get_indexer(pd.Index(values, dtype=object))
    unseen = dict.fromkeys(values[codes == UNKNOWN])
    if unseen:
        msg = (
            f"The {role} {layout.key!r} has values that were not in the training data: "
            f"{listed(unseen)}. Known: {listed(layout.categories, limit=20)}. Use a known value, "
            "or train with these cells."
        )
        raise DataContractError(msg)
    return np.asarray(codes, dtype=np.int64)


def label_codes(mdata: MuData, layout: CategoricalLayout) -> NDArray[np.int64]:
    """Return the label code of every cell, `UNKNOWN` where it has no registered label."""
    key = str(layout.key)
    if key not in mdata.obs.columns and not _holders(mdata, key):
        return np.full(mdata.n_obs, UNKNOWN, dtype=np.int64)
    values = pd.Index(_to_text(obs_column(mdata, key, role="labels key")), dtype=object)
    return np.asarray(pd.Index(layout.categories).get_indexer(values), dtype=np.int64)


def continuous_values(mdata: MuData, key: str) -> NDArray[np.float64]:
    """Return a continuous covariate of every cell, as it is.

    Raises
    ------
    DataContractError
        If the column is missing, holds no numbers, or a value is missing or infinite.
    """
    role = "continuous covariate"
    column = obs_column(mdata, key, role=role)
    try:
        values = pd.to_numeric(column.astype(object)).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        msg = (
            f"The {role} {key!r} must hold numbers, it has {column.dtype}. A column of names "
            "belongs into categorical_covariate_keys."
        )
        raise DataContractError(msg) from None
    bad = ~np.isfinite(values)
    if bad.any():
        msg = (
            f"The {role} {key!r} must be finite for every cell; it is not for {int(bad.sum())}: "
            f"{listed(column.index[bad])}. Fill it in, or remove these cells."
        )
        raise DataContractError(msg)
    return np.asarray(values)


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

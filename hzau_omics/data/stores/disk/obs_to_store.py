"""The ``obs`` of a store: every column that zarr can hold, and all that are registered."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.contract.columns.obs import (
    category_codes,
    continuous_values,
    label_codes,
    obs_column,
)
from hzau_omics.data.contract.layout import DataLayout
from hzau_omics.data.contract.register import Registered
from hzau_omics.data.stores.disk.obs_from_store import presence_column
from hzau_omics.errors import DataContractError, HzauWarning
from hzau_omics.messages import listed

LONGEST = 200
"""Bytes of a name that every file system accepts."""


def stored_obs(
    mdata: MuData,
    registered: Registered,
    seen: Mapping[str, NDArray[Any]],
    names: Iterable[str],
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the ``obs`` of a store, and the proper names of columns that had to be renamed.

    Parameters
    ----------
    mdata
        The cells; not changed.
    registered
        What is registered of them.
    seen
        Columns that a model sees, from `model_columns`.
    names
        Modalities of the store, each of which gets a column that says which cells have it.

    Returns
    -------
    pandas.DataFrame
        The columns, one row per cell.
    dict
        Stored name -> proper name, for columns whose name zarr cannot hold.

    Raises
    ------
    DataContractError
        A column has a name that the store needs.
    """
    needed = _labels(mdata, registered.layout) | dict(seen)
    columns: dict[str, Any] = {}
    renamed: dict[str, str] = {}
    lost = []
    for key in dict.fromkeys([*mdata.obs.columns, *needed]):
        column = (
            _registered(mdata, key, needed[key]) if key in needed else _holdable(mdata.obs[key])
        )
        if column is None or not isinstance(key, str):
            lost.append(f"{key} ({getattr(mdata.obs[key], 'dtype', 'more than one')})")
            continue
        name = key if _is_plain(key) else f"_column_{len(columns)}"
        columns[name] = column
        if name != key:
            renamed[name] = key
    if lost:
        warnings.warn(
            f"{len(lost)} columns of obs have a type that a store cannot hold, and are left "
            f"out: {listed(lost, limit=20)}. To keep one, convert it to text or numbers, for "
            "example mdata.obs[key] = mdata.obs[key].astype(str).",
            HzauWarning,
            stacklevel=5,
        )
    for name in names:
        if presence_column(name) in mdata.obs:
            msg = (
                f"A store keeps in obs[{presence_column(name)!r}] which cells have modality "
                f"{name!r}. The MuData has a column of this name: rename it."
            )
            raise DataContractError(msg)
        rows = registered.rows.get(name)
        columns[presence_column(name)] = (
            np.zeros(mdata.n_obs, dtype=bool) if rows is None else rows >= 0
        )
    index = pd.Index(np.asarray(mdata.obs_names, dtype=object), dtype="str")
    held = {name: getattr(column, "array", column) for name, column in columns.items()}
    return pd.DataFrame(held, index=index), renamed


def model_columns(mdata: MuData, layout: DataLayout) -> dict[str, NDArray[Any]]:
    """Return the columns that a model sees, as it reads them: texts, or numbers."""
    columns: dict[str, NDArray[Any]] = {}
    for covariate in layout.continuous_covariates:
        columns[covariate.key] = continuous_values(mdata, covariate.key)
    for column in (layout.batch, *layout.categorical_covariates):
        if column.key is not None:
            codes = category_codes(mdata, column, "column")
            columns[column.key] = np.asarray(column.categories, dtype=object)[codes]
    return columns


def _labels(mdata: MuData, layout: DataLayout) -> dict[str, NDArray[Any]]:
    """Return the label of every cell, None where it has none."""
    if layout.labels is None:
        return {}
    # The code of a missing label is -1, the position of the last entry.
    texts = np.asarray([*layout.labels.categories, None], dtype=object)
    return {str(layout.labels.key): texts[label_codes(mdata, layout.labels)]}


def _registered(mdata: MuData, key: str, values: NDArray[Any]) -> "pd.Series[Any]":
    """Return a registered column as it is, or as a model reads it if zarr would change it."""
    column = _holdable(obs_column(mdata, key), exactly=True)
    if column is not None:
        return column
    taken = pd.Series(values)
    return taken if values.dtype.kind == "f" else taken.astype("category")


def _holdable(column: Any, *, exactly: bool = False) -> "pd.Series[Any] | None":
    """Return a column in a type that zarr can hold, None if it cannot (or not `exactly`)."""
    try:
        if pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column):
            column = column.astype("category")
        elif isinstance(column.dtype, pd.Float32Dtype | pd.Float64Dtype):
            column = column.astype(column.dtype.type)
        if _is_well_known(column.dtype):
            return pd.Series(column)
        few = column.drop_duplicates() if exactly else column.iloc[:1]
        if isinstance(few.dtype, pd.CategoricalDtype):
            few = few.cat.remove_unused_categories()
        back = _through_zarr(few)
    except Exception:  # noqa: BLE001 - any type that zarr, anndata or pandas cannot handle
        return None
    if exactly and few.dropna().tolist() != back.dropna().tolist():
        return None
    return pd.Series(column)


def _is_well_known(dtype: Any) -> bool:
    """Return whether columns of a type are known to be unchanged by zarr; others are tried out."""
    if isinstance(dtype, pd.CategoricalDtype):
        kind = pd.api.types.infer_dtype(dtype.categories, skipna=False)
        return kind in ("string", "empty") or _is_well_known(dtype.categories.dtype)
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf" and dtype.itemsize <= 8


def _through_zarr(column: "pd.Series[Any]") -> "pd.Series[Any]":
    import zarr
    from anndata.io import read_elem, write_elem

    group = zarr.open_group(zarr.storage.MemoryStore(), mode="w", zarr_format=3)
    index = pd.RangeIndex(len(column)).astype(str)
    write_elem(group, "obs", pd.DataFrame({"column": column.array}, index=index))
    return pd.Series(read_elem(group["obs"])["column"])


def _is_plain(name: str) -> bool:
    """Return whether zarr and any file system accept a name, and the store does not use it."""
    own = ("_column_", ".", "__")
    return (
        bool(name.strip())
        and not name.startswith(own)
        and name not in ("_index", "zarr.json")
        and not set(name) & set('/\\:*?"<>|\0')
        and len(name.encode()) <= LONGEST
    )

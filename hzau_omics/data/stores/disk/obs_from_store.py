"""Columns of ``obs`` of a store, concatenated over its pieces."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hzau_omics.data.contract.columns.numeric import numbers_of
from hzau_omics.data.contract.columns.obs import codes_of
from hzau_omics.data.contract.layout import CategoricalLayout, DataLayout
from hzau_omics.data.stores.base import CellTable
from hzau_omics.data.stores.disk.manifest import Manifest
from hzau_omics.data.stores.memory import stack_columns
from hzau_omics.errors import DataContractError
from hzau_omics.messages import did_you_mean, listed

NAMES = "hzau_omics_names"
"""Attribute with the proper names of columns that had to be renamed: stored name -> name."""


class ObsColumns:
    """The ``obs`` of a store, read column by column.

    Parameters
    ----------
    folder
        The store.
    manifest
        Its manifest.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        import zarr

        root = zarr.open_group(folder, mode="r")
        self._folder = folder
        self._manifest = manifest
        self._groups = [root[f"dataset_{i}"]["obs"] for i in range(len(manifest.pieces))]

    @property
    def names_of_columns(self) -> list[str]:
        """Columns of the MuData, in the order of their first occurrence."""
        own = {presence_column(name) for name in self._manifest.columns}
        found = [key for group in self._groups for key in _stored_names(group)]
        return [key for key in dict.fromkeys(found) if key not in own]

    def names(self) -> pd.Index:
        """Return the names of the cells."""
        parts = [self._read(group, group.attrs["_index"]) for group in self._groups]
        names = np.concatenate([np.asarray(part, dtype=object) for part in parts])
        index: pd.Index[str] = pd.Index(names, dtype="str")
        return index

    def column(self, key: str) -> "pd.Series[Any]":
        """Return a column; it is missing for cells of pieces that lack it.

        Raises
        ------
        DataContractError
            No piece has the column.
        """
        return _joined(list(self._parts(key)))

    def read[T: np.generic](
        self, key: str, reader: Callable[["pd.Series[Any]"], NDArray[T]]
    ) -> NDArray[T]:
        """Read a column piece by piece, since pieces may hold its values in different types.

        Raises
        ------
        DataContractError
            No piece has the column, or the reader refuses a value.
        """
        parts = list(self._parts(key))
        try:
            return np.concatenate([reader(part) for part in parts])
        except DataContractError:
            # Cell names are read only now, for the message.
            names, start = self.names(), 0
            for part in parts:
                part.index = names[start : start + len(part)]
                start += len(part)
                reader(part)
            raise

    def _parts(self, key: str) -> Iterator["pd.Series[Any]"]:
        known = self.names_of_columns
        if key not in known:
            msg = (
                f"The store {self._folder} has no column {key!r} in obs. It has "
                f"{listed(known, limit=20)}." + did_you_mean(key, known)
            )
            raise DataContractError(msg)
        for group, n_cells in zip(self._groups, self._manifest.pieces, strict=True):
            stored = _stored_names(group).get(key)
            missing = np.full(n_cells, None, dtype=object)
            yield pd.Series(missing if stored is None else self._read(group, stored), name=key)

    def present(self, modality: str) -> NDArray[np.bool_]:
        """Return which cells have a modality."""
        if modality not in self._manifest.columns:
            return np.zeros(self._manifest.n_cells, dtype=bool)
        key = presence_column(modality)
        parts = [self._read(group, key) for group in self._groups]
        return np.concatenate(parts).astype(bool)

    def _read(self, group: Any, key: str) -> Any:
        from anndata.io import read_elem

        try:
            return read_elem(group[key])
        except Exception as error:
            msg = (
                f"Column {key!r} of the store {self._folder} cannot be read: {error}. Restore the "
                "store from a copy, or write it again."
            )
            raise DataContractError(msg) from error


def _stored_names(group: Any) -> dict[str, str]:
    """Return the proper name of each column -> its name in the group."""
    proper = group.attrs.get(NAMES, {})
    return {proper.get(key, key): key for key in group.attrs["column-order"]}


def _joined(parts: "list[pd.Series[Any]]") -> "pd.Series[Any]":
    """Concatenate the parts of a column; different categories are united."""
    categorical = [isinstance(part.dtype, pd.CategoricalDtype) for part in parts]
    if not any(categorical):
        return pd.concat(parts, ignore_index=True)
    if all(part.dtype == parts[0].dtype for part in parts):
        return pd.concat(parts, ignore_index=True)
    values = pd.concat([part.astype(object) for part in parts], ignore_index=True)
    return values.where(values.notna(), None).astype(
        pd.CategoricalDtype(list(dict.fromkeys(values.dropna())))
    )


def code_table(obs: ObsColumns, layout: DataLayout) -> CellTable:
    """Return presence, batch and covariates of every cell in the codes of a layout.

    Raises
    ------
    DataContractError
        A column is missing, or has values that were not registered.
    """
    present = np.stack([obs.present(name) for name in layout.names], axis=1)
    n_cells = len(present)
    batch = np.zeros(n_cells, dtype=np.int32)
    optional = layout.batch.optional and layout.batch.key not in obs.names_of_columns
    if layout.batch.key is not None and not optional:
        batch = _codes(obs, layout.batch, "batch key")
    return CellTable(
        present=present,
        batch=batch,
        categorical=stack_columns(
            [_codes(obs, c, "categorical covariate") for c in layout.categorical_covariates],
            n_cells,
            np.int32,
        ),
        continuous=stack_columns(
            [c.standardise(_numbers(obs, c.key)) for c in layout.continuous_covariates],
            n_cells,
            np.float32,
        ),
    )


def _numbers(obs: ObsColumns, key: str) -> NDArray[np.float64]:
    return obs.read(key, lambda part: numbers_of(part, key))


def presence_column(name: str) -> str:
    """Name the column of ``obs`` that says which cells have a modality."""
    return f"_has_{name}"


def _codes(obs: ObsColumns, column: CategoricalLayout, role: str) -> NDArray[np.int32]:
    codes = obs.read(str(column.key), lambda part: codes_of(part, column, role))
    return codes.astype(np.int32)

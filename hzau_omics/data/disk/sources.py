"""Reading an ``.h5mu`` file piece by piece, so that it need not fit into memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata import AnnData
from anndata.io import read_elem, sparse_dataset
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.presence import check_observed
from hzau_omics.errors import DataContractError


def read_pieces(path: Path, *, size: int) -> Iterator[MuData]:
    """Yield the cells of a file in order, `size` at a time, with ``obs``, ``X`` and layers.

    Raises
    ------
    DataContractError
        If the file cannot be read as a MuData.
    FileNotFoundError
        If there is no such file.
    """
    if not path.is_file():
        msg = f"no file {path}"
        raise FileNotFoundError(msg)
    try:
        with h5py.File(path, "r") as file:
            yield from _pieces(file, size)
    except (OSError, KeyError) as error:
        msg = f"Cannot read {path} as a MuData: {error}. Give an .h5mu file of MuData.write."
        raise DataContractError(msg) from error


def _pieces(file: h5py.File, size: int) -> Iterator[MuData]:
    obs: pd.DataFrame = read_elem(file["obs"])
    names = list(file["mod"].attrs.get("mod-order", file["mod"].keys()))
    rows = {name: np.asarray(file["obsmap"][name]).reshape(-1).astype(np.int64) for name in names}
    frames = {name: _frames(file["mod"][name]) for name in names}
    for start in range(0, len(obs), size):
        part = slice(start, start + size)
        held = {name: row[part][row[part] > 0] - 1 for name, row in rows.items()}
        modalities = {
            name: _read_rows(file["mod"][name], *frames[name], held[name])
            for name in names
            if len(held[name])
        }
        wanted = obs.index[part]
        nothing = np.all([row[part] == 0 for row in rows.values()], axis=0)
        check_observed(~nothing[:, None], wanted, names)
        piece = MuData(modalities)
        if not piece.obs_names.equals(wanted):
            # A MuData orders the cells of a mosaic as it likes; a subset of it as asked.
            piece = piece[wanted].copy()
        for column in obs.columns:
            piece.obs[column] = obs[column].iloc[part].to_numpy()
        yield piece


def _frames(group: h5py.Group) -> tuple[pd.DataFrame, pd.DataFrame]:
    return read_elem(group["obs"]), read_elem(group["var"])


def _read_rows(
    group: h5py.Group, obs: pd.DataFrame, var: pd.DataFrame, rows: NDArray[np.int64]
) -> AnnData:
    layers = {key: _matrix(group["layers"][key], rows) for key in group.get("layers", {})}
    values = _matrix(group["X"], rows) if "X" in group else None
    return AnnData(values, obs=obs.iloc[rows], var=var, layers=layers)


def _matrix(node: h5py.Group | h5py.Dataset, rows: NDArray[np.int64]) -> Any:
    """Read rows in the order asked for; files want them in ascending order."""
    order = np.argsort(rows, kind="stable")
    back = np.argsort(order, kind="stable")
    ascending = rows[order]
    first, last = int(ascending[0]), int(ascending[-1]) + 1
    if node.attrs.get("encoding-type") == "csc_matrix":
        return read_elem(node).tocsr()[rows]
    stored = node if isinstance(node, h5py.Dataset) else sparse_dataset(node)
    return stored[first:last][ascending - first][back]

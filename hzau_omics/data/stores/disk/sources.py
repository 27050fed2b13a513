"""Cells that are written into a store, in memory or in a file: first their columns, then values.

From a file only what is registered is read, so that the file need not fit into memory, and may hold
elements that cannot be read.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from anndata.io import read_elem
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.contract.matrix import pick_matrix, read_matrix
from hzau_omics.data.contract.presence import check_container
from hzau_omics.data.contract.uns_text import UNS_KEY
from hzau_omics.data.stores.disk.row_readers import Rows, rows_of
from hzau_omics.errors import DataContractError, HzauWarning
from hzau_omics.messages import listed


class Source(Protocol):
    """Cells to be written."""

    @property
    def mdata(self) -> MuData:
        """Names, columns and text records; without values if the source is a file."""

    def values(self, name: str, layer: str | None) -> Rows:
        """Return the reader of a modality's values.

        Raises
        ------
        DataContractError
            If there are none, or they are not numbers.
        """

    def in_full(self, name: str, rows: NDArray[np.int64]) -> AnnData:
        """Return rows of a modality with all layers, for a message that may name one."""


@dataclass(frozen=True)
class Wanted:
    """What is read from a file.

    Attributes
    ----------
    names
        Modalities.
    keys
        Columns of ``obs``, global or of the modalities.
    panels
        Whether to read columns of ``var``.
    """

    names: Sequence[str]
    keys: Sequence[str]
    panels: bool


@contextmanager
def open_source(given: MuData | str | Path, wanted: Wanted) -> Iterator[Source]:
    """Open cells to be written.

    Raises
    ------
    TypeError
        If they are neither a MuData nor a path.
    DataContractError
        If the file cannot be read as a MuData.
    FileNotFoundError
        If there is no such file.
    """
    if not isinstance(given, str | Path):
        yield _InMemory(check_container(given))
        return
    path = Path(given)
    if path.is_dir():
        msg = (
            f"The path must name an .h5mu file. Received the folder {path}. Read it as a MuData "
            "first, for example mudata.read_zarr(path)."
        )
        raise DataContractError(msg)
    if not path.is_file():
        msg = f"There is no file {path}. Check the path."
        raise FileNotFoundError(msg)
    with _blaming(path):
        file = h5py.File(path, "r")
    with file:
        with _blaming(path):
            mdata = _without_values(file, wanted)
        yield _InFile(path, file, check_container(mdata))


@dataclass(frozen=True)
class _InMemory:
    mdata: MuData

    def values(self, name: str, layer: str | None) -> Rows:
        adata = self.mdata.mod[name]
        found = pick_matrix(adata.X, adata.layers, name, layer)
        if isinstance(found, np.ndarray) or sp.issparse(found):
            found = read_matrix(adata, name, layer)
        # Anything else may be a matrix in the file of a backed MuData.
        return rows_of(found, name, layer)

    def in_full(self, name: str, rows: NDArray[np.int64]) -> AnnData:
        return self.mdata.mod[name][rows].to_memory()


@dataclass(frozen=True)
class _InFile:
    path: Path
    file: h5py.File
    mdata: MuData

    def values(self, name: str, layer: str | None) -> Rows:
        with _blaming(self.path):
            x, layers = _matrices(self.file["mod"][name])
            return _Blaming(self.path, rows_of(pick_matrix(x, layers, name, layer), name, layer))

    def in_full(self, name: str, rows: NDArray[np.int64]) -> AnnData:
        with _blaming(self.path):
            group = self.file["mod"][name]
            x, layers = _matrices(group)
            adata = AnnData(
                None if x is None else _taken(x, name, rows),
                obs=self.mdata.mod[name].obs.iloc[rows],
                var=self.mdata.mod[name].var,
                layers={key: _taken(node, name, rows) for key, node in layers.items()},
            )
            if "raw" in group:
                adata.raw = AnnData(_taken(group["raw"]["X"], name, rows))
            return adata


def _taken(node: Any, name: str, rows: NDArray[np.int64]) -> Any:
    blocks = list(rows_of(node, name, None).blocks(rows))
    return np.concatenate(blocks) if isinstance(blocks[0], np.ndarray) else sp.vstack(blocks)


@dataclass(frozen=True)
class _Blaming:
    """A reader whose errors name the file."""

    path: Path
    reader: Rows

    @property
    def is_dense(self) -> bool:
        return self.reader.is_dense

    def blocks(self, rows: NDArray[np.int64]) -> Iterator[Any]:
        found = self.reader.blocks(rows)
        while True:
            with _blaming(self.path):
                block = next(found, None)
            if block is None:
                return
            yield block


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    try:
        yield
    except DataContractError:
        raise
    except Exception as error:
        msg = (
            f"Cannot read {path} as a MuData: {type(error).__name__}: {error}. Give an .h5mu file "
            "written by MuData.write."
        )
        raise DataContractError(msg) from error


def _without_values(file: h5py.File, wanted: Wanted) -> MuData:
    """Build the MuData of a file without values and without what is not wanted.

    It has the cell names of all modalities, since these determine which cells there are.
    """
    held = file["mod"]
    order = [_text(name) for name in held.attrs.get("mod-order", ())]
    if not order or not all(name in held for name in order):
        order = list(held)
    obs, lost = _frame(file["obs"])
    if lost:
        warnings.warn(
            f"{len(lost)} columns of obs cannot be read from {file.filename} and are left out of "
            f"the store: {listed(lost, limit=20)}. To keep one, write it to the file as text or "
            "numbers.",
            HzauWarning,
            stacklevel=6,
        )
    known: Sequence[str] | None = wanted.keys
    if any(key not in obs and not any(_has(held[m], key) for m in order) for key in wanted.keys):
        # Read all columns, since the message about a missing column lists them.
        known = None
    modalities = {
        name: _modality(held[name], known, panels=wanted.panels)
        if name in wanted.names
        else AnnData(obs=_frame(held[name]["obs"], ())[0])
        for name in order
    }
    kept: dict[str, Any] = {"obs": obs, "axis": int(file.attrs.get("axis", 0))}
    if "obsmap" in file:
        kept["obsmap"] = read_elem(file["obsmap"])
    with warnings.catch_warnings():
        # mudata warned about repeated names when the file was written.
        warnings.simplefilter("ignore")
        return MuData(modalities, **kept)


def _modality(group: h5py.Group, keys: Sequence[str] | None, *, panels: bool) -> AnnData:
    if group.attrs.get("encoding-type") == "MuData":
        msg = (
            f"Modality {Path(group.name).name!r} must be an AnnData. Received a MuData. Put the "
            "modalities that it holds into the outer MuData."
        )
        raise DataContractError(msg)
    obs = _frame(group["obs"], keys)[0]
    var = _frame(group["var"], None if panels else ())[0]
    texts = group["uns"].get(UNS_KEY) if "uns" in group else None
    uns = {} if texts is None else {UNS_KEY: read_elem(texts)}
    return AnnData(obs=obs, var=var, uns=uns)


def _frame(node: h5py.Group, keys: Sequence[str] | None = None) -> tuple[pd.DataFrame, list[str]]:
    """Read names and columns of a data frame (all for None); return columns that cannot be read."""
    if node.attrs.get("encoding-version") != "0.2.0":
        # Older files store columns in other ways, all of which anndata can read.
        whole: pd.DataFrame = read_elem(node)
        return whole if keys is None else whole[[k for k in keys if k in whole]], []
    stored = [_text(key) for key in node.attrs["column-order"]]
    frame = pd.DataFrame(index=pd.Index(read_elem(node[_text(node.attrs["_index"])])))
    columns, lost = {}, []
    for key in stored if keys is None else [key for key in stored if key in keys]:
        try:
            columns[key] = pd.Series(read_elem(node[key]), index=frame.index)
        except Exception:
            if keys is not None:
                raise
            lost.append(key)
    return frame.assign(**columns), lost


def _has(group: h5py.Group, key: str) -> bool:
    return key in group["obs"]


def _matrices(group: h5py.Group) -> tuple[Any, Mapping[str, Any]]:
    """Return the elements of ``X`` (None if it is empty) and of the layers."""
    x = group.get("X")
    if x is not None and x.attrs.get("encoding-type") == "null":
        x = None
    return x, dict(group["layers"]) if "layers" in group else {}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)

"""Cells of a store on disk, streamed as minibatches."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, override

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from hzau_omics.checks import check_integer
from hzau_omics.data.contract.align import Block
from hzau_omics.data.contract.layout import DataLayout
from hzau_omics.data.contract.presence import check_observed
from hzau_omics.data.stores.base import CellStore, CellTable, Taken
from hzau_omics.data.stores.disk.large import require_large
from hzau_omics.data.stores.disk.manifest import RESULTS, Manifest, manifest_stamp
from hzau_omics.data.stores.disk.match import Match
from hzau_omics.data.stores.disk.obs_from_store import ObsColumns, code_table
from hzau_omics.data.stores.disk.order import WINDOW, shuffled_runs
from hzau_omics.data.stores.disk.results import ResultColumns
from hzau_omics.data.stores.prefetch import prefetched
from hzau_omics.errors import DataContractError
from hzau_omics.minibatch import Minibatch

AHEAD = 32
"""Minibatches that are read ahead."""


class DiskStore(CellStore):
    """Cells on disk, of which only presence, batch and covariates are held in memory.

    Minibatches are streamed in the order given. Training uses a random order of short runs, which a
    disk can read fast; results are computed in the order of the cells.

    Parameters
    ----------
    path
        Folder that :func:`~hzau_omics.data.write_store` wrote.
    layout
        Layout to read the cells in, matched by name; None for the layout they were written with.

    Raises
    ------
    ConfigError
        The extra ``[large]`` is not installed.
    DataContractError
        The folder is not a store, is incomplete or damaged, or does not fit the layout.

    Examples
    --------
    >>> import tempfile, hzau_omics as ho
    >>> path = tempfile.mkdtemp() + "/cells.zarr"
    >>> ho.data.write_store(ho.data.simulate(60), path, {"rna": "nb", "adt": "nb"})
    >>> model = ho.model.HZAUVAE(ho.data.open_store(path), n_latent=5)
    >>> model.train(max_epochs=1, seed=0, enable_progress_bar=False, accelerator="cpu")
    >>> model.get_latent_representation().shape
    (60, 5)
    """

    def __init__(self, path: str | Path, layout: DataLayout | None = None) -> None:
        require_large()
        self.path = Path(path)
        self._stamp = manifest_stamp(self.path)
        self.manifest = Manifest.read(self.path)
        own = self.manifest.layout
        self._match = Match.of(own, layout or own, where=f"The store {self.path}")
        self._obs = ObsColumns(self.path, self.manifest)
        # It needs the extra, and models can do without.
        from hzau_omics.data.stores.disk.reader import WideReader

        self._reader = WideReader(self.path, len(self.manifest.pieces))
        table = code_table(self._obs, layout or own)
        if not table.present.any(axis=1).all():
            check_observed(table.present, self._obs.names(), (layout or own).names)
        super().__init__(layout or own, table, self._match.panels)
        self.check_unchanged()

    @property
    def fingerprint(self) -> str | None:
        """Digest of the cells in order, with their values and columns; labels are left out.

        None for a store that was written before fingerprints existed.
        """
        return self.manifest.fingerprint

    def check_unchanged(self) -> None:
        """Refuse to read from a store that was replaced since it was opened.

        Raises
        ------
        DataContractError
            The store was removed, or replaced by another one.
        """
        stamp = manifest_stamp(self.path)
        if stamp == self._stamp:
            return
        if stamp is not None and Manifest.read(self.path) == self.manifest:
            # It was replaced by a copy of itself.
            self._stamp = stamp
            return
        what = "was removed" if stamp is None else "was replaced by another one"
        msg = (
            f"The store {self.path} {what} after it was opened, so that its cells may be others. "
            "Open it again with hzau_omics.data.open_store, and pass it to the model: as mdata for "
            "results, or to load for further training."
        )
        raise DataContractError(msg)

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Refuse what was read if the store was replaced before or in the meantime."""
        self.check_unchanged()
        try:
            yield
        finally:
            # Also after an error: a store that was replaced is not a damaged one.
            self.check_unchanged()

    @override
    def aligned(self, layout: DataLayout) -> "DiskStore":
        """Return the same cells in the features and codes of another layout."""
        if layout == self.layout:
            return self
        with self._unchanged():
            return DiskStore(self.path, layout)

    @property
    @override
    def obs_names(self) -> pd.Index:
        """Names of the cells, read when first asked for."""
        return self._names

    @cached_property
    def _names(self) -> pd.Index:
        with self._unchanged():
            return self._obs.names()

    def obs(self, key: str) -> "pd.Series[Any]":
        """Return a column of ``obs`` for every cell.

        Raises
        ------
        DataContractError
            There is no such column.
        """
        with self._unchanged():
            return self._obs.column(key).set_axis(self.obs_names).rename(key)

    def obs_frame(self) -> pd.DataFrame:
        """Return all stored columns of the MuData's ``obs``, for every cell."""
        with self._unchanged():
            frame = pd.DataFrame({key: self._obs.column(key) for key in self._obs.names_of_columns})
            frame.index = self.obs_names
            return frame

    def values(self, cells: ArrayLike) -> Taken:
        """Return modality name -> float32 values (cell, feature), zeros where absent."""
        return self._take(self.positions(cells))

    @override
    def minibatches(self, cells: ArrayLike, batch_size: int) -> Iterator[Minibatch]:
        """Stream minibatches in the order given, read ahead in a thread."""
        size = check_integer("batch_size", batch_size)
        return prefetched(self._stream(self.positions(cells), size), AHEAD)

    @override
    def shuffled(self, cells: ArrayLike, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the cells in a random order of short runs."""
        self.check_unchanged()
        return shuffled_runs(self.positions(cells), rng)

    @override
    def parts(self, cells: ArrayLike) -> Iterator[tuple[CellStore, NDArray[np.int64]]]:
        """Yield windows of cells, each of which is held in memory."""
        index = self.positions(cells)
        for i, wide in enumerate(self._read(index, WINDOW)):
            chosen = index[i * WINDOW : (i + 1) * WINDOW]
            yield HeldCells(self, chosen, self._split(wide)), np.arange(len(chosen))

    @override
    def _take(self, cells: NDArray[np.int64]) -> Taken:
        if not len(cells):
            return self._split(sp.csr_array((0, self._match.n_columns), dtype=np.float32))
        return self._split(sp.vstack(list(self._read(cells, len(cells))), format="csr"))

    def _stream(self, cells: NDArray[np.int64], batch_size: int) -> Iterator[Minibatch]:
        for i, wide in enumerate(self._read(cells, batch_size)):
            yield self._assemble(cells[i * batch_size : (i + 1) * batch_size], self._split(wide))

    def _read(self, cells: NDArray[np.int64], batch_size: int) -> Iterator[sp.csr_array]:
        """Read rows of the wide matrix, and check that the store was not replaced."""
        found = self._reader.read(cells, batch_size)
        while True:
            with self._unchanged():
                wide = next(found, None)
            if wide is None:
                return
            yield wide

    def _split(self, wide: sp.csr_array) -> Taken:
        """Split a wide matrix into the modalities of the layout."""
        return self._match.split(wide, self.manifest)

    @property
    def obsm(self) -> ResultColumns:
        """Results that were written for these cells: name -> rows in the order of the cells."""
        self.check_unchanged()
        return ResultColumns(self.path / RESULTS, self.n_cells)

    def __repr__(self) -> str:
        """Describe the store."""
        shapes = ", ".join(f"{m.name} ({m.n_features} features)" for m in self.layout.modalities)
        return f"DiskStore of {self.n_cells} cells: {shapes}"


class HeldCells(CellStore):
    """Some cells of a store on disk, with their values in memory."""

    def __init__(self, store: DiskStore, cells: NDArray[np.int64], taken: Taken) -> None:
        table: CellTable = store.table.take(cells)
        panels: Mapping[str, NDArray[np.bool_] | None] = {
            name: store.feature_table(name) for name in store.layout.names
        }
        super().__init__(store.layout, table, panels)
        self._store, self._cells = store, cells
        rows = np.arange(len(cells))
        self._blocks = {name: Block(matrix, rows, panels[name]) for name, matrix in taken.items()}

    @property
    @override
    def obs_names(self) -> pd.Index:
        """Names of the cells."""
        names: pd.Index[str] = self._store.obs_names[self._cells]
        return names

    @override
    def _take(self, cells: NDArray[np.int64]) -> Taken:
        return {name: block.take(cells) for name, block in self._blocks.items()}


def open_store(path: str | Path) -> DiskStore:
    """Open a store of cells on disk.

    Parameters
    ----------
    path
        Folder that :func:`~hzau_omics.data.write_store` wrote.

    Raises
    ------
    DataContractError
        The folder is not a store, or it is incomplete or damaged.
    """
    return DiskStore(path)

"""Readers of rows of a matrix, block by block: the same for arrays in memory and in files."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import h5py
import numpy as np
import scipy.sparse as sp
from anndata.io import sparse_dataset
from numpy.typing import NDArray

from hzau_omics.data.contract.matrix import Dense, check_numbers, describe
from hzau_omics.errors import DataContractError

BLOCK = 2**23
"""Number of values that are read at a time."""


class Rows(Protocol):
    """A matrix of which some rows can be read."""

    @property
    def is_dense(self) -> bool:
        """Whether every value is stored."""

    def blocks(self, rows: NDArray[np.int64]) -> Iterator[sp.csr_array | Dense]:
        """Yield rows block by block; they are given in ascending order, each at most once."""


def rows_of(values: Any, name: str, layer: str | None) -> Rows:
    """Return the reader of a matrix in numpy, scipy, HDF5 or anndata's sparse data sets.

    Raises
    ------
    DataContractError
        If it is not a matrix of numbers.
    """
    where = describe(name, layer)
    if isinstance(values, h5py.Group):
        values = _sparse(values, where)
    if isinstance(values, np.ndarray | h5py.Dataset) and len(values.shape) == 2:
        check_numbers(values.dtype, where)
        return DenseRows(values)
    if sp.issparse(values) and values.format not in ("csr", "csc"):
        values = sp.csr_array(values)
    if getattr(values, "format", None) not in ("csr", "csc"):
        msg = (
            f"{where} must be a numpy array or a scipy sparse matrix. Received "
            f"{type(values).__name__}. Convert it, for example by scipy.sparse.csr_matrix."
        )
        raise DataContractError(msg)
    check_numbers(values.dtype, where)
    # In a file, the three arrays are data sets of a group.
    parts = values.group if hasattr(values, "group") else vars(_bare(values))
    kind = RowSparse if values.format == "csr" else ColumnSparse
    return kind(
        data=parts["data"],
        indices=parts["indices"],
        indptr=np.asarray(parts["indptr"][:], dtype=np.int64),
        shape=(int(values.shape[0]), int(values.shape[1])),
    )


def _bare(values: Any) -> Any:
    """Return a new sparse matrix around the same arrays."""
    build = sp.csr_array if values.format == "csr" else sp.csc_array
    return build((values.data, values.indices, values.indptr), shape=values.shape, copy=False)


def _sparse(group: h5py.Group, where: str) -> Any:
    try:
        return sparse_dataset(group)
    except Exception as error:
        kind = group.attrs.get("encoding-type", "unknown")
        msg = (
            f"{where} must be a dense or a sparse matrix. Received an element of type {kind!r}. "
            "Write the file again with such a matrix."
        )
        raise DataContractError(msg) from error


@dataclass(frozen=True)
class DenseRows:
    """Rows of an array."""

    values: Any
    is_dense: bool = True

    def blocks(self, rows: NDArray[np.int64]) -> Iterator[Dense]:
        """Yield rows block by block."""
        for part in _together(rows, rows * self.values.shape[1]):
            first, last = int(part[0]), int(part[-1])
            yield np.asarray(self.values[first : last + 1])[part - first]


@dataclass(frozen=True)
class RowSparse:
    """Rows of a matrix in CSR."""

    data: Any
    indices: Any
    indptr: NDArray[np.int64]
    shape: tuple[int, int]
    is_dense: bool = False

    def blocks(self, rows: NDArray[np.int64]) -> Iterator[sp.csr_array]:
        """Yield rows block by block."""
        for part in _together(rows, self.indptr[rows]):
            first, last = int(part[0]), int(part[-1])
            start, stop = int(self.indptr[first]), int(self.indptr[last + 1])
            block = sp.csr_array(
                (
                    _computable(self.data[start:stop]),
                    self.indices[start:stop],
                    self.indptr[first : last + 2] - start,
                ),
                shape=(last + 1 - first, self.shape[1]),
            )
            yield _canonical(block[part - first])


@dataclass(frozen=True)
class ColumnSparse:
    """Rows of a matrix in CSC: the whole matrix is read for them, a block at a time."""

    data: Any
    indices: Any
    indptr: NDArray[np.int64]
    shape: tuple[int, int]
    is_dense: bool = False

    def blocks(self, rows: NDArray[np.int64]) -> Iterator[sp.csr_array]:
        """Yield all rows in one block."""
        n_rows, n_columns = self.shape
        place = np.full(n_rows, -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        data, positions = [], []
        counts = np.zeros(n_columns, dtype=np.int64)
        for start in range(0, int(self.indptr[-1]), BLOCK):
            stop = min(start + BLOCK, int(self.indptr[-1]))
            own = place[self.indices[start:stop]]
            kept = np.flatnonzero(own >= 0)
            columns = np.searchsorted(self.indptr, kept + start, side="right") - 1
            counts += np.bincount(columns, minlength=n_columns)
            data.append(_computable(self.data[start:stop])[kept])
            positions.append(own[kept])
        if not data:
            yield sp.csr_array((len(rows), n_columns), dtype=self.data.dtype)
            return
        ends = np.concatenate([[0], np.cumsum(counts)])
        parts = (np.concatenate(data), np.concatenate(positions), ends)
        yield _canonical(sp.csc_array(parts, shape=(len(rows), n_columns)).tocsr())


def _computable(data: Dense) -> Dense:
    """Return values in a type that scipy supports: no half precision, native byte order."""
    data = np.asarray(data)
    native = np.dtype(np.float32) if data.dtype == np.float16 else data.dtype.newbyteorder("=")
    return data.astype(native, copy=False)


def _canonical(block: sp.csr_array) -> sp.csr_array:
    """Sort entries, and add up those at the same position."""
    if not block.has_canonical_format:
        if block.data.dtype.kind in "iu":
            # Sums of small integers may overflow their type.
            block.data = block.data.astype(np.result_type(block.data.dtype, np.int64))
        block.sum_duplicates()
    return block


def _together(rows: NDArray[np.int64], start: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Split rows into blocks that are read together, by the position of their first value."""
    if not len(rows):
        return []
    return np.split(rows, np.flatnonzero(np.diff(start // BLOCK)) + 1)

"""One digest per row of a matrix, which changes exactly when a value of the row does.

They are saved with models to recognise training cells. A whole store on disk is recognised by its
fingerprint (:mod:`hzau_omics.data.stores.disk.fingerprint`), which depends on the order of cells.
"""

from typing import no_type_check

import numpy as np
import scipy.sparse as sp
from numba import njit
from numpy.typing import NDArray

from hzau_omics.data.contract.matrix import Dense, Matrix

IGNORED = -1
"""Code of a column that is ignored."""

ENTRIES_AT_ONCE = 1 << 22
"""Entries that are converted to float32 at a time."""

_IGNORED = np.uint32(0xFFFFFFFF)


def row_digests(matrix: Matrix, codes: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return a 64-bit digest of each row, from its values other than 0 and their columns.

    A digest is a sum over entries of a hash of column and value. It is therefore the same for dense
    and sparse matrices, for any order of entries, for any dtype that holds the same float32 values,
    and wherever the row stands.

    Parameters
    ----------
    matrix
        Values (row, column), as :func:`~hzau_omics.data.contract.matrix.read_matrix` returns them.
    codes
        Code of each column; `IGNORED` leaves the column out.

    Examples
    --------
    >>> dense = np.array([[0, 1], [2, 0]], dtype="int8")
    >>> codes = np.arange(2)
    >>> bool((row_digests(dense, codes) == row_digests(sp.csc_array(dense), codes)).all())
    True
    """
    digests = np.zeros(matrix.shape[0], dtype=np.uint64)
    unsigned = codes.astype(np.uint32)  # -1 becomes the code of an ignored column
    add = _add_dense if isinstance(matrix, np.ndarray) else _add_sparse
    # Values beyond float32 are refused elsewhere; here they only need the same digest each time.
    with np.errstate(over="ignore", invalid="ignore"):
        add(matrix, unsigned, digests)
    return digests


def _add_dense(matrix: Dense, codes: NDArray[np.uint32], digests: NDArray[np.uint64]) -> None:
    rows_at_once = max(1, ENTRIES_AT_ONCE // max(1, matrix.shape[1]))
    for start in range(0, matrix.shape[0], rows_at_once):
        part = np.ascontiguousarray(matrix[start : start + rows_at_once], dtype=np.float32)
        _hash_dense(part.view(np.uint32), codes, digests[start : start + rows_at_once])


def _add_sparse(
    matrix: sp.csr_array | sp.csc_array, codes: NDArray[np.uint32], digests: NDArray[np.uint64]
) -> None:
    n_lines = len(matrix.indptr) - 1
    starts = _spans(matrix.indptr)
    by_row = matrix.format == "csr"
    for first, last in zip([0, *starts], [*starts, n_lines], strict=True):
        begin, end = int(matrix.indptr[first]), int(matrix.indptr[last])
        values = np.ascontiguousarray(matrix.data[begin:end], dtype=np.float32).view(np.uint32)
        ends = matrix.indptr[first : last + 1].astype(np.int64) - begin
        minor = _unsigned(matrix.indices[begin:end])
        ordered = (
            _hash_rows(ends, minor, values, codes, digests[first:last])
            if by_row
            else _hash_columns(ends, minor, values, codes[first:last], digests)
        )
        if not ordered:
            # Repeated entries stand for their sum.
            canonical = matrix.copy()
            canonical.sum_duplicates()
            digests[:] = 0
            _add_sparse(canonical, codes, digests)
            return


def _unsigned(positions: NDArray[np.integer]) -> NDArray[np.integer]:
    return positions.view(np.dtype(f"u{positions.itemsize}"))


def _spans(indptr: NDArray[np.integer]) -> list[int]:
    """Return where to split the rows (columns of a CSC matrix) into parts of few entries."""
    n_parts = int(indptr[-1]) // ENTRIES_AT_ONCE
    wanted = np.arange(1, n_parts + 1) * ENTRIES_AT_ONCE
    found = np.searchsorted(indptr, wanted, side="left")
    return sorted({int(i) for i in found if 0 < i < len(indptr) - 1})


@njit(inline="always", cache=True)
@no_type_check
def _mixed(code, bits):  # noqa: ANN001, ANN202
    """Hash a column and the bits of its value (SplitMix64); 0 for zeros and ignored columns."""
    # A zero of either sign has no bits other than the sign.
    counts = (bits & np.uint32(0x7FFFFFFF) != 0) & (code != _IGNORED)
    x = (np.uint64(code) << np.uint64(32)) | np.uint64(bits)
    x += np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))) * np.uint64(counts)


@njit(cache=True, nogil=True)
@no_type_check
def _hash_dense(bits, codes, digests):  # noqa: ANN001, ANN202
    for i in range(bits.shape[0]):
        total = np.uint64(0)
        for j in range(bits.shape[1]):
            total += _mixed(codes[j], bits[i, j])
        digests[i] += total


# With slices and unsigned positions numba need not check for negative ones, so loops vectorise.
@njit(cache=True, nogil=True)
@no_type_check
def _hash_rows(ends, minor, bits, codes, digests):  # noqa: ANN001, ANN202
    """Add rows of a CSR matrix; return whether the columns of each row are ascending."""
    disorder = 0
    for i in range(len(ends) - 1):
        columns, values = minor[ends[i] : ends[i + 1]], bits[ends[i] : ends[i + 1]]
        total = np.uint64(0)
        for k in range(len(columns)):
            total += _mixed(codes[columns[k]], values[k])
        digests[i] += total
        for k in range(1, len(columns)):
            disorder += columns[k] <= columns[k - 1]
    return disorder == 0


@njit(cache=True, nogil=True)
@no_type_check
def _hash_columns(ends, minor, bits, codes, digests):  # noqa: ANN001, ANN202
    """Add columns of a CSC matrix; return whether the rows of each column are ascending."""
    disorder = 0
    for j in range(len(ends) - 1):
        rows, values = minor[ends[j] : ends[j + 1]], bits[ends[j] : ends[j + 1]]
        for k in range(len(rows)):
            digests[rows[k]] += _mixed(codes[j], values[k])
        for k in range(1, len(rows)):
            disorder += rows[k] <= rows[k - 1]
    return disorder == 0

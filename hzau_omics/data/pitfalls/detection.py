"""Depth of cells, and number of cells in which a feature is detected, in one pass each."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from hzau_omics.data.contract.matrix import CHUNK, Dense, Matrix

SMALL = 1 << 16
"""Values of one batch that are counted at a time: few enough to stay in the CPU cache."""


def depths(matrix: Matrix) -> NDArray[np.float64]:
    """Return the sum of every row.

    Where a matrix holds negative values, sums say nothing about depth: the number of values other
    than 0 takes their place.

    Examples
    --------
    >>> depths(np.array([[2, 0, 3], [0, 0, 0]])).tolist()
    [5.0, 0.0]
    >>> depths(np.array([[2, 0, -2], [0, 0, 0]])).tolist()
    [2.0, 0.0]
    """
    values = matrix if isinstance(matrix, np.ndarray) else matrix.data
    if values.size and values.min() < 0:
        if isinstance(matrix, np.ndarray):
            return np.asarray(np.count_nonzero(matrix, axis=1), dtype=np.float64)
        stored = _like(matrix, (matrix.data != 0).astype(np.int8))
        return np.asarray(stored.sum(axis=1), dtype=np.float64).reshape(-1)
    # In the type of the values, since sums that convert are many times slower; but half precision
    # would overflow.
    wide = np.float32 if values.dtype == np.float16 else None
    return np.asarray(matrix.sum(axis=1, dtype=wide), dtype=np.float64).reshape(-1)


def detections(matrix: Matrix, batch: NDArray[np.int64], n_batches: int) -> NDArray[np.int64]:
    """Count the cells in which a feature is not 0 (batch, feature).

    Parameters
    ----------
    matrix
        Values (cell, feature).
    batch
        Batch code of every row.
    n_batches
        Number of batches.

    Examples
    --------
    >>> detections(np.array([[2, 0], [1, 0], [1, 1]]), np.array([0, 0, 1]), 2).tolist()
    [[2, 0], [1, 1]]
    """
    counts = np.zeros((n_batches, matrix.shape[1]), dtype=np.int64)
    if isinstance(matrix, np.ndarray):
        _count_dense(matrix, batch, counts)
    elif matrix.format == "csr":
        _count_rows(matrix, batch, counts)
    else:
        _count_columns(matrix, batch, counts)
    return counts


def _count_dense(matrix: Dense, batch: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
    step = max(1, CHUNK // max(1, matrix.shape[1]))
    for start in range(0, len(matrix), step):
        codes = batch[start : start + step]
        nonzero = matrix[start : start + step] != 0
        for code in np.unique(codes):
            counts[code] += np.count_nonzero(nonzero[codes == code], axis=0)


def _count_rows(matrix: sp.csr_array, batch: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
    n_batches, n_features = counts.shape
    for first, last in _runs(batch):
        # In most files the rows of a batch are contiguous: count their features directly.
        for start, stop in _spans(matrix.indptr, first, last, max(SMALL, n_features)):
            counts[batch[first]] += np.bincount(_minor(matrix, start, stop), minlength=n_features)
    if _is_mixed(batch):
        size = max(CHUNK, counts.size)
        for start, stop in _spans(matrix.indptr, 0, len(batch), size):
            rows, features = _stored(matrix, start, stop)
            keys = (batch[start:stop] * n_features)[rows] + features
            counts += np.bincount(keys, minlength=counts.size).reshape(n_batches, n_features)


def _count_columns(
    matrix: sp.csc_array, batch: NDArray[np.int64], counts: NDArray[np.int64]
) -> None:
    n_batches = len(counts)
    for start, stop in _spans(matrix.indptr, 0, matrix.shape[1], CHUNK):
        columns, rows = _stored(matrix, start, stop)
        keys = batch[rows] * (stop - start) + columns
        found = np.bincount(keys, minlength=n_batches * (stop - start))
        counts[:, start:stop] = found.reshape(n_batches, stop - start)


def _is_mixed(batch: NDArray[np.int64]) -> bool:
    """Return whether batches alternate so often that counting run by run would be slow."""
    return bool(np.count_nonzero(np.diff(batch)) > 10 * len(np.unique(batch)))


def _runs(batch: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield start and stop of each run of rows of one batch; nothing where batches are mixed."""
    if len(batch) and not _is_mixed(batch):
        edges = np.concatenate([[0], np.flatnonzero(np.diff(batch)) + 1, [len(batch)]])
        yield from zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)


def _spans(
    indptr: NDArray[np.integer], first: int, last: int, size: int
) -> Iterator[tuple[int, int]]:
    """Split rows `first` to `last` into parts of about `size` stored values, at least one row."""
    start = first
    while start < last:
        stop = int(np.searchsorted(indptr, indptr[start] + size, side="right")) - 1
        stop = min(max(stop, start + 1), last)
        yield start, stop
        start = stop


def _stored(
    matrix: sp.csr_array | sp.csc_array, start: int, stop: int
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Return row (counted from `start`) and column of the values other than 0, for CSR."""
    first, last = int(matrix.indptr[start]), int(matrix.indptr[stop])
    minor = matrix.indices[first:last]
    major = np.repeat(np.arange(stop - start), np.diff(matrix.indptr[start : stop + 1]))
    nonzero = matrix.data[first:last] != 0
    if nonzero.all():
        return major, minor
    return major[nonzero], minor[nonzero]


def _minor(matrix: sp.csr_array, start: int, stop: int) -> NDArray[np.integer]:
    first, last = int(matrix.indptr[start]), int(matrix.indptr[stop])
    nonzero = matrix.data[first:last] != 0
    minor: NDArray[np.integer] = matrix.indices[first:last]
    return minor if nonzero.all() else minor[nonzero]


def _like(matrix: sp.csr_array | sp.csc_array, data: Dense) -> sp.csr_array | sp.csc_array:
    return type(matrix)((data, matrix.indices, matrix.indptr), shape=matrix.shape, copy=False)

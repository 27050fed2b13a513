"""Reading a modality's matrix without changing it: from any format to CSR or C-ordered dense."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from anndata import AnnData
from numpy.typing import NDArray

from hzau_omics.errors import DataContractError
from hzau_omics.messages import did_you_mean, listed

type Dense = NDArray[Any]
type Matrix = sp.csr_array | sp.csc_array | Dense

CHUNK = 1 << 20
"""Number of values that are checked at a time."""


def read_matrix(adata: AnnData, name: str, layer: str | None) -> Matrix:
    """Return the values of one modality as CSR, CSC or dense array, sharing memory if possible.

    Parameters
    ----------
    adata
        The modality.
    name
        Its name, for messages.
    layer
        Layer to read; None for ``X``.

    Raises
    ------
    DataContractError
        If the layer does not exist, does not hold a numeric matrix in memory, or has masked
        entries.
    """
    values = pick_matrix(adata.X, adata.layers, name, layer)
    where = describe(name, layer)
    if not isinstance(values, np.ndarray) and not sp.issparse(values):
        msg = (
            f"{where} must be a numpy array or a scipy sparse matrix in memory. Received "
            f"{type(values).__name__}. Read it into memory: mudata.read_h5mu(path), not backed."
        )
        raise DataContractError(msg)
    check_numbers(values.dtype, where)
    _check_masked(adata, layer, where)
    return own_view(values)


def pick_matrix(x: Any, layers: Mapping[Any, Any], name: str, layer: str | None) -> Any:
    """Return ``X`` or a layer of a modality, in memory or in a file.

    Raises
    ------
    DataContractError
        If there is no such layer, or ``X`` is None.
    """
    known = [key for key in layers if key is not None]
    if layer is not None and layer not in known:
        msg = (
            f"Modality {name!r} has no layer {layer!r}. Its layers are {listed(known, limit=20)}; "
            "layer None is X." + did_you_mean(layer, known)
        )
        raise DataContractError(msg)
    values = x if layer is None else layers[layer]
    if values is None:
        msg = (
            f"{describe(name, layer)} must hold a matrix. Received None: name a layer in layers=, "
            f"one of {listed(known, limit=20)}."
        )
        raise DataContractError(msg)
    return values


def check_numbers(dtype: np.dtype[Any], where: str) -> None:
    """Refuse a matrix of anything but numbers.

    Raises
    ------
    DataContractError
        If the type is not boolean, integer or floating point.
    """
    if dtype.kind not in "biuf":
        msg = f"{where} must hold numbers. Received dtype {dtype}: convert it to float32."
        raise DataContractError(msg)


def describe(name: str, layer: str | None) -> str:
    """Name a matrix for messages.

    Examples
    --------
    >>> describe("rna", None), describe("rna", "counts")
    ("X of modality 'rna'", "Layer 'counts' of modality 'rna'")
    """
    return f"X of modality {name!r}" if layer is None else f"Layer {layer!r} of modality {name!r}"


def _check_masked(adata: AnnData, layer: str | None, where: str) -> None:
    """Refuse masked entries of numpy arrays: what lies under the mask is not a value."""
    # A view of an AnnData gives plain arrays, so the mask is read from the AnnData behind it.
    holder = adata._adata_ref if adata.is_view else adata
    values = holder.X if layer is None else holder.layers[layer]
    if np.ma.isMaskedArray(values):
        masked = np.ma.getmaskarray(values)
    elif np.ma.isMaskedArray(getattr(values, "data", None)):
        hidden = (np.ma.getmaskarray(values.data), values.indices, values.indptr)
        masked = type(values)(hidden, shape=values.shape).toarray()
    else:
        return
    if holder is not adata:
        rows = holder.obs_names.get_indexer(adata.obs_names)
        masked = masked[np.ix_(rows, holder.var_names.get_indexer(adata.var_names))]
    if masked.any():
        row, column = (int(i) for i in np.argwhere(masked)[0])
        msg = (
            f"{where} must have a value in every entry. {int(masked.sum())} are masked, first "
            f"cell {adata.obs_names[row]!r}, feature {adata.var_names[column]!r}. Where a cell "
            "lacks the modality, leave its row out; where a batch did not measure a feature, use "
            "panel_key; fill the others with .filled(value)."
        )
        raise DataContractError(msg)


def own_view(values: Dense | sp.sparray) -> Matrix:
    """Return a new plain matrix that shares memory with the values where possible.

    A new one, because scipy caches flags on a matrix and sorts it in place; converted, because its
    compiled code supports neither half precision nor foreign byte orders. Repeated entries are
    added up, so that checks see the values that the model reads.
    """
    if isinstance(values, np.ndarray):
        return np.asarray(values)
    if values.format not in ("csr", "csc"):
        values = sp.coo_array(values)
        entries = (_computable(values.data, adds=True), values.coords)
        return sp.csr_array(sp.coo_array(entries, shape=values.shape))
    build = sp.csr_array if values.format == "csr" else sp.csc_array
    parts = (_computable(values.data), _native(values.indices), _native(values.indptr))
    matrix = build(parts, shape=values.shape, copy=False)
    if matrix.has_canonical_format:
        return matrix
    parts = (_computable(values.data, adds=True), parts[1].copy(), parts[2].copy())
    matrix = build(parts, shape=values.shape)
    matrix.sum_duplicates()
    return matrix


def _computable(data: Dense, *, adds: bool = False) -> Dense:
    """Return values in a type that scipy supports, wide enough for sums if `adds`."""
    data = _native(data)
    if data.dtype == np.float16:
        return data.astype(np.float32)
    if adds:
        wide = np.result_type(data.dtype, np.int64) if data.dtype.kind in "iu" else data.dtype
        return data.astype(wide)
    return data


def _native(values: Dense) -> Dense:
    return np.asarray(values).astype(values.dtype.newbyteorder("="), copy=False)


def to_rows(matrix: Matrix) -> sp.csr_array | Dense:
    """Return the matrix by rows, canonical CSR or C-ordered dense; copied only if needed."""
    if isinstance(matrix, np.ndarray):
        return np.ascontiguousarray(matrix)
    return matrix.tocsr(copy=False)


def to_float32(rows: sp.csr_array | Dense, *, binarize: bool = False) -> sp.csr_array | Dense:
    """Return the values as float32, limited to 1 if `binarize`."""
    if isinstance(rows, np.ndarray):
        return _cast(rows, binarize=binarize)
    data = _cast(rows.data, binarize=binarize)
    if data is rows.data:
        return rows
    return sp.csr_array((data, rows.indices, rows.indptr), shape=rows.shape, copy=False)


def _cast(values: Dense, *, binarize: bool) -> Dense:
    cast = values.astype(np.float32, copy=False)
    return np.minimum(cast, np.float32(1)) if binarize else cast


def select_features(rows: sp.csr_array | Dense, source: NDArray[np.int64]) -> sp.csr_array | Dense:
    """Return columns in the order of `source`; -1 gives a column of zeros.

    The matrix itself is returned if `source` is its own order.
    """
    if rows.shape[1] == len(source) and np.array_equal(source, np.arange(len(source))):
        return rows
    shared = np.flatnonzero(source >= 0)
    if isinstance(rows, np.ndarray):
        taken = np.zeros((rows.shape[0], len(source)), dtype=rows.dtype)
        taken[:, shared] = rows[:, source[shared]]
        return taken
    target = np.full(rows.shape[1], -1, dtype=np.int64)
    target[source[shared]] = shared
    columns = target[rows.indices]
    keep = columns >= 0
    kept = np.concatenate([[0], np.cumsum(keep)])
    result = sp.csr_array(
        (rows.data[keep], columns[keep], kept[rows.indptr]), shape=(rows.shape[0], len(source))
    )
    result.sort_indices()
    return result


@dataclass(frozen=True)
class Chunk:
    """Part of a matrix: some of its values, and their positions.

    Attributes
    ----------
    values
        One-dimensional array of values.
    locate
        Function from positions within `values` to rows and columns.
    """

    values: Dense
    locate: Callable[[NDArray[np.int64]], tuple[NDArray[np.int64], NDArray[np.int64]]]


def chunks(matrix: Matrix, *, size: int = CHUNK) -> Iterator[Chunk]:
    """Iterate over the stored values of a matrix (all values of a dense one), part by part."""
    if isinstance(matrix, np.ndarray):
        yield from _dense_chunks(matrix, size)
        return
    for start in range(0, matrix.nnz, size):

        def locate(
            positions: NDArray[np.int64], start: int = start
        ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            where = positions + start
            major = np.searchsorted(matrix.indptr, where, side="right") - 1
            minor = matrix.indices[where]
            return (major, minor) if matrix.format == "csr" else (minor, major)

        yield Chunk(matrix.data[start : min(start + size, matrix.nnz)], locate)


def _dense_chunks(matrix: Dense, size: int) -> Iterator[Chunk]:
    n_rows, n_columns = matrix.shape
    step = max(1, size // max(1, n_columns))
    for start in range(0, n_rows, step):

        def locate(
            positions: NDArray[np.int64], start: int = start
        ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            return positions // n_columns + start, positions % n_columns

        yield Chunk(matrix[start : start + step].reshape(-1), locate)

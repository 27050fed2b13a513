"""Which values a likelihood is defined for, and where a matrix has others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hzau_omics.data.contract.matrix import Dense, Matrix, chunks
from hzau_omics.data.contract.spec import Domain

LARGEST = float(np.finfo(np.float32).max)


def outside(values: Dense, domain: Domain) -> NDArray[np.bool_]:
    """Say which values a domain does not allow (NaN and infinite ones are never allowed).

    Examples
    --------
    >>> outside(np.array([0.0, 0.5, 2.0, np.nan]), "counts").tolist()
    [False, True, False, True]
    """
    if values.dtype.kind == "b":
        return np.zeros(values.shape, dtype=bool)
    if domain == "one-hot":
        return np.asarray(~((values == 0) | (values == 1)))
    if domain == "unit":
        return np.asarray(~((values >= 0) & (values <= 1)))
    if values.dtype.kind == "f":
        wide = values.astype(np.float32) if values.dtype.itemsize < 4 else values
        allowed = np.abs(wide) <= LARGEST
        if domain == "counts":
            allowed &= (wide >= 0) & (np.floor(wide) == wide)
        return np.asarray(~allowed)
    if domain == "counts" and values.dtype.kind == "i":
        return np.asarray(values < 0)
    return np.zeros(values.shape, dtype=bool)


def first_outside(matrix: Matrix, domain: Domain) -> tuple[int, int, Any] | None:
    """Find the first stored value that the domain does not allow: row, column and value."""
    for chunk in chunks(matrix):
        bad = np.flatnonzero(outside(chunk.values, domain))
        if len(bad):
            rows, columns = chunk.locate(bad[:1])
            return int(rows[0]), int(columns[0]), chunk.values[bad[0]]
    return None

"""Which values each likelihood allows, and the first value of a matrix that it does not."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hzau_omics.data.contract.matrix import Dense, Matrix, chunks
from hzau_omics.data.contract.spec import Domain

LARGEST = float(np.finfo(np.float32).max)

RULES: dict[Domain, str] = {
    "counts": "non-negative integers",
    "unit": "values between 0 and 1",
    "one-hot": "one-hot rows (a single 1, otherwise 0)",
    "real": "finite numbers within the range of float32",
}
"""What a matrix must hold in each domain, in the words of the error messages."""


def outside(values: Dense, domain: Domain) -> NDArray[np.bool_]:
    """Return which values a domain does not allow; NaN and infinity are never allowed.

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
    """Return row, column and value of the first stored value outside a domain, None without one."""
    for chunk in chunks(matrix):
        bad = np.flatnonzero(outside(chunk.values, domain))
        if len(bad):
            rows, columns = chunk.locate(bad[:1])
            return int(rows[0]), int(columns[0]), chunk.values[bad[0]]
    return None

"""Values as pictures take them."""

from typing import Any

import numpy as np
from scipy import sparse

from hzau_omics.arrays import unmasked


def dense(values: Any) -> np.ndarray:
    """Return an array or a sparse matrix as a float64 array, masked entries as NaN.

    Examples
    --------
    >>> dense(sparse.csr_matrix([[1, 0]]))
    array([[1., 0.]])
    """
    full = values.toarray() if sparse.issparse(values) else unmasked(values)
    return np.asarray(full, dtype=np.float64)

"""Values as pictures take them."""

from typing import Any

import numpy as np
from scipy import sparse


def dense(values: Any) -> np.ndarray:
    """Return an array or a sparse matrix as a float64 array.

    Examples
    --------
    >>> dense(sparse.csr_matrix([[1, 0]]))
    array([[1., 0.]])
    """
    return np.asarray(values.toarray() if sparse.issparse(values) else values, dtype=np.float64)

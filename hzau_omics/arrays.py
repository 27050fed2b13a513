"""One way from whatever holds numbers (numpy, scipy, pandas) to a plain numpy array."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse


def dense[T: np.floating](
    values: Any,
    dtype: type[T] = np.float64,  # type: ignore[assignment]
) -> NDArray[T]:
    """Return values as a dense array of floating-point numbers.

    Parameters
    ----------
    values
        Numpy array or list of any shape, scipy sparse matrix or array, or pandas DataFrame or
        Series. Nothing of it is changed; the result may share its memory.
    dtype
        Type of the result.

    Returns
    -------
    numpy.ndarray
        The values in the same shape. Masked entries (numpy) and missing ones (pandas) are NaN.

    Raises
    ------
    TypeError, ValueError
        If a value is not a number.

    Examples
    --------
    >>> dense(sparse.csr_matrix([[1, 0]]))
    array([[1., 0.]])
    >>> dense(np.ma.masked_equal([1, 777], 777), np.float32)
    array([ 1., nan], dtype=float32)
    >>> dense(pd.DataFrame({"a": pd.array([1, None], dtype="Int64")})).ravel()
    array([ 1., nan])
    """
    if isinstance(values, pd.DataFrame | pd.Series):
        # numpy cannot convert the NA of nullable columns by itself.
        return np.asarray(values.to_numpy(dtype=dtype, na_value=np.nan))
    full = values.toarray() if sparse.issparse(values) else unmasked(values)
    return np.asarray(full, dtype=dtype)


def unmasked(values: Any) -> Any:
    """Return masked numbers as NaN and other masked entries as None; leave all else as it is.

    ``numpy.asarray`` alone would return what lies under the mask.

    Examples
    --------
    >>> unmasked(np.ma.masked_equal([1, 777], 777))
    array([ 1., nan])
    >>> unmasked(np.ma.array(["T", "B"], mask=[True, False])).tolist()
    [None, 'B']
    """
    if not isinstance(values, np.ma.MaskedArray):
        return values
    if not np.ma.is_masked(values):
        return np.asarray(values)
    if values.dtype.kind not in "biuf":
        plain = np.array(values, dtype=object)
        plain[np.ma.getmaskarray(values)] = None
        return plain
    wide = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    return np.ma.filled(values.astype(wide), np.nan)

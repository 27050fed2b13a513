"""numpy's masked arrays: what lies under a mask is no value."""

from typing import Any

import numpy as np


def unmasked(values: Any) -> Any:
    """Return masked numbers as NaN and other masked entries as None; all else is left as it is.

    Without it `numpy.asarray` gives what lies under the mask.

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

"""Plain Python values from what users give: NumPy scalars, arrays without axes, one or several."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

NARROW = {"float16": np.float16, "float32": np.float32}
"""Types whose values are read as the shortest decimal number that they may have been."""


def unwrap(value: object) -> object:
    """Return the Python value in a NumPy scalar, or in an array or a tensor without axes.

    A float of less than 64 bits is read as the shortest decimal number that it may have been.

    Examples
    --------
    >>> unwrap(np.float32(0.1)), unwrap(np.array(3, dtype=np.uint8)), unwrap("text")
    (0.1, 3, 'text')
    """
    if getattr(value, "ndim", None) != 0 or not hasattr(value, "item") or np.ma.is_masked(value):
        return value
    dtype = str(getattr(value, "dtype", "")).removeprefix("torch.")
    if "time" in dtype:
        # Its number of nanoseconds is not what anybody means.
        return value
    found = value.item()
    return float(str(NARROW[dtype](found))) if dtype in NARROW else found


def as_list(value: object) -> list[Any]:
    """Return one value, or a collection of several, as a list.

    Text, numbers and arrays without axes are one value; so is what is not iterable, has more than
    one axis, or is a mapping. A set has no order, so it is sorted.

    Examples
    --------
    >>> as_list("rna"), as_list(np.float32(0.5)), as_list(("rna", "adt")), as_list({"b", "a"})
    (['rna'], [0.5], ['rna', 'adt'], ['a', 'b'])
    """
    one = unwrap(value)
    several = isinstance(one, Iterable) and not isinstance(one, str | bytes | Mapping)
    if not several or getattr(one, "ndim", 1) != 1:
        return [one]
    assert isinstance(one, Iterable)
    return sorted(one, key=str) if isinstance(one, set | frozenset) else list(one)

"""Phrases that error messages share."""

from collections.abc import Iterable
from difflib import get_close_matches

import numpy as np


def listed(names: Iterable[object], *, limit: int = 5) -> str:
    """Return the first names in quotes, and how many more there are.

    Examples
    --------
    >>> listed(["a", "b", "c"], limit=2)
    "'a', 'b' and 1 more"
    >>> listed([])
    'none'
    """
    items = [repr(str(name)) for name in names]
    if not items:
        return "none"
    shown = ", ".join(items[:limit])
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit} more"


def did_you_mean(name: object, options: Iterable[object]) -> str:
    """Return " Did you mean 'x'?" for the closest option, or nothing.

    Examples
    --------
    >>> did_you_mean("rnaa", ["rna", "adt"])
    " Did you mean 'rna'?"
    """
    close = get_close_matches(str(name), [str(option) for option in options], n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def number(value: object) -> str:
    """Return a number with the fewest digits that identify it in its own precision.

    Examples
    --------
    >>> number(1.0000000000000002), number(1234567.5), number(np.float32(0.1)), number(3.0)
    ('1.0000000000000002', '1234567.5', '0.1', '3')
    """
    # str(np.float32(0.1)) uses its own precision; repr of the float has one notation for all.
    plain = repr(float(str(value))) if isinstance(value, float | np.floating) else str(value)
    return plain.removesuffix(".0")
